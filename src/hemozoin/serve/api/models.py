"""The JSON of the API."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, SerializerFunctionWrapHandler, model_serializer

from hemozoin.serve.store.tables import JobState

#: Most pixels between the corner of a field and a place: more than any picture has.
MOST_PX = 1e6


class ErrorMessage(BaseModel):
    """What is wrong, in one sentence."""

    error: str


class ReviewResult(BaseModel):
    """The count of machine and person together; none before an answer tells something."""

    reviewed: dict[str, Any] | None


class ManualCountBody(BaseModel):
    """A count by eye, in one of three ways: see the page on screening smears."""

    infected: int | None = None
    red_cells: int | None = None
    parasites: int | None = None
    white_cells: int | None = None
    white_cells_per_ul: float | None = None
    parasites_per_ul: float | None = None
    reader: str | None = None

    @model_serializer(mode="wrap")
    def _given(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if value not in (None, "")}


class SlideRecordBody(BaseModel):
    """What is known of a slide besides its pictures: the keys of slide.toml, all optional."""

    patient: str | None = None
    date: str | None = None
    site: str | None = None
    stain: str | None = None
    magnification: str | None = None
    operator: str | None = None
    hematocrit: float | None = None
    red_cells_per_ul: float | None = None
    manual: ManualCountBody | None = None


class CreatedSlide(BaseModel):
    """The id of a new slide, and the names of the uploaded files that are no pictures."""

    id: str
    passed_over: list[str]


class AddedPictures(BaseModel):
    """How many pictures were added, and the names of the files that were not.

    `repeated` are pictures that the slide has already, `passed_over` those that are no pictures.
    """

    added: int
    repeated: list[str]
    passed_over: list[str]


class SlideState(BaseModel):
    """A slide, how far its screening is, and its count with all reviews so far.

    `state` is "done" also for a slide that was screened by hand; `error` says why it failed, or
    which of its files is damaged. `fields_done` of `fields` are screened. `uploaded` is false for a
    slide that was screened by hand. `other_settings` has the names of the settings that have other
    values now than when it was screened, such as the version of hemozoin. `record` has what is
    known besides the pictures. `count` has the values of slide.json as they are now; while that
    file and the report lack some of the reviews, the slide is `stale`. `reviewed` is the count of
    machine and person together.
    """

    id: str
    created: str
    state: JobState
    error: str | None
    fields: int
    fields_done: int
    uploaded: bool
    other_settings: list[str]
    record: dict[str, Any]
    count: dict[str, Any] | None
    reviewed: dict[str, Any] | None
    stale: bool


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
    """A slide with its fields, the names of its files, and who changed what."""

    files: list[str]
    field_rows: list[FieldRow]
    changes: list[dict[str, str]]


class Health(BaseModel):
    """Whether the server answers, and its version."""

    status: str
    version: str
