"""Records of slides that no one would write."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from random import Random

from tests.fuzz.mutations import mutated
from tests.fuzz.oracles import Case, import_all
from tests.support.smears import make_fields

#: Lines of `slide.toml`, right and wrong.
_LINES = [
    *('patient = "P-014"', 'site = "=1+1"', 'stain = "<blink>`x`"', "operator = '\u202e'"),
    *('magnification = "100x oil"', "magnification = 1000", "date = 2026-03-11", 'date = "2026"'),
    *("hematocrit = 38", "hematocrit = 450", "hematocrit = nan", "hematocrit = true"),
    *("red_cells_per_ul = 4_200_000", "red_cells_per_ul = 1e308", f"hematocrit = 0x{'f' * 5000}"),
    *(f'patient = "{"x" * 60_000}"', "x = " + "[" * 3000, "unknown = {}", "manual = []"),
]

#: Tables `[manual]`, right and wrong; the last lines of a record.
_TABLES = [
    *("infected = 12\nred_cells = 2_000", "parasites = 300\nwhite_cells = 200", ""),
    *("parasites_per_ul = 24_000", "infected = 12", "infected = -1\nred_cells = 0"),
    *("parasites_per_ul = inf", "infected = 1\nred_cells = 1\nreader = '''a\nb'''", "[manual]"),
]


class Records:
    """Each record is beside the picture of a slide that is given to `screen`."""

    total = None

    def __init__(self, folder: Path) -> None:
        import_all()
        self._slide = make_fields(folder / "left", "1.png")

    def __call__(self, case: Case) -> None:
        slide, out = case.folder / "left", case.folder / "out"
        shutil.copytree(self._slide, slide)
        record = slide / case.rng.choice(["slide.toml", "slide.toml", "SLIDE.TOML"])
        if case.rng.random() < 0.03:
            os.mkfifo(record)
        elif case.rng.random() < 0.03:
            record.symlink_to("/dev/zero")
        else:
            record.write_bytes(_record(case.rng))
        outcome = case.run("screen", slide, "--out", out)
        assert out.exists() == (outcome.code == 0)
        if outcome.code == 0:
            assert isinstance(json.loads((out / "slide.json").read_text())["record"], dict)
            assert "<blink>" not in (out / "report.html").read_text()


def _record(rng: Random) -> bytes:
    lines = rng.sample(_LINES, rng.choice([0, 1, 3]))
    if rng.random() < 0.5:
        lines += ["[manual]", rng.choice(_TABLES)]
    text = rng.choice(["\n", "\n", "\r\n", "\r"]).join(lines)
    encoding = rng.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1"])
    data = text.encode(encoding, errors="replace")
    return mutated(data, rng) if data and rng.random() < 0.3 else data
