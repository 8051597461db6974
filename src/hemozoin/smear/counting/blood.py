"""The patient's blood: how many red cells a µL of it has."""

from __future__ import annotations

from dataclasses import dataclass

from hemozoin.errors import DataError

#: Red cells per µL where nobody counted them.
USUAL_RBC_PER_UL = 5e6

#: Mean volume of a red cell in fL, by which a hematocrit becomes a count.
RED_CELL_VOLUME = 90.0

#: Outside of these a number was mistyped, or is in another unit.
_RBC_PER_UL, _HEMATOCRIT = (5e5, 1e7), (5.0, 75.0)


@dataclass(frozen=True)
class Blood:
    """How many red cells a µL has: as counted, or from the hematocrit in %; else 5 million.

    Of a hematocrit h a µL has h / 100 / (90 fL) cells: 45 % make 5 million. Raises DataError
    where both are given, or one that no blood has.
    """

    rbc_per_ul: float | None = None
    hematocrit: float | None = None

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.rbc_per_ul is not None and self.hematocrit is not None:
            raise DataError("red cells per µL and hematocrit are both given; give one of them")
        _require("red cells per µL", self.rbc_per_ul, _RBC_PER_UL)
        _require("hematocrit in %", self.hematocrit, _HEMATOCRIT)

    @property
    def red_cells(self) -> float:
        """Return the red cells per µL; a fL is 10⁻⁹ µL."""
        if self.hematocrit is not None:
            return self.hematocrit / 100 / (RED_CELL_VOLUME * 1e-9)
        return USUAL_RBC_PER_UL if self.rbc_per_ul is None else self.rbc_per_ul

    @property
    def source(self) -> str:
        """Say where the number comes from."""
        if self.hematocrit is not None:
            return f"from a hematocrit of {self.hematocrit:g} % and {RED_CELL_VOLUME:g} fL a cell"
        return "assumed" if self.rbc_per_ul is None else "as given"


def _require(name: str, value: float | None, limits: tuple[float, float]) -> None:
    low, high = limits
    if value is not None and not low <= value <= high:
        raise DataError(f"{name}: {value:g} is out of range; give {low:,.0f} to {high:,.0f}")
