"""The record of a slide: what is read from `slide.toml`, and what is refused."""

from __future__ import annotations

import datetime
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hemozoin.errors import DataError
from hemozoin.smear.counting.blood import Blood
from hemozoin.smear.counting.record.manual_count import ManualCount
from hemozoin.smear.counting.record.slide_record import (
    MANUAL_KEYS,
    RECORD_KEYS,
    SlideRecord,
    read_record,
    record_from_dict,
)

FULL = """
patient = "P-014"
date = 2026-03-11
site = "Kigali, ward 3"
stain = "Giemsa 3 %, 45 min"
magnification = "100x oil"
operator = "AB"
hematocrit = 36

[manual]
infected = 12
red_cells = 2_000
reader = "CD"
"""


def read(text: str) -> SlideRecord:
    return read_record(text.encode(), "slide.toml")


def refusal(text: str | bytes) -> str:
    content = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(DataError) as caught:
        read_record(content, "left/slide.toml")
    message = str(caught.value)
    assert message.startswith("left/slide.toml: ")
    return message.removeprefix("left/slide.toml: ")


def test_a_full_record() -> None:
    assert read(FULL) == SlideRecord(
        patient="P-014",
        date=datetime.date(2026, 3, 11),
        site="Kigali, ward 3",
        stain="Giemsa 3 %, 45 min",
        magnification="100x oil",
        operator="AB",
        hematocrit=36,
        manual=ManualCount(infected=12, red_cells=2000, reader="CD"),
    )


def test_the_record_of_the_documentation() -> None:
    page = Path(__file__).parents[4] / "docs" / "screen.md"
    (example,) = re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    record = read(example)
    assert record.hematocrit == 38
    assert record.manual == ManualCount(infected=12, red_cells=2000, reader="AB")


def test_every_key_may_be_left_out() -> None:
    assert read("") == SlideRecord()
    assert SlideRecord().to_dict() == {}


def test_a_record_survives_json() -> None:
    record = read(FULL)
    data = json.loads(json.dumps(record.to_dict()))
    assert data["date"] == "2026-03-11"
    assert record_from_dict(data, "slide.json") == record


def test_editors_of_windows() -> None:
    assert read_record(("\ufeff" + FULL.replace("\n", "\r\n")).encode(), "") == read(FULL)


@pytest.mark.parametrize(
    ("text", "record"),
    [
        ('date = "2026-03-11"', SlideRecord(date=datetime.date(2026, 3, 11))),
        ("date = 2026-03-11T09:30:00Z", SlideRecord(date=datetime.date(2026, 3, 11))),
        ("magnification = 1000", SlideRecord(magnification="1000")),
        ("red_cells_per_ul = 4.2e6", SlideRecord(red_cells_per_ul=4.2e6)),
        ('site = "می\u200cخواهم"', SlideRecord(site="می\u200cخواهم")),
        ('patient = " P 1 "', SlideRecord(patient="P 1")),
    ],
)
def test_values_as_people_write_them(text: str, record: SlideRecord) -> None:
    assert read(text) == record


def test_the_blood_of_a_record_wins() -> None:
    given = Blood(rbc_per_ul=4e6)
    assert read("hematocrit = 36").blood(given) == Blood(hematocrit=36)
    assert read("red_cells_per_ul = 3e6").blood(given).red_cells_per_ul == 3e6
    assert read('patient = "A"').blood(given) == given


