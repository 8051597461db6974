"""Shared by the tests of the page: one browser, and a slide that is screened once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.support.browsers import chromium, new_page
from tests.support.commands import succeed
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
