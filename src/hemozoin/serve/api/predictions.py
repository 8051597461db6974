"""Pictures of single cells, classified at once."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, File, Request, UploadFile
from pydantic import BaseModel

from hemozoin.serve.uploads import Upload
from hemozoin.serve.work.predictions import predict_uploads

prediction_routes = APIRouter(tags=["cells"])


class PredictedCell(BaseModel):
    """A row of `hemozoin predict`; `map` is the picture that explains it, as a data URI."""

    cell: str
    label: str | None
    decision: str | None
    p_parasitized: float | None
    reason: str | None
    error: str | None = None
    map: str | None


@prediction_routes.post("/cells")
def predict_cells(
    request: Request,
    files: Annotated[list[UploadFile], File(description="pictures of one cell each")],
) -> list[PredictedCell]:
    """Classify pictures of single cells, each with the map of why; nothing is kept."""
    uploads = [Upload(file.filename or "", file.file) for file in files]
    model: str = request.app.state.model
    return [PredictedCell.model_validate(row) for row in predict_uploads(uploads, model)]
