"""What is written of a slide when its last field is done, from the files of its fields alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from hemozoin.files import replace_file
from hemozoin.judging.false_positives import FalsePositives
from hemozoin.pages import write_page
from hemozoin.smear.blood import Blood
from hemozoin.smear.coco import write_coco
from hemozoin.smear.counting import Tally
from hemozoin.smear.field import Field
from hemozoin.smear.folder import COCO, REPORT, SLIDE, SlideFolder
from hemozoin.smear.report import Shown, render_report
from hemozoin.smear.slides import Photo, Photos
from hemozoin.smear.tables import write_tables
from hemozoin.smear.verdict import Slide


@dataclass(frozen=True)
class SlideWriter:
    """Counts slides and writes their tables, count and report, and COCO file if `coco` says so.

    `about` is what the report says that its numbers rest on.
    """

    false_positives: FalsePositives | None
    blood: Blood
    coco: bool
    about: Mapping[str, str]

    def __call__(self, slide: Photos, folder: SlideFolder) -> Slide:
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
        counted = tally.slide(self.false_positives, self.blood)
        replace_file(folder.path / SLIDE, json.dumps(counted.to_dict(), indent=2) + "\n")
        shown = (_shown(folder, photo) for photo in slide.photos)
        write_page(render_report(counted, shown, self.about), folder.path / REPORT)
        return counted


def _counted(fields: Iterable[Field], tally: Tally) -> Iterator[Field]:
    for found in fields:
        tally.add(found)
        yield found


def _shown(folder: SlideFolder, photo: Photo) -> Shown:
    found, overlay = folder.load(photo), folder.overlay(photo)
    return Shown(found.field, overlay if overlay.exists() else None, found.pictures)
