"""What the functions of the API are given: the store, the queue, a slide, the reader."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import unquote

from fastapi import Depends, Header, HTTPException, Request

from hemozoin.serve.jobs import JobQueue
from hemozoin.serve.slide_files import SlideFiles
from hemozoin.serve.store.store import SlideStore
from hemozoin.serve.store.tables import SlideRow


def _store(request: Request) -> SlideStore:
    store: SlideStore = request.app.state.store
    return store


def _jobs(request: Request) -> JobQueue:
    jobs: JobQueue = request.app.state.jobs
    return jobs


def _reader(x_reader: Annotated[str, Header(max_length=720)] = "") -> str:
    """Return the name of the person at the page, from the header X-Reader, percent-encoded."""
    return unquote(x_reader).strip()


StoreHere = Annotated[SlideStore, Depends(_store)]
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
