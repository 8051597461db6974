"""The slides, jobs and changes of a served folder."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from threading import Lock

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session, sessionmaker

from hemozoin.serve.store.database import open_database
from hemozoin.serve.store.tables import (
    ChangeRow,
    JobRow,
    JobState,
    PictureRow,
    SlideRow,
    utc_now,
)
from hemozoin.smear.output.folder import SLIDE

#: The folder, in the served one, with a folder of pictures for each uploaded slide.
PICTURES = "pictures"

#: The jobs that are not over.
_UNFINISHED = JobRow.state.in_(("queued", "running"))

#: Most letters of an id.
_LONGEST_ID = 40


@dataclass(frozen=True)
class StoredPicture:
    """An uploaded picture: its name on the disk, the name it came with, and its digest."""

    file: str
    name: str
    sha256: str


class SlideStore:
    """The database and the folders of a served folder; threads may share it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._session = sessionmaker(open_database(root), expire_on_commit=False)
        self._taking_in = Lock()

    def begin(self) -> Session:
        """Return a session, a context manager; `commit` it to keep what was changed."""
        return self._session()

    def pictures(self, slide: str) -> Path:
        """Return the folder of a slide's uploaded pictures."""
        return self.root / PICTURES / slide

    # ---- slides --------------------------------------------------------------------------------

    def take_in(self) -> None:
        """Add the slides that `hemozoin screen` has written into the folder by hand."""
        with self._taking_in, self.begin() as session:
            known = set(session.scalars(select(SlideRow.folder)))
            for folder in sorted(_screened_folders(self.root) - known):
                name = folder if folder != "." else self.root.resolve().name
                slide = SlideRow(id=_free_id(session, name, {}), folder=folder, created=utc_now())
                session.add(slide)
                session.flush()
                _note(session, "", slide.id, "found in the folder")
            session.commit()

    def reserve_id(self, name: str) -> str:
        """Return an id made of a name, such as "patient-7", that no slide and no folder has."""
        folders = chain(self.root.iterdir(), self.pictures("").glob("*"))
        with self.begin() as session:
            return _free_id(session, name, {folder.name for folder in folders})

    def add_slide(self, slide: str, pictures: Iterable[StoredPicture], reader: str) -> None:
        """Add an uploaded slide, and queue its screening."""
        with self.begin() as session:
            session.add(SlideRow(id=slide, folder=slide, created=utc_now()))
            session.flush()
            session.add_all(PictureRow(slide=slide, **vars(picture)) for picture in pictures)
            session.add(JobRow(slide=slide, state="queued", created=utc_now()))
            _note(session, reader, slide, "uploaded")
            session.commit()

    def add_pictures(self, slide: str, pictures: Sequence[StoredPicture], reader: str) -> None:
        """Add pictures to a slide that has others."""
        with self.begin() as session:
            session.add_all(PictureRow(slide=slide, **vars(picture)) for picture in pictures)
            _note(session, reader, slide, f"pictures added: {len(pictures)}")
            session.commit()

    def slide(self, slide: str) -> SlideRow | None:
        """Return a slide, or None."""
        with self.begin() as session:
            return session.get(SlideRow, slide)

    def slides(self) -> list[SlideRow]:
        """Return all slides, the newest first."""
        with self.begin() as session:
            return [*session.scalars(select(SlideRow).order_by(SlideRow.created.desc()))]

    def remove_slide(self, slide: str, reader: str) -> None:
        """Remove a slide from the database, with its pictures' names and jobs."""
        with self.begin() as session:
            session.execute(delete(SlideRow).where(SlideRow.id == slide))
            _note(session, reader, slide, "deleted")
            session.commit()

    def picture_names(self, slide: str) -> dict[str, str]:
        """Return the names that a slide's pictures came with, by their names on the disk."""
        with self.begin() as session:
            query = select(PictureRow.file, PictureRow.name).where(PictureRow.slide == slide)
            return {row.file: row.name for row in session.execute(query)}

    def digests(self, slide: str) -> set[str]:
        """Return the digests of a slide's pictures."""
        with self.begin() as session:
            return {*session.scalars(select(PictureRow.sha256).where(PictureRow.slide == slide))}

    def slide_with(self, digests: set[str]) -> str | None:
        """Return the slide that has all of these pictures; None if there is none."""
        with self.begin() as session:
            found = func.count(PictureRow.sha256.distinct())
            query = select(PictureRow.slide).where(PictureRow.sha256.in_(digests))
            query = query.group_by(PictureRow.slide).having(found == len(digests))
            return session.scalars(query).first()

    # ---- jobs ----------------------------------------------------------------------------------

    def last_job(self, slide: str) -> JobRow | None:
        """Return the newest job of a slide; None for a slide that was screened by hand."""
        with self.begin() as session:
            query = select(JobRow).where(JobRow.slide == slide).order_by(JobRow.id.desc())
            return session.scalars(query).first()

    def queue(self, slide: str) -> None:
        """Queue another screening of a slide."""
        with self.begin() as session:
            session.add(JobRow(slide=slide, state="queued", created=utc_now()))
            session.commit()

    def requeue_interrupted(self) -> None:
        """Queue the jobs again that ran when the server stopped."""
        with self.begin() as session:
            running = JobRow.state == "running"
            session.execute(update(JobRow).where(running).values(state="queued", started=None))
            session.commit()

    def next_job(self, busy: Iterable[str] = ()) -> JobRow | None:
        """Return the oldest unfinished job, which is running from now on; None if there is none.

        `busy` are the slides that are worked on.
        """
        with self.begin() as session:
            query = select(JobRow).where(_UNFINISHED, JobRow.slide.not_in([*busy]))
            job = session.scalars(query.order_by(JobRow.id)).first()
            if job:
                job.state, job.started = "running", utc_now()
                session.commit()
            return job

    def end_job(self, job: int, state: JobState, error: str | None = None) -> None:
        """Say how a job ended; one that was cancelled or deleted meanwhile stays so."""
        with self.begin() as session:
            query = update(JobRow).where(JobRow.id == job, _UNFINISHED)
            session.execute(query.values(state=state, error=error, ended=utc_now()))
            session.commit()

    def cancel_jobs(self, slide: str) -> None:
        """Cancel the jobs of a slide that have not ended."""
        with self.begin() as session:
            query = update(JobRow).where(JobRow.slide == slide, _UNFINISHED)
            session.execute(query.values(state="cancelled", ended=utc_now()))
            session.commit()

    # ---- changes -------------------------------------------------------------------------------

    def note(self, reader: str, slide: str, action: str) -> None:
        """Keep that a reader changed something on a slide."""
        with self.begin() as session:
            _note(session, reader, slide, action)
            session.commit()

    def changes(self, slide: str) -> list[ChangeRow]:
        """Return the changes to a slide, the oldest first."""
        with self.begin() as session:
            query = select(ChangeRow).where(ChangeRow.slide == slide).order_by(ChangeRow.id)
            return [*session.scalars(query)]


def _free_id(session: Session, name: str, taken: Container[str]) -> str:
    """Return the id for a name, with a number at its end if a slide or `taken` has it."""
    stem = slug(name)
    candidates = chain([stem], (f"{stem}-{number}" for number in count(2)))
    return next(
        candidate
        for candidate in candidates
        if candidate not in taken and candidate != PICTURES and not session.get(SlideRow, candidate)
    )


def _note(session: Session, reader: str, slide: str, action: str) -> None:
    session.add(ChangeRow(time=utc_now(), reader=reader, slide=slide, action=action))


def _screened_folders(root: Path) -> set[str]:
    """Return the folders with a finished slide, at most three levels down, relative to `root`."""
    found = (path for depth in range(4) for path in root.glob("*/" * depth + SLIDE))
    folders = (path.parent.relative_to(root) for path in found)
    return {folder.as_posix() for folder in folders if folder.parts[:1] != (PICTURES,)}


def slug(name: str) -> str:
    """Return a name in lower-case ASCII letters, digits and dashes, such as "patient-7"."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", ascii_name)[:_LONGEST_ID].strip("-") or "slide"
