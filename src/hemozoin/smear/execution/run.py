"""Slides in, counts out: a stream, however many fields there are, that can be stopped anywhere.

photos ── fields, one to a thread or a worker ── a file each ── the slide's tables, count, report

What a field gave is on disk before it counts; tables are made from those files, in the order of
the photos. So a run that was killed goes on and ends with the same bytes, and one on a cluster
has the bytes of one at home.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hemozoin.about import VERSION
from hemozoin.errors import DataError
from hemozoin.model.checksums import SUMS
from hemozoin.model.predictor import Predictor
from hemozoin.model.registry import Precision, find_model
from hemozoin.progress import track
from hemozoin.smear.counting.blood import Blood
from hemozoin.smear.counting.slide import Slide
from hemozoin.smear.execution.cluster import connected, on_workers
from hemozoin.smear.execution.processes import processes
from hemozoin.smear.execution.work import ScreenerSettings, ScreenFunction, screen_photo
from hemozoin.smear.output.folder import SLIDES, SlideFolder, open_output
from hemozoin.smear.output.results import SlideWriter
from hemozoin.smear.output.screened_field import ScreenedField
from hemozoin.smear.output.tables import write_overview
from hemozoin.smear.slides import Photo, SlidePhotos, find_slides
from hemozoin.threads import in_threads


@dataclass(frozen=True)
class ScreenConfig:
    """How slides are screened, and what is written of them.

    `model` is the name of a network that ships or the folder of one; `diameter` that of the red
    cells in px, 10 to 1,000, found in each field without it; `coco` asks for cells.coco.json;
    `scheduler` is the address of a Dask cluster that does the work, tcp://HOST:PORT. Raises
    DataError for a diameter that no red cell has.
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


#: So many pictures are done in this process sooner than others would have started.
_FEW = 6

#: A picture, and the folder that may have its result already.
Job = tuple[SlideFolder, Photo]

#: Whoever does the work: a result for each job, in order; None where the folder has it.
Workers = Callable[[Iterable[Job]], Iterator[ScreenedField | None]]


def screen_slides(
    paths: Iterable[Path],
    out: Path,
    config: ScreenConfig = ScreenConfig(),
    overwrite: bool = False,
) -> list[Slide]:
    """Screen the slides in pictures, folders and zips; write tables, overlays, reports to `out`.

    See `find_slides` for what is a slide, and `folder` for what is written. A few fields are
    held, however many there are. Given again, it goes on where it was stopped: what was found
    in a picture is kept as long as the file stays the same. A bad picture is a row with its
    error. Raises DataError for bad paths, and, at the end, where no picture at all could be
    read; ModelError for the network; RunError where `out` holds anything else, or was screened
    with another network or diameter, unless `overwrite` says to start anew.
    """
    slides = find_slides(paths)
    predictor = Predictor.load(config.model, config.precision)
    basis = _basis(config, len(slides))
    about, rate = _about(config, basis["model"]), predictor.bundle.false_positive_rate
    writer = SlideWriter(rate, config.blood, config.coco, about)
    pictures = sum(len(slide.photos) for slide in slides)
    with _workers(predictor, config, pictures) as workers:
        open_output(out, basis, overwrite)
        run = _Run(out, len(slides) > 1, writer)
        found = list(run.screened(slides, workers))
    if len(slides) > 1:
        write_overview(found, out / SLIDES)
    if not any(slide.fields or slide.fields_flawed for slide in found):
        raise DataError(f"{out}: no picture could be read; fields.csv says why for each")
    return found


def _basis(config: ScreenConfig, slides: int) -> dict[str, Any]:
    """Return all that decides what is found in a picture, and where it is written."""
    sums = (find_model(config.model) / SUMS).read_bytes()
    return {
        "hemozoin": VERSION,
        "model": hashlib.sha256(sums).hexdigest(),
        "precision": config.precision,
        "diameter": config.diameter,
        "slides": "one" if slides == 1 else "several",
    }


@contextmanager
def _workers(predictor: Predictor, config: ScreenConfig, pictures: int) -> Iterator[Workers]:
    network = ScreenerSettings(predictor.bundle, config.precision, config.diameter)
    if config.scheduler is not None:
        with connected(config.scheduler) as client:
            yield lambda jobs: on_workers(client, network, jobs)
    elif pictures <= _FEW:
        yield _threads(network.work())
    else:
        with processes(network, min(pictures, os.cpu_count() or 1)) as work:
            yield _threads(work)


def _threads(work: ScreenFunction) -> Workers:
    def one(job: Job) -> ScreenedField | None:
        folder, photo = job
        return None if folder.has(photo) else screen_photo(photo, work)

    return lambda jobs: in_threads(one, jobs, at_a_time=1)


@dataclass
class _Run:
    """The slides of one output folder."""

    out: Path
    several: bool
    write: SlideWriter

    def screened(self, slides: list[SlidePhotos], workers: Workers) -> Iterator[Slide]:
        """Yield each slide when its last field is done; meanwhile the next ones are worked on."""
        jobs = ((self._folder(slide), photo) for slide in slides for photo in slide.photos)
        total = sum(len(slide.photos) for slide in slides)
        with closing(track(workers(jobs), "Screening", total)) as done:
            for slide in slides:
                folder = self._folder(slide)
                folder.begin()
                for photo, screened in zip(slide.photos, done, strict=False):
                    if screened is not None:
                        folder.save(photo, screened)
                yield self.write(slide, folder)

    def _folder(self, slide: SlidePhotos) -> SlideFolder:
        return SlideFolder(self.out / slide.slide if self.several else self.out)


def _about(config: ScreenConfig, digest: str) -> dict[str, str]:
    """Return what the report says that its numbers rest on."""
    diameter = config.diameter
    return {
        "Network": f"{config.model}, {config.precision}",
        "Its digest": digest,
        "Diameter of red cells": f"{diameter:g} px" if diameter else "found in each field",
        "Version": f"hemozoin {VERSION}",
    }
