from __future__ import annotations

from pathlib import Path

import pytest

from hemozoin.csv_files import csv_line, read_csv
from hemozoin.errors import DataError


def test_rows_without_empty_rows_and_spaces(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(b'\xef\xbb\xbfcell , label\r\n\r\n,,\r\n a,"1,\n2" \r\nb\r\n')
    assert read_csv(path) == [["cell", "label"], ["a", "1,\n2"], ["b"]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"not a readable CSV \(No such file"),
        (b"", "an empty file"),
        (b"\n,,\n", "an empty file"),
        (b"a\xff", "not a readable CSV"),
    ],
)
def test_a_file_without_rows(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "list.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=f"list.csv: {message}"):
        read_csv(path)


def test_a_line_is_read_as_it_was_written(tmp_path: Path) -> None:
    values = ["a", "b,c", 'd"e', "f\rg", "h\ni", ""]
    line = csv_line([*values, None, 0.5])
    assert line.endswith("0.5\n")
    assert "\r\n" not in line
    (tmp_path / "line.csv").write_bytes(line.encode())
    assert read_csv(tmp_path / "line.csv") == [[*values, "", "0.5"]]
