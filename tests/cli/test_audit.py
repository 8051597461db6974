"""The verbs `audit`, `recount` and `reviews`: the way of a person's answers, and bad input."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.support.commands import refused, succeed, tree
from tests.support.smears import make_fields


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a screened slide."""
    folder = tmp_path_factory.mktemp("audited")
    make_fields(folder / "smear", "1.png", "2.png")
    succeed("screen", folder / "smear", "--out", folder / "out")
    return folder / "out"


def fill(worklist: Path, answer: str) -> Path:
    with worklist.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    with worklist.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, rows[0].keys())
        table.writeheader()
        table.writerows(row | {"answer": answer, "reader": "ann"} for row in rows)
    return worklist


@pytest.mark.slow
def test_from_worklist_to_training_cells(out: Path, tmp_path: Path) -> None:
    worklist = tmp_path / "worklist.csv"
    printed = succeed("audit", out, "--cells", 5, "--out", worklist)
    assert printed.startswith("5 of ")
    assert f"hemozoin recount {out} --reviews {worklist}" in printed
    assert (tmp_path / "worklist.html").read_text(encoding="utf-8").count("<img ") == 5
    printed = succeed("recount", out, "--reviews", fill(worklist, "parasitized"))
    assert "Reviewed by a person: 5 cells: 5 parasitized" in printed
    second = tmp_path / "second.csv"
    succeed("audit", out, "--cells", 3, "--out", second)
    found = json.loads(succeed("recount", out, "--reviews", fill(second, "uninfected"), "--json"))
    assert found["reviews"]["answered"] == 8
    printed = succeed("reviews", out, "--to", tmp_path / "cells")
    assert printed.startswith("5 parasitized, 3 uninfected cells: ")
    succeed("inspect", tmp_path / "cells", "--patients", tmp_path / "cells" / "patients.csv")
    before = (out / "reviews.csv").read_bytes()
    printed = succeed("screen", out.parent / "smear", "--out", out, "--overwrite")
    assert "Reviewed by a person: 8 cells" in printed
    assert (out / "reviews.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("audit", "{out}", "--cells", 0, "--out", "{new}.csv"), "--cells is 0; give a whole"),
        (("audit", "{out}", "--seed", -1, "--out", "{new}.csv"), "--seed is -1; give a whole"),
        (("audit", "{out}", "--out", "{new}.txt"), "does not end in .csv"),
        (("audit", "{out}", "--out", "{out}/cells.csv"), "already exists, perhaps with answers"),
        (("audit", "{new}", "--out", "{new}.csv"), "not a folder; give a slide's folder"),
        (("audit", "{out}/overlays", "--out", "{new}.csv"), "not a slide's folder"),
        (("recount", "{new}"), "not a folder; give a slide's folder"),
        (("recount", "{out}", "--reviews", "{out}/cells.csv"), "without the columns stratum"),
        (("recount", "{out}", "--reviews", "{new}.csv"), "not a readable CSV"),
        (("reviews", "{out}/overlays", "--to", "{new}"), "not a slide's folder"),
    ],
)
def test_bad_input(arguments: tuple[object, ...], message: str, out: Path, tmp_path: Path) -> None:
    before = tree(out)
    words = [str(word).format(out=out, new=tmp_path / "new") for word in arguments]
    assert message in refused(*words)
    assert tree(out) == before
    assert not any(tmp_path.iterdir())
