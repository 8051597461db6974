"""The verb `serve`: what it refuses before it serves, each in one line; and how it stops."""

from __future__ import annotations

import signal
import socket
import sqlite3
from pathlib import Path

import pytest

from tests.support.commands import refused
from tests.support.servers import PATIENCE, serving


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = refused("serve", tmp_path / "slides", "--port", port)
    assert f"port {port} is in use; give another --port" in line


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--port", 70_000), "port is 70000; give a whole number from 0 to 65,535"),
        (("--workers", 0), "workers is 0"),
        (("--model", "nowhere"), "nowhere"),
        (("--host", "192.0.2.1"), "192.0.2.1, port"),
        (("--host", "no such host"), "no such host"),
    ],
)
def test_wrong_options(options: tuple[object, ...], expected: str, tmp_path: Path) -> None:
    assert expected in refused("serve", tmp_path / "slides", *options)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for path in (tmp_path / "file", tmp_path / "file" / "slides"):
        assert "give another folder" in refused("serve", path, "--port", 0)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs Linux")
def test_a_folder_that_cannot_be_written() -> None:
    assert "/proc: can't be written; give another folder" in refused("serve", "/proc", "--port", 0)


@pytest.mark.slow
def test_a_database_of_a_newer_version(tmp_path: Path) -> None:
    with serving(tmp_path):
        pass
    with sqlite3.connect(tmp_path / "hemozoin.sqlite") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '99'")
    before = (tmp_path / "hemozoin.sqlite").read_bytes()
    assert "of a newer hemozoin" in refused("serve", tmp_path, "--port", 0)
    assert (tmp_path / "hemozoin.sqlite").read_bytes() == before


@pytest.mark.slow
def test_a_second_server_of_a_folder(tmp_path: Path) -> None:
    with serving(tmp_path):
        line = refused("serve", tmp_path, "--port", 0)
    assert "another hemozoin serve has this folder open" in line


@pytest.mark.slow
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_stops_at_a_signal(sent: signal.Signals, code: int, tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        assert server.api.get("/health").status_code == 200
        server.process.send_signal(sent)
        assert server.process.wait(PATIENCE) == code
        assert server.process.stderr is not None
        assert "run the same command again" in server.process.stderr.read()
