"""What a field shows of a cell: gain and cost of chromatin, recalibration and normalization.

    python benchmarks/field_context.py cell_images.zip fields --labels corrections.csv nano best

Cells are decided by the network alone, then with the modules of `smear/classification`: chromatin,
then also recalibration, then also the tint of the stain (normalization) and grain (denoising), then
also the colour and the size of the whole cell (chromatin again), as `screen` does. NLM's cells come
without fields, so only chromatin is asked for; they are compared by their corrected labels, and the
networks have learned them: their lines say what the rule takes from the called cells, not how good
the networks are. `fields` has the folders of world.py; uninfected are the marked cells, and all red
cells of healthy blood, of answered pictures. The rows of a network replace its earlier ones in
benchmarks/results/field_context.csv.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

import numpy as np

import markdown_tables as md
import rows
import world
from hemozoin.classes import PARASITIZED, UNINFECTED
from hemozoin.data.dataset import decode_cells
from hemozoin.data.options import CellOptions
from hemozoin.data.store import Store
from hemozoin.model.predictor import Predictor
from hemozoin.smear.classification.chromatin import FieldContext, may_be_chromatin, stain_of

FILE = "field_context.csv"

#: Numbers of cells or fields, each counted at every step.
COUNTED = (
    *("infected_called", "infected_review", "uninfected_called", "review"),
    "infected_fields_found",
)

#: The functions that judge a whole cell, and those that change what the network sees.
_WHOLE_CELL, _NORMALIZATION = ("is_red_violet", "is_enlarged"), ("tint_gain", "blur_needed")

#: What a decision is made by, and the functions that are put out of action for it.
STEPS = {
    "network": ("allow_contrast", "reconsider", "log_odds_shift", *_NORMALIZATION),
    "chromatin": ("log_odds_shift", *_NORMALIZATION, *_WHOLE_CELL),
    "recalibration": (*_NORMALIZATION, *_WHOLE_CELL),
    "normalization": _WHOLE_CELL,
    "whole_cell": (),
}

#: The step that `screen` decides by.
_LAST = [*STEPS][-1]

_WITHOUT = {
    "allow_contrast": ("classify", lambda decided, *_: decided),
    "reconsider": ("classify", lambda decided, *_: decided),
    "log_odds_shift": ("classify", lambda *_: 0.0),
    "tint_gain": ("normalization", np.ones_like),
    "blur_needed": ("classify", lambda *_: 0.0),
    "is_red_violet": ("chromatin", lambda *_: False),
    "is_enlarged": ("chromatin", lambda *_: False),
}


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
    no_field = FieldContext(stain=0, red_cells=0)
    stains = [stain_of(cell, np.zeros(3), area=1) for cell in store.pixels[alone]]
    shown[alone] = [may_be_chromatin(stain.spot, no_field) for stain in stains]
    infected, uninfected = (truth == label for label in (PARASITIZED, UNINFECTED))
    counts = {
        "infected_called_network": int(alone[infected].sum()),
        "infected_called_chromatin": int(shown[infected].sum()),
        "uninfected_called_network": int(alone[uninfected].sum()),
        "uninfected_called_chromatin": int(shown[uninfected].sum()),
    }
    return {
        "place": "NLM",
        "infected": int(infected.sum()),
        "uninfected": int(uninfected.sum()),
        "infected_fields": 0,
        **{key: counts.get(key, "") for key in _columns()},
    }


def _columns() -> list[str]:
    return [f"{name}_{step}" for name in COUNTED for step in STEPS]


def places(predictor: Predictor, truths: list[world.Truth]) -> Iterator[rows.Row]:
    """Yield the row of each place in which something is known of the cells."""
    counts = {step: _counts(predictor, truths, without) for step, without in STEPS.items()}
    for place, last in counts[_LAST].items():
        if last["infected"] or last["uninfected"] or last["infected_fields"]:
            known = {name: count for name, count in last.items() if name not in COUNTED}
            counted = {
                f"{name}_{step}": of_step[place][name]
                for name in COUNTED
                for step, of_step in counts.items()
            }
            yield {"place": place, **known, **counted}


def _counts(
    predictor: Predictor, truths: list[world.Truth], without: tuple[str, ...]
) -> dict[str, dict[str, int]]:
    """Return the counts of each place: of marked cells, or of all cells of healthy blood."""
    with ExitStack() as stack:
        for name in without:
            module, instead = _WITHOUT[name]
            stack.enter_context(patch(f"hemozoin.smear.classification.{module}.{name}", instead))
        places = world.by_place(predictor, truths)
    counts = {}
    for name, place in places.items():
        row = place.row(predictor.bundle.threshold.value)
        number = {key: int(value) for key, value in row.items() if isinstance(value, int)}
        counts[name] = {
            "infected": number["marked_infected"],
            "uninfected": number["marked_uninfected"] + number["healthy_cells"],
            "infected_fields": number["infected_fields"],
            "infected_called": number["marked_infected_called"],
            "infected_review": number["marked_infected_review"],
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
        "By the network alone → with chromatin asked for → also recalibrated → also with the tint"
        " of the stain normalized and grain blurred → also by the colour and the size of the whole"
        " cell. NLM: corrected labels, cells that the networks have learned. Elsewhere: marked"
        " cells, or all red cells of healthy blood. " + md.machine(found)
    )
    columns = (
        *("network, place", "infected cells", "of these called", "of these for review"),
        *("uninfected cells", "of these called"),
        *("for review", "fields with parasites: found"),
    )
    return md.table(columns, lines, note)


def _line(name: str, places: md.Rows) -> list[str]:
    total = {key: sum(int(row[key] or 0) for row in places) for key in places[0] if _is_count(key)}
    steps = [step for step in STEPS if any(row[f"infected_called_{step}"] for row in places)]
    fields = total["infected_fields"]

    def change(key: str) -> str:
        return " → ".join(f"{total[f'{key}_{step}']:,}" for step in steps)

    return [
        name,
        f"{total['infected']:,}" if total["infected"] else "",
        change("infected_called") if total["infected"] else "",
        change("infected_review") if total["infected"] and _LAST in steps else "",
        f"{total['uninfected']:,}" if total["uninfected"] else "",
        change("uninfected_called") if total["uninfected"] else "",
        change("review") if total[f"review_{_LAST}"] else "",
        f"{change('infected_fields_found')} of {fields}" if fields else "",
    ]


def _is_count(key: str) -> bool:
    return key.startswith(("infected", "uninfected", "review"))


if __name__ == "__main__":
    main()
