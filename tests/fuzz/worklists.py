"""Worklists that people give back, and slides with reviews whose files are damaged."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random

from tests.fuzz import mutations
from tests.fuzz.folders import changed_table
from tests.fuzz.kills import make_reviewed
from tests.fuzz.oracles import Case, import_all
from tests.fuzz.states import damage
from tests.support.smears import make_fields


class Worklists:
    """A worklist, or a file of a slide with reviews, is changed; then the slide is counted again.

    Where a command fails, the reviews are as they were.
    """

    total = None

    def __init__(self, folder: Path) -> None:
        import_all()
        make_fields(folder / "smears", "left/1.png", "left/2.png")
        make_reviewed(folder)
        self._folder = folder

    def __call__(self, case: Case) -> None:
        slide, worklist = case.folder / "slide", case.folder / "worklist.csv"
        given = case.rng.choice(["screened", "reviewed"])
        shutil.copytree(self._folder / given, slide)
        text = (self._folder / "worklist.csv").read_text(encoding="utf-8")
        worklist.write_bytes(_given_back(text, case.rng))
        if case.rng.random() < 0.4:
            files = sorted(path for path in slide.rglob("*") if path.is_file())
            damage(case.rng.choice(files), case.rng)
        reviews = slide / "reviews.csv"
        before = reviews.read_bytes() if reviews.is_file() else b""
        outcome = case.run("recount", slide, "--reviews", worklist)
        if outcome.code != 0 and before:
            assert reviews.read_bytes() == before, "reviews were changed"
        case.run("audit", slide, "--cells", 3, "--out", case.folder / "next.csv")
        case.run("reviews", slide, "--to", case.folder / "cells")


def _given_back(text: str, rng: Random) -> bytes:
    """Return a worklist as a spreadsheet may save it, changed by a person or damaged."""
    for _ in range(rng.choice([0, 1, 1, 3])):
        text = changed_table(text, rng)
    text = text.replace(",", rng.choice([",", ",", ";", "\t"]))
    data = text.encode(rng.choice(["utf-8", "utf-8-sig", "utf-16", "latin-1"]), errors="replace")
    return mutations.mutated(data, rng) if rng.random() < 0.3 else data
