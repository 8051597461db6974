"""What is written of a slide when its last field is done, from the files of its fields alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from hemozoin.decision.false_positive_rate import FalsePositiveRate
from hemozoin.files import replace_file
from hemozoin.reports.page import write_page
from hemozoin.smear.counting.blood import Blood
from hemozoin.smear.counting.slide import Slide
from hemozoin.smear.counting.tally import Tally
from hemozoin.smear.field import Field
from hemozoin.smear.output.coco import write_coco
from hemozoin.smear.output.folder import COCO, REPORT, SLIDE, SlideFolder
from hemozoin.smear.output.report import FieldWithPictures, render_report
from hemozoin.smear.output.tables import write_tables
from hemozoin.smear.slides import Photo, SlidePhotos


@dataclass(frozen=True)
class SlideWriter:
    """Counts slides and writes their tables, count and report, and COCO file if `coco` says so.

    `about` is what the report says that its numbers rest on.
    """

    false_positive_rate: FalsePositiveRate | None
    blood: Blood
    coco: bool
    about: Mapping[str, str]

    def __call__(self, slide: SlidePhotos, folder: SlideFolder) -> Slide:
        """Write all of one slide, the report last, and return its count."""
        folder.keep_only(slide.photos)

        def fields() -> Iterator[Field]:
            return (folder.load(photo).field for photo in slide.photos)

        tally = Tally(slide.slide)
        write_tables(slide.slide, _counted(fields(), tally), folder.path)
        if self.coco:
            write_coco(slide.slide, fields, folder.path / COCO)
        else:
            (folder.path / COCO).unlink(missing_ok=True)
        counted = tally.slide(self.false_positive_rate, self.blood)
        replace_file(folder.path / SLIDE, json.dumps(counted.to_dict(), indent=2) + "\n")
        shown = (_shown(folder, photo) for photo in slide.photos)
        write_page(render_report(counted, shown, self.about), folder.path / REPORT)
        return counted


def _counted(fields: Iterable[Field], tally: Tally) -> Iterator[Field]:
    for found in fields:
        tally.add(found)
        yield found


def _shown(folder: SlideFolder, photo: Photo) -> FieldWithPictures:
    found, overlay = folder.load(photo), folder.overlay(photo)
    return FieldWithPictures(found.field, overlay if overlay.exists() else None, found.pictures)
