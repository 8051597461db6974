"""What the user can do wrong: the result is one line, exit code 2, and no new file."""

from __future__ import annotations

import json
import os
import shutil
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import make_cells, make_zip
from tests.support.commands import QUICK, hemozoin, leftover_of, refused, succeed, tree

# ---- data --------------------------------------------------------------------------------------

Verb = Callable[[Path, Path, Path], tuple[object, ...]]

VERBS: dict[str, Verb] = {
    "train": lambda data, out, model: ("train", data, "--out", out, *QUICK),
    "crossval": lambda data, out, model: ("crossval", data, "--out", out, "--folds", 3, *QUICK),
    "evaluate": lambda data, out, model: ("evaluate", data, "--model", model, "--out", out),
    "predict": lambda data, out, model: ("predict", data, "--model", model, "--out", out / "c.csv"),
    "inspect": lambda data, out, model: ("inspect", data, "--html", out / "page.html"),
}

#: Verbs that train or test, and so need all pictures.
NEED_ALL = ("train", "crossval", "evaluate")


def missing(path: Path) -> Path:
    return path / "nowhere"


def not_a_zip(path: Path) -> Path:
    (path / "cells.zip").write_text("not a zip")
    return path / "cells.zip"


def incomplete(path: Path) -> Path:
    data = make_cells(path / "cells.zip")
    data.write_bytes(data.read_bytes()[:-1000])
    return data


def encrypted(path: Path) -> Path:
    return patched(make_cells(path / "cells.zip"), offset=8, value=struct.pack("<H", 1))


def zip_bomb(path: Path) -> Path:
    return patched(make_cells(path / "cells.zip"), offset=24, value=struct.pack("<I", 2**31))


def patched(path: Path, offset: int, value: bytes) -> Path:
    """Change a field of the last entry in the zip's directory."""
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02") + offset
    data[at : at + len(value)] = value
    path.write_bytes(data)
    return path


def upwards(path: Path) -> Path:
    return with_entry(path, "cell_images/Uninfected/../../../C9P9_cell_1.png")


def absolute(path: Path) -> Path:
    return with_entry(path, "/Uninfected/C9P9_cell_1.png")


def with_entry(path: Path, name: str) -> Path:
    data = make_cells(path / "cells.zip")
    with zipfile.ZipFile(data, "a") as archive:
        archive.writestr(name, b"x")
    return data


def one_class(path: Path) -> Path:
    data = make_cells(path / "cells")
    shutil.rmtree(data / "cell_images" / "Uninfected")
    return data


def empty_folder(path: Path) -> Path:
    (path / "cells").mkdir()
    return path / "cells"


def all_unreadable(path: Path) -> Path:
    data = make_cells(path / "cells")
    for file in data.rglob("*.png"):
        file.write_bytes(b"\x89PNG damaged")
    return data


def picture_bomb(path: Path) -> Path:
    """Return 48 pictures, of which one claims to have ten gigapixels."""
    data = make_cells(path / "cells")
    file = min(data.rglob("*.png"))
    size = struct.pack(">II", 100_000, 100_000)
    header = b"IHDR" + size + b"\x08\x02\x00\x00\x00"
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + file.read_bytes()[33:])
    return data


def two_patients(path: Path) -> Path:
    return make_cells(path / "cells", patients=2)


BAD_DATA = [
    *((verb, missing, "nowhere: No such file or directory; give a zip") for verb in VERBS),
    *((verb, not_a_zip, "cells.zip: not a zip") for verb in VERBS),
    *((verb, incomplete, "cells.zip: not a zip, or incomplete") for verb in VERBS),
    *((verb, encrypted, "is encrypted") for verb in VERBS),
    *((verb, zip_bomb, "larger than 256 MB") for verb in VERBS),
    *((verb, upwards, "points outside") for verb in VERBS),
    *((verb, absolute, "points outside") for verb in VERBS),
    *((verb, one_class, "needs the folders") for verb in VERBS if verb != "predict"),
    *((verb, empty_folder, "cells: ") for verb in VERBS),
    *((verb, all_unreadable, "none of the 48") for verb in NEED_ALL),
    *((verb, picture_bomb, "1 of 48 pictures can't be read") for verb in NEED_ALL),
    ("train", two_patients, "2 patients: at least 3"),
    ("crossval", two_patients, "2 patients: at least 3"),
]


