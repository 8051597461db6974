"""Shared by the tests of the page: one browser, one slide that is screened, and its server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.support.browsers import chromium, new_page
from tests.support.commands import succeed
from tests.support.servers import RunningServer, serving
from tests.support.smears import make_fields


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Yield a Chromium."""
    with chromium() as launched:
        yield launched


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Yield a page of a new reader."""
    with new_page(browser) as opened:
        yield opened


@pytest.fixture(scope="package")
def by_hand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with one slide, "left", that was screened by hand; do not change it."""
    folder = tmp_path_factory.mktemp("by_hand")
    slide = make_fields(folder / "given" / "left", "1.png", "2.png")
    succeed("screen", slide, "--out", folder / "out" / "left", "--coco")
    return folder / "out"


@pytest.fixture(scope="package")
def one_server(
    by_hand: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RunningServer, Path]]:
    """Yield a server for many tests, and the folder that it serves."""
    folder = Path(shutil.copytree(by_hand, tmp_path_factory.mktemp("one_server") / "served"))
    with serving(folder) as running:
        yield running, folder


@pytest.fixture
def folder(one_server: tuple[RunningServer, Path], by_hand: Path) -> Path:
    """Return the served folder, with the slide "left" as it was screened."""
    running, served = one_server
    running.api.post("/slides/left/recount")  # waits for one that an earlier test has begun
    shutil.rmtree(served / "left")
    shutil.copytree(by_hand / "left", served / "left")
    return served


@pytest.fixture
def server(one_server: tuple[RunningServer, Path], folder: Path) -> RunningServer:
    """Return the server; its slide "left" is as it was screened."""
    return one_server[0]
