"""Saved state that is damaged, or of another shape: one line that names the file, no traceback."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors
import safetensors.torch
import torch

from hemozoin.model.bundle import load_bundle
from tests.support.commands import QUICK, hemozoin, refused, succeed, tree

Tensors = dict[str, torch.Tensor]

NESTED = "[" * 100_000

GARBAGE = b"\x00\xff\xfe garbage"

OPTIONS = ("--folds", 2, *QUICK)


@pytest.fixture
def run(tmp_path: Path, finished_run: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of a finished run; its cells are in the cache."""
    monkeypatch.setenv("HEMOZOIN_CACHE", str(finished_run.parent / "cache"))
    return shutil.copytree(finished_run, tmp_path / "run")


def change(path: Path, **values: object) -> None:
    """Change values of a JSON file; the names of nested ones are joined by "__"."""
    found = json.loads(path.read_text())
    for name, value in values.items():
        *outer, last = name.split("__")
        inner = found
        for key in outer:
            inner = inner[key]
        inner[last] = value
    path.write_text(json.dumps(found))


# ---- checkpoint.safetensors --------------------------------------------------------------------

ROW: dict[str, object] = {
    **{"epoch": 1.0, "train_loss": 0.7, "val_loss": 0.7, "val_accuracy": 0.5},
    **{"val_auc": 0.5, "learning_rate": 0.001, "seconds": 1.0},
}

BAD_ROWS: dict[str, object] = {
    "not JSON": "epoch 1",
    "nested": NESTED,
    "null": None,
    "a number": 3,
    "an object": {"epoch": 1},
    "a list of numbers": [1, 2],
    "a list of lists": [[1.0]],
    "an empty row": [{}],
    "a row without a loss": [{name: ROW[name] for name in ROW if name != "val_loss"}],
    "a row with another column": [ROW | {"color": 1.0}],
    "a row of text": [dict.fromkeys(ROW, "0.5")],
    "a row with true": [ROW | {"val_loss": True}],
    "a row with null": [ROW | {"seconds": None}],
    "the second epoch": [ROW | {"epoch": 2.0}],
    "the first epoch twice": [ROW, ROW],
}


def checkpoint_of(run: Path) -> tuple[Tensors, dict[str, str]]:
    with safetensors.safe_open(run / "checkpoint.safetensors", framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118


def write_checkpoint(run: Path, tensors: Tensors, rows: str | None) -> None:
    metadata = None if rows is None else {"rows": rows}
    content = safetensors.torch.save(tensors, metadata)
    (run / "checkpoint.safetensors").write_bytes(content)


@pytest.mark.slow
@pytest.mark.parametrize("name", BAD_ROWS)
def test_rows_of_another_shape(name: str, run: Path) -> None:
    tensors, _ = checkpoint_of(run)
    rows: Any = BAD_ROWS[name]
    write_checkpoint(run, tensors, rows if isinstance(rows, str) else json.dumps(rows))
    before = tree(run)
    assert "checkpoint.safetensors: damaged or of another run; delete it to start over" in refused(
        "train", "--resume", run
    )
    assert tree(run) == before


def test_no_rows_and_too_many_epochs(run: Path) -> None:
    tensors, metadata = checkpoint_of(run)
    write_checkpoint(run, tensors, None)
    assert "checkpoint.safetensors: damaged" in refused("train", "--resume", run)
    second = json.loads(metadata["rows"])[0] | {"epoch": 2.0}
    write_checkpoint(run, tensors, json.dumps([*json.loads(metadata["rows"]), second]))
    assert "checkpoint.safetensors: has 2 epochs, the run 1" in refused("train", "--resume", run)


@pytest.mark.slow
def test_undefined_metrics_are_no_damage(run: Path) -> None:
    """With cells of one class there is no AUC."""
    tensors, metadata = checkpoint_of(run)
    rows = json.loads(metadata["rows"])
    rows[0]["val_auc"] = float("nan")
    write_checkpoint(run, tensors, json.dumps(rows))
    succeed("train", "--resume", run)


FIRST, STEP = "model/network.body.conv1.conv.weight", "optimizer/0/step"

BAD_TENSORS: dict[str, Callable[[Tensors], Tensors]] = {
    "weights missing": lambda all_: {k: v for k, v in all_.items() if k != FIRST},
    "weights not finite": lambda all_: all_ | {FIRST: all_[FIRST] * float("nan")},
    "weights of another shape": lambda all_: all_ | {FIRST: all_[FIRST][:1]},
    "no optimizer": lambda all_: {k: v for k, v in all_.items() if k[:5] == "model"},
    "a step missing": lambda all_: {k: v for k, v in all_.items() if k != STEP},
    "steps with a shape": lambda all_: all_ | {STEP: torch.zeros(7)},
    "of another optimizer": lambda all_: {
        k.replace("exp_avg", "square_avg"): v for k, v in all_.items()
    },
    "one parameter too many": lambda all_: all_ | {"optimizer/999/step": torch.zeros(())},
    "an odd name": lambda all_: all_ | {"optimizer/a/b/c": torch.zeros(())},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BAD_TENSORS)
def test_tensors_of_another_run(name: str, run: Path) -> None:
    tensors, metadata = checkpoint_of(run)
    write_checkpoint(run, BAD_TENSORS[name](tensors), metadata["rows"])
    line = refused("train", "--resume", run)
    assert "checkpoint.safetensors: damaged or of another run" in line
    (run / "checkpoint.safetensors").unlink()
    succeed("train", "--resume", run)


# ---- config.json -------------------------------------------------------------------------------

BAD_VALUES: dict[str, tuple[object, ...]] = {
    "recipe": ([], 3, "x", None),
    "cells": (3, [], {}, "x", None),
    "data": (3, None, ["x"], "", "\0", "\ud800"),
    "split": (3, ["x"], True, [], 0, "", "\0", "\ud800"),
    "extra": (3, ["x"], True, [], "\0"),
    "aim": ([], 3, {"kind": []}, {"kind": "balanced", "x": 1}),
    "prevalence": (None, "0.5", [], True, float("nan"), 10**400),
    "on_correction": (3, [], None),
    "cells__patients": ("abc", 3, [3], [""], None),
    "cells__labels": (3, ["x"], [], {}, False, "", "\0"),
    "cells__parasitized": (3, None, ["x"]),
    "cells__allow_unreadable": (1, "no", None),
    "recipe__size": (1_000_000, "32", 32.5, float("nan"), True, []),
    "recipe__epochs": (0, 10**400, 10_001, 1.0),
    "recipe__batch": (3, 10**30, True),
    "recipe__seed": (-1, 2**64, float("inf")),
    "recipe__alpha": (10**400, 100_000, "1", float("nan"), True, None),
    "recipe__learning_rate": ("1", float("nan"), True, None, []),
    "recipe__weight_decay": ("1", float("nan"), True, None),
    "recipe__init": ({}, "", 3, "x", [1], {"path": 3}, {"path": "x"}),
    "recipe__view": (3, [], None),
    "recipe__balance": (1, "yes", None),
    "recipe__fewest_steps": (-1, 10**400, 1.5, True),
    "recipe__progressive": (1, "yes", None),
    "recipe__freeze_batch_norm": (1, "yes", None),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in BAD_VALUES.items() for value in values],
    ids=lambda value: ascii(value)[:30],
)
def test_a_config_with_wrong_types(name: str, value: object, run: Path) -> None:
    change(run / "config.json", **{name: value})
    before = tree(run)
    for command in (("--resume", run), ("--config", run / "config.json", "--out", run / "new")):
        assert f"{run / 'config.json'}: " in refused("train", *command)
    assert tree(run) == before


