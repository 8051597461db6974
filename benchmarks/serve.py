"""How much memory the idle server takes, and how soon it answers.

    python benchmarks/serve.py FIELDS...
    python benchmarks/serve.py FIELDS... --memory
    python benchmarks/readme.py

FIELDS are folders of pictures of thin smears. The first measurement is the memory of a server that
has just started, then the most that it takes while 20 slides of all pictures are uploaded at once.
For the second, a slide of all pictures is screened, and while it is, answers on
the cells of another slide are given one after another: the time of a request is that until the
server has saved the answer on the disk and counted again. A reader does not wait for it: the page
shows the next cell at once, so the time from a key to the next cell is measured in Chromium. The
last is a slide of 10,000 cells: its list of cells, an answer on it, and the time until the page
shows it. The results go to benchmarks/results/serve.csv, which is overwritten;
with --memory only the rows with the memory are measured again.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
from playwright.sync_api import Page, sync_playwright

import markdown_tables as md
import rows
from hemozoin.about import VERSION
from hemozoin.smear.execution.run import ScreenConfig, screen_slides

FILE = "serve.csv"

#: Presses a key on the page, and returns the milliseconds until the next cell's picture is shown.
_PRESS = """async () => {
  const picture = document.querySelector(".cell img"), before = picture.src;
  const started = performance.now();
  dispatchEvent(new KeyboardEvent("keydown", { key: "u" }));
  if (picture.src === before) throw new Error("no next cell");
  await picture.decode();
  await new Promise(requestAnimationFrame);
  return performance.now() - started;
}"""

#: Chromium neither looks up other hosts nor uses a graphics card.
_QUIET = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]

#: Requests of each kind, the cells of the large slide, and the uploads at once.
_REQUESTS, _CELLS, _UPLOADS = 40, 10_000, 20


def main() -> None:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("fields", type=Path, nargs="+")
    parser.add_argument("--memory", action="store_true", help="only the memory of the server")
    given = parser.parse_args()
    files = [path for folder in given.fields for path in sorted(folder.iterdir())]
    fields = [path for path in files if path.suffix.lower() in (".jpg", ".png")]
    with tempfile.TemporaryDirectory() as folder:
        found = [*(_memory if given.memory else _everything)(Path(folder) / "served", fields)]
    about = {"cores": os.cpu_count(), "machine": platform.machine(), "hemozoin": VERSION}
    again = {what for what, _ in found}
    kept = [dict[str, object](row) for row in rows.read(FILE) if row["what"] not in again]
    rows.remove(FILE)
    for what, values in found:
        for value in values:
            rows.append(FILE, {"what": what, "value": round(value, 1), **about})
    for row in kept if given.memory else ():
        rows.append(FILE, row)


def _memory(served: Path, fields: list[Path]) -> Iterator[tuple[str, list[float]]]:
    """Yield the memory of the server: it does not depend on what else runs on the computer."""
    with serving(served) as (server, client):
        yield from memory(server, client, fields)


def _everything(served: Path, fields: list[Path]) -> Iterator[tuple[str, list[float]]]:
    screen_slides(fields[:4], served / "small", ScreenConfig())
    _make_large(served / "small", served / "large")
    with serving(served) as (server, client):
        yield from memory(server, client, fields)
        yield from measure(server, client, fields)


def _make_large(small: Path, large: Path) -> None:
    """Make a slide of 10,000 cells: the rows of a small one, again and again."""
    shutil.copytree(small, large)
    header, *lines = (small / "cells.csv").read_text("utf-8").splitlines()
    number = header.split(",").index("cell")
    repeated = []
    for place in range(_CELLS):
        values = lines[place % len(lines)].split(",")
        values[number] = str(place + 1)
        repeated.append(",".join(values))
    (large / "cells.csv").write_text("\n".join([header, *repeated]) + "\n", "utf-8")


@contextmanager
def serving(folder: Path) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    """Yield the process of a server, and a client of its API."""
    command = [sys.executable, "-m", "hemozoin", "serve", str(folder), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            address = re.search(r"http://\S+", process.stderr.readline())
            assert address
            with httpx.Client(base_url=f"{address[0]}api/v1", timeout=600) as client:
                client.get("/ready").raise_for_status()
                yield process, client
        finally:
            process.terminate()


def memory(
    server: subprocess.Popen[str], client: httpx.Client, fields: list[Path]
) -> Iterator[tuple[str, list[float]]]:
    """Yield the memory of a server that has just started, and with many uploads at once."""
    yield "memory of the idle server, MB", [_megabytes(server.pid)]
    many = f"{_UPLOADS} uploads at once of {len(fields)} pictures: most memory of the server, MB"
    yield many, [_upload_many(server.pid, client, fields)]


def measure(
    server: subprocess.Popen[str], client: httpx.Client, fields: list[Path]
) -> Iterator[tuple[str, list[float]]]:
    """Yield what was measured, and its values."""

    def answers(slide: str, times: int) -> list[float]:
        cells = [cell["id"] for cell in client.get(f"/slides/{slide}/cells").json()]
        return _times(lambda number: _answer(client, slide, cells[number]), times)

    yield "one answer, nothing else to do, ms", answers("small", _REQUESTS)
    files = [("files", (path.name, path.read_bytes())) for path in fields]
    slide = client.post("/slides", files=files).json()["id"]
    while client.get(f"/slides/{slide}").json()["fields_done"] == 0:
        time.sleep(0.1)
    yield "one answer, while a slide is screened, ms", answers("small", _REQUESTS)
    cell = client.get("/slides/small/cells").json()[0]
    place = f"/slides/small/fields/{cell['field']}/cell.jpg?y={cell['y']}&diameter=80&x="
    pictures = _times(lambda number: client.get(f"{place}{number}"))
    yield "picture of a cell, while a slide is screened, ms", pictures
    with chromium(str(client.base_url).partition("/api")[0]) as page:
        yield "page: from a key to the next cell, while a slide is screened, ms", _keys(page)
    assert client.get(f"/slides/{slide}").json()["state"] == "running", "screened too soon"
    client.delete(f"/slides/{slide}")
    lists = _times(lambda _: client.get("/slides/large/cells"), 5)
    yield f"list of {_CELLS:,} cells, ms", lists
    yield f"one answer on a slide of {_CELLS:,} cells, ms", answers("large", 10)
    with chromium(str(client.base_url).partition("/api")[0]) as page:
        opened = [_opened(page, "#/slides/large") for _ in range(5)]
        yield f"page of a slide of {_CELLS:,} cells, ms", opened
    yield "memory of the server afterwards, MB", [_megabytes(server.pid)]


@contextmanager
def chromium(address: str) -> Iterator[Page]:
    """Yield the page in Chromium, with the name of a reader."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=_QUIET)
        page = browser.new_page()
        page.goto(address)
        page.evaluate("localStorage.setItem('reader', 'browser')")
        yield page
        browser.close()


