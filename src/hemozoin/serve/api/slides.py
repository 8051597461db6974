"""Slides: uploaded, listed, watched, deleted."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from threading import Lock
from typing import Annotated

from fastapi import APIRouter, File, Form, HTTPException, Query, Request, Response, UploadFile
from fastapi.responses import StreamingResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from hemozoin.serve.api.dependencies import (
    FilesHere,
    JobsHere,
    ReaderHere,
    RecordHere,
    SlideHere,
    StatesHere,
    StoreHere,
)
from hemozoin.serve.api.models import (
    AddedPictures,
    CreatedSlide,
    FieldRow,
    SlideDetails,
    SlideRecordBody,
    SlideState,
)
from hemozoin.serve.api.responses import answers_with
from hemozoin.serve.records import checked_record, write_record
from hemozoin.serve.store.store import SlideStore
from hemozoin.serve.uploads import Upload, UploadedPictures, add_to_slide, pictures_to_add

slide_routes = APIRouter(prefix="/slides", tags=["slides"])

#: Held while an upload becomes a slide, so that no two have the same id.
_ONE_AT_A_TIME = Lock()

#: Bytes that stay free on the disk, for the results.
_KEPT_FREE = 2**30

#: Seconds between two looks at a slide that is watched.
_WATCH_EVERY = 0.4


@slide_routes.post("", status_code=202)
def upload_slide(
    store: StoreHere,
    jobs: JobsHere,
    reader: ReaderHere,
    files: Annotated[list[UploadFile], File(description="pictures of one slide, or zips of them")],
    record: RecordHere,
    name: Annotated[str, Form(max_length=80)] = "",
) -> CreatedSlide:
    """Upload the pictures of a new slide; it is screened as soon as a worker is free.

    The other fields are its record; without a name, the patient's code is the slide's name.
    """
    _require_room(store, files)
    uploaded = UploadedPictures(store.root)
    try:
        uploaded.save(Upload(file.filename or "", file.file) for file in files)
        write_record(record, uploaded.folder)
        with _ONE_AT_A_TIME:
            if same := store.slide_with({picture.sha256 for picture in uploaded.pictures}):
                raise HTTPException(409, f"these pictures are in slide {same} already")
            slide = store.reserve_id(name or record.get("patient", ""))
            uploaded.keep(store.pictures(slide))
            try:
                store.add_slide(slide, uploaded.pictures, reader)
            except SQLAlchemyError:  # a full disk
                shutil.rmtree(store.pictures(slide))
                raise
    finally:
        uploaded.remove()
    jobs.wake()
    return CreatedSlide(id=slide, passed_over=uploaded.passed_over)


@slide_routes.post("/{slide}/pictures", status_code=202)
def add_pictures(
    slide: SlideHere,
    store: StoreHere,
    jobs: JobsHere,
    states: StatesHere,
    reader: ReaderHere,
    files: Annotated[list[UploadFile], File(description="more pictures of the slide, or zips")],
) -> AddedPictures:
    """Add pictures to a slide that is not being screened; only the new ones are screened.

    Its record and its reviews stay. Pictures that the slide has already are left out.
    """
    _require_room(store, files)
    with _ONE_AT_A_TIME:
        states.require_changeable(slide)
        uploaded = pictures_to_add(store, slide.id)
        try:
            uploaded.save(Upload(file.filename or "", file.file) for file in files)
            if not uploaded.pictures:
                raise HTTPException(409, f"these pictures are in slide {slide.id} already")
            add_to_slide(uploaded, store, slide.id, reader)
        finally:
            uploaded.remove()
    jobs.wake()
    return AddedPictures(
        added=len(uploaded.pictures),
        repeated=uploaded.repeated,
        passed_over=uploaded.passed_over,
    )


@slide_routes.get("")
def list_slides(
    store: StoreHere,
    states: StatesHere,
    patient: Annotated[str | None, Query(max_length=200)] = None,
) -> list[SlideState]:
    """Return all slides, or those of a patient's code, the newest first.

    Those that were screened by hand are among them.
    """
    store.take_in()
    slides = [states.of(slide) for slide in store.slides()]
    return [one for one in slides if patient in (None, one.record.get("patient"))]


@slide_routes.get("/{slide}")
def get_slide(
    slide: SlideHere, store: StoreHere, states: StatesHere, files: FilesHere
) -> SlideDetails:
    """Return a slide with its fields, and who changed what."""
    names = store.picture_names(slide.id)
    changes = [
        {"time": one.time, "reader": one.reader, "action": one.action}
        for one in store.changes(slide.id)
    ]
    rows = [_field_row(row, names) for row in files.fields()]
    state = states.of(slide).model_dump()
    return SlideDetails(**state, files=files.names(), field_rows=rows, changes=changes)


@slide_routes.get(
    "/{slide}/events", response_class=Response, responses=answers_with("text/event-stream")
)
async def watch_slide(
    slide: SlideHere, store: StoreHere, states: StatesHere, request: Request
) -> StreamingResponse:
    """Send the slide's state, as server-sent events, whenever it changes."""

    async def events() -> AsyncIterator[str]:
        before = ""
        while not await request.is_disconnected():
            row = await run_in_threadpool(store.slide, slide.id)
            if row is None:
                yield "event: deleted\ndata: {}\n\n"
                return
            state = await run_in_threadpool(states.of, row)
            now = state.model_dump_json()
            if now != before:
                yield f"data: {now}\n\n"
            before = now
            await asyncio.sleep(_WATCH_EVERY)

    return StreamingResponse(events(), media_type="text/event-stream")


