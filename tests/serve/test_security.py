"""Who may ask the server, and what its answers forbid the browser."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hemozoin.serve import security
from hemozoin.serve.security import SecurityMiddleware, is_own_host
from tests.support.coroutines import run
from tests.support.servers import RunningServer, serving


def answer_of(method: str, headers: dict[str, str], token: str | None = None) -> httpx.Response:
    """Return the answer of an application that reads a whole request, behind the middleware."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(SecurityMiddleware(application, token))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:1") as client:
            return await client.request(method, "/api/v1/slides", headers=headers)

    return run(ask())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://127.0.0.1:1"}, 200),
        ({"origin": "http://127.0.0.1:2"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "same-origin", "origin": "https://lab.example"}, 200),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"host": "evil.example:1"}, 400),
        ({"host": "["}, 400),
        ({"origin": "http://["}, 403),
        ({"content-length": str(3 * 2**30)}, 413),
    ],
)
def test_what_may_change_something(headers: dict[str, str], status: int) -> None:
    answer = answer_of("POST", headers)
    assert answer.status_code == status
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "script-src 'self'" in answer.headers["content-security-policy"]


def test_reading_needs_no_origin() -> None:
    assert answer_of("GET", {"sec-fetch-site": "cross-site"}).status_code == 200


def test_a_request_longer_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    received: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        received.append(await receive())

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"x" * 100, "more_body": True}

    async def send(message: Any) -> None:
        raise AssertionError(message)

    monkeypatch.setattr(security, "MOST_REQUEST_BYTES", 99)
    scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"host", b"127.0.0.1")]}
    run(SecurityMiddleware(application, None)(scope, receive, send))
    assert received == [{"type": "http.disconnect"}]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1:8765", True),
        ("[::1]:8765", True),
        ("192.168.1.7:8765", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("", False),
    ],
)
def test_own_hosts(host: str, expected: bool) -> None:
    assert is_own_host(host) is expected


def test_the_token() -> None:
    assert answer_of("GET", {}, "secret").status_code == 401
    assert answer_of("GET", {"authorization": "Bearer wrong"}, "secret").status_code == 401
    assert answer_of("GET", {"authorization": "Bearer secret"}, "secret").status_code == 200
    assert answer_of("GET", {"cookie": "hemozoin_token=secret"}, "secret").status_code == 200
    assert answer_of("GET", {"cookie": "hemozoin_token="}, "secret").status_code == 401


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningServer, Path]]:
    """Yield a server that other computers can reach, asked on 127.0.0.1, and its folder."""
    folder = tmp_path_factory.mktemp("served")
    with serving(folder, "--host", "0.0.0.0") as server:
        port = httpx.URL(server.root).port
        server.root = f"http://127.0.0.1:{port}"
        server.api.base_url = httpx.URL(f"{server.root}/api/v1/")
        yield server, folder


@pytest.mark.slow
def test_beyond_this_computer_a_token_is_needed(guarded: tuple[RunningServer, Path]) -> None:
    server, folder = guarded
    token = server.address.partition("#")[2]
    assert token == (folder / "hemozoin-token").read_text().strip()
    assert stat.S_IMODE((folder / "hemozoin-token").stat().st_mode) == 0o600
    assert server.api.get("/slides").status_code == 401
    assert server.api.get("/health").status_code == 200
    right = {"Authorization": f"Bearer {token}"}
    assert server.api.get("/slides", headers=right).status_code == 200


@pytest.mark.slow
def test_logging_in_sets_a_cookie_that_scripts_cannot_read(
    guarded: tuple[RunningServer, Path],
) -> None:
    server, folder = guarded
    token = (folder / "hemozoin-token").read_text().strip()
    with httpx.Client(base_url=server.root) as browser:
        assert browser.get("/").status_code == 401
        assert "Token" in browser.get("/login").text
        assert browser.post("/login", data={"token": "wrong"}).status_code == 403
        answer = browser.post("/login", data={"token": token})
        assert answer.status_code == 303
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert "Slides" in browser.get("/").text
