"""Which recipe: what each choice of the recipe gains or loses on patients not trained on.

    python benchmarks/recipes.py cell_images.zip --labels corrections.csv --seeds 0 1

For each variant and seed, the patients are split (in the same way for all variants of a seed) and
a network is trained. Its test metrics go to benchmarks/results/recipes.csv, one row per run and
number of rotations; runs that have a row are not repeated. The corrections are used for testing
only.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import markdown_tables as md
import rows
from hemozoin.data.options import CellOptions
from hemozoin.evaluation.evaluate import evaluate
from hemozoin.model.bundle import load_bundle
from hemozoin.model.onnx_export import with_graph
from hemozoin.model.predictor import Predictor
from hemozoin.training.recipe import PRESETS, Recipe
from hemozoin.training.runs import start
from hemozoin.training.runs.config import RunConfig

FILE = "recipes.csv"

#: The default recipe, except for its epochs, which were chosen for the time they take.
BASE = replace(PRESETS["default"], epochs=12)
VARIANTS: dict[str, Recipe] = {
    "12 epochs": BASE,
    "plain RGB instead of relative density": replace(BASE, input_transform="rgb"),
    "20 epochs": replace(BASE, epochs=20),
    "batch 64": replace(BASE, batch=64, learning_rate=4e-3),
    "α = 0.5": replace(BASE, alpha=0.5),
    "80 px": replace(BASE, size=80),
    "little augmentation": replace(BASE, augmentation="little"),
    "48 px": replace(BASE, size=48),
    "twice the learning rate": replace(BASE, learning_rate=1.2e-2),
    "paper": replace(PRESETS["paper"], epochs=BASE.epochs),
}


def main() -> None:
    """Run the variants and seeds that are missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    given = parser.parse_args()
    done = rows.measured(FILE, "variant", "seed")
    for name in given.variants:
        for seed in given.seeds:
            if (name, str(seed)) not in done:
                recipe = replace(VARIANTS[name], seed=seed)
                for row in _measure(name, recipe, given.data, given.labels):
                    rows.append(FILE, row)


def _measure(name: str, recipe: Recipe, data: Path, labels: Path) -> list[rows.Row]:
    """Train once; return a row with the recipe's rotations and one with a single orientation."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        run = start.new(RunConfig(data, recipe=recipe), Path(folder) / "run")
        seconds = time.monotonic() - started
        bundle = load_bundle(run.model)
        measured = []
        for orientations in sorted({1, recipe.orientations}, reverse=True):
            predictor = Predictor(with_graph(replace(bundle, orientations=orientations)))
            report = evaluate(data, CellOptions(labels=labels), predictor, split=run.split)
            row: rows.Row = {"variant": name, "seed": recipe.seed, "orientations": orientations}
            cost: rows.Row = {"seconds": round(seconds, 1)}
            measured.append(row | rows.metrics(report.evaluation) | cost | rows.conditions())
    return measured


def table() -> str:
    """Return the results in Markdown: a line per variant and number of rotations."""
    found = rows.read(FILE)
    lines = [
        (
            *variant,
            len(runs),
            *md.spreads(runs, ("accuracy", "auc", "accuracy_corrected", "accuracy_agreed")),
            *md.spreads(runs, ["seconds"], 0),
        )
        for variant, runs in md.groups(found, "variant", "orientations").items()
    ]
    columns = (
        *("variant", "rotations averaged", "n", "accuracy", "AUC"),
        *("accuracy, corrected labels", "accuracy where both labels agree", "seconds"),
    )
    return md.table(columns, lines, md.splits_and_machine(found))


if __name__ == "__main__":
    main()
