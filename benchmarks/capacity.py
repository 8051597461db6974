"""What limits the accuracy: the network, its training labels, or the cells themselves?

    python benchmarks/capacity.py cell_images.zip --labels corrections.csv --seeds 0 1 2

For each seed the patients are split, and networks are trained with the default recipe: three that
differ in their initial weights and in the order of the cells, one with twice the width, and one on
corrected labels. Each is tested on the split's test patients; so are the mean of the first three,
and the first one on each cell and its mirror image. If neither a larger network, nor three, nor
better labels make fewer mistakes, the mistakes are in what the cells show. One row per variant and
seed goes to benchmarks/results/capacity.csv, which is overwritten.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

import markdown_tables as md
import rows
from hemozoin.arrays import Bools, Floats
from hemozoin.classes import PARASITIZED
from hemozoin.data.options import CellOptions
from hemozoin.training.recipe import PRESETS
from hemozoin.training.runs.config import RunConfig
from hemozoin.training.runs.run import SplitData, load_split_data
from stippling import corrected_labels, predict, trained

FILE = "capacity.csv"

#: Networks whose mean is tested, and how far apart their seeds are: no split has such a seed.
NETWORKS, APART = 3, 1000

#: The false-positive rate of the sensitivity, that of a count.
FALSE_POSITIVE_RATE = 0.001

METRICS = (
    *("agreed_accuracy", "corrected_accuracy", "corrected_auc", "nlm_accuracy", "nlm_auc"),
    "sensitivity",
)


@dataclass(frozen=True)
class Truth:
    """Whether each test cell is parasitized, by NLM's and by corrected labels."""

    nlm: Bools
    corrected: Bools


def main() -> None:
    """Train and test the variants with each seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    given = parser.parse_args()
    rows.remove(FILE)
    for seed in given.seeds:
        recipe = replace(PRESETS["default"], seed=seed)
        config = RunConfig(
            given.data, CellOptions(labels=given.labels), recipe, on_correction="keep"
        )
        split_data = load_split_data(config, None)
        truth = truth_of(split_data)
        for name, odds in variants(config, split_data):
            row = {"variant": name, "seed": seed, **figures(truth, odds)}
            rows.append(FILE, row | rows.conditions())


def truth_of(split_data: SplitData) -> Truth:
    """Return the labels of the test cells."""
    cells, _ = split_data.part("test")
    return Truth(cells.label == PARASITIZED, corrected_labels(cells) == PARASITIZED)


def variants(config: RunConfig, split_data: SplitData) -> Iterator[tuple[str, Floats]]:
    """Yield each variant with the log odds of the test cells."""
    recipe = config.recipe
    _, pixels = split_data.part("test")
    recipes = [replace(recipe, seed=recipe.seed + APART * number) for number in range(NETWORKS)]
    networks = [trained(replace(config, recipe=one), split_data) for one in recipes]
    single = [predict(network, pixels) for network in networks]
    yield "the default", single[0]
    yield "mean of three networks", np.mean(single, axis=0)
    mirrored = predict(networks[0], np.ascontiguousarray(pixels[:, :, ::-1]))
    yield "also mirrored: 8 orientations", (single[0] + mirrored) / 2
    wide = replace(config, recipe=replace(recipe, alpha=2 * recipe.alpha))
    yield "α = 0.5", predict(trained(wide, split_data), pixels)
    relabelled = replace(config, on_correction="relabel")
    yield "trained on corrected labels", predict(trained(relabelled, split_data), pixels)


def figures(truth: Truth, odds: Floats) -> rows.Row:
    """Return the metrics by both labels; accuracies are at a probability of 1/2."""
    called, agreed = odds > 0, truth.nlm == truth.corrected
    healthy, infected = odds[agreed & ~truth.nlm], odds[agreed & truth.nlm]
    limit = np.quantile(healthy, 1 - FALSE_POSITIVE_RATE)
    return {
        "agreed_accuracy": round(float((called == truth.nlm)[agreed].mean()), 5),
        "corrected_accuracy": round(float((called == truth.corrected).mean()), 5),
        "corrected_auc": round(float(roc_auc_score(truth.corrected, odds)), 5),
        "nlm_accuracy": round(float((called == truth.nlm).mean()), 5),
        "nlm_auc": round(float(roc_auc_score(truth.nlm, odds)), 5),
        "sensitivity": round(float((infected > limit).mean()), 4),
    }


def table() -> str:
    """Return the results in Markdown: a line per variant."""
    found = rows.read(FILE)
    lines = [
        (variant, len(runs), *md.spreads(runs, METRICS, 4))
        for (variant,), runs in md.groups(found, "variant").items()
    ]
    columns = (
        *("variant", "n", "accuracy where both labels agree", "accuracy, corrected labels"),
        *("AUC, corrected", "accuracy, NLM's labels", "AUC, NLM's"),
        "sensitivity at a false-positive rate of .001",
    )
    return md.table(columns, lines, md.variants_and_machine(found))


if __name__ == "__main__":
    main()
