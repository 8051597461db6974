"""What the functions of the API are given: the store, the queue, a slide, the reader."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import Depends, Form, Header, HTTPException, Request

from hemozoin.serve.api.states import SlideStates
from hemozoin.serve.records import checked_record
from hemozoin.serve.reviewing import is_stale
from hemozoin.serve.slide_files import SlideFiles
from hemozoin.serve.store.store import SlideStore
from hemozoin.serve.store.tables import SlideRow
from hemozoin.serve.work.jobs import JobQueue
from hemozoin.serve.work.maps import CellMaps


def _store(request: Request) -> SlideStore:
    store: SlideStore = request.app.state.store
    return store


def _jobs(request: Request) -> JobQueue:
    jobs: JobQueue = request.app.state.jobs
    return jobs


def _maps(request: Request) -> CellMaps:
    maps: CellMaps = request.app.state.maps
    return maps


def _states(request: Request) -> SlideStates:
    states: SlideStates = request.app.state.states
    return states


def _reader(x_reader: Annotated[str, Header(max_length=720)] = "") -> str:
    """Return the name of the person at the page, from the header X-Reader, percent-encoded."""
    return unquote(x_reader).strip()


def _record(
    patient: Annotated[str, Form(max_length=200)] = "",
    date: Annotated[str, Form(max_length=200, description="year-month-day")] = "",
    site: Annotated[str, Form(max_length=200)] = "",
    stain: Annotated[str, Form(max_length=200)] = "",
    magnification: Annotated[str, Form(max_length=200)] = "",
    operator: Annotated[str, Form(max_length=200)] = "",
    hematocrit: Annotated[str, Form(max_length=20, description="in %")] = "",
) -> dict[str, Any]:
    """Return the record in the fields of a form."""
    try:
        percent = float(hematocrit) if hematocrit else None
    except ValueError as error:
        raise HTTPException(422, f"hematocrit: {hematocrit!r} is not a number") from error
    return checked_record(
        {
            "patient": patient,
            "date": date,
            "site": site,
            "stain": stain,
            "magnification": magnification,
            "operator": operator,
            "hematocrit": percent,
        }
    )


RecordHere = Annotated[dict[str, Any], Depends(_record)]
StoreHere = Annotated[SlideStore, Depends(_store)]
MapsHere = Annotated[CellMaps, Depends(_maps)]
StatesHere = Annotated[SlideStates, Depends(_states)]
JobsHere = Annotated[JobQueue, Depends(_jobs)]
ReaderHere = Annotated[str, Depends(_reader)]


def _slide(slide: str, store: StoreHere) -> SlideRow:
    found = store.slide(slide)
    if found is None:
        raise HTTPException(404, f"there is no slide {slide!r:.60}")
    return found


SlideHere = Annotated[SlideRow, Depends(_slide)]


def _files(slide: SlideHere, store: StoreHere) -> SlideFiles:
    return SlideFiles(store.root / slide.folder, store.pictures(slide.id))


FilesHere = Annotated[SlideFiles, Depends(_files)]


def _current_files(slide: SlideHere, files: FilesHere, jobs: JobsHere) -> SlideFiles:
    """Return the files of a slide, written again if they lack some of its reviews."""
    if is_stale(files.results):
        jobs.recount(slide.id, files.results)
    return files


CurrentFilesHere = Annotated[SlideFiles, Depends(_current_files)]
