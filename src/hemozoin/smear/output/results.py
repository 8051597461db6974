"""Write all files of a slide in one pass over its fields."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol, Self

from hemozoin.csv_files import read_csv
from hemozoin.decision.counting_point import CountingPoint
from hemozoin.decision.reference_patients import ReferencePatients
from hemozoin.errors import DataError
from hemozoin.files import read_regular_file, replace_file
from hemozoin.json_files import parse_json
from hemozoin.reports.page import write_page
from hemozoin.smear.counting.blood import Blood
from hemozoin.smear.counting.record.slide_record import SlideRecord, record_from_dict
from hemozoin.smear.counting.reviewed_count import SlideReviews
from hemozoin.smear.counting.slide import Slide
from hemozoin.smear.counting.tally import Tally
from hemozoin.smear.field import Field
from hemozoin.smear.fingerprint import with_repeats
from hemozoin.smear.output.coco import open_coco
from hemozoin.smear.output.folder import COCO, FIELDS, PRINT, REPORT, SLIDE, SlideFolder
from hemozoin.smear.output.pages.print_page import render_print_page
from hemozoin.smear.output.report import ReportSelection, render_report
from hemozoin.smear.output.tables import open_tables

_NO_REVIEWS = SlideReviews()


class _Consumer(Protocol):
    def add(self, field: Field, /) -> None: ...


@dataclass(frozen=True)
class SlideWriter:
    """Writes the tables, counts and report of slides, and a COCO file if `coco` is true.

    `blood` is that of slides whose record has none. `about` has what the results depend on, for the
    report.
    """

    counting_point: CountingPoint | None
    reference_patients: ReferencePatients | None
    blood: Blood
    coco: bool
    about: Mapping[str, str]

    def __call__(
        self,
        slide: str,
        record: SlideRecord,
        folder: SlideFolder,
        fields: Iterable[Field],
        reviews: SlideReviews = _NO_REVIEWS,
    ) -> Slide:
        """Write the files of one slide, the report last, and return the counts.

        `fields` is iterated once, and one field is held at a time. No file appears before the last
        field was added.
        """
        tally = Tally(slide, self.counting_point, self.reference_patients)
        selection = ReportSelection()
        names = list[str]()
        with self._open_files(slide, folder, reviews) as files:
            for field in with_repeats(fields):
                names.append(field.field)
                for consumer in (tally, *files):
                    consumer.add(field)
                overlay = folder.overlay(field.field) if field.error is None else None
                selection.add(field, overlay, folder.crops(field.field))
        if not self.coco:
            (folder.path / COCO).unlink(missing_ok=True)
        folder.keep_only(names)
        counted = tally.slide(record.blood(self.blood), reviews.count)
        counted = replace(counted, record=record)
        replace_file(folder.path / SLIDE, json.dumps(self._plain(counted), indent=2) + "\n")
        shown = counted, selection, self.about, reviews.answers
        write_page(render_print_page(*shown), folder.path / PRINT)
        write_page(render_report(*shown), folder.path / REPORT)
        return counted

    def _plain(self, slide: Slide) -> dict[str, Any]:
        """Return the content of slide.json: the slide, and what else writing it again needs."""
        reference = self.reference_patients.to_dict() if self.reference_patients else None
        again = {"reference": reference, "given_blood": asdict(self.blood), "about": {**self.about}}
        return {**slide.to_dict(), **again}

    @contextmanager
    def _open_files(
        self, slide: str, folder: SlideFolder, reviews: SlideReviews
    ) -> Iterator[list[_Consumer]]:
        with ExitStack() as stack:
            files: list[_Consumer] = []
            if self.coco:
                files.append(stack.enter_context(open_coco(slide, folder.path / COCO)))
            files.append(stack.enter_context(open_tables(slide, folder.path, reviews.answers)))
            yield files


@dataclass(frozen=True)
class SavedSlide:
    """A slide that was screened before: all that is needed to write its files again."""

    slide: str
    writer: SlideWriter
    record: SlideRecord
    folder: SlideFolder

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a slide's folder; raises DataError where it lacks what a finished screening leaves.

        Neither the pictures nor the network are needed.
        """
        try:
            before = parse_json(read_regular_file(path / SLIDE))
            point, reference = before["counting"], before["reference"]
            writer = SlideWriter(
                counting_point=CountingPoint.from_dict(point) if point else None,
                reference_patients=ReferencePatients.from_dict(reference) if reference else None,
                blood=Blood(**before["given_blood"]),
                coco=(path / COCO).is_file(),
                about=before["about"],
            )
            record = record_from_dict(before["record"], str(path / SLIDE))
            saved = cls(before["slide"], writer, record, SlideFolder(path))
            deque(saved._fields(), maxlen=0)  # all of them can be read
        except (OSError, LookupError, TypeError, ValueError) as error:
            raise DataError(f"{path}: damaged; run the same hemozoin screen again") from error
        return saved

    def rewrite(self, reviews: SlideReviews) -> Slide:
        """Write the files again, with reviews."""
        self.folder.begin()
        return self.writer(self.slide, self.record, self.folder, self._fields(), reviews)

    def _fields(self) -> Iterator[Field]:
        """Yield the fields in the order of fields.csv; raises KeyError where one is missing."""
        header, *rows = read_csv(self.folder.path / FIELDS)
        for row in rows:
            values = dict(zip(header, row, strict=True))
            saved = self.folder.load_saved(values["field"])
            if saved is None and not values["error"]:
                raise KeyError(values["field"])
            yield saved or Field(values["field"], error=values["error"])


def read_counting_point(folder: Path) -> CountingPoint | None:
    """Return the counting point in a slide's slide.json; raises DataError where it is damaged."""
    try:
        point = parse_json(read_regular_file(folder / SLIDE))["counting"]
        return CountingPoint.from_dict(point) if point else None
    except (OSError, LookupError, TypeError, ValueError) as error:
        raise DataError(f"{folder}: damaged; run the same hemozoin screen again") from error
