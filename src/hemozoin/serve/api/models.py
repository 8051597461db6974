"""The JSON of the API."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from hemozoin.serve.store.tables import JobState


class ErrorMessage(BaseModel):
    """What is wrong, in one sentence."""

    error: str


class ReviewResult(BaseModel):
    """The count of machine and person together; none before an answer tells something."""

    reviewed: dict[str, Any] | None


class CreatedSlide(BaseModel):
    """The id of a new slide, and the names of the uploaded files that are no pictures."""

    id: str
    passed_over: list[str]


class SlideState(BaseModel):
    """A slide, how far its screening is, and its count, which is that of slide.json.

    `state` is "done" also for a slide that was screened by hand; `error` says why it failed.
    `fields_done` of `fields` are screened. `reviewed` is the count of machine and person together.
    """

    id: str
    created: str
    state: JobState
    error: str | None
    fields: int
    fields_done: int
    count: dict[str, Any] | None
    reviewed: dict[str, Any] | None


class FieldRow(BaseModel):
    """A field of a slide: a row of fields.csv, and the name that its picture came with."""

    field: str
    name: str
    width: int
    height: int
    red_cells: int
    infected: int
    review: int
    usable: bool
    why_not: str


class SlideDetails(SlideState):
    """A slide with its fields, and who changed what."""

    field_rows: list[FieldRow]
    changes: list[dict[str, str]]


class Health(BaseModel):
    """Whether the server answers, and its version."""

    status: str
    version: str
