"""Cells of healthy blood of other microscopes, cut out of whole fields: for `train --extra`.

    python benchmarks/healthy_cells.py fields healthy_cells

`fields` has the folders `bccd` and `world/chula12` (BCCD and Chula-RBC-12, both under the MIT
licence, no malaria in either). Each red cell that is found, and each clump, is written on black to
healthy_cells/Uninfected, as NLM's cells are. Clumps are of at most three cells: a network that has
seen them knows the edges of cells that overlap.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from hemozoin.arrays import Pixels
from hemozoin.smear.classification.classify import cut_out
from hemozoin.smear.segmentation.objects import segment

PLACES = ("bccd", "world/chula12")

#: Largest area of the box of a clump, in areas of a cell.
MAX_AREA = 3.2


def main() -> None:
    """Write the cells of all fields."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("fields", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    folder = given.out / "Uninfected"
    folder.mkdir(parents=True)
    for place in PLACES:
        for path in sorted((given.fields / place).glob("*.jpg")):
            pixels = np.asarray(Image.open(path).convert("RGB"))
            for number, cell in enumerate(healthy_cells(pixels), 1):
                name = f"{Path(place).name}_{path.stem}_cell_{number}.png"
                Image.fromarray(cell).save(folder / name)


def healthy_cells(pixels: Pixels) -> Iterator[Pixels]:
    """Yield the red cells and small clumps of a field, uint8 `[h, w, 3]`, 0 around the outline."""
    found = segment(pixels)
    largest = MAX_AREA * np.pi / 4 * found.diameter**2
    for one in found.objects:
        if one.kind in ("red cell", "clump") and one.width * one.height < largest:
            yield cut_out(pixels, one)


if __name__ == "__main__":
    main()
