"""The page itself: one HTML file with its modules and styles, and the page that takes the token."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request, Response
from fastapi.responses import FileResponse, RedirectResponse

from hemozoin import reports
from hemozoin.serve.security import COOKIE, LOGIN, is_token

#: The folder with the files of the page.
STATIC = Path(__file__).with_name("static")

#: A year in seconds: the cookie stays on a reader's computer.
_YEAR = 365 * 24 * 3600

page_routes = APIRouter(include_in_schema=False)


@page_routes.get("/")
def index() -> FileResponse:
    """Return the page."""
    return FileResponse(STATIC / "index.html")


@page_routes.get("/static/base.css")
def base_styles() -> FileResponse:
    """Return the styles that the reports have too."""
    return FileResponse(Path(reports.__file__).with_name("base.css"))


@page_routes.get(LOGIN)
def login_page() -> FileResponse:
    """Return the page that takes the token."""
    return FileResponse(STATIC / "login.html")


@page_routes.post(LOGIN)
def login(request: Request, token: Annotated[str, Form(max_length=200)]) -> Response:
    """Give the browser the cookie, if the token is right."""
    expected: str | None = request.app.state.token
    if expected is None or not is_token(token, expected):
        raise HTTPException(403, "this is not the token; hemozoin serve has printed it")
    answer = RedirectResponse("/", 303)
    is_https = request.url.scheme == "https"
    answer.set_cookie(
        COOKIE, token, max_age=_YEAR, httponly=True, samesite="strict", secure=is_https
    )
    return answer
