"""A real Chromium, and what a person does in it."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.servers import PATIENCE

#: Chromium neither looks up other hosts nor uses a graphics card.
_QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)

#: Drops files, given as names and contents in base64, on the page.
_DROP = """files => {
  const transfer = new DataTransfer();
  for (const [name, content] of files) {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name, { type: "image/png" }));
  }
  for (const kind of ["dragover", "drop"]) {
    document.body.dispatchEvent(new DragEvent(kind, { dataTransfer: transfer, bubbles: true }));
  }
}"""

expect.set_options(timeout=PATIENCE * 1000)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Yield the browser; the test is skipped where there is none."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("needs the browser Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=[*_QUIET])
        yield launched
        launched.close()


@contextmanager
def new_page(browser: Browser, **options: object) -> Iterator[Page]:
    """Yield a page of a new reader; what the page logs as an error makes the test fail."""
    window = {"viewport": {"width": 1280, "height": 900}, **options}
    context = browser.new_context(**window)  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE * 1000)
    opened, errors = context.new_page(), list[str]()
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    context.close()
    assert errors == []


def drop(page: Page, *paths: Path) -> None:
    """Drop files on the page."""
    files = [(path.name, base64.b64encode(path.read_bytes()).decode()) for path in paths]
    page.evaluate(_DROP, files)


def name_reader(page: Page, name: str) -> None:
    """Enter the name of the person at the page."""
    page.get_by_label("Your name").first.fill(name)
    page.keyboard.press("Tab")
