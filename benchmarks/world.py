"""Smears of many places: answered, refused, called infected, for review, place by place.

    python benchmarks/world.py fields nano

`fields` has a folder `world` with pictures by place and its truth.json, and the folders `iml` and
`bccd` of fields.py. The truth of a picture says whether it is a thin film (an answer is due), a
thick film or something else (a refusal is due); whether an eye sees parasites in it; and for some
places the type and the box of every cell. A picture is answered if it could be read and has no
flaw. The rows of a network replace its earlier ones in benchmarks/results/world.csv, one per
place.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import markdown_tables as md
import rows
from fields import OTHERS, Score, add, match, metrics, object_boxes
from hemozoin.classes import PARASITIZED, UNINFECTED
from hemozoin.decision.conformal import REVIEW
from hemozoin.errors import DataError
from hemozoin.model.predictor import Predictor
from hemozoin.smear.field import Cell, Field
from hemozoin.smear.screen import screen
from microscope import LABELS

FILE = "world.csv"

Marks = list[dict[str, Any]]


@dataclass(frozen=True)
class Truth:
    """A picture, its place, and what people know about it.

    `kind` is "thin", "thick" or "other"; `infected` says whether an eye sees parasites, None where
    nobody said; `cells` are the marked cells, each with `type` and `box`, none where nobody marked.
    """

    place: str
    path: Path
    kind: str
    infected: bool | None
    cells: Marks


@dataclass
class Place:
    """All results of one place."""

    results: list[tuple[Truth, Field]] = field(default_factory=list)

    def row(self, threshold: float) -> rows.Row:
        """Return the figures of the place; empty where there is nothing to count."""
        answered = [(truth, found) for truth, found in self.results if found.usable]
        healthy = [found for truth, found in answered if truth.infected is False]
        seen = [found for truth, found in self.results if truth.infected]
        return {
            "kind": self.results[0][0].kind,
            "pictures": len(self.results),
            "answered": len(answered),
            "red_cells": sum(len(found.cells) for _, found in answered),
            "review": sum(found.review for _, found in answered),
            "healthy_cells": sum(len(found.cells) for found in healthy),
            "healthy_called": sum(found.infected for found in healthy),
            "infected_fields": len(seen),
            "infected_fields_found": sum(found.usable and found.infected > 0 for found in seen),
            **self._marked(threshold),
        }

    def _marked(self, threshold: float) -> rows.Row:
        """Return how many marked cells are found; the decisions are those in answered pictures."""
        marked = [(truth, found) for truth, found in self.results if truth.cells]
        decisions, score = [], Score()
        for truth, found in marked:
            red = [mark for mark in truth.cells if mark["type"] not in OTHERS]
            add(score, found.cells, red, (found.width, found.height))
            if found.usable:
                decisions += [(label, cell.decision) for cell, label in marked_cells(found, red)]
        found_metrics = metrics(score, threshold) if marked else {}
        infected = [decision for label, decision in decisions if label == PARASITIZED]
        uninfected = [decision for label, decision in decisions if label == UNINFECTED]
        return {
            "f1": found_metrics.get("f1", ""),
            "auc": found_metrics.get("auc", ""),
            "marked_infected": len(infected),
            "marked_infected_called": infected.count(PARASITIZED),
            "marked_infected_review": infected.count(REVIEW),
            "marked_uninfected": len(uninfected),
            "marked_uninfected_called": uninfected.count(PARASITIZED),
            "marked_uninfected_review": uninfected.count(REVIEW),
        }


def marked_cells(found: Field, marks: Marks) -> Iterator[tuple[Cell, str]]:
    """Yield each marked cell that was found, and its label."""
    boxes = np.array([mark["box"] for mark in marks], float).reshape(-1, 4)
    for cell, mark in match(object_boxes(found.cells), boxes):
        if marks[mark]["type"] in LABELS:
            yield found.cells[cell], LABELS[marks[mark]["type"]]


def labelled_cells(found: Field, truth: Truth) -> Iterator[tuple[Cell, str]]:
    """Yield the found cells of which the label is known: the marked ones, in healthy blood all."""
    if truth.infected is False:
        return ((cell, UNINFECTED) for cell in found.cells)
    return marked_cells(found, truth.cells)


def main() -> None:
    """Screen all pictures with each network given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("fields", type=Path)
    parser.add_argument("models", nargs="+")
    given = parser.parse_args()
    truths = all_pictures(given.fields)
    for model in given.models:
        measure(model, truths)


