"""The cells and fields of a slide, and their pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Query, Response
from fastapi.responses import FileResponse

from hemozoin.data.decoding.formats import HEAD_BYTES, format_of
from hemozoin.serve.api.dependencies import FilesHere, MapsHere
from hemozoin.serve.api.models import MOST_PX
from hemozoin.serve.api.responses import answers_with, json_response
from hemozoin.serve.reviewing import CellReviews, Worklist, answers_of

#: The formats that every browser shows.
_SHOWN = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}

cell_routes = APIRouter(prefix="/slides/{slide}", tags=["cells"])


@cell_routes.get("/cells")
def list_cells(
    files: FilesHere,
    decision: Literal["parasitized", "uninfected", "review"] | None = None,
    worklist: Worklist | None = None,
    reader: Annotated[str | None, Query(max_length=80)] = None,
    field: Annotated[str | None, Query(max_length=400)] = None,
    near: Annotated[str | None, Query(max_length=400)] = None,
) -> Response:
    """Return the red cells of a slide that are counted, and its clumps, which no network decides.

    Each has its id, place, p, decision ("clump" of a clump) and answers.
    `worklist` gives the cells of a list in its order; `near`, the id of a cell, gives it and those
    just above and below it in p. With `reader`, only the answers of this reader are in the reviews:
    readers do not see each other's.
    """
    reviews = CellReviews(files.results)
    cells = files.counted_cells()
    reviewed, _ = reviews.reviewed()
    places: Sequence[int] = range(len(cells))
    if near is not None:
        places = reviews.neighbours(near)
    elif worklist is not None:
        places = reviews.worklist(worklist)
    found = [
        cells[place] | {"reviews": [*answers_of(reviewed.get(place), reader)]}
        for place in places
        if decision in (None, cells[place]["decision"]) and field in (None, cells[place]["field"])
    ]
    return json_response(found)


@cell_routes.get("/fields/{field}")
def get_field(
    files: FilesHere,
    field: str,
    reader: Annotated[str | None, Query(max_length=80)] = None,
) -> Response:
    """Return what was found in a field, with outlines, as `hemozoin screen` saved it.

    `missed` has the cells that readers drew, which were not found; with `reader`, only those of
    this reader.
    """
    found = files.field(field)
    if found is None:
        raise HTTPException(404, f"there is no field {field!r:.60}")
    _, elsewhere = CellReviews(files.results).reviewed()
    drawn = (one for one in elsewhere if one.field == field and reader in (None, one.reader))
    missed = [vars(review) for review in drawn]
    return json_response({**found, "missed": missed})


@cell_routes.get("/fields/{field}/picture", response_class=FileResponse)
def get_field_picture(files: FilesHere, field: str) -> Response:
    """Return the picture of a field, as a JPEG where browsers can't show its format."""
    path = files.picture(field)
    if path is None:
        raise HTTPException(404, f"there is no picture of field {field!r:.60}")
    with path.open("rb") as file:
        kind = _SHOWN.get(format_of(file.read(HEAD_BYTES)) or "")
    if kind:
        return FileResponse(path, media_type=kind)
    return Response(files.as_jpeg(field), media_type="image/jpeg")


@cell_routes.get(
    "/fields/{field}/cell.jpg", response_class=Response, responses=answers_with("image/jpeg")
)
def get_cell_picture(
    files: FilesHere,
    field: str,
    x: Annotated[float, Query(ge=-MOST_PX, le=MOST_PX)],
    y: Annotated[float, Query(ge=-MOST_PX, le=MOST_PX)],
    diameter: Annotated[float, Query(ge=8, le=2000)],
) -> Response:
    """Return the surroundings of a place, (x, y) in px, four cells wide, as a JPEG."""
    jpeg = files.cell_picture(field, x, y, diameter)
    return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": "max-age=3600"})


@cell_routes.get(
    "/fields/{field}/cells/{cell}/map.png",
    response_class=Response,
    responses=answers_with("image/png"),
)
def get_cell_map(files: FilesHere, maps: MapsHere, field: str, cell: int) -> Response:
    """Return the map of why of a cell, by its number in the field, as a PNG.

    The cell is grey; violet speaks for a parasite, orange against one.
    """
    return Response(maps.map(files, field, cell), media_type="image/png")