def _keys(page: Page) -> list[float]:
    """Return the milliseconds from each key until the next cell's picture is shown."""
    _opened(page, "#/slides/small/review/audit")
    taken = []
    for _ in range(_REQUESTS):
        page.wait_for_timeout(300)  # a person looks at the cell
        taken.append(float(page.evaluate(_PRESS)))
    return taken


def _opened(page: Page, view: str) -> float:
    """Return the milliseconds until the page of a slide is shown."""
    page.evaluate("location.hash = '#/cells'")
    page.wait_for_selector(".drop")
    started = time.perf_counter()
    page.evaluate(f"location.hash = '{view}'")
    page.wait_for_selector(".verdict, .review")
    return 1000 * (time.perf_counter() - started)


def _upload_many(server: int, client: httpx.Client, fields: list[Path]) -> float:
    """Return the most memory, in MB, that a server takes while many slides are uploaded."""
    contents = [(path.name, path.read_bytes()) for path in fields]

    def upload(number: int) -> str:
        # A byte after a picture makes it another file, and no other picture.
        files = [("files", (name, content + bytes([number]))) for name, content in contents]
        created = client.post("/slides", files=files)
        created.raise_for_status()
        return str(created.json()["id"])

    Path(f"/proc/{server}/clear_refs").write_text("5", "utf-8")  # the peak begins here
    with ThreadPoolExecutor(_UPLOADS) as pool:
        slides = [*pool.map(upload, range(_UPLOADS))]
    most = _megabytes(server, "VmHWM")
    for slide in slides:
        client.delete(f"/slides/{slide}").raise_for_status()
    return most


def _answer(client: httpx.Client, slide: str, cell: str) -> httpx.Response:
    body = [{"cell": cell, "answer": "uninfected", "reader": "benchmark"}]
    return client.post(f"/slides/{slide}/reviews", json=body)


def _times(ask: Callable[[int], httpx.Response], times: int = _REQUESTS) -> list[float]:
    """Return the milliseconds that each request took."""
    taken = []
    for number in range(times):
        started = time.perf_counter()
        ask(number).raise_for_status()
        taken.append(1000 * (time.perf_counter() - started))
    return taken


def _megabytes(process: int, kind: str = "VmRSS") -> float:
    """Return the memory of a process: what it takes, or with VmHWM the most so far."""
    status = Path(f"/proc/{process}/status").read_text("utf-8")
    found = re.search(rf"{kind}:\s+(\d+) kB", status)
    assert found
    return int(found[1]) / 1024


def table() -> str:
    """Return the results in Markdown."""
    found = rows.read(FILE)
    lines = [
        (what, md.median_and_range([float(row["value"]) for row in of_one], 0), len(of_one))
        for (what,), of_one in md.groups(found, "what").items()
    ]
    note = (
        f"Median (min to max). {found[0]['cores']} cores ({found[0]['machine']}), hemozoin"
        f" {found[0]['hemozoin']}."
    )
    return md.table(("what", "measured", "n"), lines, note)


if __name__ == "__main__":
    main()
