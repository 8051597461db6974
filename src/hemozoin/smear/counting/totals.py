"""The numbers of a slide's fields and cells, and the result that follows from them.

A slide is not reported if half of its fields fail; that is not a negative result. It needs
confirmation by a person if it is unlike the slides on which the network's rates were measured, or
if one or two false alarms decide, among fewer red cells than any guideline asks for. By a model
that does not know what those slides look like, a slide is not reported if too many of its cells are
for review.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from hemozoin.decision.counting_point import CountingPoint
from hemozoin.smear.counting.blood import Blood
from hemozoin.smear.counting.guidelines import FEWEST_RED_CELLS, TOO_FEW
from hemozoin.smear.counting.parasitaemia import clopper_pearson, estimate_parasitaemia
from hemozoin.smear.counting.record.slide_record import record_from_dict
from hemozoin.smear.counting.reviewed_count import ReviewedCount
from hemozoin.smear.counting.slide import OTHERS, Slide
from hemozoin.smear.field import ObjectKind

#: Largest share of the red cells of a reported slide that may be for review. On slides of the
#: laboratory that the networks were trained on it is 0.01, on those of other microscopes on which
#: the network is unsure 0.1 to 0.25.
_MAX_REVIEW = 0.15

#: More healthy red cells than this share are called infected nowhere: at most 0.011 of them at any
#: place, and 0.026 in processed photos. And the factor by which an unconfirmed share may be wrong.
_MOST_FALSE_ALARMS, _WRONG_BY = 0.03, 2


@dataclass
class SlideTotals:
    """The numbers that `Slide` explains, added up field by field, or read from slide.json.

    `is_compared` says whether the model knows the slides on which its rates were measured, and
    `differences` how this slide differs from them; None if it does not. Then `unconfirmed` is the
    estimate by the mean rates of the known patients, with nothing to say how wrong it is.
    """

    counting_point: CountingPoint | None
    is_compared: bool
    differences: str | None = None
    unconfirmed: float | None = None
    fields: int = 0
    fields_flawed: int = 0
    fields_unreadable: int = 0
    fields_repeated: int = 0
    red_cells: int = 0
    infected: int = 0
    counted: int = 0
    review: int = 0
    flaws: Counter[str] = field(default_factory=Counter)
    others: Counter[ObjectKind] = field(default_factory=Counter)

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Self:
        """Read the content of slide.json; raises LookupError, TypeError or ValueError otherwise."""
        point, is_compared = saved["counting"], saved["reference"] is not None
        is_reported = saved["raw"] is not None
        return cls(
            CountingPoint.from_dict(point) if point else None,
            is_compared,
            saved["why"] if is_compared and is_reported else None,
            saved.get("unconfirmed_parasitaemia"),
            **{name: saved[name] or 0 for name in _NUMBERS},
            flaws=Counter(saved["flaws"]),
            others=Counter({kind: saved[name] for kind, name in OTHERS.items()}),
        )

    def slide(self, name: str, blood: Blood, reviewed: ReviewedCount | None = None) -> Slide:
        """Return the result; with `reviewed`, a person has looked at cells."""
        failure = self._reason_not_reported(bool(reviewed and reviewed.is_settled))
        point, cells = self.counting_point, self.red_cells
        few = self._is_reported_of_few()
        reason = failure or self.differences or (TOO_FEW if few else None)
        known = point if reason is None else None
        unconfirmed = self.share_by_mean_rates() if few else self.unconfirmed
        return Slide(
            slide=name,
            fields=self.fields,
            fields_flawed=self.fields_flawed,
            fields_unreadable=self.fields_unreadable,
            flaws=dict(sorted(self.flaws.items())),
            red_cells=cells,
            infected=self.infected,
            review=self.review,
            others={kind: self.others[kind] for kind in OTHERS},
            blood=blood,
            counted=self.counted if point else None,
            counting_point=point,
            called=None if failure else clopper_pearson(self.infected, cells),
            parasitaemia=estimate_parasitaemia(self.counted, cells, known) if known else None,
            unconfirmed=unconfirmed if failure is None else None,
            reason=reason,
            fields_repeated=self.fields_repeated,
            reviewed=reviewed,
        )

    def share_by_mean_rates(self) -> float | None:
        """Return the estimate by the mean rates of the known patients, for at least one red cell.

        None for a count of all decisions, since it has no threshold that holds on other
        microscopes, and where so many more cells are called than counted that the threshold for
        counting doesn't hold here either.
        """
        point = self.counting_point
        if point is None or point.threshold is None:
            return None
        share = point.infected_share(self.counted / self.red_cells)
        at_least = self.infected / self.red_cells - _MOST_FALSE_ALARMS
        return share if at_least <= _WRONG_BY * share else None

    def _is_reported_of_few(self) -> bool:
        """Return whether, of few red cells, one or two false alarms decide that it is reported."""
        point, cells = self.counting_point, self.red_cells
        if point is None or not 0 < cells < FEWEST_RED_CELLS:
            return False
        least = point.reportable_count(cells)
        return least is not None and least <= self.counted < least + 2

    def _reason_not_reported(self, is_settled: bool) -> str | None:
        failed = self.fields_flawed + self.fields_unreadable
        total = self.fields + failed
        if 2 * failed >= total:
            return f"{failed:,} of {total:,} fields can't be relied on" if total else "no field"
        if not self.red_cells:
            return "no red cell was found"
        may_be_many = is_settled or self.is_compared
        if self.review >= _MAX_REVIEW * self.red_cells and not may_be_many:
            return f"{self.review:,} of {self.red_cells:,} red cells are for review"
        return None


_NUMBERS = (
    *("fields", "fields_flawed", "fields_unreadable", "fields_repeated"),
    *("red_cells", "infected", "counted", "review"),
)


def with_current_reviews(
    saved: Mapping[str, Any], reviewed: ReviewedCount | None
) -> dict[str, Any]:
    """Return the content of slide.json as it would be written now, with these reviews.

    Neither the pictures nor the saved fields are read. Raises LookupError, TypeError or ValueError
    for what `hemozoin screen` has not written.
    """
    record = record_from_dict(saved["record"], "slide.json")
    blood = record.blood(Blood(**saved["given_blood"]))
    slide = SlideTotals.from_dict(saved).slide(saved["slide"], blood, reviewed)
    return {**saved, **replace(slide, record=record).to_dict()}
