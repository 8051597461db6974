"""The tables of the database; all times are UTC, in ISO 8601.

A change to a table needs a new file in `migrations/versions/`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

#: The state of a job. Only a job that is queued or running changes.
JobState = Literal["queued", "running", "done", "failed", "cancelled"]


class Base(DeclarativeBase):
    """The base class of all tables."""


class SlideRow(Base):
    """A slide: `folder` is that of its results, relative to the served folder."""

    __tablename__ = "slide"

    id: Mapped[str] = mapped_column(primary_key=True)
    folder: Mapped[str] = mapped_column(unique=True)
    created: Mapped[str]


class PictureRow(Base):
    """A picture that was uploaded: `file` is its name on the disk, `name` the one it came with."""

    __tablename__ = "picture"

    slide: Mapped[str] = mapped_column(ForeignKey("slide.id", ondelete="CASCADE"), primary_key=True)
    file: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    sha256: Mapped[str] = mapped_column(index=True)


class JobRow(Base):
    """One screening of a slide; `error` says in one sentence why it failed."""

    __tablename__ = "job"

    id: Mapped[int] = mapped_column(primary_key=True)
    slide: Mapped[str] = mapped_column(ForeignKey("slide.id", ondelete="CASCADE"), index=True)
    state: Mapped[JobState] = mapped_column(String, index=True)
    created: Mapped[str]
    started: Mapped[str | None]
    ended: Mapped[str | None]
    error: Mapped[str | None]


class ChangeRow(Base):
    """Who changed what, and when; kept when the slide is deleted. Reviews are in reviews.csv."""

    __tablename__ = "change"

    id: Mapped[int] = mapped_column(primary_key=True)
    time: Mapped[str]
    reader: Mapped[str]
    slide: Mapped[str] = mapped_column(index=True)
    action: Mapped[str]


def utc_now() -> str:
    """Return the time in UTC to the second, such as 2026-11-26T09:30:00+00:00."""
    return datetime.now(UTC).isoformat(timespec="seconds")
