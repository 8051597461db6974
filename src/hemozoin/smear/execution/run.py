"""Screen slides: from pictures to tables, counts and reports, for any number of fields.

photos ── fields, screened in parallel ── saved, in order ── the slide's tables, counts, report

A field is saved before it is counted. A run can be stopped at any time: the same command loads the
saved fields, screens the others, and writes the same bytes as a run that was not stopped. The
files are also the same on a cluster.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hemozoin.about import VERSION
from hemozoin.errors import DataError
from hemozoin.model.bundle import Bundle
from hemozoin.model.predictor import Predictor
from hemozoin.model.registry import Precision
from hemozoin.progress import print_status, track
from hemozoin.smear.counting.blood import Blood
from hemozoin.smear.counting.record.slide_record import SlideRecord, read_record
from hemozoin.smear.counting.slide import Slide
from hemozoin.smear.execution.cluster import connected, screen_on_workers
from hemozoin.smear.execution.processes import process_pool
from hemozoin.smear.execution.settings import screen_settings
from hemozoin.smear.execution.work import ScreenerSettings, ScreenFunction, screen_photo
from hemozoin.smear.field import Field
from hemozoin.smear.output.folder import SLIDES, SlideFolder, open_output
from hemozoin.smear.output.pages.agreement_page import write_agreement
from hemozoin.smear.output.results import SlideWriter
from hemozoin.smear.output.screened_field import ScreenedField
from hemozoin.smear.output.tables import write_slides
from hemozoin.smear.slides import Photo, SlidePhotos, find_slides
from hemozoin.threads import in_threads


@dataclass(frozen=True)
class ScreenConfig:
    """How slides are screened, and what is written about them.

    `model` is the name of a pretrained network or the folder of a model. `diameter` is that of the
    red cells in px, 10 to 1,000; if it is None it is measured in each field. `coco` writes
    cells.coco.json. `scheduler` is the address of a Dask cluster, tcp://HOST:PORT, that does the
    work. Raises DataError for a diameter outside its range.
    """

    model: str | Path = "nano"
    precision: Precision = "fp32"
    diameter: float | None = None
    blood: Blood = field(default_factory=Blood)
    coco: bool = False
    scheduler: str | None = None

    def __post_init__(self) -> None:
        """Check the range."""
        if self.diameter is not None and not 10 <= self.diameter <= 1000:
            raise DataError(
                f"diameter {self.diameter:g}: give that of a red cell in px, 10 to 1000"
            )


#: Up to this number of pictures, other processes would take longer to start than to save.
_FEW = 6

#: A picture, and the folder that may have its result already.
Job = tuple[SlideFolder, Photo]

#: Screens jobs and yields their results in order; a Field was saved by an earlier run.
Workers = Callable[[Iterable[Job]], Iterator[ScreenedField | Field]]


def screen_slides(
    paths: Iterable[Path],
    out: Path,
    config: ScreenConfig = ScreenConfig(),
    overwrite: bool = False,
) -> list[Slide]:
    """Screen slides in pictures, folders and zips; write tables, overlays and reports to `out`.

    `find_slides` says which pictures are a slide, and `output/folder.py` which files are written.
    At most a few fields are in memory at a time. The same call resumes a run that was stopped: a
    field is kept as long as its picture has not changed. A picture that can't be read becomes a row
    with an error. Files that are no pictures are passed over, and a line on standard error says
    so. `overwrite` removes the results of an earlier run first. The file `slide.toml` beside the
    pictures of a slide is its record; a hematocrit in it, or red cells per µL, is used for this
    slide instead of `config.blood`.

    Raises DataError for bad paths, for a record with a mistake and, at the end, if no picture could
    be read; ModelError for the network; RunError if `out` has other files in it, or was screened
    with another network or diameter, without `overwrite`.
    """
    slides, passed_over = find_slides(paths)
    records = {slide.slide: _record(slide) for slide in slides}
    predictor = Predictor.load(config.model, config.precision)
    settings = screen_settings(
        config.model, config.precision, config.diameter, is_single=len(slides) == 1
    )
    writer = _writer(predictor.bundle, config, settings["model"])
    pictures = sum(len(slide.photos) for slide in slides)
    with _workers(predictor, config, pictures) as workers:
        open_output(out, settings, overwrite)
        passed_over.report()
        _report_own_blood(config.blood, records.values())
        run = _Run(out, len(slides) > 1, writer, records)
        results = list(run.screened(slides, workers))
    if len(slides) > 1:
        write_slides(results, out / SLIDES)
        write_agreement(out / SLIDES)
    if not any(slide.fields or slide.fields_flawed for slide in results):
        raise DataError(f"{out}: no picture could be read; fields.csv has the reason for each")
    return results


def _record(slide: SlidePhotos) -> SlideRecord:
    if slide.record is None:
        return SlideRecord()
    return read_record(slide.record.read(), slide.record.path)


def _report_own_blood(given: Blood, records: Collection[SlideRecord]) -> None:
    """Print that a record's blood is used, not the one that was given for all slides."""
    own = sum(record.blood(given) != given for record in records)
    if given != Blood() and own:
        others = "the given value is used for the others" if own < len(records) else "it is used"
        print_status(
            f"slide.toml of {own:,} of {len(records):,} slides has red cells per µL; {others}"
        )


