"""How far the screening of a slide is, and its count with all reviews so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import HTTPException

from hemozoin.errors import DataError
from hemozoin.serve.api.models import SlideState
from hemozoin.serve.records import saved_record
from hemozoin.serve.reviewing import CurrentCount, current_count, is_stale, saved_count
from hemozoin.serve.slide_files import SlideFiles
from hemozoin.serve.store.store import SlideStore
from hemozoin.serve.store.tables import SlideRow
from hemozoin.smear.output.folder import differing_settings


@dataclass(frozen=True)
class SlideStates:
    """Tells the state of slides; `settings` are those with which this server screens."""

    store: SlideStore
    settings: Mapping[str, Any]

    def of(self, slide: SlideRow) -> SlideState:
        """Return the state of a slide; the error of a damaged file is in it."""
        job = self.store.last_job(slide.id)
        files = SlideFiles(self.store.root / slide.folder, self.store.pictures(slide.id))
        pictures, done = len(self.store.picture_names(slide.id)), files.fields_done()
        error = job.error if job else None
        try:
            current, stale = current_count(files.results), is_stale(files.results)
            record = saved_record(files.pictures)
        except DataError as damaged:  # the other slides are shown all the same
            current, stale = CurrentCount(saved_count(files.results), None), False
            record, error = {}, error or str(damaged)
        return SlideState(
            id=slide.id,
            created=slide.created,
            state=job.state if job else "done",
            error=error,
            fields=max(pictures, done),  # a scan has many fields
            fields_done=done,
            uploaded=files.pictures.is_dir(),
            other_settings=self._other_settings(files),
            record=record or (current.count or {}).get("record", {}),
            count=current.count,
            reviewed=current.reviewed,
            stale=stale,
        )

    def require_changeable(self, slide: SlideRow) -> None:
        """Refuse a change of what screening reads, unless a new screening can follow at once."""
        files = SlideFiles(self.store.root / slide.folder, self.store.pictures(slide.id))
        if not files.pictures.is_dir():
            raise HTTPException(409, "its pictures and its record are elsewhere; change them there")
        job = self.store.last_job(slide.id)
        if job and job.state in ("queued", "running"):
            raise HTTPException(409, "the slide is being screened; wait until it is done")
        if self._other_settings(files):
            raise HTTPException(409, "the slide was screened with other settings; screen it anew")

    def _other_settings(self, files: SlideFiles) -> list[str]:
        """Return the settings that are other ones now; none where this server can't screen."""
        return differing_settings(files.results, self.settings) if files.pictures.is_dir() else []
