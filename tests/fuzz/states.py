"""What commands have saved, damaged, before the same command is given again.

A command resumes, starts again, or says in one line what to do; it never trains other weights from
decoded cells that were changed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import safetensors
import safetensors.numpy

from tests.conftest import make_cells
from tests.fuzz import mutations
from tests.fuzz.oracles import Case, import_all
from tests.support.commands import QUICK, succeed
from tests.support.smears import make_fields

#: Words of a command, given the folder of its data and that of its state.
Words = Callable[[Path, Path], tuple[object, ...]]


@dataclass(frozen=True)
class Saved:
    """A command, and what is damaged of all that it has saved."""

    words: Words
    """The command that writes the state, in `state`/out."""
    damaged: str
    """A pattern of the files that are damaged, in the folder of the state."""
    removed: tuple[str, ...] = ()
    """What is removed, so that there is something left to do."""
    again: Words | None = None
    """The command for the damaged state, if it is another one."""
    weights: bool = False
    """Whether the weights must be those of the undamaged state."""


def _screen(data: Path, state: Path) -> tuple[object, ...]:
    return "screen", data / "smears", "--out", state / "out", "--coco"


def _train(data: Path, state: Path) -> tuple[object, ...]:
    return "train", data / "cells.zip", "--out", state / "out", *QUICK


def _resume(_: Path, state: Path) -> tuple[object, ...]:
    return "train", "--resume", state / "out"


def _crossval(data: Path, state: Path) -> tuple[object, ...]:
    return "crossval", data / "cells.zip", "--out", state / "out", *QUICK, "--folds", 2


def _sweep(data: Path, state: Path) -> tuple[object, ...]:
    return (
        *("sweep", data / "cells.zip", "--out", state / "out", "--epochs", 1, "--size", 32),
        *("--alphas", 0.25, "--sizes", 32, "--tables", 7, "--seeds", 1),
    )


def _evaluate(data: Path, state: Path) -> tuple[object, ...]:
    return "evaluate", data / "cells.zip", "--model", state / "out", "--out", state / "new"


def _repeat(_: Path, state: Path) -> tuple[object, ...]:
    return "train", "--config", state / "out" / "config.json", "--out", state / "new"


SAVED = {
    "screen": Saved(_screen, "out/**/*", ("out/left/report.html",)),
    "fields": Saved(_screen, "out/*/.fields/*", ("out/left/report.html", "out/slides.csv")),
    "run": Saved(_train, "out/*", ("out/model", "out/report.html"), _resume),
    "checkpoint": Saved(_train, "out/checkpoint.safetensors", ("out/model",), _resume),
    "finished run": Saved(_train, "out/**/*", again=_resume),
    "evaluated run": Saved(_train, "out/**/*", again=_evaluate),
    "config": Saved(_train, "out/config.json", again=_repeat),
    "cells": Saved(_train, "cache/*", ("out",), weights=True),
    "crossval": Saved(_crossval, "out/**/*", ("out/folds.csv", "out/fold2/model")),
    "sweep": Saved(_sweep, "out/*", ("out/tables.md",)),
}

#: Folders that are the same for all: what each command has saved, with its cells.
_WEIGHTS = Path("out") / "model" / "model.safetensors"


class States:
    """Each state of a command is damaged, and the command is given again."""

    total = None

    def __init__(self, folder: Path) -> None:
        import_all()
        self._folder, self._place = folder, folder.parent / "case"
        make_cells(folder / "cells.zip", patients=9, per_class=2)
        make_fields(folder / "smears", "left/1.png", "left/2.png", "right/1.png")
        for name, saved in SAVED.items():
            self._place.mkdir()
            succeed(*saved.words(folder, self._place))
            self._place.rename(folder / name)

    def __call__(self, case: Case) -> None:
        name = case.rng.choice([*SAVED])
        saved = SAVED[name]
        shutil.copytree(self._folder / name, case.folder, dirs_exist_ok=True)
        for path in saved.removed:
            _remove(case.folder / path)
        found = [path for path in sorted(case.folder.glob(saved.damaged)) if path.is_file()]
        for _ in range(case.rng.choice([1, 1, 2])):
            damage(case.rng.choice(found), case.rng)
        again = saved.again or saved.words
        outcome = case.run(*again(self._folder, case.folder))
        if saved.weights and outcome.code == 0:  # a pipe in the cache has to be removed first
            trained = (case.folder / _WEIGHTS).read_bytes()
            assert trained == (self._folder / name / _WEIGHTS).read_bytes(), "other weights"


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def damage(path: Path, rng: Random) -> None:
    """Damage a saved file, remove it, or put something else in its place."""
    if not path.is_file():  # damaged before
        return
    how, content = rng.random(), path.read_bytes()
    if how < 0.1:
        path.unlink()
    elif how < 0.13:
        path.unlink()
        path.mkdir()
    elif how < 0.16:
        path.unlink()
        os.mkfifo(path)
    elif how < 0.2:
        path.unlink()
        path.symlink_to("/dev/zero")
    elif how < 0.3:
        path.write_bytes(
            rng.choice([b"", b"{}", b"[]", b"\0" * len(content), content[: len(content) // 2]])
        )
    elif path.suffix == ".json" and how < 0.9:
        path.write_bytes(mutations.changed_json(content, rng))
    elif path.suffix == ".safetensors" and how < 0.8:
        path.write_bytes(_other_metadata(content, rng))
    elif content:
        path.write_bytes(mutations.mutated(content, rng))


def _other_metadata(content: bytes, rng: Random) -> bytes:
    """Return a safetensors file with other text in its header: the rows of a checkpoint."""
    try:
        arrays = safetensors.numpy.load(content)
        length = int.from_bytes(content[:8], "little")
        rows = content[8 : 8 + length].partition(b'"rows":')[2].partition(b'"}')[0][1:]
        text = mutations.changed_json(rows.replace(b'\\"', b'"'), rng)
        return safetensors.numpy.save(arrays, {"rows": text.decode(errors="replace")})
    except (safetensors.SafetensorError, ValueError):
        return mutations.mutated(content, rng)
