"""The numbers of red cells that guidelines ask for."""

from __future__ import annotations

import pytest

from hemozoin.smear.counting.guidelines import fields_missing, red_cells_asked


@pytest.mark.parametrize(("parasitaemia", "cdc"), [(0.0, 2000), (0.0099, 2000), (0.01, 500)])
def test_cdc_asks_for_more_cells_below_one_percent(parasitaemia: float, cdc: int) -> None:
    assert red_cells_asked(parasitaemia) == {"CDC": cdc, "BSH": 1000, "WHO": 5000}


@pytest.mark.parametrize(
    ("asked", "red_cells", "fields", "missing"),
    [(5000, 2000, 10, 15), (5000, 4999, 10, 1), (5000, 5000, 10, 0), (500, 5000, 10, 0)],
)
def test_more_fields_of_the_same_density(
    asked: int, red_cells: int, fields: int, missing: int
) -> None:
    assert fields_missing(asked, red_cells, fields) == missing


def test_without_red_cells_no_number_of_fields_is_enough() -> None:
    assert fields_missing(5000, 0, 3) is None
