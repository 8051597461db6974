"""The end of the demo: a synthetic smear is screened, and what is found is held against the truth.

The smear is drawn, so its figures say that the road works, and nothing of a real smear.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hemozoin.arrays import Pixels
from hemozoin.metrics.classification import LabelledPredictions, compute_metrics
from hemozoin.model.predictor import Predictor
from hemozoin.smear.field import Field
from hemozoin.smear.screen import screen
from hemozoin.synthetic.cell import draw_patient
from hemozoin.synthetic.smear import DrawnObject, Smear, draw_smear, write_smear

#: The network that ships, to try beside the demo's own.
_SHIPPED = "nano"

#: Fields of other patients, by whose cells the network is chosen; infected cells in each.
_REHEARSED, _INFECTED = 4, 20

#: Glass around a cell's box, in px: without it the outline is cut on all four sides.
_MARGIN = 4


@dataclass(frozen=True)
class Count:
    """Red cells and the infected among them."""

    red_cells: int
    infected: int

    def __str__(self) -> str:
        """Return them as the demo prints them."""
        share = f"{self.infected / self.red_cells:.1%}" if self.red_cells else "not known"
        return f"{self.red_cells} red cells, {self.infected} infected, parasitaemia {share}"


def screen_synthetic_smear(own: Path, folder: Path) -> str:
    """Draw a slide into `folder` and screen it; return the lines that tell how it went.

    The network of the model folder `own` does it, or the one that ships where that tells drawn
    cells apart better.
    """
    network, why = choose_network(own)
    truth = write_smear(folder)
    fields = [screen(folder / name, network) for name in truth]
    review = sum(field.review for field in fields)
    return "\n".join(
        [
            f"Synthetic smear: {folder} ({len(fields)} drawn fields), screened with {why}",
            f"  found  {found_in(fields)}; {review} cells for review",
            f"  true   {drawn_in(fields, truth)}",
        ]
    )


def choose_network(own: Path) -> tuple[Predictor, str]:
    """Return the network that tells the cells of drawn fields apart better, and why it is that."""
    trained, shipped = Predictor.load(own), Predictor.load(_SHIPPED)
    smears = list(_rehearsal())
    of_own, of_shipped = tell_apart(trained, smears), tell_apart(shipped, smears)
    figures = f"balanced accuracy on drawn cells {of_own:.3f}, {_SHIPPED}'s {of_shipped:.3f}"
    if of_own >= of_shipped:
        return trained, f"the network just trained ({figures})"
    return shipped, f"{_SHIPPED}, not the network just trained ({figures})"


def tell_apart(network: Predictor, smears: list[Smear]) -> float:
    """Return a network's balanced accuracy: the mean of sensitivity and specificity.

    It is at the network's threshold, on the whole red cells of smears, cut out by their true
    boxes. Plain accuracy at a slide's prevalence won't do: who calls no cell infected is right
    about 97 of 100.
    """
    cells = [(smear, cell) for smear in smears for cell in smear.whole_red_cells]
    found = network.predict([_crop(smear, cell) for smear, cell in cells], review=False)
    p = np.array([prediction.p_parasitized for prediction in found], np.float64)
    predictions = LabelledPredictions(np.array([cell.infected for _, cell in cells]), p)
    figures = compute_metrics(predictions, network.bundle.threshold.value)
    return (figures["sensitivity"] + figures["specificity"]) / 2


def found_in(fields: list[Field]) -> Count:
    """Count what the network found."""
    red_cells = sum(field.count("red cell") for field in fields)
    return Count(red_cells, sum(field.infected for field in fields))


def drawn_in(fields: list[Field], truth: dict[str, tuple[DrawnObject, ...]]) -> Count:
    """Count what can be found: red cells that the edge of their field doesn't cut."""
    sizes = {field.field: (field.width, field.height) for field in fields}
    reds = [
        cell
        for name, placed in truth.items()
        for cell in placed
        if cell.kind == "red cell" and cell.is_whole(*sizes[name])
    ]
    return Count(len(reds), sum(cell.infected for cell in reds))


def _rehearsal() -> Iterator[Smear]:
    for number in range(_REHEARSED):
        rng = np.random.default_rng([1, number])  # the slide has seeds that begin with 0
        yield draw_smear(rng, draw_patient(rng), infected=_INFECTED)


def _crop(smear: Smear, cell: DrawnObject) -> Pixels:
    top, left = max(cell.y - _MARGIN, 0), max(cell.x - _MARGIN, 0)
    bottom, right = cell.y + cell.height + _MARGIN, cell.x + cell.width + _MARGIN
    return smear.pixels[top:bottom, left:right]
