"""The API keeps to its own description, /openapi.json, whatever it is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import APIOperation, Case, GenerationMode, Response, openapi
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.servers import PATIENCE, RunningServer, serving
from tests.support.smears import make_fields

#: What each answer must be: no failure of the server, and as the description says.
_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]

#: Values of parameters that exist, with which an operation gets further than "not found".
_REAL = {"slide": "left", "field": "0001-1.png", "cell": 1, "name": "report.html"}

#: Operations that delete the slide, or whose answer does not end.
_NOT_REAL = ("DELETE /api/v1/slides/{slide}", "GET /api/v1/slides/{slide}/events")

#: Requests for each operation; those of some take a process each.
_REQUESTS, _FEW = 12, {"POST /api/v1/cells": 3, "PUT /api/v1/slides/{slide}/record": 4}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Yield a server with a screened slide, "left"."""
    folder = tmp_path_factory.mktemp("contract")
    with serving(folder / "served") as running:
        given = make_fields(folder / "given", "1.png")
        running.wait_until_screened(running.upload(*given.iterdir(), name="left").json()["id"])
        yield running


@pytest.mark.slow
def test_every_answer_is_as_described(server: RunningServer) -> None:
    schema = openapi.from_url(f"{server.root}/openapi.json")
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) > 20
    wrong = {}
    for operation in operations:
        try:
            ask(operation, server)
        except (AssertionError, FailureGroup) as error:
            wrong[operation.label] = str(error)
    assert wrong == {}
    assert server.api.get("/slides/left").json()["state"] == "done"


def ask(operation: APIOperation[Any, Any, Any, Any], server: RunningServer) -> None:
    """Ask an operation what it allows and what it does not; half of the time of the slide."""

    @seed(0)
    @settings(
        max_examples=_FEW.get(operation.label, _REQUESTS),
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[*HealthCheck],
    )
    @given(st.data())
    def asked(data: st.DataObject) -> None:
        mode = data.draw(st.sampled_from([GenerationMode.POSITIVE, GenerationMode.NEGATIVE]))
        case: Case[Any] = data.draw(operation.as_strategy(generation_mode=mode))
        if data.draw(st.booleans()) and operation.label not in _NOT_REAL:
            known: dict[str, Any] = {name: _REAL[name] for name in case.path_parameters}
            case.path_parameters = known
        answer = case.call(base_url=server.root, timeout=PATIENCE)
        case.validate_response(answer, checks=_CHECKS)
        if answer.status_code >= 400:
            require_one_sentence(answer)

    asked()


def require_one_sentence(answer: Response) -> None:
    error = answer.json()
    assert error.keys() == {"error"}, error
    assert error["error"] and error["error"].isprintable(), error
