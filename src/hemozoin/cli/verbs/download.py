"""`hemozoin download`: NLM's file of cells."""

from __future__ import annotations

from pathlib import Path


def download(out: Path = Path("cell_images.zip")) -> None:
    """Fetch NLM's cell_images.zip (353 MB), going on where a transfer broke off.

    Parameters
    ----------
    out
        Where to put it.
    """
    from hemozoin.data.download import download as fetch

    print(fetch(out))
