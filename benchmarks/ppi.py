"""The count of an audit compared with that of prediction-powered inference, on the same answers.

    pip install ppi-python
    python benchmarks/ppi.py fields runs/nano

The arguments are those of audits.py, and so are the slides. ppi-python (Angelopoulos et al. 2023)
takes the network's p as predictions and 1 / chance as weights; PPI++ tunes how far the predictions
are used. The rows go to benchmarks/results/ppi.csv.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import markdown_tables as md
import rows
from audits import answered, audited, known_slides
from hemozoin.classes import PARASITIZED
from hemozoin.review.found_cells import FoundCells
from hemozoin.review.reviews import Review

FILE = "ppi.csv"

#: Numbers of answers, and of audits of each kind.
ANSWERS, AUDITS = (50, 150), 200

#: The methods: the name, and how far the predictions are used; None is tuned.
PPI: dict[str, float | None] = {"PPI": 1.0, "PPI++": None}


def main() -> None:
    """Repeat the audits, and replace the rows of all places."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("fields", type=Path)
    parser.add_argument("run", type=Path)
    given = parser.parse_args()
    rows.remove(FILE)
    for place, slide in known_slides(given.fields, given.run).items():
        if place.startswith("bccd"):  # no infected cell
            continue
        for number in ANSWERS:
            rng, results = np.random.default_rng(0), dict[str, list[tuple[float, ...]]]()
            for seed in range(AUDITS):
                known = slide(rng)
                truth = known.infected.sum()
                count = audited(known, number, seed)
                ours = count.parasitaemia
                cells, reviews = answered(known, number, seed)
                scaled = np.array([ours.value, ours.low, ours.high]) * count.red_cells
                results.setdefault("hemozoin", []).append((truth, *scaled))
                for name, used in PPI.items():
                    results.setdefault(name, []).append((truth, *estimate(cells, reviews, used)))
            for name, found in results.items():
                row = {"place": place, "answers": number, "audits": AUDITS, "method": name}
                rows.append(FILE, row | figures(np.array(found)) | rows.conditions())


def estimate(
    cells: FoundCells, reviews: list[Review], used: float | None
) -> tuple[float, float, float]:
    """Return ppi-python's number of infected cells and the ends of its 95 % interval."""
    from ppi_py import ppi_mean_ci, ppi_mean_pointestimate  # noqa: PLC0415 - not always there

    truth = np.array([float(review.answer == PARASITIZED) for review in reviews])
    p = np.array([review.p_parasitized for review in reviews])
    weights = np.array([1 / (review.probability or 1) for review in reviews])
    options: dict[str, Any] = {"lam": used, "w": weights}
    value = ppi_mean_pointestimate(truth, p, cells.p_parasitized, **options)
    low, high = ppi_mean_ci(truth, p, cells.p_parasitized, alpha=0.05, **options)
    value, low, high = (float(np.squeeze(one)) * len(cells) for one in (value, low, high))
    return value, low, high


def figures(found: Any) -> rows.Row:
    """Return the figures of many audits: truth, value, low, high, float `[audits, 4]`."""
    truth, value, low, high = found.T
    return {
        "infected": round(float(truth.mean()), 1),
        "bias": round(float((value - truth).mean()), 2),
        "standard_error": round(float((value - truth).std()), 2),
        "within_25": round(float((abs(value - truth) <= 0.25 * truth).mean()), 3),
        "coverage": round(float(((low <= truth) & (truth <= high)).mean()), 3),
    }


def table() -> str:
    """Return the results in Markdown: a line per place, number of answers and method."""
    found = rows.read(FILE)
    lines = [
        (
            *(row[name] for name in ("place", "answers", "method", "infected")),
            f"{float(row['bias']):+.1f} ± {row['standard_error']}",
            md.share(row["within_25"]),
            md.share(row["coverage"]),
        )
        for row in found
    ]
    last = found[-1]
    note = (
        f"{last['audits']} audits for each line, with the same answers for all methods. Error: mean"
        " ± standard deviation, in infected cells. ppi-python 0.2.3,"
        f" hemozoin {last['hemozoin']}."
    )
    columns = (
        *("slides", "answers", "method", "infected cells", "error", "within 25 %"),
        "interval holds",
    )
    return md.table(columns, lines, note)


if __name__ == "__main__":
    main()
