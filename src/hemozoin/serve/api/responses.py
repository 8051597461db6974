"""Answers that are no models: large ones, pictures and pages."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from fastapi import Response


def json_response(value: object, download: str | None = None) -> Response:
    """Return an answer in JSON; models of 10,000 cells would take a second. `download` names it."""
    answer = Response(json.dumps(value, separators=(",", ":")), media_type="application/json")
    if download:
        name = f"attachment; filename*=UTF-8''{quote(download)}"
        answer.headers["Content-Disposition"] = name
    return answer


def answers_with(media_type: str) -> dict[int | str, dict[str, Any]]:
    """Return the description of an answer of another type than JSON; errors are JSON all the same.

    A route that names a `response_class` of this type would describe its errors so too.
    """
    return {200: {"content": {media_type: {}}}}