@pytest.mark.parametrize("content", [NESTED.encode(), GARBAGE, b"3", b'"recipe"', b"null"])
def test_a_config_that_is_no_config(content: bytes, run: Path) -> None:
    (run / "config.json").write_bytes(content)
    before = tree(run)
    assert "config.json: " in refused("train", "--resume", run)
    line = refused("train", run.parent / "x.zip", "--out", run, "--overwrite", *QUICK)
    assert "not a run of hemozoin; nothing is removed" in line
    assert tree(run) == before


# ---- other files of a run ----------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("content", [b"", GARBAGE, b"epoch\nx\n"])
def test_results_are_written_again(content: bytes, run: Path, finished_run: Path) -> None:
    (run / "results.csv").write_bytes(content)
    succeed("train", "--resume", run)
    results = (finished_run / "results.csv").read_bytes()
    assert (run / "results.csv").read_bytes() == results


@pytest.mark.parametrize(
    "content",
    [b"", GARBAGE, b"split,cell\ntest\n", b"cell\nx\n", b"cell,split\nx,exam\n", b'cell,split\n"'],
)
def test_a_split_of_another_shape(content: bytes, run: Path) -> None:
    (run / "split.csv").write_bytes(content)
    before = tree(run)
    assert "split.csv: " in refused("train", "--resume", run)
    assert tree(run) == before


# ---- cross-validation --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def crossval(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("crossval") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEMOZOIN_CACHE", str(finished_run.parent / "cache"))
        succeed("crossval", finished_run.parent / "cells.zip", "--out", out, *OPTIONS)
    return out


@pytest.mark.slow
@pytest.mark.parametrize("content", [b"", GARBAGE, NESTED.encode(), b"{}"])
def test_a_damaged_crossval_json(
    content: bytes, crossval: Path, finished_run: Path, tmp_path: Path
) -> None:
    out = shutil.copytree(crossval, tmp_path / "out")
    (out / "crossval.json").write_bytes(content)
    before = tree(out)
    line = refused("crossval", finished_run.parent / "cells.zip", "--out", out, *OPTIONS)
    assert "crossval.json is damaged; give another --out" in line
    assert tree(out) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "content"),
    [
        *(("metrics.json", content) for content in ("", NESTED, "[]", "{}", "3")),
        ("metrics.json", '{"labels_as_given": {}}'),
        ("metrics.json", '{"labels_as_given": {"accuracy": {"value": "x"}}}'),
        *(("predictions.csv", content) for content in ("", "a,b\n1,2\n")),
        ("predictions.csv", "cell,patient,label,p_parasitized\na,b,parasitized,x\n"),
        ("predictions.csv", "cell,patient,label,p_parasitized\na,b,parasitized,\n"),
        ("predictions.csv", "cell,patient,label,p_parasitized\na,b,platelet,0.5\n"),
    ],
    ids=lambda value: str(value)[-30:],
)
def test_a_damaged_fold(
    name: str, content: str, crossval: Path, finished_run: Path, tmp_path: Path
) -> None:
    """The message says how the file is made again; then the same command ends."""
    out = shutil.copytree(crossval, tmp_path / "out")
    file = out / "fold2" / name
    file.write_text(content)
    command = ("crossval", finished_run.parent / "cells.zip", "--out", out, *OPTIONS, "--final")
    outcome = hemozoin(*command)
    assert outcome.code == 2
    line = outcome.err.splitlines()[-1]
    assert f"{file}: missing or damaged" in line
    assert f"hemozoin train --resume {out / 'fold2'}" in line
    succeed("train", "--resume", out / "fold2")
    assert file.read_bytes() == (crossval / "fold2" / name).read_bytes()
    if content == "":  # the same command has the same files whatever the damage was
        succeed(*command)
        assert load_bundle(out / "final" / "model").about["folds"]
