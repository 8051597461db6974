"""Plots as files of their own: PNG, PDF and SVG. The same plot gives the same bytes.

matplotlib, which draws them, is optional: `can_draw` says whether it is installed.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hemozoin.files import replace_file
from hemozoin.reports.style import PAPER, STYLE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: The folder of the plots, in the folder of a run.
PLOTS = "plots"

#: Format → what identifies the time or the program in such a file: it is left out.
_METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "svg": {"Date": None, "Creator": None},
}

#: Dots per inch of a PNG: 3.2 inches are then 960 px, enough for a column of a journal.
_DPI = 300


def can_draw() -> bool:
    """Return whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def plot_file_names(plots: Iterable[str]) -> tuple[str, ...]:
    """Return the paths that `write_plots` writes, below its folder, for plots of these names."""
    return tuple(f"{PLOTS}/{name}.{kind}" for name in plots for kind in _METADATA)


def write_plots(folder: Path, figures: Mapping[str, Figure]) -> dict[str, str]:
    """Write each figure in all formats to `folder`/plots, each file completely or not at all.

    Returns the SVG of each. Without figures there is no such folder.
    """
    if figures:
        (folder / PLOTS).mkdir(exist_ok=True)
    svg_files = {}
    for name, figure in figures.items():
        for kind, metadata in _METADATA.items():
            content = _encoded(figure, name, kind, metadata)
            replace_file(folder / PLOTS / f"{name}.{kind}", content)
            figure.set_layout_engine("none")  # the first file has found the layout
            if kind == "svg":
                svg_files[name] = content.decode()
    return svg_files


def _encoded(figure: Figure, name: str, kind: str, metadata: dict[str, Any]) -> bytes:
    import matplotlib as mpl  # noqa: PLC0415 - optional

    buffer = io.BytesIO()
    with mpl.rc_context({**STYLE, "svg.hashsalt": name, "pdf.fonttype": 42}):
        figure.savefig(buffer, format=kind, dpi=_DPI, facecolor=PAPER, metadata=metadata)
    return buffer.getvalue()