@pytest.mark.parametrize(
    ("verb", "damage", "message"), BAD_DATA, ids=lambda value: getattr(value, "__name__", value)
)
def test_bad_data(
    verb: str,
    damage: Callable[[Path], Path],
    message: str,
    tmp_path: Path,
    cache: Path,
    finished_run: Path,
) -> None:
    data, out = damage(tmp_path), tmp_path / "out"
    before = tree(tmp_path)
    line = refused(*VERBS[verb](data, out, finished_run / "model"))
    assert message in line
    assert not tree(tmp_path).keys() - before.keys()
    # Decoded cells may stay, if they are complete: the next try is quicker.
    assert not list(cache.glob("*.partial"))


@pytest.mark.slow
def test_bad_pictures_are_skipped_if_that_is_allowed(tmp_path: Path) -> None:
    data, out = picture_bomb(tmp_path), tmp_path / "out"
    outcome = hemozoin("train", data, "--out", out, *QUICK, "--allow-unreadable")
    assert outcome.code == 0
    bad = min(data.rglob("*.png"))
    assert f"skipped: {bad.relative_to(data)}" in outcome.err
    assert bad.stem not in (out / "split.csv").read_text()
    assert "1 pictures could not be read" in (out / "report.html").read_text()
    assert "1 pictures could not be read" in outcome.out


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--patients", "--labels", "--split"])
@pytest.mark.parametrize("content", [None, b"", b"\x00\xff\xfe", b"a,b\n1,2\n"])
def test_a_bad_csv(option: str, content: bytes | None, tmp_path: Path, cells_zip: Path) -> None:
    csv, out = tmp_path / "list.csv", tmp_path / "out"
    if content is not None:
        csv.write_bytes(content)
    assert "list.csv" in refused("train", cells_zip, "--out", out, *QUICK, option, csv)
    assert not out.exists()


def test_a_split_with_a_patient_in_two_parts(tmp_path: Path, finished_run: Path) -> None:
    lines = (finished_run / "split.csv").read_text().splitlines()
    at = next(k for k, line in enumerate(lines) if line.endswith(",test"))
    lines[at] = lines[at].replace(",test", ",train")
    split, data = tmp_path / "split.csv", finished_run.parent / "cells.zip"
    split.write_text("\n".join(lines))
    out = tmp_path / "out"
    assert "more than one part" in refused("train", data, "--out", out, *QUICK, "--split", split)
    assert not out.exists()


# ---- numbers and words -------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        ("--alpha", 0),
        ("--alpha", "nan"),
        ("--alpha", "wide"),
        ("--size", 31),
        ("--epochs", 0),
        ("--epochs", -1),
        ("--batch", 0),
        ("--batch", 1),
        ("--learning-rate", 0),
        ("--learning-rate", "inf"),
        ("--seed", -1),
        ("--sensitivity", 2),
        ("--sensitivity", 0),
        ("--specificity", 1),
        ("--sensitivity", 0.9, "--specificity", 0.9),
        ("--prevalence", 0),
        ("--prevalence", "nan"),
        ("--preset", "bogus"),
        ("--device", "abacus"),
        ("--on-correction", "ignore"),
        ("--bogus",),
        ("--split", "nowhere.csv"),
    ],
    ids=lambda options: " ".join(map(str, options)),
)
@pytest.mark.parametrize("verb", ["train", "crossval"])
def test_nonsense_options(
    verb: str, options: tuple[object, ...], tmp_path: Path, cells_zip: Path
) -> None:
    out = tmp_path / "out"
    refused(verb, cells_zip, "--out", out, *options)
    assert not out.exists()


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_does_not_exist(device: str, tmp_path: Path, cells_zip: Path) -> None:
    import torch  # noqa: PLC0415

    if getattr(torch, device).is_available():
        pytest.skip(f"there is {device} here")
    assert device in refused("train", cells_zip, "--out", tmp_path / "out", "--device", device)


