from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemozoin.csv_files import csv_line, csv_lines, csv_table, read_csv, read_csv_table
from hemozoin.errors import DataError
from tests.conftest import make_zip


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


def test_lines_are_those_of_each_row() -> None:
    rows: list[list[object]] = [["=1+1", None, 0.5], ["a,b", 'c"d', "e\rf"], []]
    assert csv_lines(iter(rows)) == "".join(csv_line(row) for row in rows)


def test_a_line_is_read_as_it_was_written(tmp_path: Path) -> None:
    values = ["a", "b,c", 'd"e', "f\rg", "h\ni", ""]
    line = csv_line([*values, None, 0.5])
    assert line.endswith("0.5\n")
    assert "\r\n" not in line
    (tmp_path / "line.csv").write_bytes(line.encode())
    assert read_csv(tmp_path / "line.csv") == [[*values, "", "0.5"]]


# ---- files of other programs -------------------------------------------------------------------

ROWS = [["cell", "patient"], ["a", "Müller, B"], ["b;c", "2"]]


@pytest.mark.parametrize(
    "content",
    [
        'cell,patient\na,"Müller, B"\nb;c,2\n',
        'cell;patient\na;Müller, B\n"b;c";2\n',
        "cell\tpatient\na\tMüller, B\nb;c\t2\n",
        'cell,patient\ra,"Müller, B"\rb;c,2\r',
        'cell;patient\r\na;"Müller, B"\r\n"b;c";2\r\n',
        'sep=;\r\ncell;patient\r\na;Müller, B\r\n"b;c";2\r\n',
        '"sep=,"\ncell,patient\na,"Müller, B"\nb;c,2\n',
        "sep=|\ncell|patient\na|Müller, B\nb;c|2\n",
        'SEP=\t\ncell\t"patient"\na\tMüller, B\nb;c\t2\n',
        '\n \r\n"cell";"patient"\na;Müller, B\n"b;c";2\n',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_delimiters_line_ends_and_encodings(tmp_path: Path, content: str, encoding: str) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(content.encode(encoding))
    assert read_csv(path) == ROWS


@pytest.mark.parametrize(
    ("content", "row"),
    [
        ('"a;b;c;",d', ["a;b;c;", "d"]),
        ('"a\n;;;",d', ["a\n;;;", "d"]),
        ('"a"";;;""b",d', ['a";;;"b', "d"]),
        ('5" wide;;,\n', ['5" wide', "", ","]),
        ("\tcell\tpatient", ["", "cell", "patient"]),
        ("\tpatient", ["", "patient"]),
        ("a,b;c", ["a", "b;c"]),
        ("a\u2028b;;,", ["a\u2028b", "", ","]),
        ("sep=;b", ["sep=", "b"]),
        ("cell", ["cell"]),
    ],
)
def test_the_delimiter_is_counted_in_the_first_line_outside_quotes(
    tmp_path: Path, content: str, row: list[str]
) -> None:
    (tmp_path / "list.csv").write_bytes(content.encode())
    assert read_csv(tmp_path / "list.csv")[0] == row


def test_text_in_windows_own_encoding(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_bytes("cell;patient\na;Müller".encode("cp1252"))
    with pytest.raises(DataError, match=r"list.csv: not a readable CSV .*save it as CSV UTF-8"):
        read_csv(tmp_path / "list.csv")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["[Content_Types].xml", "xl/workbook.xml"], r"an Excel workbook; save it as CSV \(File"),
        (["mimetype", "content.xml"], r"an OpenDocument table; save it as CSV \(File"),
        (["cells/1.png"], "a zip, not a CSV"),
    ],
)
@pytest.mark.parametrize("name", ["list.csv", "list.xlsx"])
def test_a_workbook(tmp_path: Path, name: str, files: list[str], message: str) -> None:
    path = make_zip(tmp_path / name, dict.fromkeys(files, b"<xml/>"))
    with pytest.raises(DataError, match=f"{name}: {message}"):
        read_csv(path)


def test_an_old_workbook_and_a_damaged_one(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504))
    with pytest.raises(DataError, match=r"list.csv: an Excel workbook; save it as CSV"):
        read_csv(path)
    path.write_bytes(b"PK\3\4" + bytes(99))
    with pytest.raises(DataError, match=r"list.csv: a zip, not a CSV"):
        read_csv(path)


# ---- formulas ----------------------------------------------------------------------------------

#: Text as it may be in a name; characters that matter are frequent.
texts = st.text(
    st.one_of(st.sampled_from("=+-@\t\r\n'\"=＝＋－＠,; a"), st.characters(codec="utf-8"))
)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(1)", "'@SUM(1)"),
        ("\tx", "'\tx"),
        ("\rx", '"\'\rx"'),
        ("＝1", "'＝1"),
        ("'=1", "''=1"),
        ("'a", "'a"),
        ("a=1", "a=1"),
        (-1, "-1"),
        (-0.5, "-0.5"),
        (None, ""),
    ],
)
def test_text_that_looks_like_a_formula(value: object, written: str) -> None:
    assert csv_line(["a", value]) == f"a,{written}\n"
    assert csv_table({"a": ["a"], "value": [value]}) == f"a,value\na,{written}\n"


def test_numbers_are_exact_and_short() -> None:
    values = [-0.5, 1.0, 0.1 + 0.2, 1.2e-5, 1e-5, 1e-6, 123456.789, 1e300, None, 3]
    written = csv_table({"cell": map(str, range(10)), "p": np.array(values, object)})
    assert [line.split(",")[1] for line in written.splitlines()[1:]] == [
        *("-0.5", "1.0", "0.30000000000000004", "0.000012", "0.00001", "1e-6"),
        *("123456.789", "1e+300", "", "3"),
    ]


@given(value=st.floats(allow_nan=False))
def test_any_number_is_read_as_it_was_written(value: float) -> None:
    written = csv_table({"p": [np.float64(value)]}).splitlines()[1]
    assert float(written) == value


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        csv_table({"a": [1, 2], "b": [1]})


@pytest.mark.slow
@given(values=st.lists(texts, min_size=1, max_size=3))
def test_any_text_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, values: list[str]
) -> None:
    path = tmp_path_factory.mktemp("csv") / "table.csv"
    names = ["p", *(f"c{number}" for number in range(len(values)))]
    table = dict(zip(names, (["0.5"], *([value] for value in values)), strict=True))
    for text in (csv_line(names) + csv_line(["0.5", *values]), csv_table(table)):
        path.write_text(text, newline="", encoding="utf-8")
        assert read_csv(path)[1] == ["0.5", *(value.strip() for value in values)]
    assert read_csv_table(path, names) == table


@pytest.mark.parametrize("text", ["", "a\n1\n", "a,b\n1\n", "a,b\n1,2,3\n", 'a,b\n1,"2\n', "b,a\n"])
def test_another_table_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "table.csv").write_text(text)
    with pytest.raises(ValueError, match=r"table\.csv"):
        read_csv_table(tmp_path / "table.csv", ("a", "b"))


@given(values=st.lists(texts))
def test_no_written_text_begins_like_a_formula(values: list[str]) -> None:
    for value in values:
        assert csv_line([value]).lstrip('"')[0] not in "=+-@\t\r＝＋－＠"
