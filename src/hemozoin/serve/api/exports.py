"""The files of a slide: its report, its tables, and its outlines for other programs."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, HTTPException, Response
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse

from hemozoin.review.reviews import REVIEWS
from hemozoin.serve.api.dependencies import CurrentFilesHere, FilesHere, SlideHere, StoreHere
from hemozoin.serve.api.responses import answers_with, json_response
from hemozoin.serve.geojson import field_as_geojson
from hemozoin.serve.reviewing import current_count
from hemozoin.serve.slide_files import SlideFiles
from hemozoin.serve.workbook import slide_workbook
from hemozoin.smear.counting.bland_altman import CountPair
from hemozoin.smear.output.pages.agreement_page import render_agreement

export_routes = APIRouter(prefix="/slides/{slide}", tags=["exports"])
agreement_routes = APIRouter(prefix="/agreement", tags=["exports"])

SlideFile = Literal[
    "report.html",
    "print.html",
    "slide.json",
    "cells.csv",
    "clumps.csv",
    "fields.csv",
    "cells.coco.json",
]

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

#: A report has its styles and pictures in it, and no script.
_OF_A_REPORT = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline';"
    " img-src data: 'self';"
    " frame-ancestors 'none'"
}


@export_routes.get("/files/slide.xlsx", response_class=Response)
def get_workbook(slide: SlideHere, files: CurrentFilesHere) -> Response:
    """Return the count, the fields and the cells as one Excel workbook, with all reviews so far."""
    if current_count(files.results).count is None:
        raise HTTPException(404, f"slide {slide.id} is not screened yet")
    name = f'attachment; filename="{slide.id}.xlsx"'
    headers = {"Content-Disposition": name}
    return Response(slide_workbook(files.results), media_type=_XLSX, headers=headers)


@export_routes.get("/files/reviews.csv", response_class=FileResponse)
def get_reviews(slide: SlideHere, files: FilesHere) -> Response:
    """Return what people said about cells, as a download: also of a slide that is damaged."""
    return _slide_file(slide.id, files, REVIEWS)


@export_routes.get("/files/{name}", response_class=FileResponse)
def get_slide_file(slide: SlideHere, files: CurrentFilesHere, name: SlideFile) -> Response:
    """Return a file of a slide, with all reviews so far; tables are downloads."""
    return _slide_file(slide.id, files, name)


def _slide_file(slide: str, files: SlideFiles, name: str) -> Response:
    path = files.results / name
    if not path.is_file():
        raise HTTPException(404, f"slide {slide} has no {name}")
    if name.endswith(".html"):
        return FileResponse(path, headers=_OF_A_REPORT)
    return FileResponse(path, filename=f"{slide}-{name}")


@export_routes.get("/files/overlays/{name}", response_class=FileResponse)
def get_overlay(files: FilesHere, name: str) -> Response:
    """Return the overlay of a field, to which the report links."""
    path = files.overlay(name)
    if path is None:
        raise HTTPException(404, f"there is no overlay {name!r:.60}")
    return FileResponse(path)


@agreement_routes.get("/index.html", response_class=Response, responses=answers_with("text/html"))
def get_agreement(store: StoreHere) -> Response:
    """Return the page that compares manual and automatic counts of all slides."""
    counts = {
        slide.id: current_count(store.root / slide.folder).count or {} for slide in store.slides()
    }
    pairs = [
        CountPair(name, count["manual_parasites_per_ul"], count["parasites_per_ul"])
        for name, count in sorted(counts.items())
        if count.get("manual_parasites_per_ul") is not None
    ]
    page = render_agreement(pairs)
    if page is None:
        raise HTTPException(404, "no slide has a count here and a count by eye above zero")
    return HTMLResponse(page, headers=_OF_A_REPORT)


@agreement_routes.get("/{slide}/report.html", response_class=RedirectResponse)
def go_to_report(slide: SlideHere) -> Response:
    """Go to the report of a slide, to which the page links."""
    return RedirectResponse(f"/api/v1/slides/{slide.id}/files/report.html")


@export_routes.get("/fields/{field}/cells.geojson")
def get_geojson(files: FilesHere, field: str) -> Response:
    """Return the outlines of a field for QuPath."""
    found = files.field(field)
    if found is None:
        raise HTTPException(404, f"there is no field {field!r:.60}")
    return json_response(field_as_geojson(found), f"{field}.geojson")
