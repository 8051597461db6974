"""Tables of predictions: written row by row, and complete or absent."""

from __future__ import annotations

import errno
import io
import json
import tracemalloc
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hemozoin.errors import MissingExtraError
from hemozoin.model import prediction_table
from hemozoin.model.prediction import Prediction
from hemozoin.model.prediction_table import (
    PARQUET,
    WRITERS,
    write_csv,
    write_json,
    write_json_lines,
    write_table,
)

GOOD = Prediction("a, b", "parasitized", "review", 0.25, "too close to call", "x/a, b.png")
BAD = Prediction("c", None, None, None, None, "x/c.png", "c.png: no picture")


def many(count: int) -> Iterator[Prediction]:
    values = ("uninfected", "uninfected", 0.25, None)
    return (Prediction(f"cell {k}", *values, f"cells/cell {k}.png") for k in range(count))


def test_csv() -> None:
    file = io.StringIO()
    write_csv([GOOD, BAD], file)
    assert file.getvalue() == (
        "cell,label,decision,p_parasitized,reason,file,error\n"
        '"a, b",parasitized,review,0.25,too close to call,"x/a, b.png",\n'
        "c,,,,,x/c.png,c.png: no picture\n"
    )


def test_json() -> None:
    file = io.StringIO()
    write_json([GOOD, BAD], file)
    good, bad = json.loads(file.getvalue())
    assert good == {
        "cell": "a, b",
        "label": "parasitized",
        "decision": "review",
        "p_parasitized": 0.25,
        "reason": "too close to call",
        "file": "x/a, b.png",
        "error": None,
    }
    assert bad["p_parasitized"] is None


def test_json_lines_are_written_one_by_one() -> None:
    file = io.StringIO()

    def watched() -> Iterator[Prediction]:
        yield GOOD
        assert json.loads(file.getvalue())["cell"] == "a, b"

    write_json_lines(watched(), file)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [*WRITERS, PARQUET])
def test_memory_does_not_grow_with_the_rows(suffix: str, tmp_path: Path) -> None:
    peaks = []
    for count in (10_000, 30_000):
        tracemalloc.start()
        write_table(many(count), tmp_path / f"out{suffix}")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 200_000


@pytest.mark.parametrize("suffix", [*WRITERS, PARQUET])
def test_a_full_disk_leaves_no_file(suffix: str, tmp_path: Path) -> None:
    def broken() -> Iterator[Prediction]:
        yield GOOD
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_table(broken(), tmp_path / f"out{suffix}")
    assert not list(tmp_path.iterdir())


def test_parquet_has_types_even_if_every_row_is_bad(tmp_path: Path) -> None:
    write_table([BAD, BAD], tmp_path / "out.parquet")
    table = pq.read_table(tmp_path / "out.parquet")
    assert table.schema.field("p_parasitized").type == pa.float64()
    assert table.schema.field("label").type == pa.string()
    assert table["error"].to_pylist() == [BAD.error] * 2


def test_parquet_has_the_rows_of_every_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction_table, "_ROW_GROUP", 3)
    write_table(many(7), tmp_path / "out.parquet")
    assert pq.ParquetFile(tmp_path / "out.parquet").num_row_groups == 3
    assert pq.read_table(tmp_path / "out.parquet").to_pylist() == [asdict(one) for one in many(7)]


def test_parquet_without_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction_table, "find_spec", lambda _: None)

    def never() -> Iterator[Prediction]:
        raise AssertionError("a prediction before the error")
        yield GOOD

    with pytest.raises(MissingExtraError, match=r"pip install 'hemozoin\[parquet\]'"):
        write_table(never(), tmp_path / "out.parquet")
    assert not list(tmp_path.iterdir())


def test_the_suffix_may_be_in_capitals(tmp_path: Path) -> None:
    write_table([GOOD], tmp_path / "OUT.CSV")
    assert (tmp_path / "OUT.CSV").read_text().startswith("cell,label")
