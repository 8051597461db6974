"""Gain and cost of chromatin.py: cells called infected by the network alone, and with their field.

    python benchmarks/chromatin.py cell_images.zip fields --labels corrections.csv nano best

NLM's cells are compared by their corrected labels; the networks have learned them, so their lines
say what asking for chromatin takes from the called cells, not how good the networks are; they are
not compared with the healthy cells of their fields. `fields` has the folders of world.py;
uninfected are the marked cells, and all red cells of healthy blood. The rows of a network replace
its earlier ones in benchmarks/results/chromatin.csv.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import markdown_tables as md
import rows
import world
from hemozoin.classes import PARASITIZED, UNINFECTED
from hemozoin.data.dataset import decode_cells
from hemozoin.data.options import CellOptions
from hemozoin.data.store import Store
from hemozoin.model.predictor import Predictor
from hemozoin.smear.chromatin import densest_spot, may_be_chromatin

FILE = "chromatin.csv"

#: Numbers of cells or fields, each counted by the network alone and with the rule.
COUNTED = ("infected_called", "uninfected_called", "review", "infected_fields_found")


def main() -> None:
    """Measure each network given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("fields", type=Path)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--labels", type=Path, required=True)
    given = parser.parse_args()
    truths = [truth for truth in world.all_pictures(given.fields) if truth.kind == "thin"]
    for model in given.models:
        predictor = Predictor.load(model)
        preprocessing = predictor.bundle.preprocessing
        store = decode_cells(given.data, CellOptions(labels=given.labels), preprocessing)
        measured = [nlm(predictor, store), *places(predictor, truths)]
        kept = [row for row in rows.read(FILE) if row["model"] != model]
        rows.remove(FILE)
        for row in [*kept, *({"model": model, **row, **rows.conditions()} for row in measured)]:
            rows.append(FILE, dict(row))


def nlm(predictor: Predictor, store: Store) -> rows.Row:
    """Return how many of NLM's cells are called infected, by their corrected labels."""
    truth = store.cells.corrected
    assert truth is not None  # there is a list of corrections
    alone = predictor.bundle.review_band.decide_all(predictor(store.pixels)) == PARASITIZED
    shown = alone.copy()
    spots = map(densest_spot, store.pixels[alone])
    shown[alone] = [may_be_chromatin(spot, stain=0) for spot in spots]
    infected, uninfected = (truth == label for label in (PARASITIZED, UNINFECTED))
    return {
        "place": "NLM",
        "infected": int(infected.sum()),
        "uninfected": int(uninfected.sum()),
        "infected_fields": 0,
        "infected_called_alone": int(alone[infected].sum()),
        "infected_called": int(shown[infected].sum()),
        "uninfected_called_alone": int(alone[uninfected].sum()),
        "uninfected_called": int(shown[uninfected].sum()),
        "review_alone": "",
        "review": "",
        "infected_fields_found_alone": 0,
        "infected_fields_found": 0,
    }


def places(predictor: Predictor, truths: list[world.Truth]) -> Iterator[rows.Row]:
    """Yield the row of each place in which something is known of the cells."""
    with (
        patch("hemozoin.smear.screen.allow_contrast", lambda decided, *_: decided),
        patch("hemozoin.smear.screen.reconsider", lambda decided, *_: decided),
    ):
        alone = _counts(world.by_place(predictor, truths), predictor)
    for place, shown in _counts(world.by_place(predictor, truths), predictor).items():
        if shown["infected"] or shown["uninfected"] or shown["infected_fields"]:
            known = {name: count for name, count in shown.items() if name not in COUNTED}
            counted = {
                name: value
                for one in COUNTED
                for name, value in ((f"{one}_alone", alone[place][one]), (one, shown[one]))
            }
            yield {"place": place, **known, **counted}


def _counts(places: dict[str, world.Place], predictor: Predictor) -> dict[str, dict[str, int]]:
    """Return the counts of each place: of marked cells, or of all cells of healthy blood."""
    counts = {}
    for name, place in places.items():
        row = place.row(predictor.bundle.threshold.value)
        number = {key: int(value) for key, value in row.items() if isinstance(value, int)}
        counts[name] = {
            "infected": number["marked_infected"],
            "uninfected": number["marked_uninfected"] + number["healthy_cells"],
            "infected_fields": number["infected_fields"],
            "infected_called": number["marked_infected_called"],
            "uninfected_called": number["marked_uninfected_called"] + number["healthy_called"],
            "review": number["review"],
            "infected_fields_found": number["infected_fields_found"],
        }
    return counts


def table() -> str:
    """Return the results in Markdown: a line per network and place, and one for all fields."""
    found = rows.read(FILE)
    lines = []
    for (model,), places in md.groups(found, "model").items():
        lines += [_line(f"`{model}`, {row['place']}", [row]) for row in places]
        lines.append(
            _line(f"**`{model}`, all fields**", [r for r in places if r["place"] != "NLM"])
        )
    note = (
        "By the network alone → with what the field shows of the cell. NLM: corrected labels, cells"
        " that the networks have learned. Elsewhere: marked cells, or all red cells of healthy"
        " blood. " + md.machine(found)
    )
    columns = (
        *("network, place", "infected cells", "of these called infected"),
        *("uninfected cells", "of these called infected"),
        *("for review", "fields with parasites: found"),
    )
    return md.table(columns, lines, note)


def _line(name: str, places: md.Rows) -> list[str]:
    total = {key: sum(int(row[key] or 0) for row in places) for key in places[0] if _is_count(key)}
    fields = total["infected_fields"]
    return [
        name,
        f"{total['infected']:,}" if total["infected"] else "",
        _change(total, "infected_called") if total["infected"] else "",
        f"{total['uninfected']:,}" if total["uninfected"] else "",
        _change(total, "uninfected_called") if total["uninfected"] else "",
        _change(total, "review") if total["review"] else "",
        f"{_change(total, 'infected_fields_found')} of {fields}" if fields else "",
    ]


def _is_count(key: str) -> bool:
    return key.startswith(("infected", "uninfected", "review"))


def _change(total: dict[str, int], key: str) -> str:
    return f"{total[f'{key}_alone']:,} → {total[key]:,}"


if __name__ == "__main__":
    main()
