"""The result of a slide: its counts, its parasitaemia and its verdict."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from hemozoin.decision.counting_point import CountingPoint
from hemozoin.metrics.bootstrap import Estimate
from hemozoin.smear.counting.blood import Blood
from hemozoin.smear.counting.guidelines import fields_missing, red_cells_asked
from hemozoin.smear.counting.parasitaemia import Parasitaemia
from hemozoin.smear.counting.precision import chance_within_tolerance
from hemozoin.smear.counting.record.slide_record import SlideRecord
from hemozoin.smear.counting.reviewed_count import ReviewedCount
from hemozoin.smear.field import ObjectKind

Verdict = Literal[
    "reportable",
    "below the reportable limit",
    "needs confirmation",
    "not compensated",
    "not reported",
    "confirmed by a person",
]

#: Parasites in an infected cell, as every number per µL assumes. It is 1 for most infected cells;
#: with several, the number of parasites per µL is higher.
PARASITES_PER_CELL = 1

#: The objects that are not counted as red cells, and the column with their number.
OTHERS: dict[ObjectKind, str] = {
    "white cell": "white_cells",
    "platelet": "platelets",
    "clump": "clumps",
    "cut by the edge": "cut_by_the_edge",
    "debris": "debris",
}


@dataclass(frozen=True)
class Slide:
    """The counts of a slide, and its parasitaemia.

    `fields` is the number of pictures that were counted, `fields_flawed` of those with flaws
    (`flaws` has the number of pictures for each flaw), `fields_unreadable` of those that could not
    be read, and `fields_repeated` of those that show the same as another one. `red_cells`,
    `infected`, `review` and `others`, by kind, are from the counted fields.

    `infected` cells are called infected by the decisions on single cells; `counted` of them have p
    of at least the threshold of `counting_point`, and the parasitaemia is estimated from these.
    `called` is the share of infected ones, right or wrong. If the slide is not reported, `called`
    and `parasitaemia` are None and `reason` says why. If it is unlike the slides on which the rates
    were measured, `parasitaemia` is None and `reason` has the measures; `unconfirmed` is an
    estimate, 0..1, that a person has yet to confirm. Without a counting point, `counted`,
    `parasitaemia` and `unconfirmed` are None. `record` is what a person has written down about the
    slide, `reviewed` the count with what a person said about its cells.
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
    counted: int | None
    counting_point: CountingPoint | None
    called: Estimate | None
    parasitaemia: Parasitaemia | None
    reason: str | None
    fields_repeated: int = 0
    record: SlideRecord = field(default_factory=SlideRecord)
    reviewed: ReviewedCount | None = None
    unconfirmed: float | None = None

    @property
    def verdict(self) -> Verdict:
        """Return the verdict: "reportable" if the lower end of the interval is above zero."""
        if self.called is None:
            return "not reported"
        if self.settled:
            if self.settled.is_confirmed:
                return "confirmed by a person"
            above = self.settled.parasitaemia.low > 0
            return "reportable" if above else "below the reportable limit"
        if self.reason is not None:
            return "needs confirmation"
        if self.parasitaemia is None:
            return "not compensated"
        above = self.parasitaemia.estimate.low > 0
        return "reportable" if above else "below the reportable limit"

    @property
    def expected_false_positives(self) -> float | None:
        """Return the rate times the number of uninfected cells; None if the rate is unknown."""
        if self.parasitaemia is None or self.counting_point is None:
            return None
        infected = self.parasitaemia.estimate.value * self.red_cells
        return self.counting_point.false_positives.rate * (self.red_cells - infected)

    @property
    def reportable_parasitaemia(self) -> float | None:
        """Return the lowest parasitaemia, 0..1, that is reported for this number of red cells.

        None if it is unknown, or if no count is large enough.
        """
        found, point = self.parasitaemia, self.counting_point
        if found is None or point is None or found.reportable_count is None:
            return None
        return point.infected_share(found.reportable_count / self.red_cells)

    @property
    def if_review_infected(self) -> float | None:
        """Return the parasitaemia, 0..1, if all cells for review were infected as well."""
        share = self.parasitaemia.estimate if self.parasitaemia else self.called
        return None if share is None else min(1.0, share.value + self.review / self.red_cells)

    def per_ul(self, share: float) -> float:
        """Return a share of red cells as parasites per µL, with one parasite per infected cell."""
        return share * self.blood.red_cells_per_ul * PARASITES_PER_CELL

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON: parasitaemia in 0..1, None for each value that is unknown."""
        point = self.counting_point
        return {
            "slide": self.slide,
            "verdict": self.verdict,
            "why": self.reason,
            **{name: getattr(self, name) for name in _COUNTS},
            **{name: self.others[kind] for kind, name in OTHERS.items()},
            **self._shares(),
            "red_cells_per_ul": self.blood.red_cells_per_ul,
            "flaws": self.flaws,
            "counting": point.to_dict() if point else None,
            "parasites_per_infected_cell": PARASITES_PER_CELL,
            **self._readings(),
            "record": self.record.to_dict(),
            "reviews": self.reviewed.to_dict() if self.reviewed else None,
        }

    def _readings(self) -> dict[str, float | None]:
        """Return the manual count and the ratio, the chance to be right, and the fields missing."""
        manual, blood = self.record.manual, self.blood.red_cells_per_ul
        share = manual.share(blood) if manual else None
        low, high = (manual and manual.interval(blood)) or (None, None)
        missing = {name: fields for name, _, fields in self.guidelines}
        return {
            **_columns("manual_parasitaemia", {"value": share, "low": low, "high": high}),
            "manual_parasites_per_ul": self.manual_per_ul,
            "automatic_over_manual": self.automatic_over_manual,
            "chance_within_25_percent": self.chance_within_25_percent,
            **{f"more_fields_{name.lower()}": fields for name, fields in missing.items()},
        }

    @property
    def manual_per_ul(self) -> float | None:
        """Return the manual count in parasites per µL; None if there is none."""
        manual = self.record.manual
        return self.per_ul(manual.share(self.blood.red_cells_per_ul)) if manual else None

    @property
    def automatic_per_ul(self) -> float | None:
        """Return the count of the network, or with a person, in parasites per µL; None without."""
        return self.per_ul(self.estimate.value) if self.estimate else None

    @property
    def settled(self) -> ReviewedCount | None:
        """Return the count of machine and person where it holds without the network's rates."""
        return self.reviewed if self.reviewed and self.reviewed.is_settled else None

    @property
    def estimate(self) -> Estimate | None:
        """Return the share of infected cells with its interval: that with a person if there is one.

        None if the slide is not reported, or not compensated.
        """
        if self.called is None:
            return None
        machine = self.parasitaemia.estimate if self.parasitaemia else None
        return self.settled.parasitaemia if self.settled else machine

    @property
    def limit_of_detection(self) -> float | None:
        """Return the parasitaemia, 0..1, at which 95 % of slides are reported; None if unknown."""
        found = self.settled or self.parasitaemia
        return found.limit_of_detection if found else None

    @property
    def automatic_over_manual(self) -> float | None:
        """Return the ratio of the counts; None where one is missing, or the manual one is zero."""
        if not self.manual_per_ul or self.automatic_per_ul is None:
            return None
        return self.automatic_per_ul / self.manual_per_ul

    @property
    def chance_within_25_percent(self) -> float | None:
        """Return how often a count like this one is within 25 % of the truth (precision.py).

        None where there is no count, or it is zero, or a person has a part in it.
        """
        share = self.parasitaemia.estimate.value if self.parasitaemia else 0.0
        if not share or self.counting_point is None or self.settled:
            return None
        return chance_within_tolerance(share, self.red_cells, self.counting_point)

    @property
    def guidelines(self) -> list[tuple[str, int, int | None]]:
        """Return the red cells that each guideline asks for, and how many fields are missing."""
        asked = red_cells_asked(self.estimate.value if self.estimate else 0.0)
        return [
            (name, cells, fields_missing(cells, self.red_cells, self.fields))
            for name, cells in asked.items()
        ]

    def _shares(self) -> dict[str, float | None]:
        found = self.parasitaemia
        raw = asdict(self.called) if self.called else _UNKNOWN
        machine = asdict(found.estimate) if found else _UNKNOWN
        share = asdict(self.estimate) if self.estimate else _UNKNOWN
        per_ul = {k: None if v is None else self.per_ul(v) for k, v in share.items()}
        return {
            **_columns("raw", raw),
            "expected_false_positives": self.expected_false_positives,
            **_columns("parasitaemia", share),
            **_columns("machine_parasitaemia", machine),
            "unconfirmed_parasitaemia": self.unconfirmed,
            **_columns("parasites_per_ul", per_ul),
            "if_review_infected": self.if_review_infected,
            "reportable_count": found.reportable_count if found else None,
            "reportable_parasitaemia": self.reportable_parasitaemia,
            "limit_of_detection": self.limit_of_detection,
        }


_COUNTS = (
    *("fields", "fields_flawed", "fields_unreadable", "fields_repeated"),
    *("red_cells", "infected", "counted", "review"),
)

_UNKNOWN: dict[str, float | None] = dict.fromkeys(("value", "low", "high"))


def _columns(name: str, estimate: dict[str, float | None]) -> dict[str, float | None]:
    """Return an estimate's value and interval under the names `name`, `name_low`, `name_high`."""
    return {name if k == "value" else f"{name}_{k}": v for k, v in estimate.items()}
