"""What was counted on a slide, and what can be said of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from hemozoin.decision.false_positive_rate import FalsePositiveRate
from hemozoin.smear.counting.blood import Blood
from hemozoin.smear.counting.parasitaemia import Parasitaemia, compensate
from hemozoin.smear.field import ObjectKind

Verdict = Literal["reportable", "below the reportable limit", "not compensated", "not reported"]

#: What else is found in a field, and what its number is called.
OTHERS: dict[ObjectKind, str] = {
    "white cell": "white_cells",
    "platelet": "platelets",
    "clump": "clumps",
    "cut by the edge": "cut_by_the_edge",
    "debris": "debris",
}


@dataclass(frozen=True)
class Slide:
    """What was counted on a slide and what it comes to.

    Of its pictures `fields` were counted, `fields_flawed` had flaws (`flaws`: how many had
    which) and `fields_unreadable` could not be read. Cells, and `others` by kind, are those of
    counted fields. `parasitaemia` is None where the slide is not reported, and `why` says why.
    """

    slide: str
    fields: int
    fields_flawed: int
    fields_unreadable: int
    flaws: dict[str, int]
    red_cells: int
    infected: int
    review: int
    others: dict[ObjectKind, int]
    blood: Blood
    false_positive_rate: FalsePositiveRate | None
    parasitaemia: Parasitaemia | None
    why: str | None

    @property
    def verdict(self) -> Verdict:
        """Return what can be said: "reportable" where the interval doesn't reach zero."""
        if self.parasitaemia is None:
            return "not reported"
        if self.parasitaemia.compensated is None:
            return "not compensated"
        above = self.parasitaemia.compensated.low > 0
        return "reportable" if above else "below the reportable limit"

    @property
    def expected_false_positives(self) -> float | None:
        """Return the rate times the cells that are not infected, where the rate is known."""
        if self.parasitaemia is None or self.false_positive_rate is None:
            return None
        infected = self.parasitaemia.best.value * self.red_cells
        return self.false_positive_rate.rate * (self.red_cells - infected)

    @property
    def least(self) -> float | None:
        """Return the least parasitaemia that is reported with so many cells, in 0..1.

        None where it isn't known, or no number of infected cells would do.
        """
        if self.parasitaemia is None or self.parasitaemia.reportable is None:
            return None
        rate = self.false_positive_rate.rate if self.false_positive_rate else 0.0
        return compensate(self.parasitaemia.reportable / self.red_cells, rate)

    @property
    def if_review_infected(self) -> float | None:
        """Return the parasitaemia if all cells in review were infected too, in 0..1."""
        if self.parasitaemia is None:
            return None
        return min(1.0, self.parasitaemia.best.value + self.review / self.red_cells)

    def per_ul(self, share: float) -> float:
        """Return a share of red cells as parasites per µL, one to an infected cell."""
        return share * self.blood.red_cells

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON: parasitaemia in 0..1, None where there is none."""
        rate = self.false_positive_rate
        return {
            "slide": self.slide,
            "verdict": self.verdict,
            "why": self.why,
            **{name: getattr(self, name) for name in _COUNTS},
            **{name: self.others[kind] for kind, name in OTHERS.items()},
            **self._shares(),
            "red_cells_per_ul": self.blood.red_cells,
            "flaws": self.flaws,
            "false_positives": rate.to_dict() if rate else None,
        }

    def _shares(self) -> dict[str, float | None]:
        found = self.parasitaemia
        raw = asdict(found.raw) if found else _UNKNOWN
        share = asdict(found.compensated) if found and found.compensated else _UNKNOWN
        per_ul = {k: None if v is None else self.per_ul(v) for k, v in share.items()}
        return {
            **_named("raw", raw),
            "expected_false_positives": self.expected_false_positives,
            **_named("parasitaemia", share),
            **_named("parasites_per_ul", per_ul),
            "if_review_infected": self.if_review_infected,
            "reportable_infected": found.reportable if found else None,
            "reportable_parasitaemia": self.least,
        }


_COUNTS = (
    *("fields", "fields_flawed", "fields_unreadable"),
    *("red_cells", "infected", "review"),
)

_UNKNOWN: dict[str, float | None] = dict.fromkeys(("value", "low", "high"))


def _named(name: str, estimate: dict[str, float | None]) -> dict[str, float | None]:
    return {name if k == "value" else f"{name}_{k}": v for k, v in estimate.items()}
