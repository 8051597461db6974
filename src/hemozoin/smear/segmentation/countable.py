"""The number of objects, limited before anything is computed for each of them."""

from __future__ import annotations

from hemozoin.arrays import Ints
from hemozoin.errors import DataError
from hemozoin.smear.segmentation.parameters import KIND

#: Most objects in a field: a tenth of a millisecond or more is needed for each.
MAX_OBJECTS = 20_000

#: A field may have this many small objects, or as many as others. Of 150 fields of many
#: microscopes, the one with the most has 101.
_MAX_SMALL = 2_000


def require_countable(areas: Ints, cell_area: float) -> None:
    """Raise DataError where there are more objects, or more small ones, than in any field.

    `areas` `[n]` are those of the objects, `cell_area` that of a red cell, all in px.
    """
    small = int((areas < KIND.small * cell_area).sum())
    if len(areas) > MAX_OBJECTS or small > max(_MAX_SMALL, len(areas) - small):
        raise DataError(
            f"{len(areas):,} objects, of which {small:,} are too small for red cells: not a field"
        )