@contextmanager
def _workers(predictor: Predictor, config: ScreenConfig, pictures: int) -> Iterator[Workers]:
    settings = ScreenerSettings(predictor.bundle, config.precision, config.diameter)
    if config.scheduler is not None:
        with connected(config.scheduler) as client:
            yield lambda jobs: screen_on_workers(client, settings, jobs)
    elif pictures <= _FEW:
        yield _threads(settings.load())
    else:
        with process_pool(settings, min(pictures, os.cpu_count() or 1)) as screen:
            yield _threads(screen)


def _threads(screen: ScreenFunction) -> Workers:
    def load_or_screen(job: Job) -> ScreenedField | Field:
        folder, photo = job
        return folder.load(photo) or screen_photo(photo, screen)

    return lambda jobs: in_threads(load_or_screen, jobs, at_a_time=1)


@dataclass
class _Run:
    """The slides of one output folder; if there are several, each has its own folder in it."""

    out: Path
    several: bool
    write: SlideWriter
    records: Mapping[str, SlideRecord]

    def screened(self, slides: list[SlidePhotos], workers: Workers) -> Iterator[Slide]:
        """Yield each slide when its last field is done; the work on the next slides continues."""
        jobs = ((self._folder(slide), photo) for slide in slides for photo in slide.photos)
        total = sum(len(slide.photos) for slide in slides)
        with closing(track(workers(jobs), "Screening", total)) as results:
            for slide in slides:
                folder = self._folder(slide)
                folder.begin()
                fields = _saved(slide, folder, results)
                yield self.write(slide.slide, self.records[slide.slide], folder, fields)

    def _folder(self, slide: SlidePhotos) -> SlideFolder:
        return SlideFolder(self.out / slide.slide if self.several else self.out)


def _saved(
    slide: SlidePhotos, folder: SlideFolder, results: Iterator[ScreenedField | Field]
) -> Iterator[Field]:
    """Yield the fields of a slide, each saved before."""
    for photo, result in zip(slide.photos, results, strict=False):
        if isinstance(result, ScreenedField):
            folder.save(photo, result)
            yield result.field
        else:
            yield result


def _writer(bundle: Bundle, config: ScreenConfig, digest: str) -> SlideWriter:
    counting, reference, about = bundle.counting, bundle.reference_patients, _about(config, digest)
    return SlideWriter(counting, reference, config.blood, config.coco, about)


def _about(config: ScreenConfig, digest: str) -> dict[str, str]:
    """Return what the results depend on, for the report."""
    diameter = config.diameter
    return {
        "Network": f"{config.model}, {config.precision}",
        "SHA-256 of the model": digest,
        "Diameter of red cells": f"{diameter:g} px" if diameter else "measured in each field",
        "Version": f"hemozoin {VERSION}",
    }
