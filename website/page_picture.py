"""Take the picture of the page in docs/serve.md: a drawn smear under review, in a browser.

    python website/page_picture.py runs/slides

The folder is that of `make demo`; the page needs the extra `serve`, and Chromium. The smear is
drawn: the pictures of the data sets are not ours to show.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import ViewportSize, sync_playwright

PICTURE = Path(__file__).parents[1] / "docs" / "serve.png"

#: Chromium neither looks up other hosts nor uses a graphics card.
_QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]

_WINDOW: ViewportSize = {"width": 1180, "height": 800}


def main() -> None:
    """Serve the folder, open the review of its slide, and take the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("slides", type=Path)
    command = [sys.executable, "-m", "hemozoin", "serve", str(parser.parse_args().slides)]
    with subprocess.Popen([*command, "--port", "0"], stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        try:
            address = re.search(r"http://\S+", server.stderr.readline())
            assert address
            take_picture(address[0])
        finally:
            server.terminate()


def take_picture(address: str) -> None:
    """Write the picture of the review page of the first slide."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=_QUIET)
        page = browser.new_page(viewport=_WINDOW)
        page.goto(address)
        page.evaluate("localStorage.setItem('reader', 'AB')")
        page.goto(f"{address}#/slides/synthetic-smear/review")
        page.reload()
        page.wait_for_selector(".cell img")
        page.wait_for_timeout(1500)
        page.screenshot(path=PICTURE)
        browser.close()


if __name__ == "__main__":
    main()
