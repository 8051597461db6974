"""The paper's experiments on cells: rows that are reproducible, counts as in the paper."""

from __future__ import annotations

import math
import re
import shutil
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

from hemozoin.errors import HemozoinError, RunError
from hemozoin.mobilenet.architecture import Architecture, Body
from hemozoin.mobilenet.network import MobileNet
from hemozoin.paper.sweep.grid import TABLES, Grid, SweepNetwork, read_numbers, read_tables
from hemozoin.paper.sweep.plots import COSTS, draw
from hemozoin.paper.sweep.rows import COLUMNS, SweepRow, read_rows, write_rows
from hemozoin.paper.sweep.sweep import Sweep
from hemozoin.paper.sweep.tables import markdown, points_per_doubling
from hemozoin.paper.tables import paper_tables
from hemozoin.training.runs import start as starting
from hemozoin.training.runs.config import RunConfig
from hemozoin.training.runs.folder import RunFolder
from tests.conftest import make_cells
from tests.support.commands import hemozoin, leftover_of, refused, start, succeed, tree
from tests.support.tables import read_columns_of

#: The two smallest networks, one epoch each.
OPTIONS = ("--epochs", 1, "--size", 32, "--alphas", 0.25, "--sizes", 32)
TWO = (*OPTIONS, "--tables", 4)


