"""`hemozoin download`: download NLM's file of cells."""

from __future__ import annotations

from pathlib import Path


def download(out: Path = Path("cell_images.zip")) -> None:
    """Download NLM's cell_images.zip (353 MB); resume a download that was interrupted.

    Parameters
    ----------
    out
        File to write, or the folder for it.
    """
    from hemozoin.data.download import download as download_file

    print(download_file(out))
