"""Write the measured figures into the Markdown files, between their markers.

    python benchmarks/readme.py

A test holds the files against what this would write, so no figure there can be typed by hand.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path

import rows

ROOT = Path(__file__).parents[1]

Runs = list[dict[str, str]]


def main() -> None:
    """Bring every file up to date."""
    for path, name in PLACES:
        path.write_text(updated(path, name), encoding="utf-8")


def updated(path: Path, name: str) -> str:
    """Return the text of a file with the block `name` made anew."""
    opening, closing = f"<!-- figures: {name} -->", "<!-- end -->"
    before, found, rest = path.read_text(encoding="utf-8").partition(opening)
    if not found:
        raise SystemExit(f"{path}: no {opening}")
    after = rest.partition(closing)[2]
    return f"{before}{opening}\n{BLOCKS[name]()}\n{closing}{after}"


def headline() -> str:
    """Return the table of `headline.csv`: a line per preset."""
    found = rows.read("headline.csv")
    lines = [
        "| | accuracy | AUC | accuracy where both labels agree | calibration error | whole run |"
        " peak memory |",
        "|---|---|---|---|---|---|---|",
    ]
    for preset in dict.fromkeys(row["preset"] for row in found):
        runs = [row for row in found if row["preset"] == preset]
        lines.append(
            f"| `{preset}` (n = {len(runs)}) | {_spread(runs, 'accuracy')}"
            f" | {_spread(runs, 'auc')} | {_spread(runs, 'accuracy_agreed')}"
            f" | {_spread(runs, 'calibration_error', 3)}"
            f" | {_spread(runs, 'seconds', 0)} s | {max(int(r['peak_mb']) for r in runs):,} MB |"
        )
    return "\n".join([*lines, "", _conditions(found)])


def recipes() -> str:
    """Return the table of `recipes.csv`: a line per variant, as it is and unturned."""
    found = rows.read("recipes.csv")
    lines = [
        "| variant | turns averaged | n | accuracy | AUC | accuracy, corrected labels |"
        " accuracy where both agree | seconds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for key in dict.fromkeys((row["variant"], row["orientations"]) for row in found):
        runs = [row for row in found if (row["variant"], row["orientations"]) == key]
        lines.append(
            f"| {key[0]} | {key[1]} | {len(runs)} | {_spread(runs, 'accuracy')}"
            f" | {_spread(runs, 'auc')} | {_spread(runs, 'accuracy_corrected')}"
            f" | {_spread(runs, 'accuracy_agreed')} | {_spread(runs, 'seconds', 0)} |"
        )
    return "\n".join([*lines, "", _conditions(found)])


def _spread(runs: Runs, column: str, digits: int = 4) -> str:
    values = [float(row[column]) for row in runs]
    shown = f"{statistics.mean(values):.{digits}f}"
    if len(values) > 1:
        shown += f" ± {statistics.stdev(values):.{digits}f}"
    return shown


def _conditions(found: Runs) -> str:
    """Say what the figures hold for: test cells, machine, versions."""
    cells = [int(row["cells"]) for row in found]
    patients = [int(row["patients"]) for row in found]
    last = found[-1]
    return (
        f"Mean ± standard deviation over n splits by patient; {min(cells):,} to {max(cells):,} test"
        f" cells of {min(patients)} to {max(patients)} patients each. {last['cores']} cores"
        f" ({last['machine']}), no GPU, torch {last['torch']}, hemozoin {last['hemozoin']}."
    )


BLOCKS: dict[str, Callable[[], str]] = {"headline": headline, "recipes": recipes}
PLACES = ((ROOT / "README.md", "headline"), (ROOT / "benchmarks" / "README.md", "recipes"))


if __name__ == "__main__":
    main()