@slide_routes.post("/{slide}/screening", status_code=202)
def screen_again(
    slide: SlideHere, store: StoreHere, states: StatesHere, jobs: JobsHere, reader: ReaderHere
) -> None:
    """Screen a slide again that failed, was cancelled, or was screened with other settings.

    Fields that are done are kept where the settings are the same. Reviews are kept always: they
    hold by place.
    """
    found = states.of(slide)
    if found.state in ("queued", "running") or (found.state == "done" and not found.other_settings):
        raise HTTPException(409, f"the slide is {found.state}")
    others = ", ".join(found.other_settings)
    store.note(reader, slide.id, f"screened anew ({others})" if others else "screened again")
    store.queue(slide.id)
    jobs.wake()


@slide_routes.put("/{slide}/record", status_code=202)
def change_record(
    slide: SlideHere,
    store: StoreHere,
    states: StatesHere,
    jobs: JobsHere,
    reader: ReaderHere,
    record: SlideRecordBody,
) -> None:
    """Replace the record of an uploaded slide; its count and report are written again.

    The earlier record stays in the slide's changes.
    """
    states.require_changeable(slide)
    values = checked_record(record.model_dump())
    write_record(values, store.pictures(slide.id))
    store.note(reader, slide.id, f"record: {json.dumps(values, ensure_ascii=False)}")
    store.queue(slide.id)
    jobs.wake()


@slide_routes.delete("/{slide}/screening", status_code=204)
def cancel_screening(
    slide: SlideHere, store: StoreHere, jobs: JobsHere, reader: ReaderHere
) -> Response:
    """Stop the screening of a slide."""
    jobs.cancel(slide.id)
    store.note(reader, slide.id, "cancelled")
    return Response(status_code=204)


@slide_routes.delete("/{slide}", status_code=204)
def delete_slide(
    slide: SlideHere, store: StoreHere, jobs: JobsHere, files: FilesHere, reader: ReaderHere
) -> Response:
    """Delete a slide: its pictures, results and reviews."""
    if slide.folder == ".":
        raise HTTPException(409, "this slide is the served folder itself; delete the folder")
    with jobs.stopped(slide.id):
        for folder in (files.pictures, files.results):
            if folder.exists():
                shutil.rmtree(folder)
        store.remove_slide(slide.id, reader)
    return Response(status_code=204)


def _require_room(store: SlideStore, files: list[UploadFile]) -> None:
    if shutil.disk_usage(store.root).free < _KEPT_FREE + sum(file.size or 0 for file in files):
        raise HTTPException(507, "the disk is nearly full; free some space")


def _field_row(row: dict[str, str], names: dict[str, str]) -> FieldRow:
    repeated = f"the same picture as {row['same_as']}" if row.get("same_as") else ""
    return FieldRow(
        field=row["field"],
        name=names.get(row["field"], row["field"]),
        usable=row["usable"] == "true",
        why_not=row["error"] or row["flaws"] or repeated,
        **{name: int(row[name] or 0) for name in _FIELD_NUMBERS},
    )


_FIELD_NUMBERS = ("width", "height", "red_cells", "infected", "review")
