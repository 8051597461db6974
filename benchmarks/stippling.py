"""Stippling: what cells drawn with the stippling of P. vivax teach a network that saw none.

    python benchmarks/stippling.py cell_images.zip --labels corrections.csv \\
        --extra healthy_cells --fields fields --seeds 0 1 2

For each variant of `training/stippling.py` and each seed a network is trained with the default
recipe and tested on the test patients of its split and on the cells that `screen` finds in the
fields of world.py, cut out once, by `nano`'s preprocessing: of IML and BBBC041 (P. vivax) those
that are marked, of places without parasites all. A place has another range of probabilities than
the next, and a user has one threshold: the sensitivities are at the threshold at which 1 % of the
healthy cells are called, on the mean of the places and of NLM's cells where both labels agree.
One row per network goes to benchmarks/results/stippling.csv, which is overwritten.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

import markdown_tables as md
import rows
from hemozoin.arrays import Bools, Floats, Pixels, Texts
from hemozoin.classes import PARASITIZED
from hemozoin.data.cells import SplitCells, is_known
from hemozoin.data.options import CellOptions
from hemozoin.data.source import FolderSource
from hemozoin.decision.temperature import log_odds
from hemozoin.errors import DataError
from hemozoin.model.predictor import Predictor
from hemozoin.smear.picture import decode_field
from hemozoin.smear.screen import Screener
from hemozoin.training import stippling
from hemozoin.training.classifier import Classifier
from hemozoin.training.recipe import PRESETS
from hemozoin.training.runs.config import RunConfig
from hemozoin.training.runs.run import SplitData, load_split_data, make_training_data
from hemozoin.training.trainer import train_classifier
from world import Truth, all_pictures, labelled_cells

FILE = "stippling.csv"

#: Shares of the healthy cells that get stippling and specks; largest density of cytoplasm.
VARIANTS = {
    "none": (0.0, 0.0, 0.0),
    "stippling, 4 %": (0.04, 0.0, 0.0),
    "stippling, 8 %": (0.08, 0.0, 0.0),
    "stippling with cytoplasm, 8 %": (0.08, 0.0, stippling.CYTOPLASM),
    "the same, and specks (kept)": (stippling.STIPPLED, stippling.SPECKLED, stippling.CYTOPLASM),
}

METRICS = (
    *("corrected_auc", "agreed_accuracy", "iml_auc", "bbbc041_auc"),
    *("agreed_sensitivity", "iml_sensitivity", "bbbc041_sensitivity"),
)

#: Mean share of the healthy cells that are called, at the threshold of the sensitivities.
CALLED = 0.01


@dataclass(frozen=True)
class FoundCells:
    """Cells found in fields: `pixels` uint8 `[N, S, S, 3]`, whether infected, and the place."""

    pixels: Pixels
    infected: Bools
    place: Texts


def main() -> None:
    """Train and test each variant with each seed."""
    given = arguments(__doc__)
    found = found_cells(given.fields)
    rows.remove(FILE)
    for seed in given.seeds:
        recipe = replace(PRESETS["default"], seed=seed)
        options = CellOptions(labels=given.labels)
        config = RunConfig(given.data, options, recipe, extra=given.extra, on_correction="keep")
        for name, shares in VARIANTS.items():
            stippling.STIPPLED, stippling.SPECKLED, stippling.CYTOPLASM = shares
            row = {"variant": name, "seed": seed, **measure(config, found)}
            rows.append(FILE, row | rows.conditions())


def arguments(description: str | None) -> argparse.Namespace:
    """Return the arguments of the command line: cells of training, fields to test on, seeds."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("data", type=Path)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--extra", type=Path, required=True)
    parser.add_argument("--fields", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    return parser.parse_args()


def found_cells(fields: Path) -> FoundCells:
    """Return the labelled cells of all thin films that are answered."""
    screener = Screener(Predictor.load("nano"))
    thin = [truth for truth in all_pictures(fields) if truth.kind == "thin"]
    cells = [(*cell, truth.place) for truth in thin for cell in _cells_of(truth, screener)]
    pixels, labels, places = zip(*cells, strict=True)
    return FoundCells(np.stack(pixels), np.array(labels) == PARASITIZED, np.array(places))


def _cells_of(truth: Truth, screener: Screener) -> Iterator[tuple[Pixels, str]]:
    """Yield the labelled cells of a field, as the network is given them."""
    source, name = FolderSource(truth.path.parent), truth.path.name
    try:
        picture = decode_field(source.read(name), name)
        found, pixels_of = screener(picture), screener.network_input(picture)
    except DataError:
        return
    for cell, label in labelled_cells(found, truth):
        yield pixels_of(cell), label


def measure(config: RunConfig, found: FoundCells) -> rows.Row:
    """Train a network and return its figures."""
    split_data = load_split_data(config, None)
    network = trained(config, split_data)
    cells, pixels = split_data.part("test")
    corrected = corrected_labels(cells)
    agreed, infected = corrected == cells.label, corrected == PARASITIZED
    odds, found_odds = predict(network, pixels), predict(network, found.pixels)
    return {
        "corrected_auc": round(float(roc_auc_score(infected, odds)), 5),
        "agreed_accuracy": round(float(((odds > 0) == infected)[agreed].mean()), 5),
        **figures((odds[agreed], infected[agreed]), found_odds, found),
    }


def trained(config: RunConfig, split_data: SplitData) -> Classifier:
    """Return a network trained on the split's training cells."""
    data, device = make_training_data(split_data, config), torch.device("cpu")
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "checkpoint"
        network = train_classifier(data, config.recipe, device, checkpoint, lambda _: None)
    network.orientations = config.recipe.orientations
    return network


def corrected_labels(cells: SplitCells) -> Texts:
    """Return the label of each cell, the corrected one where it is known, str `[cells]`."""
    assert cells.corrected is not None  # there is a list of corrections
    return np.where(is_known(cells.corrected), cells.corrected, cells.label)


def predict(network: Classifier, pixels: Pixels) -> Floats:
    """Return the log odds of cells, float `[N]`."""
    with torch.inference_mode():
        p = [network(batch)[:, 1].double() for batch in torch.split(torch.from_numpy(pixels), 256)]
    return log_odds(torch.cat(p).numpy())


def figures(agreed: tuple[Floats, Bools], odds: Floats, found: FoundCells) -> rows.Row:
    """Return AUC and sensitivities, the latter at the threshold that all places share."""
    sets = {"agreed": agreed}
    for place in np.unique(found.place[~found.infected]):
        at = found.place == place
        sets[str(place)] = odds[at], found.infected[at]
    grid = np.linspace(-4, 8, 601)
    called = np.mean(
        [(o[~infected, None] >= grid).mean(axis=0) for o, infected in sets.values()], axis=0
    )
    threshold = grid[np.argmax(called <= CALLED)]
    marked = {name: both for name, both in sets.items() if both[1].any()}
    return {
        "threshold": round(float(threshold), 2),
        **{f"{n}_auc": round(float(roc_auc_score(i, o)), 5) for n, (o, i) in marked.items()},
        **{
            f"{name}_sensitivity": round(float((o[i] >= threshold).mean()), 4)
            for name, (o, i) in marked.items()
        },
        **{
            f"{name}_called": round(float((o[~i] >= threshold).mean()), 4)
            for name, (o, i) in sets.items()
        },
    }


def table() -> str:
    """Return the results in Markdown: a line per variant."""
    found = rows.read(FILE)
    lines = [
        (variant, len(runs), *md.spreads(runs, METRICS, 3))
        for (variant,), runs in md.groups(found, "variant").items()
    ]
    columns = (
        *("drawn on healthy cells", "n", "NLM, corrected: AUC", "both labels agree: accuracy"),
        *("IML: AUC", "BBBC041: AUC", "sensitivity: NLM", "IML", "BBBC041"),
    )
    return md.table(columns, lines, md.machine(found))


if __name__ == "__main__":
    main()
