"""Which recipe: what each choice is worth on patients never seen.

    python benchmarks/recipes.py cell_images.zip --labels corrections.csv --seeds 0 1

For every variant and seed the cells are dealt out anew by patient (the same for all variants of
a seed), a network is trained, and its test figures go to benchmarks/results/recipes.csv, a row a
run; rows that are there already are not run again. Corrections are used for judging only.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import rows
from hemozoin.data.options import CellOptions
from hemozoin.evaluation.evaluate import evaluate
from hemozoin.model.bundle import load_bundle
from hemozoin.model.onnx_export import with_graph
from hemozoin.model.predictor import Predictor
from hemozoin.training.recipe import PRESETS, Recipe
from hemozoin.training.runs import start
from hemozoin.training.runs.config import RunConfig

#: The default recipe, but for its epochs, which were chosen for the time that they take.
BASE = replace(PRESETS["default"], epochs=12)
VARIANTS: dict[str, Recipe] = {
    "12 epochs": BASE,
    "plain RGB instead of relative density": replace(BASE, view="rgb"),
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
    """Run what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    given = parser.parse_args()
    for name in given.variants:
        for seed in given.seeds:
            done = {(row["variant"], row["seed"]) for row in rows.read("recipes.csv")}
            if (name, str(seed)) not in done:
                recipe = replace(VARIANTS[name], seed=seed)
                for row in _measure(name, recipe, given.data, given.labels):
                    rows.append("recipes.csv", row)


def _measure(name: str, recipe: Recipe, data: Path, labels: Path) -> list[rows.Row]:
    """Train once; return a row for the network as it is and one for a single orientation."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        run = start.new(RunConfig(data, recipe=recipe), Path(folder) / "run")
        seconds = time.monotonic() - started
        bundle = load_bundle(run.model)
        measured = []
        for orientations in sorted({1, recipe.orientations}, reverse=True):
            turned = Predictor(with_graph(replace(bundle, orientations=orientations)))
            report = evaluate(data, CellOptions(labels=labels), turned, split=run.split)
            row: rows.Row = {"variant": name, "seed": recipe.seed, "orientations": orientations}
            cost: rows.Row = {"seconds": round(seconds, 1)}
            measured.append(row | rows.figures(report.evaluation) | cost | rows.conditions())
    return measured


if __name__ == "__main__":
    main()
