from __future__ import annotations

from typing import Any

import pytest

from hemozoin.mobilenet.architecture import Architecture, layers
from hemozoin.mobilenet.cost import Cost, cost


def of(size: int = 224, **architecture: Any) -> Cost:
    return cost(layers(Architecture(**architecture), size))


@pytest.mark.parametrize(
    ("alpha", "size", "mult_adds", "parameters"),
    [
        (1.0, 224, 568.7, 4.2),  # Table 7 and Table 6
        (1.0, 192, 418.1, 4.2),
        (1.0, 160, 290.7, 4.2),
        (1.0, 128, 186.4, 4.2),
        (0.75, 224, 325.4, 2.6),
        (0.5, 224, 149.5, 1.3),
        (0.25, 224, 41.0, 0.5),
    ],
)
def test_tables_6_and_7(alpha: float, size: int, mult_adds: float, parameters: float) -> None:
    counted = of(size, alpha=alpha)
    assert round(counted.mult_adds / 1e6, 1) == mult_adds
    assert round(counted.parameters / 1e6, 1) == parameters


def test_the_well_known_counts_to_the_last_digit() -> None:
    assert (of().mult_adds, of().parameters, of().weights) == (568_740_352, 4_231_976, 4_209_088)


def test_table_4_full_convolutions() -> None:
    full = of(body="full")
    classifier = full.layers[-1].mult_adds
    assert round((full.mult_adds - classifier) / 1e6) == 4866
    assert classifier == 1024 * 1000
    assert round(full.parameters / 1e6, 1) == 29.3


def test_table_5_shallow_and_narrow() -> None:
    assert round(of(body="shallow").mult_adds / 1e6) == 307
    assert round(of(body="shallow").parameters / 1e6, 1) == 2.9


def test_table_2_shares_by_kind() -> None:
    percent = {
        share.kind: (round(100 * share.mult_adds, 2), round(100 * share.weights, 2))
        for share in of().shares()
    }
    assert percent == {
        "conv": (1.91, 0.02),  # the paper prints 1.19 for 1.91
        "depthwise": (3.06, 1.06),
        "pointwise": (94.86, 74.59),
        "linear": (0.18, 24.33),
    }


@pytest.mark.parametrize("body", ["separable", "full", "shallow"])
def test_shares_add_up_to_1(body: str) -> None:
    shares = of(97, alpha=0.3, body=body).shares()
    assert sum(share.mult_adds for share in shares) == pytest.approx(1)
    assert sum(share.weights for share in shares) == pytest.approx(1)


def test_the_work_grows_with_the_square_of_the_resolution() -> None:
    small, large = of(128), of(192)
    assert small.parameters == large.parameters
    classifier = small.layers[-1].mult_adds
    ratio = (large.mult_adds - classifier) / (small.mult_adds - classifier)
    assert ratio == (192 / 128) ** 2  # section 3.4: ρ²
