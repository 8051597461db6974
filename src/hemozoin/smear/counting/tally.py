"""Add up the fields of a slide.

Only fields without a flaw are counted, and in them only whole, separate red cells. The
parasitaemia is estimated from the number of cells counted as infected: those that are decided to be
infected with p of at least the counting threshold. It is a share of the number of red cells that
were really counted, whether 90 or 90,000. A cell for review counts as a red cell, not as an
infected one.

A slide is not reported if half of its fields fail; that is not a negative result. It needs
confirmation by a person if it is unlike the slides on which the network's rates were measured. By
a model that does not know what those look like, a slide is not reported if too many of its cells
are for review.
"""

from __future__ import annotations

from collections import Counter

from hemozoin.decision.counting_point import CountingPoint
from hemozoin.decision.reference_patients import ReferencePatients
from hemozoin.smear.counting.blood import Blood
from hemozoin.smear.counting.bulk import Bulk
from hemozoin.smear.counting.parasitaemia import clopper_pearson, estimate_parasitaemia
from hemozoin.smear.counting.reviewed_count import ReviewedCount
from hemozoin.smear.counting.slide import OTHERS, Slide
from hemozoin.smear.field import Field, ObjectKind

#: Largest share of the red cells of a reported slide that may be for review. On slides of the
#: laboratory that the networks were trained on it is 0.01, on those of other microscopes on which
#: the network is unsure 0.1 to 0.25.
_MAX_REVIEW = 0.15


class Tally:
    """Counts the fields of a slide one after another; its size is the same for any number.

    Without a counting point the slide is not compensated, without reference patients it is not
    compared with them.
    """

    def __init__(
        self,
        slide: str,
        counting_point: CountingPoint | None,
        reference_patients: ReferencePatients | None = None,
    ) -> None:
        self.name, self._point, self._reference = slide, counting_point, reference_patients
        self._bulk = Bulk()
        self._fields = self._flawed = self._unreadable = self._repeated = 0
        self._red_cells = self._infected = self._counted = self._review = 0
        self._flaws: Counter[str] = Counter()
        self._others: Counter[ObjectKind] = Counter()

    def add(self, field: Field) -> None:
        """Count one more field."""
        if field.error is not None:
            self._unreadable += 1
        elif field.same_as is not None:
            self._repeated += 1
        elif not field.usable:
            self._flawed += 1
            self._flaws.update({flaw.what for flaw in field.flaws})
        else:
            self._fields += 1
            self._red_cells += len(field.cells)
            self._infected += field.infected
            if self._point is not None:
                counted = (self._point.is_counted(c.decision, c.p_parasitized) for c in field.cells)
                self._counted += sum(counted)
            self._review += field.review
            self._bulk.add(field)
            self._others.update(one.kind for one in field.others)

    def slide(self, blood: Blood, reviewed: ReviewedCount | None = None) -> Slide:
        """Return the result so far; with `reviewed`, a person has looked at cells."""
        settled, cells = bool(reviewed and reviewed.is_settled), self._red_cells
        failure = self._reason_not_reported(settled)
        reason = failure or self._reason_to_confirm()
        known = self._point if reason is None else None
        return Slide(
            slide=self.name,
            fields=self._fields,
            fields_flawed=self._flawed,
            fields_unreadable=self._unreadable,
            flaws=dict(sorted(self._flaws.items())),
            red_cells=cells,
            infected=self._infected,
            review=self._review,
            others={kind: self._others[kind] for kind in OTHERS},
            blood=blood,
            counted=self._counted if self._point else None,
            counting_point=self._point,
            called=None if failure else clopper_pearson(self._infected, cells),
            parasitaemia=estimate_parasitaemia(self._counted, cells, known) if known else None,
            reason=reason,
            fields_repeated=self._repeated,
            reviewed=reviewed,
        )

    def _reason_not_reported(self, is_settled: bool) -> str | None:
        failed = self._flawed + self._unreadable
        total = self._fields + failed
        if 2 * failed >= total:
            return f"{failed:,} of {total:,} fields can't be relied on" if total else "no field"
        if not self._red_cells:
            return "no red cell was found"
        may_be_many = is_settled or self._reference is not None
        if self._review >= _MAX_REVIEW * self._red_cells and not may_be_many:
            return f"{self._review:,} of {self._red_cells:,} red cells are for review"
        return None

    def _reason_to_confirm(self) -> str | None:
        if self._reference is None:
            return None
        return "; ".join(self._reference.differences(self._bulk.appearance())) or None
