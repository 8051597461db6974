"""Add up the fields of a slide.

Only fields without a flaw are counted, and in them only whole, separate red cells. The
parasitaemia is estimated from the number of cells counted as infected: those that are decided to be
infected with p of at least the counting threshold. It is a share of the number of red cells that
were really counted, whether 90 or 90,000. A cell for review counts as a red cell, not as an
infected one.
"""

from __future__ import annotations

from hemozoin.decision.counting_point import CountingPoint
from hemozoin.decision.reference_patients import Appearance, ReferencePatients
from hemozoin.smear.counting.blood import Blood
from hemozoin.smear.counting.bulk import Bulk
from hemozoin.smear.counting.reviewed_count import ReviewedCount
from hemozoin.smear.counting.slide import Slide
from hemozoin.smear.counting.totals import SlideTotals
from hemozoin.smear.field import Field


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
        self.name, self._reference = slide, reference_patients
        self._bulk = Bulk()
        self._totals = SlideTotals(counting_point, is_compared=reference_patients is not None)

    def add(self, field: Field) -> None:
        """Count one more field."""
        totals = self._totals
        if field.error is not None:
            totals.fields_unreadable += 1
        elif field.same_as is not None:
            totals.fields_repeated += 1
        elif not field.usable:
            totals.fields_flawed += 1
            totals.flaws.update({flaw.what for flaw in field.flaws})
        else:
            self._add_counted(field)

    def _add_counted(self, field: Field) -> None:
        totals, point = self._totals, self._totals.counting_point
        totals.fields += 1
        totals.red_cells += len(field.cells)
        totals.infected += field.infected
        if point is not None:
            counted = (point.is_counted(c.decision, c.p_parasitized) for c in field.cells)
            totals.counted += sum(counted)
        totals.review += field.review
        totals.others.update(one.kind for one in field.others)
        self._bulk.add(field)

    def slide(self, blood: Blood, reviewed: ReviewedCount | None = None) -> Slide:
        """Return the result so far; with `reviewed`, a person has looked at cells."""
        if self._reference is not None and self._totals.red_cells:
            self._compare(self._reference, self._bulk.appearance())
        return self._totals.slide(self.name, blood, reviewed)

    def _compare(self, reference: ReferencePatients, bulk: Appearance) -> None:
        """Note how the slide differs from the known ones, and what to expect of it then."""
        totals = self._totals
        totals.differences = "; ".join(reference.differences(bulk)) or None
        if totals.differences and bulk.cells:
            totals.unconfirmed = totals.share_by_mean_rates()
