"""Knowledge distillation: what a network gains that learns from the mean of several.

    python benchmarks/distillation.py cell_images.zip --labels corrections.csv \\
        --extra healthy_cells --fields fields --seeds 0 1 2

For each seed the patients are split and teachers are trained with the default recipe. Compared are
one teacher, the mean of all of them, a network that learns from this mean (`--preset best`), and
one that does so in six epochs only, each with 1, 2 and 4 orientations. All are tested on the test
patients of the split and on cells found in fields of other microscopes, as in `stippling.py`. One
row per variant, number of orientations and seed goes to benchmarks/results/distillation.csv, which
is overwritten.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

import capacity
import markdown_tables as md
import rows
import stippling
from hemozoin.arrays import Floats, Pixels
from hemozoin.data.options import CellOptions
from hemozoin.training.classifier import Classifier
from hemozoin.training.distillation import teacher_checkpoint
from hemozoin.training.recipe import PRESETS, Recipe
from hemozoin.training.runs.config import RunConfig
from hemozoin.training.runs.run import load_split_data, make_training_data
from hemozoin.training.trainer import TrainingData, train_classifier

FILE = "distillation.csv"

METRICS = (
    *("agreed_accuracy", "corrected_accuracy", "corrected_auc", "sensitivity"),
    *("iml_auc", "bbbc041_auc"),
)


@dataclass(frozen=True)
class Networks:
    """The networks of the variants, trained in `folder`: the teachers once for all of them."""

    data: TrainingData
    folder: Path

    def of(self, recipe: Recipe) -> Classifier:
        """Return the trained network of a recipe."""
        self.checkpoint.unlink(missing_ok=True)
        return self._trained(recipe, self.checkpoint)

    def teacher(self, recipe: Recipe, number: int) -> Classifier:
        """Return the trained teacher of a recipe, counted from 1."""
        return self._trained(recipe.of_teacher(number), teacher_checkpoint(self.checkpoint, number))

    def variants(self, best: Recipe) -> Iterator[tuple[str, list[Classifier]]]:
        """Yield the networks of each variant."""
        student = self.of(best)  # trains the teachers
        teachers = [self.teacher(best, number) for number in range(1, best.teachers + 1)]
        short = replace(PRESETS["default"], seed=best.seed, teachers=best.teachers)
        yield "one teacher: the default recipe", teachers[:1]
        yield "mean of the teachers", teachers
        yield "learns from the mean, 6 epochs", [self.of(short)]
        yield f"learns from the mean, {best.epochs} epochs", [student]

    @property
    def checkpoint(self) -> Path:
        """The checkpoint of a network, beside those of its teachers."""
        return self.folder / "checkpoint"

    def _trained(self, recipe: Recipe, checkpoint: Path) -> Classifier:
        cpu = torch.device("cpu")
        return train_classifier(self.data, recipe, cpu, checkpoint, lambda _: None)


def main() -> None:
    """Train and test the variants with each seed."""
    given = stippling.arguments(__doc__)
    found = stippling.found_cells(given.fields)
    rows.remove(FILE)
    for seed in given.seeds:
        recipe, options = replace(PRESETS["best"], seed=seed), CellOptions(labels=given.labels)
        config = RunConfig(given.data, options, recipe, extra=given.extra, on_correction="keep")
        for row in measure(config, found):
            rows.append(FILE, {"seed": seed, **row, **rows.conditions()})


def measure(config: RunConfig, found: stippling.FoundCells) -> Iterator[rows.Row]:
    """Yield the figures of each variant, with each number of orientations."""
    split_data = load_split_data(config, None)
    _, pixels = split_data.part("test")
    truth = capacity.truth_of(split_data)
    agreed = truth.nlm == truth.corrected
    with tempfile.TemporaryDirectory() as folder:
        networks = Networks(make_training_data(split_data, config), Path(folder))
        for variant, members in networks.variants(config.recipe):
            for orientations in (1, 2, 4):
                odds = mean_log_odds(members, pixels, orientations)
                found_odds = mean_log_odds(members, found.pixels, orientations)
                yield {
                    "variant": variant,
                    "orientations": orientations,
                    **stippling.figures((odds[agreed], truth.nlm[agreed]), found_odds, found),
                    **capacity.figures(truth, odds),
                }


def mean_log_odds(networks: list[Classifier], pixels: Pixels, orientations: int) -> Floats:
    """Return the mean of the networks' log odds of cells, float `[N]`."""
    for network in networks:
        network.orientations = orientations
    mean: Floats = np.mean([stippling.predict(network, pixels) for network in networks], axis=0)
    return mean


def table() -> str:
    """Return the results in Markdown: a line per variant and number of orientations."""
    found = rows.read(FILE)
    lines = [
        (variant, orientations, len(runs), *md.spreads(runs, METRICS, 4))
        for (variant, orientations), runs in md.groups(found, "variant", "orientations").items()
    ]
    columns = (
        *("network", "orientations", "n", "accuracy where both labels agree"),
        *(
            "accuracy, corrected labels",
            "AUC, corrected",
            "sensitivity at a false-positive rate of .001",
        ),
        *("IML: AUC", "BBBC041: AUC"),
    )
    return md.table(columns, lines, md.variants_and_machine(found))


if __name__ == "__main__":
    main()
