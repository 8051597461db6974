"""Write all files of a slide in one pass over its fields."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from hemozoin.decision.counting_point import CountingPoint
from hemozoin.files import replace_file
from hemozoin.reports.page import write_page
from hemozoin.smear.counting.blood import Blood
from hemozoin.smear.counting.record.slide_record import SlideRecord
from hemozoin.smear.counting.slide import Slide
from hemozoin.smear.counting.tally import Tally
from hemozoin.smear.field import Field
from hemozoin.smear.fingerprint import with_repeats
from hemozoin.smear.output.coco import open_coco
from hemozoin.smear.output.folder import COCO, PRINT, REPORT, SLIDE, SlideFolder
from hemozoin.smear.output.pages.print_page import render_print_page
from hemozoin.smear.output.report import ReportSelection, render_report
from hemozoin.smear.output.tables import open_tables
from hemozoin.smear.slides import SlidePhotos


class _Consumer(Protocol):
    def add(self, field: Field, /) -> None: ...


@dataclass(frozen=True)
class SlideWriter:
    """Writes the tables, counts and report of slides, and a COCO file if `coco` is true.

    `blood` is that of slides whose record has none. `about` has what the results depend on, for the
    report.
    """

    counting_point: CountingPoint | None
    blood: Blood
    coco: bool
    about: Mapping[str, str]

    def __call__(
        self, slide: SlidePhotos, record: SlideRecord, folder: SlideFolder, fields: Iterable[Field]
    ) -> Slide:
        """Write the files of one slide, the report last, and return the counts.

        `fields` has one field for each photo, in order; it is iterated once, and one field is held
        at a time. No file appears before the last field was added.
        """
        tally, selection = Tally(slide.slide, self.counting_point), ReportSelection()
        with self._open_files(slide.slide, folder) as files:
            for photo, field in zip(slide.photos, with_repeats(fields), strict=True):
                for consumer in (tally, *files):
                    consumer.add(field)
                overlay = folder.overlay(photo) if field.error is None else None
                selection.add(field, overlay, folder.crops(photo))
        if not self.coco:
            (folder.path / COCO).unlink(missing_ok=True)
        folder.keep_only(slide.photos)
        counted = tally.slide(record.blood(self.blood))
        counted = replace(counted, record=record)
        replace_file(folder.path / SLIDE, json.dumps(counted.to_dict(), indent=2) + "\n")
        write_page(render_print_page(counted, selection, self.about), folder.path / PRINT)
        write_page(render_report(counted, selection, self.about), folder.path / REPORT)
        return counted

    @contextmanager
    def _open_files(self, slide: str, folder: SlideFolder) -> Iterator[list[_Consumer]]:
        with ExitStack() as stack:
            files: list[_Consumer] = []
            if self.coco:
                files.append(stack.enter_context(open_coco(slide, folder.path / COCO)))
            files.append(stack.enter_context(open_tables(slide, folder.path)))
            yield files