@pytest.mark.parametrize("folds", [-1, 0, 1, 100])
def test_impossible_numbers_of_folds(folds: int, tmp_path: Path, cells_zip: Path) -> None:
    out = tmp_path / "out"
    refused("crossval", cells_zip, "--out", out, "--folds", folds)
    assert not out.exists()


@pytest.mark.slow
@pytest.mark.parametrize("prevalence", [0, 1, -3, "nan"])
def test_a_prevalence_outside_0_and_1(
    prevalence: object, tmp_path: Path, cells_zip: Path, finished_run: Path
) -> None:
    out, model = tmp_path / "out", finished_run / "model"
    line = refused(
        "evaluate", cells_zip, "--model", model, "--out", out, "--prevalence", prevalence
    )
    assert "prevalence" in line
    assert not out.exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ("trian",),
        ("train",),
        ("train", "DATA"),
        ("train", "--out", "OUT"),
        ("train", "--out"),
        ("train", "DATA", "MORE", "--out", "OUT"),
        ("train", "DATA", "--resume", "RUN"),
        ("train", "--resume", "RUN", "--epochs", 3),
        ("train", "--resume", "RUN", "--out", "OUT"),
        ("train", "--resume", "RUN", "--overwrite"),
        ("train", "--resume", "RUN", "--config", "RUN/config.json"),
        ("train", "DATA", "--config", "RUN/config.json", "--out", "OUT"),
        ("train", "--config", "RUN/config.json", "--out", "OUT", "--seed", 1),
        ("train", "--config", "RUN/config.json"),
        ("train", "--config", "nowhere.json", "--out", "OUT"),
        ("train", "--resume", "nowhere"),
        ("train", "--resume", "DATA"),
        ("evaluate", "DATA", "--model", "nowhere"),
        ("evaluate", "DATA", "--model", "RUN", "--precision", "int4"),
        ("evaluate", "DATA", "--model", "RUN", "--precision", "int8"),
        ("predict", "--model", "RUN/model"),
        ("predict", "DATA", "--model", "RUN", "--precision", "int8"),
        ("predict", "DATA", "nowhere.png", "--model", "RUN/model"),
        ("predict", "DATA", "--model", "RUN/model", "--out", "cells.xlsx"),
        ("predict", "DATA", "--model", "RUN/model", "--out", "cells.csv", "--json"),
        ("inspect",),
        ("crossval", "DATA"),
    ],
    ids=lambda command: " ".join(map(str, command)),
)
def test_nonsense_commands(
    command: tuple[object, ...],
    tmp_path: Path,
    cells_zip: Path,
    finished_run: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(finished_run, "RUN")
    cells_zip.rename("DATA")
    before = tree(tmp_path)
    refused(*command)
    assert tree(tmp_path) == before


# ---- model folders -----------------------------------------------------------------------------


def changed(name: str) -> Callable[[Path], object]:
    def change(model: Path) -> None:
        data = bytearray((model / name).read_bytes())
        data[len(data) // 2] ^= 1
        (model / name).write_bytes(data)

    return change


BAD_MODELS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no config": (lambda model: (model / "config.json").unlink(), "config.json is missing"),
    "no graph": (lambda model: (model / "model.onnx").unlink(), "model.onnx is missing"),
    "no checksums": (lambda model: (model / "SHA256SUMS").unlink(), "SHA256SUMS is missing"),
    "changed config": (changed("config.json"), "config.json: changed since"),
    "changed graph": (changed("model.onnx"), "model.onnx: changed since"),
    "changed guard": (changed("guard.safetensors"), "guard.safetensors: changed since"),
    "other weights": (
        lambda model: (model / "model.safetensors").write_bytes(b"\x08\x00ONNX junk" * 99),
        "model.safetensors: changed since",
    ),
}


@pytest.mark.parametrize("name", BAD_MODELS)
@pytest.mark.parametrize("verb", ["evaluate", "predict"])
def test_a_bad_model_folder(
    verb: str, name: str, tmp_path: Path, cells_zip: Path, finished_run: Path
) -> None:
    damage, message = BAD_MODELS[name]
    model, out = tmp_path / "model", tmp_path / "out"
    shutil.copytree(finished_run / "model", model)
    damage(model)
    assert message in refused(*VERBS[verb](cells_zip, out, model))
    assert not out.exists()


def test_the_folder_of_a_run_is_accepted_as_a_model_and_other_folders_are_not(
    tmp_path: Path, cells_zip: Path, finished_run: Path
) -> None:
    succeed(*VERBS["predict"](cells_zip, tmp_path / "out", finished_run))
    assert "RUN/model" in refused(*VERBS["predict"](cells_zip, tmp_path / "out", cells_zip))
    assert "RUN/model" in refused(*VERBS["predict"](cells_zip, tmp_path / "out", tmp_path))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[]",
        '{"data": "cells.zip"',
        '{"data": "x", "cells": null, "recipe": {}, "split": null}',
    ],
)
def test_a_config_that_is_not_of_a_run(content: str, tmp_path: Path) -> None:
    config, out = tmp_path / "config.json", tmp_path / "out"
    config.write_text(content)
    assert "config.json" in refused("train", "--config", config, "--out", out)
    assert "config.json" in refused("train", "--resume", tmp_path)
    assert not out.exists()