def all_pictures(fields: Path) -> list[Truth]:
    """Return the pictures of all places."""
    truths = [*world(fields / "world")]
    for name in ("iml", "bccd"):
        truths += marked_fields(fields / name, infected=False if name == "bccd" else None)
    return truths


def by_place(predictor: Predictor, truths: list[Truth]) -> dict[str, Place]:
    """Screen all pictures and return the results of each place."""
    places = dict[str, Place]()
    for truth in truths:
        places.setdefault(truth.place, Place()).results.append(
            (truth, try_screen(truth, predictor))
        )
    return places


def measure(model: str, truths: list[Truth]) -> None:
    """Screen all pictures with one network and replace its rows in the results file."""
    predictor = Predictor.load(model)
    places = by_place(predictor, truths)
    kept = [row for row in rows.read(FILE) if row["model"] != model]
    rows.remove(FILE)
    for row in kept:
        rows.append(FILE, dict(row))
    for name, place in places.items():
        figures = place.row(predictor.bundle.threshold.value)
        rows.append(FILE, {"model": model, "place": name, **figures, **rows.conditions()})


def try_screen(truth: Truth, predictor: Predictor) -> Field:
    """Return the field; one that can't be screened has an error, as on the command line."""
    try:
        return screen(truth.path, predictor)
    except DataError as error:
        return Field(truth.path.name, error=str(error))


def world(folder: Path) -> Iterator[Truth]:
    """Yield the pictures of truth.json that are there, each once."""
    seen = set()
    for one in json.loads((folder / "truth.json").read_text(encoding="utf-8")):
        path = folder / one["site"] / one["file"]
        if path not in seen and path.exists():
            seen.add(path)
            yield Truth(one["site"], path, one["kind"], one["infected"], one.get("cells") or [])


def marked_fields(folder: Path, infected: bool | None) -> Iterator[Truth]:
    """Yield the fields of an annotations.json; all are thin films."""
    for one in json.loads((folder / "annotations.json").read_text(encoding="utf-8")):
        yield Truth(folder.name, folder / one["image"], "thin", infected, one["cells"])


def table() -> str:
    """Return the results in Markdown: a line per network and place, and the mean over places."""
    found = rows.read(FILE)
    lines = [_line(row) for row in found]
    for (model,), places in md.groups(found, "model").items():
        thin = [row for row in places if row["kind"] == "thin"]
        answered = [int(row["answered"]) / int(row["pictures"]) for row in thin]
        lines.append(
            [f"**`{model}`, mean of {len(thin)} places**", "thin", "", f"{np.mean(answered):.2f}"]
            + [""] * 6
        )
    note = (
        "A picture is answered if it has no flaw; of thick films and other pictures none should be."
        " Review and called: shares of the red cells of answered pictures. Infected and uninfected"
        " cells: marked cells that were found in answered pictures. " + md.machine(found)
    )
    columns = (
        *("network, place", "film", "pictures", "answered", "for review"),
        *("healthy blood: called infected", "fields with parasites: found", "F1 of red cells"),
        *("infected cells: called, review, uninfected", "uninfected cells: called"),
    )
    return md.table(columns, lines, note)


def _line(row: dict[str, str]) -> list[str]:
    number = {name: int(row[name]) for name in row if row[name].isdigit()}
    infected = number["marked_infected"]
    decided = [number["marked_infected_called"], number["marked_infected_review"]]
    return [
        f"`{row['model']}`, {row['place']}",
        row["kind"],
        row["pictures"],
        _share(number["answered"], number["pictures"], 2),
        _share(number["review"], number["red_cells"], 3),
        _share(number["healthy_called"], number["healthy_cells"], 4),
        f"{number['infected_fields_found']} of {number['infected_fields']}",
        row["f1"],
        f"{decided[0]}, {decided[1]}, {infected - sum(decided)}" if infected else "",
        _share(number["marked_uninfected_called"], number["marked_uninfected"], 4),
    ]


def _share(part: int, whole: int, digits: int) -> str:
    return f"{part / whole:.{digits}f}" if whole else ""


if __name__ == "__main__":
    main()
