"""A synthetic thin smear with its ground truth: what was drawn, and where.

    cells on layers ── a place for each ── densities add up ── light, lens, sensor ── picture

It is used in the demo and in tests of finding and counting cells. It is drawn, not photographed:
no metric measured on it says anything about a real smear.
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
from hemozoin.files import remove_leftovers, replace_file
from hemozoin.synthetic.canvas import Rng
from hemozoin.synthetic.cell import Patient, draw_patient
from hemozoin.synthetic.layers import (
    DRAWN_DIAMETER,
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
    """The truth about one drawn object.

    Its box is in px of the picture, from the top left; it may extend beyond the picture.
    """

    kind: DrawnKind
    x: int
    y: int
    width: int
    height: int
    infected: bool

    def is_whole(self, width: int, height: int) -> bool:
        """Return whether the object is completely within a picture of this size."""
        right, bottom = self.x + self.width, self.y + self.height
        return min(self.x, self.y) >= 0 and right <= width and bottom <= height


@dataclass(frozen=True, eq=False)
class Smear:
    """One field: its picture, uint8 `[H, W, 3]` in RGB, and the objects drawn in it."""

    pixels: Pixels
    objects: tuple[DrawnObject, ...]

    @property
    def whole_red_cells(self) -> tuple[DrawnObject, ...]:
        """Return the red cells completely within the picture: those that can be counted."""
        height, width = self.pixels.shape[:2]
        cells = (drawn for drawn in self.objects if drawn.kind == "red cell")
        return tuple(cell for cell in cells if cell.is_whole(width, height))


def draw_smear(  # noqa: PLR0913  (each kind of object has its own number)
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
    """Draw one field of `size` (width, height) in px; the same arguments give the same pixels.

    `cells` is the number of red cells, of which `infected` have a parasite; these are completely
    within the picture if there is space. The share `overlap` (0..1) of the cells overlaps or
    touches another cell; the others are apart, as far as there is space. `diameter` is the mean
    diameter of a red cell in px, 10 or more. Stain, light, vignetting, blur (in px for a cell of
    130 px) and noise are those of the patient: `dataclasses.replace(patient, blur=8)` gives a
    field out of focus. Raises ValueError for impossible arguments.
    """
    counts = {"cells": cells, "white_cells": white_cells, "platelets": platelets, "debris": debris}
    _require(size, counts, infected, overlap, diameter)
    scale, field = diameter / DRAWN_DIAMETER, _Field(rng, size)
    for _ in range(white_cells):
        field.place("white cell", draw_white_cell(rng, patient, scale))
    for number in range(cells):
        layer = draw_red_cell(rng, patient, number < infected, scale)
        touching = number > 0 and bool(rng.random() < overlap)
        field.place("red cell", layer, number < infected, touching)
    for _ in range(platelets):
        field.place("platelet", draw_platelet(rng, patient, scale))
    for _ in range(debris):
        field.place("debris", draw_debris(rng, patient, scale))
    return Smear(photograph(rng, patient, field.density, scale), tuple(field.objects))


class _Field:
    """The densities of a field, and the objects placed in it so far."""

    def __init__(self, rng: Rng, size: tuple[int, int]) -> None:
        self._rng, self._layout = rng, Layout(rng, size)
        self.density = np.zeros((size[1], size[0], 3), np.float32)
        self.objects: list[DrawnObject] = []

    def place(
        self, kind: DrawnKind, layer: DensityLayer, infected: bool = False, touching: bool = False
    ) -> None:
        """Place an object; where it overlaps another, their densities add up."""
        if touching:
            cells = [k for k, drawn in enumerate(self.objects) if drawn.kind == "red cell"]
            partner = int(self._rng.choice(cells))
            centre = self._layout.place_touching(partner, layer.radius, infected)
        else:
            centre = self._layout.place_apart(layer.radius, infected)
        x, y, width, height = layer.box
        left, top = (round(float(c)) for c in centre - np.array([x + width / 2, y + height / 2]))
        _add(self.density, layer.density, left, top)
        self.objects.append(DrawnObject(kind, left + x, top + y, width, height, infected))


def _add(field: Floats, layer: Floats, left: int, top: int) -> None:
    """Add the part of a layer that is within the field."""
    height, width = layer.shape[:2]
    rows, columns = slice(max(-top, 0), None), slice(max(-left, 0), None)
    covered = field[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)]
    part = layer[rows, columns]
    covered += part[: covered.shape[0], : covered.shape[1]]


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
    """Write a slide: field_01.png and so on, and truth.json; return the truth by file name.

    All fields are of one patient. The same arguments give the same files. truth.json has a list
    of drawn objects for each field. Raises DataError if the files can't be written.
    """
    truth: dict[str, tuple[DrawnObject, ...]] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder)
        for name, smear in _fields(fields, seed, cells, infected):
            replace_file(folder / name, png(smear.pixels))
            truth[name] = smear.objects
        listed = {name: [asdict(drawn) for drawn in objects] for name, objects in truth.items()}
        replace_file(folder / "truth.json", json.dumps(listed, indent=1))
    except OSError as error:
        raise DataError(f"{folder}: can't be written ({error.strerror or error})") from error
    return truth


def _fields(fields: int, seed: int, cells: int, infected: int) -> Iterator[tuple[str, Smear]]:
    patient = draw_patient(np.random.default_rng([seed, 0]))
    for number in range(1, fields + 1):
        rng = np.random.default_rng([seed, number])
        yield f"field_{number:02}.png", draw_smear(rng, patient, cells=cells, infected=infected)
