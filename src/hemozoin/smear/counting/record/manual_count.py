"""A count by eye, in one of the three ways in which laboratories count.

- Thin film: infected of counted red cells (CDC, BSH).
- Thick film: parasites per white cells counted, and white cells per µL of blood, which are assumed
  to be 8,000 if they were not measured (WHO, Basic malaria microscopy, 2nd edition, 2010).
- A number of parasites per µL, however it was counted.

Thin film and thick film count different things: infected cells, and parasites. They are compared as
if each infected cell held one parasite.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from hemozoin.errors import DataError
from hemozoin.smear.counting.parasitaemia import clopper_pearson

#: White cells per µL where they were not measured: WHO's convention.
ASSUMED_WBC_PER_UL = 8000.0

#: White cells per µL outside these limits are a typing error, or in another unit.
_WBC_PER_UL = (100.0, 1e6)

#: The keys that each way of counting needs.
_WAYS = ({"infected", "red_cells"}, {"parasites", "white_cells"}, {"parasites_per_ul"})

#: No blood holds more parasites per µL: it is twice the red cells of a healthy person.
_MOST_PER_UL = 1e7


@dataclass(frozen=True)
class ManualCount:
    """A count by eye: infected of red cells, parasites per white cells, or parasites per µL.

    Raises DataError unless it is given in exactly one of these ways, and possible.
    """

    infected: int | None = None
    red_cells: int | None = None
    parasites: int | None = None
    white_cells: int | None = None
    white_cells_per_ul: float | None = None
    parasites_per_ul: float | None = None
    reader: str | None = None

    def __post_init__(self) -> None:
        """Check that the count is complete and possible."""
        given = self.to_dict().keys() - {"reader", "white_cells_per_ul"}
        if given not in _WAYS:
            raise DataError(
                "give infected and red_cells, or parasites and white_cells, or parasites_per_ul,"
                " and only one of these"
            )
        low, high = _WBC_PER_UL
        if self.white_cells_per_ul is not None and self.white_cells is None:
            raise DataError("white_cells_per_ul needs parasites and white_cells")
        if not low <= self._white_cells_per_ul <= high:
            raise DataError(
                f"white cells per µL: {self.white_cells_per_ul:g} is out of range;"
                f" give {low:,.0f} to {high:,.0f}"
            )
        if self.red_cells is not None and (self.infected or 0) > self.red_cells:
            raise DataError(f"{self.infected:,} infected of {self.red_cells:,} red cells: too many")
        if self.red_cells is None and self._density > _MOST_PER_UL:
            raise DataError(f"{self._density:,.0f} parasites per µL: too many")

    @property
    def _white_cells_per_ul(self) -> float:
        assumed = self.white_cells_per_ul is None
        return ASSUMED_WBC_PER_UL if assumed else float(self.white_cells_per_ul or 0)

    @property
    def _density(self) -> float:
        """Return parasites per µL of a count that is not against red cells."""
        if self.parasites_per_ul is not None:
            return self.parasites_per_ul
        return (self.parasites or 0) / (self.white_cells or 1) * self._white_cells_per_ul

    def share(self, red_cells_per_ul: float) -> float:
        """Return infected red cells as a share of red cells, with one parasite in each."""
        if self.infected is not None and self.red_cells is not None:
            return self.infected / self.red_cells
        return self._density / red_cells_per_ul

    def interval(self, red_cells_per_ul: float) -> tuple[float, float] | None:
        """Return the 95 % interval of `share`, of sampling error only; None if it is not known.

        It is that of Clopper & Pearson 1934. Parasites and white cells are two Poisson counts, so
        the share of parasites among both is binomial (Przyborowski & Wilenski 1940, Biometrika 31,
        313).
        """
        if self.infected is not None and self.red_cells is not None:
            found = clopper_pearson(self.infected, self.red_cells)
            return found.low, found.high
        if self.parasites is None or self.white_cells is None:
            return None
        both = self.parasites + self.white_cells
        found = clopper_pearson(self.parasites, both)
        white = self._white_cells_per_ul / red_cells_per_ul
        return found.low / (1 - found.low) * white, found.high / (1 - found.high) * white

    def to_dict(self) -> dict[str, Any]:
        """Return what was given, as in `slide.toml`."""
        return {name: value for name, value in asdict(self).items() if value is not None}