def cells_and_command(folder: Path, *options: object) -> tuple[object, ...]:
    return ("sweep", folder / "cells.zip", "--out", folder / "out", *(options or TWO))


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished sweep: `cells.zip`, `out`, and its output `shown.txt`."""
    folder = tmp_path_factory.mktemp("sweep")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEMOZOIN_CACHE", str(folder / "cache"))
        make_cells(folder / "cells.zip", patients=16, per_class=2)
        shown = succeed(*cells_and_command(folder, *TWO, "--seeds", 2))
    (folder / "shown.txt").write_text(shown)
    return folder


@pytest.fixture
def mine(swept: Path, tmp_path: Path) -> Path:
    """A copy of its `out` that a test may change."""
    return shutil.copytree(swept / "out", tmp_path / "mine")


def without_times(row: SweepRow) -> str:
    """Return a row as text: an interval of few patients is not a number, which equals nothing."""
    return repr(replace(row, training_seconds=0.0, latency_ms=0.0))


def some_row(network: SweepNetwork, seed: int = 0, **changes: object) -> SweepRow:
    cost = network.cost()
    row = SweepRow(
        "6", network.name, network.alpha, network.size, network.body, seed, 4,
        cost.mult_adds, cost.parameters, 0.95, 0.9, 1.0, 0.99, 0.98, 1.0, 300, 20,
        10.0, 0.5, 1, 2, "x86_64", "2.13.0", "0.2.0",
    )  # fmt: skip
    return replace(row, **changes)  # type: ignore[arg-type]


# ---- the rows ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_columns(swept: Path) -> None:
    header = (swept / "out" / "sweep.csv").read_text().splitlines()[0]
    assert header == ",".join(COLUMNS)
    assert header.startswith(
        "tables,network,alpha,size,body,seed,epochs,mult_adds,parameters,accuracy,accuracy_low,"
        "accuracy_high,auc,auc_low,auc_high,cells,patients,training_seconds,latency_ms"
    )


@pytest.mark.slow
def test_every_network_once_for_each_seed(swept: Path) -> None:
    rows = read_rows(swept / "out" / "sweep.csv")
    names = ("Conv 0.25 MobileNet-32", "0.25 MobileNet-32")
    assert [row.key for row in rows] == [(name, seed) for seed in (0, 1) for name in names]
    assert {row.network: row.tables for row in rows} == dict(
        zip(names, ("4", "4 6 7"), strict=True)
    )
    assert all(row.training_seconds > 0 < row.latency_ms for row in rows)


@pytest.mark.slow
def test_counts_are_those_of_the_network_that_was_trained(swept: Path) -> None:
    for row in read_rows(swept / "out" / "sweep.csv"):
        body: Body = "full" if row.body == "full" else "separable"
        network = MobileNet(Architecture(row.alpha, classes=2, body=body))
        assert row.parameters == sum(parameter.numel() for parameter in network.parameters())
        assert row.mult_adds == counted_by_hooks(network, row.size)
        name = f"{row.network.replace(' ', '-')}-seed{row.seed}"
        trained = swept / "out" / "runs" / name / "model" / "model.safetensors"
        assert trained.stat().st_size > 4 * row.parameters


def counted_by_hooks(network: MobileNet, size: int) -> int:
    """Count mult-adds from the outputs of the layers in a forward pass."""
    total = 0

    def count(layer: torch.nn.Module, _: object, out: torch.Tensor) -> None:
        nonlocal total
        weight = layer.weight
        assert isinstance(weight, torch.Tensor)
        positions = out.shape[2] * out.shape[3] if out.ndim == 4 else 1
        total += weight.numel() * positions

    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
            layer.register_forward_hook(count)
    with torch.inference_mode():
        network.eval()(torch.zeros(1, 3, size, size))
    return total


@pytest.mark.slow
def test_networks_of_a_seed_are_tested_on_the_same_patients(swept: Path) -> None:
    splits = {path.parent.name: path.read_bytes() for path in swept.rglob("split.csv")}
    assert len(splits) == 4
    assert splits["0.25-MobileNet-32-seed0"] == splits["Conv-0.25-MobileNet-32-seed0"]
    assert splits["0.25-MobileNet-32-seed1"] == splits["Conv-0.25-MobileNet-32-seed1"]
    assert splits["0.25-MobileNet-32-seed0"] != splits["0.25-MobileNet-32-seed1"]


@pytest.mark.slow
def test_the_metrics_of_a_row_are_those_of_its_predictions(swept: Path) -> None:
    for row in read_rows(swept / "out" / "sweep.csv"):
        run = swept / "out" / "runs" / f"{row.network.replace(' ', '-')}-seed{row.seed}"
        cells = read_columns_of(run / "predictions.csv")
        p = np.array(cells["p_parasitized"], float)
        truth = np.array(cells["label"]) == "parasitized"
        # The file has rounded numbers; if two differ by less, the larger one is not known.
        gaps = [a - b for a in p[truth] for b in p[~truth]]
        least = sum(gap > 2e-6 for gap in gaps) / len(gaps)
        most = sum(gap > -2e-6 for gap in gaps) / len(gaps)
        assert least - 1e-6 <= row.auc <= most + 1e-6
        assert row.auc == pytest.approx(RunFolder(run).test_metrics()["roc_auc"], abs=1e-9)
        assert row.cells == len(p)
        assert row.patients == len({*cells["patient"]})


def test_csv_is_written_and_read(tmp_path: Path) -> None:
    rows = [
        some_row(SweepNetwork(0.5, 64), accuracy_low=1 / 3),
        some_row(SweepNetwork(1.0, 33, "full"), 7),
    ]
    write_rows(tmp_path / "a.csv", rows)
    assert read_rows(tmp_path / "a.csv") == rows
    assert read_rows(tmp_path / "none.csv") == []


BAD_CELLS = {
    "alpha": ("x", "nan", "inf", "-1", "0.25"),
    "size": ("32.0", "31", "1e9", ""),
    "body": ("narrow", ""),
    "network": ("", "1.0 MobileNet-96"),
    "seed": ("0.5", "one", "9" * 5000),
    "mult_adds": ("0", "-1", "12345"),
    "parameters": ("0", "x"),
    "accuracy": ("x", "", "-0.1", "95", "inf"),
    "auc_high": ("1.5",),
    "cells": ("nan",),
    "training_seconds": ("nan", "-1", "inf"),
    "latency_ms": ("nan", "x" * 200_000, "\0"),
}


@pytest.mark.parametrize(
    ("column", "value"),
    [(column, value) for column, values in BAD_CELLS.items() for value in values],
    ids=lambda value: value[:20].replace("\0", "NUL"),
)
def test_rows_with_wrong_values(column: str, value: str, tmp_path: Path) -> None:
    path = tmp_path / "sweep.csv"
    write_rows(path, [some_row(SweepNetwork(1.0, 64))])
    header, row = path.read_text().splitlines()
    values = row.split(",")
    values[COLUMNS.index(column)] = value
    path.write_text(f"{header}\n{row}\n{','.join(values)}\n")
    with pytest.raises(
        RunError, match=r"sweep\.csv: not written by this version, or damaged"
    ) as info:
        read_rows(path)
    assert "the same command makes it again" in str(info.value)
    assert len(str(info.value)) < 400


def test_undefined_metrics_are_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "sweep.csv"
    write_rows(path, [some_row(SweepNetwork(1.0, 64), auc=math.nan)])
    assert math.isnan(read_rows(path)[0].auc)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"tables\0", b"\n", b'"'])
def test_a_file_that_is_no_csv(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "sweep.csv").write_bytes(content)
    with pytest.raises(RunError, match=r"sweep\.csv: not written by this version"):
        read_rows(tmp_path / "sweep.csv")


@pytest.mark.slow
@pytest.mark.parametrize("content", [b"", b"\x00\xff", b"[" * 100_000, b"{}"])
def test_a_damaged_sweep_json(content: bytes, mine: Path, swept: Path) -> None:
    (mine / "sweep.json").write_bytes(content)
    before = tree(mine)
    line = refused("sweep", swept / "cells.zip", "--out", mine, *TWO)
    assert "sweep.json is damaged; give another --out" in line
    assert tree(mine) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "content"),
    [
        *(("metrics.json", content) for content in ("", "[" * 100_000, "[]", "{}")),
        ("metrics.json", '{"labels_as_given": {"accuracy": 3}}'),
        *(("results.csv", content) for content in ("", "epoch\n1\n", "epoch,seconds\n1,x\n")),
    ],
    ids=lambda value: value[:40],
)
def test_a_run_without_a_row_that_is_damaged(
    name: str, content: str, mine: Path, swept: Path
) -> None:
    rows = read_rows(mine / "sweep.csv")
    write_rows(mine / "sweep.csv", rows[:-1])
    run = mine / "runs" / "0.25-MobileNet-32-seed1"
    (run / name).write_text(content)
    command = ("sweep", swept / "cells.zip", "--out", mine, *TWO, "--seeds", 2)
    line = hemozoin(*command).err.splitlines()[-1]
    assert f"{run}: metrics.json or results.csv is damaged" in line
    assert f"hemozoin train --resume {run}" in line
    succeed("train", "--resume", run)
    succeed(*command)
    assert without_times(read_rows(mine / "sweep.csv")[-1]) == without_times(rows[-1])


@pytest.mark.slow
@pytest.mark.parametrize("spoil", [lambda s: s[:-40], lambda s: s.replace("alpha", "a"), str.upper])
def test_another_csv_is_refused(spoil: object, mine: Path, swept: Path) -> None:
    file = mine / "sweep.csv"
    file.write_text(spoil(file.read_text()))  # type: ignore[operator]
    before = tree(mine)
    assert "sweep.csv: not written by this version" in refused(
        "sweep", swept / "cells.zip", "--out", mine, *TWO
    )
    assert tree(mine) == before


# ---- the same command again ----------------------------------------------------------------------


@pytest.mark.slow
def test_a_finished_sweep_only_shows_its_result(swept: Path) -> None:
    before = tree(swept / "out")
    outcome = hemozoin(*cells_and_command(swept, *TWO, "--seeds", 2))
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == (swept / "shown.txt").read_text()
    assert tree(swept / "out") == before
    assert outcome.out.rstrip("\n") == (swept / "out" / "tables.md").read_text().rstrip("\n")


@pytest.mark.slow
def test_a_repeated_run_gives_the_same_row(swept: Path, mine: Path) -> None:
    """Its row and its run folder were deleted, as a person would do to check it."""
    rows = read_rows(mine / "sweep.csv")
    write_rows(mine / "sweep.csv", [rows[0], *rows[2:]])
    shutil.rmtree(mine / "runs" / "0.25-MobileNet-32-seed0")
    succeed("sweep", swept / "cells.zip", "--out", mine, *TWO, "--seeds", 2)
    again = read_rows(mine / "sweep.csv")
    assert repr(again[:3]) == repr([rows[0], *rows[2:]])
    assert without_times(again[3]) == without_times(rows[1])
    weights = "runs/0.25-MobileNet-32-seed0/model/model.safetensors"
    assert (mine / weights).read_bytes() == (swept / "out" / weights).read_bytes()


@pytest.mark.slow
def test_a_run_without_its_row_is_not_trained_again(
    swept: Path, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweep was killed after the run's last file and before its row."""
    rows = read_rows(mine / "sweep.csv")
    write_rows(mine / "sweep.csv", rows[:-1])
    monkeypatch.delattr(starting, "new")
    monkeypatch.delattr(starting, "resume")
    succeed("sweep", swept / "cells.zip", "--out", mine, *TWO, "--seeds", 2)
    again = read_rows(mine / "sweep.csv")
    assert repr(replace(again[-1], latency_ms=0)) == repr(replace(rows[-1], latency_ms=0))


