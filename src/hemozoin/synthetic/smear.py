"""A thin smear with known truth: what was drawn, and where.

    cells on layers ── a place for each ── densities add up ── light, lens, sensor ── picture

For the demo and for tests of what finds and counts cells. It is drawn, not photographed: no
figure measured on it says anything about a real smear.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from hemozoin.arrays import Floats, Pixels
from hemozoin.errors import DataError
from hemozoin.files import replace_file
from hemozoin.synthetic.canvas import Rng
from hemozoin.synthetic.cell import Patient, draw_patient
from hemozoin.synthetic.layers import (
    PAINTED,
    DensityLayer,
    draw_debris,
    draw_platelet,
    draw_red_cell,
    draw_white_cell,
)
from hemozoin.synthetic.layout import Layout
from hemozoin.synthetic.photograph import photograph, png

DrawnKind = Literal["red cell", "white cell", "platelet", "debris"]


@dataclass(frozen=True)
class DrawnObject:
    """Something drawn, as it truly is.

    Its box is in px of the picture, from the top left; it may reach over the picture's edge.
    """

    kind: DrawnKind
    x: int
    y: int
    width: int
    height: int
    infected: bool

    def is_whole(self, width: int, height: int) -> bool:
        """Tell whether the edge of a picture of this size leaves it whole."""
        right, bottom = self.x + self.width, self.y + self.height
        return min(self.x, self.y) >= 0 and right <= width and bottom <= height


@dataclass(frozen=True, eq=False)
class Smear:
    """One field: its picture, uint8 `[H, W, 3]` in RGB, and all that was drawn in it."""

    pixels: Pixels
    placed: tuple[DrawnObject, ...]

    @property
    def whole_red_cells(self) -> tuple[DrawnObject, ...]:
        """Return the red cells that the picture's edge doesn't cut: those that can be counted."""
        height, width = self.pixels.shape[:2]
        reds = (placed for placed in self.placed if placed.kind == "red cell")
        return tuple(cell for cell in reds if cell.is_whole(width, height))


def draw_smear(  # noqa: PLR0913  (what a smear has in it, each by its name)
    rng: Rng,
    patient: Patient,
    *,
    size: tuple[int, int] = (1280, 960),
    cells: int = 100,
    infected: int = 3,
    overlap: float = 0.1,
    white_cells: int = 1,
    platelets: int = 4,
    debris: int = 2,
    diameter: float = 80.0,
) -> Smear:
    """Draw one field of `size` (width, height) in px; same arguments, same pixels.

    Of the red `cells`, `infected` have a parasite, and these lie whole in the picture if there
    is room. The share `overlap` (0..1) of the cells lies on another one or touches it; the
    others lie apart, as far as there is room. `diameter` is the mean one of a red cell in px,
    10 or more. Stain, light, vignetting, blur (in px where a cell has 130) and noise are the
    patient's: `dataclasses.replace(patient, blur=8)` is out of focus. Raises ValueError for
    what can't be drawn.
    """
    counts = {"cells": cells, "white_cells": white_cells, "platelets": platelets, "debris": debris}
    _require(size, counts, infected, overlap, diameter)
    scale, field = diameter / PAINTED, _Field(rng, size)
    for _ in range(white_cells):
        field.place("white cell", draw_white_cell(rng, patient, scale))
    for number in range(cells):
        layer = draw_red_cell(rng, patient, number < infected, scale)
        beside = number > 0 and bool(rng.random() < overlap)
        field.place("red cell", layer, number < infected, beside)
    for _ in range(platelets):
        field.place("platelet", draw_platelet(rng, patient, scale))
    for _ in range(debris):
        field.place("debris", draw_debris(rng, patient, scale))
    return Smear(photograph(rng, patient, field.density, scale), tuple(field.placed))


class _Field:
    """The glass, and what lies on it so far."""

    def __init__(self, rng: Rng, size: tuple[int, int]) -> None:
        self._rng, self._layout = rng, Layout(rng, size)
        self.density = np.zeros((size[1], size[0], 3), np.float32)
        self.placed: list[DrawnObject] = []

    def place(
        self, kind: DrawnKind, layer: DensityLayer, infected: bool = False, beside: bool = False
    ) -> None:
        """Lay something down; where it lies on something else their densities add up."""
        if beside:
            reds = [k for k, placed in enumerate(self.placed) if placed.kind == "red cell"]
            middle = self._layout.beside(int(self._rng.choice(reds)), layer.radius, infected)
        else:
            middle = self._layout.apart(layer.radius, infected)
        x, y, width, height = layer.box
        left, top = (round(float(m)) for m in middle - np.array([x + width / 2, y + height / 2]))
        _add(self.density, layer.density, left, top)
        self.placed.append(DrawnObject(kind, left + x, top + y, width, height, infected))


def _add(field: Floats, layer: Floats, left: int, top: int) -> None:
    """Add a layer to the field, but for what reaches over its edges."""
    height, width = layer.shape[:2]
    rows, columns = slice(max(-top, 0), None), slice(max(-left, 0), None)
    place = field[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)]
    part = layer[rows, columns]
    place += part[: place.shape[0], : place.shape[1]]


def _require(
    size: tuple[int, int], counts: dict[str, int], infected: int, overlap: float, diameter: float
) -> None:
    if min(size) < 1:
        raise ValueError(f"size is {size}; give a width and a height of 1 or more")
    for name, count in counts.items():
        if count < 0:
            raise ValueError(f"{name} is {count}; give 0 or more")
    if not 0 <= infected <= counts["cells"]:
        raise ValueError(f"infected is {infected}; give 0 to cells, {counts['cells']}")
    if not 0 <= overlap <= 1:
        raise ValueError(f"overlap is {overlap}; give 0 to 1")
    if not 10 <= diameter < np.inf:
        raise ValueError(f"diameter is {diameter}; give 10 px or more")


def write_smear(
    folder: Path, fields: int = 4, seed: int = 0, cells: int = 100, infected: int = 3
) -> dict[str, tuple[DrawnObject, ...]]:
    """Write a slide, field_01.png and so on, with its truth.json; return the truth by file.

    All fields are one patient's. Same arguments, same files. truth.json has, for each field,
    a list of what `DrawnObject` holds. Raises DataError where the files can't be written.
    """
    truth: dict[str, tuple[DrawnObject, ...]] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, smear in _fields(fields, seed, cells, infected):
            replace_file(folder / name, png(smear.pixels))
            truth[name] = smear.placed
        listed = {name: [asdict(thing) for thing in placed] for name, placed in truth.items()}
        replace_file(folder / "truth.json", json.dumps(listed, indent=1))
    except OSError as error:
        raise DataError(f"{folder}: can't be written ({error.strerror or error})") from error
    return truth


def _fields(fields: int, seed: int, cells: int, infected: int) -> Iterator[tuple[str, Smear]]:
    patient = draw_patient(np.random.default_rng([seed, 0]))
    for number in range(1, fields + 1):
        rng = np.random.default_rng([seed, number])
        yield f"field_{number:02}.png", draw_smear(rng, patient, cells=cells, infected=infected)
