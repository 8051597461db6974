"""Open the folder and the port, say where the page is, and serve until stopped."""

from __future__ import annotations

import errno
import ipaddress
import secrets
import socket
import sqlite3
import webbrowser
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Timer

import uvicorn

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

from hemozoin.errors import RunError, require_whole_number
from hemozoin.model.registry import find_model
from hemozoin.progress import print_status
from hemozoin.serve.app import make_app
from hemozoin.serve.security import LOGIN
from hemozoin.serve.store.store import SlideStore
from hemozoin.serve.uploads import finish_uploads, keep_uploads_on_disk
from hemozoin.serve.work.jobs import JobQueue

#: Files in the served folder: the token, and the one that keeps a second server away.
TOKEN, _LOCK = "hemozoin-token", ".hemozoin-serve.lock"

#: Seconds that open pages have to finish when the server stops.
_LAST_ANSWERS = 2


@dataclass(frozen=True)
class ServeConfig:
    """Where the page is reached, which network screens, how many slides at a time, and where.

    `scheduler` is the address of a Dask cluster, tcp://HOST:PORT, that does the work.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    model: str = "nano"
    workers: int = 1
    open_page: bool = False
    scheduler: str | None = None

    def __post_init__(self) -> None:
        """Check the ranges; raises HemozoinError."""
        require_whole_number("port", self.port, 0, 65_535)
        require_whole_number("workers", self.workers, 1, 64)
        find_model(self.model)


def run_server(folder: Path, config: ServeConfig) -> None:
    """Serve a folder of slides until Ctrl-C or SIGTERM.

    Raises RunError if the folder can't be written or has a server already, or if the port can't
    be opened.
    """
    _make(folder)
    _allow_many_files()
    with _locked(folder), _listening(config.host, config.port) as port:
        keep_uploads_on_disk(folder)
        store = SlideStore(folder)
        finish_uploads(store)
        store.take_in()
        token = None if _is_loopback(config.host) else _token(folder)
        jobs = JobQueue(store, config.model, config.workers, config.scheduler)
        app = make_app(store, jobs, token)
        address = _announce(port.getsockname()[1], config.host, token)
        if config.open_page:
            Timer(0.5, webbrowser.open, [address]).start()
        settings = uvicorn.Config(
            app, log_level="warning", timeout_graceful_shutdown=_LAST_ANSWERS, server_header=False
        )
        uvicorn.Server(settings).run(sockets=[port])


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{folder}: {error.strerror}; give another folder") from error


def _allow_many_files() -> None:
    """Raise this process' limit of open files: an upload of many pictures has each of them open."""
    if resource is not None:
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        with suppress(OSError, ValueError):  # a system may have a lower limit than it says
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep a second server away; raises RunError if there is one.

    SQLite locks a file on every system, and the lock ends with the process.
    """
    try:
        lock = sqlite3.connect(folder / _LOCK, timeout=0, isolation_level=None)
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise RunError(f"{folder}: another hemozoin serve has this folder open") from error
        raise RunError(f"{folder}: can't be written; give another folder") from error
    with closing(lock):
        yield


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise RunError(f"port {port} is in use; give another --port") from error
        raise RunError(f"{host}, port {port}: {error.strerror or error}") from error
    with listening:
        yield listening


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _token(folder: Path) -> str:
    """Return the token of the folder, which is made, and printed, once."""
    path = folder / TOKEN
    if not path.exists():
        path.touch(0o600)
        path.write_text(secrets.token_urlsafe(24) + "\n")
    return path.read_text().strip()


def _announce(port: int, host: str, token: str | None) -> str:
    """Print where the page is, and return the address."""
    shown = f"[{host}]" if ":" in host else host
    if token is None:
        address = f"http://{shown}:{port}/"
        print_status(f"Open {address} on this computer. Ctrl-C stops the server.")
        return address
    if host in ("0.0.0.0", "::"):
        shown = socket.gethostname()
    address = f"http://{shown}:{port}{LOGIN}#{token}"
    print_status(
        f"Open {address} on a computer of this network. Whoever has this address sees and changes"
        " all slides; what is sent is not encrypted, so use a proxy with TLS outside a trusted"
        " network. Ctrl-C stops the server."
    )
    return address