@pytest.mark.parametrize(
    "recipe",
    [
        {"optimizer": "sgd"},
        {"view": "x-ray"},
        {"augmentation": "some"},
        {"epochs": 2.5},
        {"epochs": "2"},
        {"size": None},
        {"batch": True},
        {"bogus": 1},
        {"orientations": 8},
    ],
    ids=str,
)
def test_a_config_with_an_invalid_recipe(
    recipe: dict[str, object], tmp_path: Path, finished_run: Path
) -> None:
    config, out = tmp_path / "config.json", tmp_path / "out"
    values = json.loads((finished_run / "config.json").read_text())
    config.write_text(json.dumps(values | {"recipe": values["recipe"] | recipe}))
    refused("train", "--config", config, "--out", out)
    assert not out.exists()


def test_a_config_with_an_invalid_choice(tmp_path: Path, finished_run: Path) -> None:
    config, out = tmp_path / "config.json", tmp_path / "out"
    values = json.loads((finished_run / "config.json").read_text())
    for wrong in ({"on_correction": "ignore"}, {"aim": {"kind": "speed", "at_least": 0.5}}):
        config.write_text(json.dumps(values | wrong))
        refused("train", "--config", config, "--out", out)
        assert not out.exists()


# ---- output folders ----------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("verb", NEED_ALL)
@pytest.mark.parametrize("what", ["a folder with a file", "a file", "below a file"])
def test_out_exists_already(
    verb: str, what: str, tmp_path: Path, cells_zip: Path, finished_run: Path
) -> None:
    out = tmp_path / "out"
    if what == "a folder with a file":
        out.mkdir()
        (out / "notes.txt").write_text("mine")
    else:
        out.write_text("mine")
    before = tree(tmp_path)
    path = out / "deeper" if what == "below a file" else out
    outcome = hemozoin(*VERBS[verb](cells_zip, path, finished_run / "model"))
    assert outcome.code == 2
    assert outcome.err.splitlines()[-1].startswith(f"hemozoin: {out}")
    assert tree(tmp_path) == before


def test_overwrite_does_not_remove_what_is_not_a_run(tmp_path: Path, cells_zip: Path) -> None:
    out = tmp_path / "out"
    (out / "model").mkdir(parents=True)
    for name in ("config.json", "report.html", "model/config.json"):
        (out / name).write_text('{"name": "somebody else\'s"}')
    before = tree(out)
    line = refused("train", cells_zip, "--out", out, *QUICK, "--overwrite")
    assert "nothing is removed" in line
    assert tree(out) == before


@pytest.mark.slow
def test_overwrite_removes_a_run_and_no_other_file(tmp_path: Path, finished_run: Path) -> None:
    out, data = tmp_path / "out", finished_run.parent / "cells.zip"
    shutil.copytree(finished_run, out)
    mine = ["notes.csv", "plot.html", "my.json", "model/mine.onnx", "fold1/config.json"]
    for name in mine:
        (out / name).parent.mkdir(exist_ok=True)
        (out / name).write_text("mine")
    (leftover := leftover_of(out / "results.csv")).write_text("left by a run that was killed")
    succeed("train", data, "--out", out, *QUICK, "--seed", 1, "--overwrite")
    assert all((out / name).read_text() == "mine" for name in mine)
    assert not leftover.exists()
    same, other = (folder / "model" / "model.safetensors" for folder in (finished_run, out))
    assert same.read_bytes() != other.read_bytes()
    assert json.loads((out / "config.json").read_text())["recipe"]["seed"] == 1


