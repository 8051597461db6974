"""What every request has to pass, and what every answer forbids the browser.

- The host has to be an address or this computer's name: another name may be an attacker's, with
  the address of this computer (DNS rebinding).
- A request that changes something has to come from this page (cross-site request forgery).
- Where the server is reached from other computers, a token is needed: as a cookie, which the
  page's scripts can't read, or in the header Authorization.
- Scripts and styles are only those of this server; pictures never leave it.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
import socket
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: The name of the cookie with the token, and the page that asks for it.
COOKIE, LOGIN = "hemozoin_token", "/login"

#: Most bytes of a request.
MOST_REQUEST_BYTES = 2 * 2**30

_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}

#: Paths that answer without the token: they tell nothing about slides.
_OPEN = (LOGIN, "/static/", "/api/v1/health", "/api/v1/ready")

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " img-src 'self' blob: data:; connect-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class SecurityMiddleware:
    """Refuses requests as the module says; `token` is None where only this computer can ask."""

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal:
            await _refuse(*refusal, send)
        else:
            await self._app(scope, _limited(receive), _with_headers(send))

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        if not is_own_host(headers.get("host", "")):
            return 400, "this name is not one of this computer's; use its address"
        if scope["method"] not in _SAFE_METHODS and not _is_from_page(headers):
            return 403, "the request comes from another site"
        if int(headers.get("content-length") or 0) > MOST_REQUEST_BYTES:
            return 413, f"more than {MOST_REQUEST_BYTES // 2**30} GB; upload fewer pictures at once"
        if self._token and not (scope["path"].startswith(_OPEN) or self._has_token(headers)):
            return 401, "the token is missing or wrong; hemozoin serve has printed the address"
        return None

    def _has_token(self, headers: Headers) -> bool:
        given = headers.get("authorization", "").removeprefix("Bearer ")
        given = given or cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
        return self._token is not None and is_token(given, self._token)


def is_token(given: str, token: str) -> bool:
    """Return whether a token is the right one, in a time that tells nothing about it."""
    return hmac.compare_digest(given.encode(), token.encode())


def _name_in(address: str) -> str:
    """Return the name of a host in an address; "" where there is none."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:  # brackets that are no IPv6
        return ""


def is_own_host(host: str) -> bool:
    """Return whether the header Host has an address, "localhost" or this computer's name."""
    name = _name_in(f"//{host}")
    own = socket.gethostname().lower()
    if name in ("localhost", own, f"{own}.local"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_from_page(headers: Headers) -> bool:
    """Return whether a browser sent a request from this page, or another program sent it.

    Behind a proxy only Sec-Fetch-Site is right; a browser sends it over TLS and on localhost.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site:
        return site in ("same-origin", "none")
    return origin is None or origin.partition("://")[2] == headers.get("host")


async def _refuse(status: int, error: str, send: Send) -> None:
    body = json.dumps({"error": error}).encode()
    headers = {**_HEADERS, "Content-Type": "application/json", "Connection": "close"}
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


def _limited(receive: Receive) -> Receive:
    """Return `receive` that ends a request that is longer than it says, or than is allowed."""
    received = 0

    async def limited() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > MOST_REQUEST_BYTES:
            return {"type": "http.disconnect"}
        return message

    return limited


def _with_headers(send: Send) -> Send:
    """Return `send` that adds the headers to each answer, if it has none of that name."""

    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return with_headers
