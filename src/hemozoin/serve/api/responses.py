"""Answers that are large."""

from __future__ import annotations

import json
from urllib.parse import quote

from fastapi import Response


def json_response(value: object, download: str | None = None) -> Response:
    """Return an answer in JSON; models of 10,000 cells would take a second. `download` names it."""
    answer = Response(json.dumps(value, separators=(",", ":")), media_type="application/json")
    if download:
        name = f"attachment; filename*=UTF-8''{quote(download)}"
        answer.headers["Content-Disposition"] = name
    return answer
