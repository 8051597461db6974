"""Model folders that somebody prepared, with a right SHA256SUMS: one ModelError, and at once."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hemozoin.arrays import NamedArrays
from hemozoin.errors import HemozoinError, ModelError
from hemozoin.model.bundle import CONFIG, GRAPH, INT8_GRAPH, OOD_DETECTOR, WEIGHTS
from hemozoin.model.checks.config import parse_config
from hemozoin.model.checksums import SUMS
from hemozoin.model.predictor import Predictor
from hemozoin.model.registry import Precision
from hemozoin.training.recipe import Recipe
from tests.conftest import draw_cell
from tests.support.bundles import some_cells
from tests.support.commands import refused, tree
from tests.support.hostile import (
    Files,
    loads_or_is_refused,
    refuse,
    refuses,
    require_short,
    valid_files,
    write_files,
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return valid_files(tmp_path_factory.mktemp("valid") / "model")


@pytest.fixture
def folder(tmp_path: Path, files: Files) -> Path:
    return write_files(tmp_path / "model", files)


# ---- config.json --------------------------------------------------------------------------------


def put(config: Any, place: str, value: object) -> bytes:
    """Return config.json with another value at a place such as "band.low"; KeyError for none."""
    changed = json.loads(json.dumps(config))
    *way, last = place.split(".")
    inner = changed
    for key in way:
        inner = inner[key]
    if value is KeyError:
        del inner[last]
    else:
        inner[last] = value
    return json.dumps(changed).encode()


NOT_NUMBERS = ["0.5", True, None, [0.5], {}, float("nan"), float("inf"), -float("inf"), 10**400]
SHARES = ["threshold.sensitivity", "threshold.specificity", "band.low", "band.high"]
SHARES += ["false_positives.rate", "false_positives.sd"]
INNER = ["threshold.value", "threshold.aim.at_least", "band.error_rate"]
COUNTS = ["false_positives.patients", "false_positives.cells"]
WORDS = ["view", "architecture.activation", "architecture.padding", "architecture.body"]

#: Place, value, and what the message says is allowed.
VALUES: list[tuple[str, Any, str]] = [
    *((place, value, "from 0 to 1") for place in SHARES for value in (*NOT_NUMBERS, -0.1, 1.1)),
    *((place, value, "above 0 and below 1") for place in INNER for value in (-1, 0, 1, "x", True)),
    *(
        (place, value, "whole number from 1")
        for place in COUNTS
        for value in (0, -1, 1.5, "9", 2**70)
    ),
    *(
        (place, value, " or ")
        for place in WORDS
        for value in ("x", None, 1, ["relu"], "x" * 10_000)
    ),
    *(("temperature", value, "from 0.05 to 20") for value in (*NOT_NUMBERS, 0, -1, 0.04, 21)),
    *(("architecture.alpha", value, "above 0, at most 4") for value in (*NOT_NUMBERS, 0, -1, 1e9)),
    *(("architecture.bn_epsilon", value, "at most 1") for value in (*NOT_NUMBERS, 0, -1, 2)),
    *(("architecture.classes", value, "needs 2") for value in (1, 3, 10**30, "2", 2.0, True, None)),
    *(("orientations", value, "from 1 to 4") for value in (0, 5, -1, 2.0, "2", True, None, 10**30)),
    *(("preprocessing.size", value, "from 32 to 1024") for value in (31, 1025, 0, "64", 64.0, 1e9)),
    *(("preprocessing.background", value, "from 0 to 254") for value in (-1, 255, "8", True)),
    *(("preprocessing.color", value, "text") for value in (1, None, "x" * 10_000)),
    *(("threshold.met", value, "true or false") for value in (1, 0, "true", None)),
    *(("threshold.aim.kind", value, "balanced or") for value in ("x", None, 1)),
    *(("classes", value, "uninfected and parasitized") for value in (["a", "b"], None, [], "ab")),
    *((place, [], "needs an object") for place in ["about"]),
    *(("about", value, "an object") for value in ("text", 1)),
    *((place, 3, "needs") for place in ("architecture", "preprocessing", "threshold", "band")),
    ("about", {"a": [[]] * 200_000}, "not nested too deeply"),
    ("about", {"a": json.loads("[" * 500 + "]" * 500)}, "not nested too deeply"),
    ("about", {"a": "\ud800"}, "needs an object"),
    ("threshold.aim", {"kind": "balanced", "at_least": 0.5}, "null for balanced"),
    ("threshold.aim", {"kind": "sensitivity", "at_least": None}, "a number otherwise"),
    ("band", {"low": 0.6, "high": 0.3, "error_rate": 0.03}, "low not above high"),
    (
        "false_positives",
        {"rate": 0.1, "sd": 0.1, "patients": 5, "cells": 4},
        "not more patients than cells",
    ),
    ("architecture.x" + "x" * 5000, 1, "is unknown"),
    ("threshold.x\n\x1b[31m", 1, "is unknown"),
]
KEYS = ["classes", "architecture", "view", "orientations", "preprocessing", "temperature"]
KEYS += ["threshold", "band", "about", *SHARES[:4], *INNER, "threshold.aim", "threshold.met"]
KEYS += ["architecture.alpha", "architecture.body", "preprocessing.size", "preprocessing.crop"]


@pytest.fixture(scope="module")
def config(files: Files) -> Any:
    values = json.loads(files[CONFIG])
    values["threshold"]["aim"] = {"kind": "sensitivity", "at_least": 0.9}
    return values | {
        "false_positives": {"rate": 0.01, "sd": 0.01, "patients": 9, "cells": 100},
    }


@pytest.mark.slow
def test_the_unchanged_config_is_accepted(folder: Path, files: Files, config: Any) -> None:
    write_files(folder, files | {CONFIG: json.dumps(config | {"a new key": 1}).encode()})
    assert Predictor.load(folder).bundle.review_band.low == 0.3
    del config["false_positives"]
    write_files(folder, files | {CONFIG: json.dumps(config).encode()})
    assert Predictor.load(folder).bundle.false_positive_rate is None
    config["false_positives"] = {"rate": 0.01, "sd": 0.01, "patients": 9, "cells": 100}


@pytest.mark.slow
def test_values_that_are_not_allowed(config: Any) -> None:
    """The message names the key and what is allowed."""
    for place, value, allowed in VALUES:
        key = place.partition(".x")[0]
        with refuses(rf"config\.json: .*{key}.*{allowed}"):
            parse_config(put(config, place, value), "config.json")


@pytest.mark.parametrize("key", KEYS)
def test_missing_keys(key: str, folder: Path, files: Files, config: Any) -> None:
    content = put(config, key, KeyError)
    refuse(folder, files | {CONFIG: content}, rf"config\.json: {key} is missing; needs ")


def test_other_steps_of_preprocessing(folder: Path, files: Files, config: Any) -> None:
    content = put(config, "preprocessing.crop", "to the middle")
    refuse(folder, files | {CONFIG: content}, "preprocessing in config.json: from another version")


FORMAT = '{"format": "hemozoin-model/2", '


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a": ' * 100_000,
        FORMAT + '"about": ' + "[" * 100_000 + "]" * 100_000 + "}",
        FORMAT + '"temperature": 1, "temperature": 2}',
        FORMAT + '"about": {"a": {"b": 1, "b": 2}}}',
        FORMAT + '"temperature": ' + "1" * 10_000 + "}",
        FORMAT,
        "\ufeff{}",
        "\x00",
        "nan",
    ],
    ids=lambda text: text[:20].replace("\x00", "zero"),
)
def test_text_that_is_no_config(text: str, folder: Path, files: Files) -> None:
    refuse(folder, files | {CONFIG: text.encode()}, r"config\.json: ")
    refuse(folder, files | {CONFIG: text.encode("utf-16")}, r"config\.json: ")


def test_a_network_too_large_for_any_machine(folder: Path, files: Files, config: Any) -> None:
    config = json.loads(put(config, "preprocessing.size", 1024))
    refuse(folder, files | {CONFIG: put(config, "architecture.alpha", 4)}, "too much work")


def test_a_recipe_that_could_not_be_loaded_is_refused_before_training() -> None:
    for wrong in ({"size": 1025}, {"alpha": 4.5}, {"size": 1024, "alpha": 4.0}):
        with pytest.raises(HemozoinError, match=r"to 1,024|at most|too much work"):
            Recipe(**wrong)
    Recipe(size=512, alpha=1.0)


def test_the_temperature_is_that_of_the_weights(folder: Path, files: Files, config: Any) -> None:
    refuse(folder, files | {CONFIG: put(config, "temperature", 1.71)}, "not that of model.safe")


# ---- files --------------------------------------------------------------------------------------


@contextmanager
def a_socket(path: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(path.parent)  # a socket's path has at most 108 bytes
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path.name)
            yield
    finally:
        os.chdir(before)


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS, OOD_DETECTOR, GRAPH, INT8_GRAPH, SUMS])
def test_only_regular_files_are_read(name: str, folder: Path) -> None:
    path = folder / name
    path.unlink()
    os.mkfifo(path)
    with refuses(f"{name}: not a regular file"):
        Predictor.load(folder)
    path.unlink()
    path.mkdir()
    with refuses(f"{name}: not a regular file"):
        Predictor.load(folder)
    path.rmdir()
    with a_socket(path), refuses(f"{name}: not a regular file"):
        Predictor.load(folder)
    path.unlink()
    for device in ("/dev/zero", "/dev/urandom", "/dev/tty"):
        path.symlink_to(device)
        with refuses(f"{name}: not a regular file"):
            Predictor.load(folder)
        path.unlink()
    path.symlink_to(path)
    with refuses(f"{name}: can't be read"):
        Predictor.load(folder)


def test_a_link_to_a_regular_file_is_read(folder: Path, tmp_path: Path) -> None:
    """Caches of downloaded models consist of links."""
    (folder / CONFIG).rename(tmp_path / "blob")
    (folder / CONFIG).symlink_to(tmp_path / "blob")
    Predictor.load(folder)


@pytest.mark.parametrize(
    ("name", "most"),
    [
        (CONFIG, 8_000_000),
        (SUMS, 64_000),
        (WEIGHTS, 512_000_000),
        (OOD_DETECTOR, 512_000_000),
        (GRAPH, 512_000_000),
        (INT8_GRAPH, 512_000_000),
        ("README.md", 1_000_000),
    ],
)
def test_large_and_empty_files_are_not_read(name: str, most: int, folder: Path) -> None:
    for size in (most + 1, 10**12, 0):
        with (folder / name).open("wb") as file:
            file.truncate(size)
        with refuses(f"{name}: has {size:,} bytes; needs 1 to {most:,}"):
            Predictor.load(folder)


def test_a_large_onnx_file_alone_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.onnx").open("wb") as file:
        file.truncate(10**12)
    with refuses("needs 1 to 512,000,000"):
        Predictor.load(tmp_path / "a.onnx")


LINE = f"{'0' * 64}  "


@pytest.mark.parametrize(
    "change",
    [
        lambda sums: sums * 100,
        lambda sums: sums + sums,
        lambda sums: sums + "".join(f"{LINE}{k}\n" for k in range(64)),
        lambda sums: f"{LINE}config\0.json\n",
        lambda sums: f"{LINE}config\x1b.json\n",
        lambda sums: f"{LINE}config\u202e.json\n",
        lambda sums: f"{LINE}..\n{sums}",
        lambda sums: f"{LINE}/etc/passwd\n",
        lambda sums: "\0" * 60_000,
        lambda sums: "\n" * 60_000,
        lambda sums: sums.upper(),
    ],
)
def test_sums_that_list_something_else(change: Callable[[str], str], folder: Path) -> None:
    (folder / SUMS).write_text(change((folder / SUMS).read_text()))
    with refuses(f"{SUMS}: damaged|model: not a regular|model/..: not a regular"):
        Predictor.load(folder)


def test_twenty_thousand_lines_are_refused_unread(folder: Path) -> None:
    (folder / SUMS).write_text((folder / SUMS).read_text() * 4000)
    with refuses(f"{SUMS}: has .* bytes; needs 1 to 64,000"):
        Predictor.load(folder)


# ---- arrays -------------------------------------------------------------------------------------


def saved(arrays: NamedArrays) -> bytes:
    return safetensors.numpy.save(arrays)


CONVOLUTION = "network.body.conv1.conv.weight"
VARIANCE = "network.body.depthwise3.norm.running_var"

#: What becomes of one array, its name, and the message.
ARRAYS: list[tuple[str, Callable[[Any], Any], str]] = [
    (CONVOLUTION, lambda a: None, "conv1.*is missing"),
    (CONVOLUTION, lambda a: a[:, :, :2], r"conv1.*needs? .*float32 \[8, 3, 3, 3\]|conv1"),
    (CONVOLUTION, lambda a: a.astype(np.float64), "conv1.conv.weight is float64"),
    (CONVOLUTION, lambda a: a.astype(np.float16), "conv1.conv.weight is float16"),
    (CONVOLUTION, lambda a: a * np.float32(np.nan), "not finite"),
    (CONVOLUTION, lambda a: a * np.float32(np.inf), "not finite"),
    (VARIANCE, lambda a: a * 0 + np.float32(np.inf), "not finite"),
    (VARIANCE, lambda a: a - 100, "below 0"),
    ("network.head.weight", lambda a: np.zeros((3, 256), np.float32), "head.weight is float32"),
    ("network.head.bias", lambda a: np.array([0, np.nan], np.float32), "not finite"),
    ("temperature", lambda a: np.zeros((), np.float32), "temperature is 0; needs one from 0.05"),
    ("temperature", lambda a: np.array(-1, np.float32), "temperature is -1; needs"),
    ("temperature", lambda a: np.array(np.nan, np.float32), "not finite"),
    ("temperature", lambda a: np.zeros(1, np.float32), "temperature is float32"),
    ("extra", lambda a: np.zeros(1, np.float32), '"extra" does not belong'),
    (VARIANCE, lambda a: a * 0 + np.float32(3e38), "running_var|not the weights of"),
    ("x\n" * 5000, lambda a: np.zeros(1, np.float32), "does not belong"),
]


@pytest.mark.parametrize(
    ("name", "change", "message"), ARRAYS, ids=[message for _, _, message in ARRAYS]
)
def test_other_weights(
    name: str, change: Callable[[Any], Any], message: str, folder: Path, files: Files
) -> None:
    arrays = safetensors.numpy.load(files[WEIGHTS])
    array = change(arrays.pop(name, None))
    content = saved(arrays if array is None else arrays | {name: array})
    refuse(folder, files | {WEIGHTS: content}, rf"model\.safetensors: .*{message}")


OPEN = np.full(12, -np.inf, np.float32), np.full(12, np.inf, np.float32)


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [
        (np.zeros(12), np.ones(12), "another version"),
        (np.zeros(11, np.float32), np.ones(11, np.float32), "another version"),
        (np.ones(12, np.float32), np.zeros(12, np.float32), "range of area is empty"),
        (np.full(12, np.nan, np.float32), OPEN[1], "range of area is empty or not a number"),
        (OPEN[0], np.full(12, np.nan, np.float32), "range of area is empty or not a number"),
        (OPEN[1], OPEN[1], "range of area is empty"),
        (OPEN[0], OPEN[0], "range of area is empty"),
    ],
)
def test_other_ranges(low: Any, high: Any, message: str, folder: Path, files: Files) -> None:
    refuse(folder, files | {OOD_DETECTOR: saved({"low": low, "high": high})}, message)


def test_open_ranges_are_allowed(folder: Path, files: Files) -> None:
    write_files(folder, files | {OOD_DETECTOR: saved({"low": OPEN[0], "high": OPEN[1]})})
    assert (
        not Predictor.load(folder)
        .bundle.ood_detector.is_out_of_distribution(some_cells(2, 32))
        .any()
    )


@pytest.mark.parametrize("name", [WEIGHTS, OOD_DETECTOR])
@pytest.mark.parametrize(
    "content",
    [
        b"junk",
        b"\xff" * 100,
        (2**40).to_bytes(8, "little") + b"{",
        (100_000).to_bytes(8, "little") + b"[" * 100_000,
        (2).to_bytes(8, "little") + b"{}",
        (70).to_bytes(8, "little")
        + b'{"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}'.ljust(70)
        + b"1",
        (80).to_bytes(8, "little")
        + b'{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}'.ljust(80),
    ],
    ids=["text", "bytes", "long header", "deep header", "empty", "8 bits", "overflow"],
)
def test_damaged_arrays(name: str, content: bytes, folder: Path, files: Files) -> None:
    refuse(folder, files | {name: content}, "safetensors: ")


def test_a_list_of_millions_of_arrays(folder: Path, files: Files) -> None:
    entries = ",".join(
        f'"{k}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}' for k in range(300_000)
    )
    header = f"{{{entries}}}".encode()
    content = len(header).to_bytes(8, "little") + header
    refuse(folder, files | {WEIGHTS: content}, "damaged, or not a safetensors file")


# ---- the command line, and chance ---------------------------------------------------------------


@pytest.mark.parametrize("verb", ["predict", "screen", "evaluate", "export"])
def test_the_command_line_prints_one_line(
    verb: str, folder: Path, files: Files, config: Any
) -> None:
    cell = folder.parent / "cell.png"
    draw_cell(np.random.default_rng(0), infected=False).save(cell)
    write_files(folder, files | {CONFIG: put(config, "band.low", float("nan"))})
    arguments = [folder] if verb == "export" else [cell, "--model", folder]
    line = refused(
        verb, *arguments, *(["--out", folder.parent / "out"] if verb != "predict" else [])
    )
    assert "band.low is NaN; needs a number from 0 to 1" in line


VALUE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([0, 1, 2, 4, 32, 0.5, 10**400, "density", "rgb", "relu", "same", "full"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


def places(value: object, way: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(value, dict):
        return [way]
    return [way, *(place for key in value for place in places(value[key], (*way, key)))]


@pytest.mark.slow
def test_five_hundred_changed_configs(tmp_path: Path, files: Files, config: Any) -> None:
    all_places = [place for place in places(config) if place]

    @settings(
        max_examples=500, deadline=None, derandomize=True, suppress_health_check=[*HealthCheck]
    )
    @given(
        place=st.sampled_from(all_places), value=VALUE, what=st.sampled_from(["set", "add", "drop"])
    )
    def check(place: tuple[str, ...], value: object, what: str) -> None:
        changed = json.loads(json.dumps(config))
        inner = changed
        for key in place[:-1]:
            inner = inner[key]
        if what == "drop":
            del inner[place[-1]]
        else:
            inner[place[-1] + ("x" if what == "add" else "")] = value
        loads_or_is_refused(tmp_path / "model", files | {CONFIG: json.dumps(changed).encode()})

    check()


@pytest.mark.slow
@pytest.mark.parametrize("name", [CONFIG, WEIGHTS, OOD_DETECTOR, GRAPH, INT8_GRAPH, "README.md"])
def test_a_hundred_changes_of_bytes(name: str, tmp_path: Path, files: Files) -> None:
    rng = np.random.default_rng(0)
    precision: Precision = "int8" if name == INT8_GRAPH else "fp32"
    outcomes = []
    for number in range(100):
        content = np.frombuffer(files[name], np.uint8).copy()
        start = 0 if number % 2 else max(0, len(content) - 9000)  # structure, then arrays
        end = len(content) if number % 3 else min(len(content), start + 9000)
        where = rng.integers(start, end, rng.integers(1, 5))
        content[where] = rng.integers(0, 256, len(where))
        outcomes.append(
            loads_or_is_refused(tmp_path / "model", files | {name: content.tobytes()}, precision)
        )
    assert len(outcomes) == 100


def test_three_hundred_changes_of_the_sums(folder: Path, files: Files) -> None:
    """None of them loads: the sums of the other files are not made anew."""
    rng, content = np.random.default_rng(0), (folder / SUMS).read_bytes()
    for _ in range(300):
        changed = np.frombuffer(content, np.uint8).copy()
        changed[rng.integers(0, len(content), 3)] ^= rng.integers(1, 256, 3, dtype=np.uint8)
        (folder / SUMS).write_bytes(changed.tobytes())
        with pytest.raises(ModelError) as caught:
            Predictor.load(folder)
        require_short(caught.value)


def test_a_refused_folder_is_not_changed(folder: Path, files: Files, config: Any) -> None:
    write_files(folder, files | {CONFIG: put(config, "view", "x")})
    before = tree(folder)
    with refuses("view"):
        Predictor.load(folder)
    assert tree(folder) == before
