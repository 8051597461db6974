"""Put the parts of the server together."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from sqlalchemy.exc import IntegrityError, OperationalError
from starlette.exceptions import HTTPException

from hemozoin.about import VERSION
from hemozoin.errors import HemozoinError
from hemozoin.progress import one_line
from hemozoin.serve import pages
from hemozoin.serve.api import cells, exports, health, predictions, reviews, slides
from hemozoin.serve.api.models import ErrorMessage
from hemozoin.serve.api.states import SlideStates
from hemozoin.serve.security import SecurityMiddleware
from hemozoin.serve.store.store import SlideStore
from hemozoin.serve.work.jobs import JobQueue
from hemozoin.serve.work.maps import CellMaps
from hemozoin.smear.execution.settings import screen_settings

_DISK_FULL = "the disk is full; free some space"

_DESCRIPTION = "Screen slides, review their cells, get the count. Research use only."


def make_app(store: SlideStore, jobs: JobQueue, token: str | None) -> FastAPI:
    """Return the application; the queue runs while it runs."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        jobs.start()
        yield
        jobs.stop()
        app.state.maps.close()

    app = FastAPI(
        title="hemozoin serve",
        version=VERSION,
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # these pages would load scripts from another host
        redoc_url=None,
        responses={"4XX": {"model": ErrorMessage}, 422: {"model": ErrorMessage}},
    )
    app.state.store, app.state.jobs, app.state.token = store, jobs, token
    app.state.states = SlideStates(store, screen_settings(jobs.model))
    app.state.model, app.state.maps = jobs.model, CellMaps(jobs.model)
    api = APIRouter(prefix="/api/v1")
    for routes in (slides.slide_routes, cells.cell_routes, reviews.review_routes):
        api.include_router(routes)
    api.include_router(exports.agreement_routes)
    for routes in (exports.export_routes, predictions.prediction_routes, health.health_routes):
        api.include_router(routes)
    app.include_router(api)
    app.include_router(pages.page_routes)
    app.mount("/static", StaticFiles(directory=pages.STATIC))
    _handle_errors(app)
    app.add_middleware(SecurityMiddleware, token=token)
    return app


def _handle_errors(app: FastAPI) -> None:
    """Answer every error with one sentence in JSON."""
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HemozoinError, _user_error)
    app.add_exception_handler(OSError, _system_error)
    app.add_exception_handler(IntegrityError, _deleted)
    app.add_exception_handler(OperationalError, _database_error)
    app.add_exception_handler(Exception, _internal_error)


def _answer(status: int, error: object) -> JSONResponse:
    return JSONResponse({"error": one_line(str(error))}, status)


def _http_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return _answer(error.status_code, error.detail)


def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    return _answer(422, f"{'.'.join(map(str, first['loc'][1:]))}: {first['msg']}")


def _user_error(_: Request, error: Exception) -> JSONResponse:
    return _answer(400, error)


def _system_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, OSError)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _answer(507, _DISK_FULL)
    return _answer(500, error.strerror or error)


def _deleted(_: Request, __: Exception) -> JSONResponse:
    return _answer(409, "the slide was deleted meanwhile")


def _database_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, OperationalError)
    if "full" in str(error.orig):
        return _answer(507, _DISK_FULL)
    return _answer(503, f"the database can't be used ({error.orig}); try again")


def _internal_error(_: Request, error: Exception) -> JSONResponse:
    return _answer(500, f"internal error: {type(error).__name__}; see what the server printed")
