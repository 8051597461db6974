"""The end of the demo: a synthetic smear is screened, and the counts compared with the truth.

The smear is drawn: its counts show that the pipeline runs end to end, and say nothing about real
smears.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hemozoin.arrays import Pixels
from hemozoin.files import replace_file
from hemozoin.metrics.classification import compute_metrics
from hemozoin.metrics.predictions import LabelledPredictions
from hemozoin.model.predictor import Predictor
from hemozoin.smear.field import Field
from hemozoin.smear.screen import screen
from hemozoin.smear.slides import RECORD
from hemozoin.synthetic.cell import draw_patient
from hemozoin.synthetic.smear import DrawnObject, Smear, draw_smear, write_smear

#: The pretrained network, an alternative to the demo's own.
_PRETRAINED = "nano"

#: Fields of other patients on whose cells the two networks are compared; infected cells in each.
_TEST_FIELDS, _INFECTED = 4, 20

#: Background around a cell's box, in px; without it the crop touches the outline on all sides.
_MARGIN = 4

#: The record of the drawn slide.
_TRUE_RECORD = """\
patient = "drawn"
stain = "none: a program drew this smear"

[manual]  # the true count, in place of one by eye
infected = {true.infected}
red_cells = {true.red_cells}
"""


@dataclass(frozen=True)
class Count:
    """Number of red cells, and of infected ones among them."""

    red_cells: int
    infected: int

    def __str__(self) -> str:
        """Return the counts as the demo prints them."""
        share = f"{self.infected / self.red_cells:.1%}" if self.red_cells else "not known"
        return f"{self.red_cells} red cells, {self.infected} infected, parasitaemia {share}"


def screen_synthetic_smear(own: Path, folder: Path) -> str:
    """Draw a slide into `folder` and screen it; return three lines with the result.

    The folder also gets a record with the true count, for `hemozoin screen`. Uses the network in
    the model folder `own`, or the pretrained one if that one classifies drawn cells better.
    """
    network, reason = choose_network(own)
    truth = write_smear(folder)
    fields = [screen(folder / name, network) for name in truth]
    review, true = sum(field.review for field in fields), count_drawn(fields, truth)
    replace_file(folder / RECORD, _TRUE_RECORD.format(true=true))
    return "\n".join(
        [
            f"Synthetic smear: {folder} ({len(fields)} drawn fields), screened with {reason}",
            f"  found  {count_found(fields)}; {review} cells for review",
            f"  true   {true}",
        ]
    )


def choose_network(own: Path) -> tuple[Predictor, str]:
    """Return the network that classifies the cells of drawn fields better, and the reason."""
    trained, pretrained = Predictor.load(own), Predictor.load(_PRETRAINED)
    smears = list(_test_smears())
    own_accuracy = balanced_accuracy(trained, smears)
    pretrained_accuracy = balanced_accuracy(pretrained, smears)
    comparison = (
        f"balanced accuracy on drawn cells {own_accuracy:.3f},"
        f" {_PRETRAINED}'s {pretrained_accuracy:.3f}"
    )
    if own_accuracy >= pretrained_accuracy:
        return trained, f"the network just trained ({comparison})"
    return pretrained, f"{_PRETRAINED}, not the network just trained ({comparison})"


def balanced_accuracy(network: Predictor, smears: list[Smear]) -> float:
    """Return a network's balanced accuracy (0..1): the mean of sensitivity and specificity.

    It is computed at the network's threshold, on the whole red cells of smears, cut out by their
    true boxes. Plain accuracy would mislead at the prevalence of a slide: calling every cell
    uninfected is right for about 97 of 100.
    """
    cells = [(smear, cell) for smear in smears for cell in smear.whole_red_cells]
    found = network.predict([_crop(smear, cell) for smear, cell in cells], review=False)
    p = np.array([prediction.p_parasitized for prediction in found], np.float64)
    predictions = LabelledPredictions(np.array([cell.infected for _, cell in cells]), p)
    metrics = compute_metrics(predictions, network.bundle.threshold.value)
    return (metrics["sensitivity"] + metrics["specificity"]) / 2


def count_found(fields: list[Field]) -> Count:
    """Count what the network found."""
    red_cells = sum(field.count("red cell") for field in fields)
    return Count(red_cells, sum(field.infected for field in fields))


def count_drawn(fields: list[Field], truth: dict[str, tuple[DrawnObject, ...]]) -> Count:
    """Count what can be found: the drawn red cells that the edge of their field doesn't cut."""
    sizes = {field.field: (field.width, field.height) for field in fields}
    whole = [
        cell
        for name, placed in truth.items()
        for cell in placed
        if cell.kind == "red cell" and cell.is_whole(*sizes[name])
    ]
    return Count(len(whole), sum(cell.infected for cell in whole))


def _test_smears() -> Iterator[Smear]:
    for number in range(_TEST_FIELDS):
        rng = np.random.default_rng([1, number])  # the slide's seeds begin with 0
        yield draw_smear(rng, draw_patient(rng), infected=_INFECTED)


def _crop(smear: Smear, cell: DrawnObject) -> Pixels:
    top, left = max(cell.y - _MARGIN, 0), max(cell.x - _MARGIN, 0)
    bottom, right = cell.y + cell.height + _MARGIN, cell.x + cell.width + _MARGIN
    return smear.pixels[top:bottom, left:right]
