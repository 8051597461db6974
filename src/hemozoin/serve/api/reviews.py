"""What readers say about cells, and the count that follows."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Response
from pydantic import BaseModel, Field, StringConstraints

from hemozoin.serve.api.dependencies import CurrentFilesHere, FilesHere
from hemozoin.serve.api.models import MOST_PX, ReviewResult
from hemozoin.serve.reviewing import (
    CellReviews,
    GivenAnswer,
    MissedCell,
    Worklist,
    current_count,
)

review_routes = APIRouter(prefix="/slides/{slide}", tags=["reviews"])

#: Most answers in one request.
_MOST = 10_000

Reader = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
AnswerText = Literal["parasitized", "uninfected", "not a red cell", "can't tell", ""]


class NewReview(BaseModel):
    """A reader's answer on a cell, given by its id; an empty answer takes back the last one.

    `worklist` is the list from which the cell was taken: "audit" for the random draw.
    """

    cell: str = Field(max_length=400)
    answer: AnswerText
    reader: Reader
    note: str = Field("", max_length=500)
    worklist: Worklist | None = None


class NewMissedCell(BaseModel):
    """A cell that was not found: its field, its box in px, and what it is."""

    field: str = Field(max_length=400)
    x: float = Field(ge=0, le=MOST_PX)
    y: float = Field(ge=0, le=MOST_PX)
    width: float = Field(ge=4, le=5000)
    height: float = Field(ge=4, le=5000)
    answer: AnswerText
    reader: Reader


@review_routes.post("/reviews")
def add_reviews(
    files: FilesHere, reviews: Annotated[list[NewReview], Field(max_length=_MOST)]
) -> ReviewResult:
    """Add answers to the slide's reviews.csv, all or none; return the count with them."""
    if not reviews:
        raise HTTPException(422, "no review is given")
    CellReviews(files.results).add(GivenAnswer(**review.model_dump()) for review in reviews)
    return ReviewResult(reviewed=current_count(files.results).reviewed)


@review_routes.post("/recount", status_code=204)
def recount(_: CurrentFilesHere) -> Response:
    """Write slide.json and the report again with all reviews, if there are new ones."""
    return Response(status_code=204)


@review_routes.post("/missed-cells")
def add_missed_cell(files: FilesHere, cell: NewMissedCell) -> ReviewResult:
    """Add a cell that was not found to reviews.csv; it is shown, and counts as itself."""
    CellReviews(files.results).add_missed(MissedCell(**cell.model_dump()))
    return ReviewResult(reviewed=current_count(files.results).reviewed)
