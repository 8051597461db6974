"""The number of red cells per µL of the patient's blood."""

from __future__ import annotations

from dataclasses import dataclass

from hemozoin.errors import DataError

#: Red cells per µL that are assumed if the patient's number is not given.
ASSUMED_RBC_PER_UL = 5e6

#: Mean volume of a red cell in fL, which converts a hematocrit to a count.
RED_CELL_VOLUME = 90.0

#: A number outside these limits is a typing error, or in another unit.
_RBC_PER_UL, _HEMATOCRIT = (5e5, 1e7), (5.0, 75.0)


@dataclass(frozen=True)
class Blood:
    """The patient's red cells per µL: given, or from the hematocrit in %, or 5 million.

    A hematocrit of h % means h / 100 / (90 fL) cells per µL: 45 % is 5 million. Raises DataError
    if both are given, or if a number is outside the range that is possible in blood.
    """

    rbc_per_ul: float | None = None
    hematocrit: float | None = None

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.rbc_per_ul is not None and self.hematocrit is not None:
            raise DataError("red cells per µL and hematocrit are both given; give one of them")
        _require_in_range("red cells per µL", self.rbc_per_ul, _RBC_PER_UL)
        _require_in_range("hematocrit in %", self.hematocrit, _HEMATOCRIT)

    @property
    def red_cells_per_ul(self) -> float:
        """Return the red cells per µL; a fL is 10⁻⁹ µL."""
        if self.hematocrit is not None:
            return self.hematocrit / 100 / (RED_CELL_VOLUME * 1e-9)
        return ASSUMED_RBC_PER_UL if self.rbc_per_ul is None else self.rbc_per_ul

    @property
    def source(self) -> str:
        """Return where the number is from, as reports show it."""
        if self.hematocrit is not None:
            return f"from a hematocrit of {self.hematocrit:g} % and {RED_CELL_VOLUME:g} fL per cell"
        return "assumed" if self.rbc_per_ul is None else "as given"


def _require_in_range(name: str, value: float | None, limits: tuple[float, float]) -> None:
    low, high = limits
    if value is not None and not low <= value <= high:
        raise DataError(f"{name}: {value:g} is out of range; give {low:,.0f} to {high:,.0f}")
