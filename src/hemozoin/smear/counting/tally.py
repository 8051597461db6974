"""From the fields of a slide to what is written down about it.

Only fields without a flaw are counted, and in them only whole, separate red cells: parasitaemia
is infected over red cells really counted, be they 90 or 90,000. A cell for review is a red cell
and not an infected one. A slide of which half of the fields fail, or half of the cells need a
person, is not reported: it is not negative either.
"""

from __future__ import annotations

from collections import Counter

from hemozoin.decision.false_positive_rate import FalsePositiveRate
from hemozoin.smear.counting.blood import Blood
from hemozoin.smear.counting.parasitaemia import estimate_parasitaemia
from hemozoin.smear.counting.slide import OTHERS, Slide
from hemozoin.smear.field import Field, ObjectKind

__all__ = ["Blood", "Slide", "Tally"]


class Tally:
    """Counts a slide's fields one after another; its size doesn't grow with them."""

    def __init__(self, slide: str) -> None:
        self.name = slide
        self._fields = self._flawed = self._unreadable = 0
        self._red_cells = self._infected = self._review = 0
        self._flaws: Counter[str] = Counter()
        self._others: Counter[ObjectKind] = Counter()

    def add(self, field: Field) -> None:
        """Count one more field."""
        if field.error is not None:
            self._unreadable += 1
        elif not field.usable:
            self._flawed += 1
            self._flaws.update({flaw.what for flaw in field.flaws})
        else:
            self._fields += 1
            self._red_cells += len(field.cells)
            self._infected += field.infected
            self._review += field.review
            self._others.update(body.kind for body in field.others)

    def slide(self, false_positive_rate: FalsePositiveRate | None, blood: Blood) -> Slide:
        """Return what was counted so far; without `false_positive_rate` it is not compensated."""
        why = self._unreported()
        counted = self._infected, self._red_cells
        return Slide(
            slide=self.name,
            fields=self._fields,
            fields_flawed=self._flawed,
            fields_unreadable=self._unreadable,
            flaws=dict(sorted(self._flaws.items())),
            red_cells=self._red_cells,
            infected=self._infected,
            review=self._review,
            others={kind: self._others[kind] for kind in OTHERS},
            blood=blood,
            false_positive_rate=false_positive_rate,
            parasitaemia=None if why else estimate_parasitaemia(*counted, false_positive_rate),
            why=why,
        )

    def _unreported(self) -> str | None:
        failed = self._flawed + self._unreadable
        total = self._fields + failed
        if 2 * failed >= total:
            return f"{failed:,} of {total:,} fields can't be relied on" if total else "no field"
        if not self._red_cells:
            return "no red cell was found"
        if 2 * self._review >= self._red_cells:
            return f"{self._review:,} of {self._red_cells:,} red cells need a person's eye"
        return None