@pytest.mark.slow
def test_killed_while_the_runs_first_file_was_written(swept: Path, mine: Path) -> None:
    rows = read_rows(mine / "sweep.csv")
    write_rows(mine / "sweep.csv", rows[:-1])
    run = mine / "runs" / "0.25-MobileNet-32-seed1"
    shutil.rmtree(run)
    run.mkdir()
    leftover_of(run / "config.json").write_text("{")
    succeed("sweep", swept / "cells.zip", "--out", mine, *TWO, "--seeds", 2)
    assert without_times(read_rows(mine / "sweep.csv")[-1]) == without_times(rows[-1])
    assert not list(run.glob("*.partial"))


@pytest.mark.slow
def test_ctrl_c_keeps_the_rows(
    swept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    mine = tmp_path / "mine"
    with monkeypatch.context() as patch:
        patch.setattr(starting, "new", interrupt)
        command = ("sweep", swept / "cells.zip", "--out", mine, *TWO)
        assert hemozoin(*command).code == 130
    assert [path.name for path in mine.iterdir()] == ["sweep.json"]


@pytest.mark.slow
def test_a_killed_sweep_loses_only_the_current_run(swept: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    command = ("sweep", swept / "cells.zip", "--out", mine, *TWO, "--seeds", 2)
    with start(*command) as process:
        patience = time.monotonic() + 60
        while not (mine / "sweep.csv").exists() and time.monotonic() < patience:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    done = (mine / "sweep.csv").read_text()
    assert 1 <= len(read_rows(mine / "sweep.csv")) < 4
    succeed(*command)
    assert (mine / "sweep.csv").read_text().startswith(done)
    keys = [row.key for row in read_rows(mine / "sweep.csv")]
    assert keys == [row.key for row in read_rows(swept / "out" / "sweep.csv")]


@pytest.mark.slow
@pytest.mark.parametrize(
    "other",
    [
        ("--epochs", 2),
        ("--alpha", 0.3),
        ("--size", 33),
        ("--alphas", "0.25,0.5"),
        ("--sizes", "48,32"),
        ("--allow-unreadable",),
    ],
    ids=str,
)
def test_other_options_are_another_sweep(other: tuple[object, ...], swept: Path) -> None:
    before = tree(swept / "out")
    same = [pair for pair in zip(TWO[::2], TWO[1::2], strict=True) if pair[0] != other[0]]
    line = refused(*cells_and_command(swept, *sum(same, ()), *other))
    assert "other cells or options" in line
    assert tree(swept / "out") == before


@pytest.mark.slow
def test_other_cells_are_another_sweep(swept: Path, mine: Path, tmp_path: Path) -> None:
    """Cells with the same names and sizes are other cells if one picture has other content."""
    data = shutil.copy(swept / "cells.zip", tmp_path / "cells.zip")
    assert "other cells or options" in refused("sweep", data, "--out", mine, *TWO)
    before = tree(mine)
    record = (mine / "sweep.json").read_text()
    (mine / "sweep.json").write_text(re.sub('"digest": "..', '"digest": "', record))
    assert "other cells" in refused("sweep", swept / "cells.zip", "--out", mine, *TWO)
    assert set(tree(mine)) == set(before)


@pytest.mark.slow
def test_a_folder_with_other_files(swept: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    line = refused("sweep", swept / "cells.zip", "--out", tmp_path, *TWO)
    assert "not an empty folder" in line
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


# ---- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--seeds", 0), "seeds is 0; give a whole number from 1 to 1,000"),
        (("--seeds", "two"), "seeds"),
        (("--epochs", 0), "epochs is 0; give a whole number from 1 to 10,000"),
        (("--tables", 3), "tables 3: can't be repeated on cells; give some of 4, 5, 6 and 7"),
        (("--tables", "4,eight"), "tables '4,eight': not numbers"),
        (("--alpha", 0), "alpha is 0.0; give a number above 0, at most 4"),
        (("--alphas", "1,-0.5"), "alpha is -0.5; give a number above 0"),
        (("--alphas", "1,nan"), "alpha is nan; give a number above 0"),
        (("--alphas", "1;2"), "alphas '1;2': not numbers with commas"),
        (("--size", 31), "size is 31; give a whole number from 32 to 1,024"),
        (("--sizes", "64,16"), "size is 16; give a whole number from 32 to 1,024"),
        (("--sizes", "64.5"), "sizes '64.5': not numbers"),
        (("--device", "abacus"), "abacus"),
    ],
    ids=str,
)
def test_bad_options(
    options: tuple[object, ...], says: str, tmp_path: Path, cells_zip: Path
) -> None:
    assert says in refused("sweep", cells_zip, "--out", tmp_path / "out", *options)
    assert not (tmp_path / "out").exists()


def test_no_cells(tmp_path: Path) -> None:
    assert "nowhere: No such file" in refused("sweep", tmp_path / "nowhere", "--out", tmp_path)


def test_too_few_patients_leave_only_the_plan(tmp_path: Path) -> None:
    data = make_cells(tmp_path / "cells.zip", patients=2)
    outcome = hemozoin("sweep", data, "--out", tmp_path / "out", *TWO)
    assert outcome.code == 2
    assert "2 patients: at least 3" in outcome.err.splitlines()[-1]
    assert [path.name for path in (tmp_path / "out").rglob("*")] == ["sweep.json"]


def test_under_torchrun_it_is_refused(
    tmp_path: Path, cells_zip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert "without torchrun" in refused("sweep", cells_zip, "--out", tmp_path / "out", *TWO)
    assert not (tmp_path / "out").exists()


def test_without_torch_it_says_how_to_install_it(
    tmp_path: Path, cells_zip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert "pip install 'hemozoin[train]'" in refused("sweep", cells_zip, "--out", tmp_path / "x")


# ---- the grid ------------------------------------------------------------------------------------


def test_the_grid_of_the_paper_is_the_papers() -> None:
    """At α = 1 and 224 px the four tables have the paper's networks and its mult-adds."""
    grid = Grid(1.0, 224, (1.0, 0.75, 0.5, 0.25), (224, 192, 160, 128))
    for table in paper_tables():
        if table.number in TABLES:
            printed = [float(row.entries[1].printed) for row in table.rows]
            counted = [network.cost().mult_adds / 1e6 for network in grid.table(table.number)]
            assert counted == pytest.approx(printed, abs=1.5)  # 998 classes fewer


def test_a_network_is_run_once_and_stands_in_all_its_tables() -> None:
    grid = Grid()
    networks = grid.networks(tuple(TABLES))
    assert len(networks) == len(set(networks)) == 10
    assert grid.tables_of(SweepNetwork(0.25, 64)) == (4, 6, 7)
    assert grid.tables_of(SweepNetwork(0.1875, 64)) == (5,)
    assert grid.tables_of(SweepNetwork(0.3, 64)) == ()
    assert len({network.name for network in networks}) == 10


def test_runs_come_seed_by_seed() -> None:
    runs = Sweep(RunConfig(Path()), Grid(), (4, 5), seeds=2).runs()
    assert [seed for _, seed in runs] == [0] * 4 + [1] * 4
    assert runs[0][0].body == "full"


def test_numbers_with_commas() -> None:
    assert read_tables("7,4,7") == (7, 4)
    assert read_numbers("1, .5", "alphas", float) == (1.0, 0.5)
    for wrong in ("", ",", "4,", "x", "4.0", "1e400"):
        with pytest.raises(HemozoinError, match="not numbers"):
            read_numbers(wrong, "tables", int)


def test_all_networks_of_the_grid_are_checked_whatever_the_tables() -> None:
    with pytest.raises(HemozoinError, match="size is 8"):
        Sweep(RunConfig(Path()), Grid(sizes=(8,)), tables=(4,))


# ---- tables and plots ----------------------------------------------------------------------------


def test_points_per_doubling_are_the_slope() -> None:
    small, large = SweepNetwork(0.25, 64), SweepNetwork(1.0, 64)
    times = large.cost().mult_adds / small.cost().mult_adds
    rows = [
        some_row(large, 0, accuracy=0.96),
        some_row(small, 0, accuracy=0.94),
        some_row(large, 1, accuracy=0.90),
        some_row(small, 1, accuracy=0.90),
        some_row(small, 2, accuracy=0.10),  # alone in its seed: no slope
    ]
    assert points_per_doubling(rows) == pytest.approx([2 / math.log2(times), 0])


def test_tables_have_mean_standard_deviation_and_difference() -> None:
    large, small = SweepNetwork(1.0, 64), SweepNetwork(0.25, 64)
    rows = [
        some_row(small, 0, accuracy=0.93, tables="6 7"),
        some_row(large, 0, accuracy=0.96),
        some_row(large, 1, accuracy=0.92),
        some_row(small, 1, accuracy=0.91, tables="6 7"),
    ]
    text = markdown(rows)
    assert "Table 4" not in text
    table = text.split("**Table 7")[0].splitlines()
    first, second = (line for line in table if line.startswith(("| 1.0 M", "| 0.25 M")))
    assert first.startswith("| 1.0 MobileNet-64 | 2 | 94.00 ± 2.83 |  | 0.9900 ± 0.0000 |")
    assert second.startswith("| 0.25 MobileNet-64 | 2 | 92.00 ± 1.41 | -2.00 ± 1.41 |")
    assert "1.0 MobileNet-224 70.6 % at 569 million" in text


def test_times_are_medians_and_zero_has_no_minus() -> None:
    large, small = SweepNetwork(1.0, 64), SweepNetwork(0.25, 64)
    times = ((10.0, 0.51), (30.0, 0.52), (500.0, 9.0))  # one while the machine was busy
    rows = [
        some_row(network, seed, training_seconds=seconds, latency_ms=latency, accuracy=accuracy)
        for seed, (seconds, latency) in enumerate(times)
        for network, accuracy in ((large, 0.95), (small, 0.95 - 1e-6))
    ]
    line = markdown(rows).splitlines()[5]
    assert line.startswith("| 0.25 MobileNet-64 | 3 | 95.00 ± 0.00 | +0.00 ± 0.00 |")
    assert line.endswith("| 30 (10 to 500) | 0.52 (0.51 to 9.00) |")


def test_one_seed_has_no_standard_deviation() -> None:
    text = markdown([some_row(SweepNetwork(1.0, 64)), some_row(SweepNetwork(0.5, 64))])
    assert "| 1.0 MobileNet-64 | 1 | 95.00 |  | 0.9900 |" in text
    assert "±" not in text


@pytest.mark.slow
@pytest.mark.parametrize("cost", COSTS)
def test_plots_are_valid_and_the_same_every_time(cost: str, swept: Path) -> None:
    rows = [*read_rows(swept / "out" / "sweep.csv"), some_row(SweepNetwork(1.0, 64))]
    drawn = draw(rows, cost)  # type: ignore[arg-type]
    assert drawn == draw(rows, cost)  # type: ignore[arg-type]
    words = " ".join(ElementTree.fromstring(drawn).itertext())
    for word in (COSTS[cost], "Accuracy on test patients, %", "full convolutions", "α 1"):  # type: ignore[index]
        assert word in words
    assert (swept / "out" / f"{cost}.svg").stat().st_size > 1000


@pytest.mark.parametrize("cost", COSTS)
def test_plots_in_the_docs_show_the_results(cost: str) -> None:
    """Texts are compared, since the exact bytes depend on matplotlib's version."""
    root = Path(__file__).parents[2]
    rows = read_rows(root / "benchmarks" / "results" / "sweep.csv")
    kept = (root / "docs" / f"sweep_{cost}.svg").read_text(encoding="utf-8")
    old, new = (ElementTree.fromstring(text) for text in (kept, draw(rows, cost)))  # type: ignore[arg-type]
    assert " ".join(old.itertext()).split() == " ".join(new.itertext()).split()
    assert len({row.seed for row in rows}) >= 3
    for row in rows:  # the counts in the results are those of the current code
        counted = SweepNetwork(row.alpha, row.size, row.body).cost()  # type: ignore[arg-type]
        assert (row.mult_adds, row.parameters) == (counted.mult_adds, counted.parameters)


def test_rows_of_another_version(tmp_path: Path) -> None:
    (tmp_path / "sweep.csv").write_text("tables,network\n4,x\n")
    with pytest.raises(RunError, match="other columns"):
        read_rows(tmp_path / "sweep.csv")
