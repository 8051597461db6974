"""Take the screenshots of reports in docs/ with a browser.

    hemozoin train cell_images.zip --out runs/first
    hemozoin demo
    hemozoin evaluate runs/synthetic_cells.zip --model nano --out runs/drawn
    hemozoin screen runs/synthetic_smear --model runs/demo --out runs/screened
    python website/report_pictures.py runs/first runs/drawn runs/screened

The screenshots that show cells are of synthetic ones: the pictures of the data sets are not ours
to publish. Needs Chromium.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
from pathlib import Path

from PIL import Image, ImageChops

DOCS = Path(__file__).parents[1] / "docs"

#: Width in px, and a height that is enough for every part of a report.
_WINDOW = (820, 4000)

_QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--hide-scrollbars", "--force-device-scale-factor=1.5"),
)

#: The overlay for the documentation: three infected cells, one for review, and a white cell.
_OVERLAY = "field_02.png.jpg"

#: Headings of the parts that each screenshot shows; None is the part above the first heading.
OF_A_RUN: dict[str, tuple[str | None, ...]] = {
    "report.png": (
        None,
        "All metrics",
        "The threshold",
        "Cells for review",
        "ROC and precision-recall curves",
    ),
    "report_top.png": (None,),
    "report_metrics.png": ("All metrics",),
    "report_threshold.png": ("The threshold",),
    "report_review.png": ("Cells for review",),
    "report_curves.png": ("ROC and precision-recall curves",),
    "report_probabilities.png": ("Probabilities",),
    "report_learning.png": ("Learning curves",),
}
OF_DRAWN_CELLS: dict[str, tuple[str | None, ...]] = {
    "report_mistakes.png": ("Most confident mistakes",)
}
OF_A_SMEAR: dict[str, tuple[str | None, ...]] = {
    "screen_top.png": (None,),
    "screen_infected.png": ("Called infected",),
    "screen_count.png": ("Calculation",),
    "screen_manual.png": ("Manual count",),
}


def main() -> None:
    """Take all screenshots."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("drawn", type=Path)
    parser.add_argument("screened", type=Path)
    given = parser.parse_args()
    reports = ((given.run, OF_A_RUN), (given.drawn, OF_DRAWN_CELLS), (given.screened, OF_A_SMEAR))
    for run, pictures in reports:
        page = (run / "report.html").read_text(encoding="utf-8")
        for name, headings in pictures.items():
            take(only(page, headings), DOCS / name)
    take((given.screened / "print.html").read_text(encoding="utf-8"), DOCS / "screen_print.png")
    overlay = given.screened / "overlays" / _OVERLAY
    (DOCS / "screen_overlay.jpg").write_bytes(overlay.read_bytes())


def only(page: str, headings: tuple[str | None, ...]) -> str:
    """Return the report with only these parts; raises LookupError if it lacks one."""
    before, top, rest = re.split("(<header>.*?</header>)", page, maxsplit=1, flags=re.DOTALL)
    parts: dict[str | None, str] = {None: top}
    for section in re.findall("<section>.*?</section>", rest, re.DOTALL):
        parts[section.partition("<h2>")[2].partition("<")[0].strip()] = section
    if missing := set(headings) - set(parts):
        raise LookupError(f"the report has no part with the heading {missing}")
    return f"{before}{''.join(parts[heading] for heading in headings)}</main></body></html>"


def take(page: str, picture: Path) -> None:
    """Write a screenshot of a page as a PNG, without the empty space below the page."""
    with tempfile.TemporaryDirectory() as folder:
        source, shot = Path(folder, "page.html"), Path(folder, "shot.png")
        source.write_text(page, encoding="utf-8")
        size = f"--window-size={_WINDOW[0]},{_WINDOW[1]}"
        profile = f"--user-data-dir={folder}/profile"
        browser = ["chromium", *_QUIET, profile, size, f"--screenshot={shot}", source.as_uri()]
        subprocess.run(browser, check=True, capture_output=True)
        trimmed(Image.open(shot).convert("RGB")).save(picture, optimize=True)


def trimmed(shot: Image.Image) -> Image.Image:
    """Cut off the space that has the colour of the lower right corner, except a narrow margin."""
    empty = Image.new("RGB", shot.size, shot.getpixel((shot.width - 1, shot.height - 1)))
    box = ImageChops.difference(shot, empty).getbbox() or (0, 0, *shot.size)
    margin = 20
    top, bottom = max(0, box[1] - margin), min(shot.height, box[3] + margin)
    return shot.crop((0, top, shot.width, bottom)).quantize(256)


if __name__ == "__main__":
    main()