REFUSED = [
    ("hematocrit = 4", "hematocrit in %: 4 is out of range; give 5 to 75"),
    ("hematocrit = 450", "450 is out of range"),
    ("hematocrit = 0.45", "0.45 is out of range"),
    ("hematocrit = nan", "hematocrit is nan; give a number"),
    ("hematocrit = inf", "hematocrit is inf; give a number"),
    ("hematocrit = true", "hematocrit is True; give a number"),
    (
        'hematocrit = "38 %"',
        "hematocrit is '38 %'; give a number without quotes and without a unit",
    ),
    ("hematocrit = 38 %", "not TOML"),
    ("red_cells_per_ul = 4.2", "give 500,000 to 10,000,000"),
    ("hematocrit = 38\nred_cells_per_ul = 4e6", "both given"),
    (f"hematocrit = 0x{'f' * 9000}", "a number of thousands of digits"),
    (f"hematocrit = {'9' * 9000}", "not TOML"),
    ("hemoglobin = 12", "unknown key 'hemoglobin'; the keys are patient, date, site"),
    ('"\\u001b[31m" = 1', "unknown key '\\\\x1b[31m'"),
    ("patient = 14", "patient is 14; give one line of text in quotes"),
    ('patient = ""', "patient is ''"),
    ('patient = "a\\nb"', "give one line of text"),
    ('patient = "\\u202e"', "give one line of text"),
    ('patient = "\\u001b[31m"', "give one line of text"),
    (f'patient = "{"x" * 201}"', "at most 200 characters"),
    ("date = 11-03-2026", "not TOML"),
    ('date = "11.3.2026"', "give a date as year-month-day"),
    ("date = 0026-03-11", "give a date as year-month-day"),
    ("date = 09:30:00", "give a date as year-month-day"),
    ("date = 2026-02-30", "not TOML"),
    ("magnification = true", "magnification is True"),
    ("manual = 12", "manual is 12; give a table"),
    ("[manual]", "[manual]: give infected and red_cells, or"),
    ("[manual]\ninfected = 3", "[manual]: give infected and red_cells, or"),
    ("[manual]\ninfected = 3\nred_cells = 9\nparasites_per_ul = 5", "only one of these"),
    ("[manual]\ninfected = 12\nwhite_cells = 200", "only one of these"),
    ("[manual]\ninfected = 30\nred_cells = 20", "30 infected of 20 red cells"),
    ("[manual]\ninfected = -1\nred_cells = 20", "infected is -1; give a whole number"),
    ("[manual]\ninfected = 1.5\nred_cells = 20", "infected is 1.5; give a whole number"),
    ("[manual]\ninfected = 0\nred_cells = 0", "at least 1"),
    ("[manual]\ninfected = 1\nred_cells = 100_000_000", "to 10,000,000"),
    ("[manual]\nparasites_per_ul = -5", "give a number from 0 on"),
    ("[manual]\nparasites_per_ul = 1e9", "1,000,000,000 parasites per µL: too many"),
    ("[manual]\nparasites = 9_000_000\nwhite_cells = 1", "too many"),
    ("[manual]\nparasites = 9\nwhite_cells = 200\nwhite_cells_per_ul = 7.2", "7.2 is out of range"),
    ("[manual]\nparasites_per_ul = 9\nwhite_cells_per_ul = 7200", "needs parasites and white"),
    ("[manual]\ninfected = 1\nred_cells = 9\nstage = 1", "[manual]: unknown key 'stage'"),
    ("[[manual]]\ninfected = 1\nred_cells = 9", "give a table"),
    ("patient = 'A'\npatient = 'B'", "not TOML"),
    ("x = " + "[" * 5000, "not TOML"),
    (FULL.encode("utf-16"), "not UTF-8; save it as UTF-8"),
    (b'patient = "Mus\xe9e"', "not UTF-8"),
    (b"\x00" * 100, "not TOML"),
    (b"#" * 70_000, "70,000 bytes, too long"),
]


@pytest.mark.parametrize(("text", "expected"), REFUSED)
def test_what_is_refused(text: str | bytes, expected: str) -> None:
    assert expected in refusal(text)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates() | st.times(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
_MANUAL = st.dictionaries(st.sampled_from([*MANUAL_KEYS]), _VALUES, max_size=4)
_TABLES = st.dictionaries(st.sampled_from([*RECORD_KEYS]), _VALUES | _MANUAL, max_size=5)


@pytest.mark.parametrize("table", [None, [], "hematocrit = 38", 38])
def test_a_record_that_is_no_table_is_refused(table: object) -> None:
    with pytest.raises(DataError, match=r"slide\.json: the record is .*, not a table"):
        record_from_dict(table, "slide.json")


@given(_TABLES)
def test_any_table_is_a_record_or_refused(table: dict[str, Any]) -> None:
    try:
        record = record_from_dict(table, "slide.toml")
    except DataError:
        return
    assert record_from_dict(json.loads(json.dumps(record.to_dict())), "slide.json") == record


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_file_is_a_record_or_refused(content: bytes) -> None:
    try:
        assert isinstance(read_record(content, "slide.toml"), SlideRecord)
    except DataError as error:
        assert str(error).startswith("slide.toml: ")


# ---- the manual count ---------------------------------------------------------------------------


def test_infected_of_red_cells() -> None:
    """12 of 2,000: .6 %, with the interval of Clopper and Pearson, whatever the blood."""
    count = ManualCount(infected=12, red_cells=2000)
    assert count.share(4e6) == 0.006
    found = stats.binomtest(12, 2000).proportion_ci(method="exact")
    assert count.interval(4e6) == pytest.approx((found.low, found.high))


def test_parasites_per_white_cells() -> None:
    """300 per 200 white cells of 8,000/µL: 12,000/µL, .3 % of 4 million red cells."""
    assert ManualCount(parasites=300, white_cells=200).share(4e6) == pytest.approx(0.003)
    measured = ManualCount(parasites=300, white_cells=200, white_cells_per_ul=6000)
    assert measured.share(4e6) == pytest.approx(0.00225)


def test_the_interval_of_parasites_per_white_cells_covers_both_counts() -> None:
    low, high = ManualCount(parasites=300, white_cells=200).interval(4e6) or (0, 0)
    share = stats.binomtest(300, 500).proportion_ci(method="exact")
    assert low == pytest.approx(share.low / (1 - share.low) * 8000 / 4e6)
    assert high == pytest.approx(share.high / (1 - share.high) * 8000 / 4e6)
    none = ManualCount(parasites=0, white_cells=500).interval(4e6) or (1, 0)
    assert none[0] == 0 < none[1]


def test_parasites_per_ul() -> None:
    count = ManualCount(parasites_per_ul=24_000)
    assert count.share(4e6) == pytest.approx(0.006)
    assert count.interval(4e6) is None
    assert ManualCount(parasites_per_ul=0).share(4e6) == 0