def test_bad_data_leave_the_run_that_was_to_be_overwritten(
    tmp_path: Path, finished_run: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(finished_run, out)
    before = tree(out)
    refused("train", not_a_zip(tmp_path), "--out", out, *QUICK, "--overwrite")
    refused("train", two_patients(tmp_path), "--out", out, *QUICK, "--overwrite")
    assert tree(out) == before


@pytest.mark.slow
def test_out_may_be_an_empty_folder(tmp_path: Path, cells_zip: Path, finished_run: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    succeed(*VERBS["evaluate"](cells_zip, out, finished_run / "model"))
    assert {file.name for file in out.iterdir()} == {
        "predictions.csv",
        "metrics.json",
        "report.html",
        "plots",
    }


def test_the_message_names_the_class_folders(tmp_path: Path) -> None:
    data = make_zip(tmp_path / "cells.zip", {"a/1.png": b"", "b/2.png": b""})
    line = refused("inspect", data, "--parasitized", "a", "--uninfected", "c")
    assert "a and c" in line
    assert "--uninfected" in line


# ---- names, pipes and devices --------------------------------------------------------------------


def test_a_name_of_60000_characters(tmp_path: Path) -> None:
    data = make_cells(tmp_path / "cells.zip", patients=3, per_class=2)
    with zipfile.ZipFile(data, "a") as archive:
        archive.writestr("Parasitized/" + "x" * 60_000 + ".png", b"no picture")
    succeed("inspect", data)
    with zipfile.ZipFile(data, "a") as archive:
        archive.writestr("../" + "x" * 60_000, b"no picture")
    assert refused("inspect", data).endswith("points outside the zip; don't trust this file\n")


@pytest.mark.parametrize("option", ["--patients", "--labels", "--split", "--config", "--init"])
@pytest.mark.parametrize("device", ["a pipe", "/dev/zero"])
def test_a_pipe_or_a_device_is_not_read(
    option: str, device: str, tmp_path: Path, cells_zip: Path
) -> None:
    """It would hang, or take all memory."""
    path = tmp_path / "other.safetensors"
    if device == "a pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(device)
    data = () if option == "--config" else (cells_zip, *QUICK)
    refused("train", *data, "--out", tmp_path / "out", option, path)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs names that are not UTF-8")
def test_names_of_folders_that_are_not_utf8(tmp_path: Path, cells_zip: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    data = cells_zip.rename(tmp_path / f"{name}.zip")
    run, tested = tmp_path / name / "run", tmp_path / name / "tested"
    succeed("train", data, "--out", run, *QUICK)
    (run / "model" / "SHA256SUMS").unlink()
    succeed("train", "--resume", run)
    succeed("evaluate", data, "--model", run, "--out", tested)
    assert "caf?.zip" in (tested / "report.html").read_text()
    succeed("predict", data, "--model", run)
    assert hemozoin("export", run, "--out", tmp_path / name / "model").code in (0, 2)


def test_a_file_where_a_folder_is_needed(tmp_path: Path, cells_zip: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    line = refused("predict", cells_zip, "--out", tmp_path / "mine" / "cells.csv")
    assert "mine: is a file, but a folder is needed; give another name" in line
    assert (tmp_path / "mine").read_text() == "mine"


def test_demo_draws_nothing_if_it_may_not_write(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    assert "is a file" in refused("demo", "--out", tmp_path / "mine")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.skipif(os.name != "posix", reason="a folder in use can't be removed")
def test_the_current_folder_was_removed(
    tmp_path: Path, cells_zip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    line = refused("predict", cells_zip, "--out", "out.csv")
    monkeypatch.chdir(tmp_path)
    assert "the current folder has been removed" in line
