from __future__ import annotations

from fractions import Fraction
from itertools import product as every
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hemozoin.errors import HemozoinError
from hemozoin.paper import separable
from hemozoin.paper.separable import Shapes, compare_outputs, separate

EXAMPLE = [[5, 10, 15], [10, 20, 30], [15, 30, 45]]
LAPLACE = [[0, 1, 0], [1, -4, 1], [0, 1, 0]]

whole = st.integers(-9, 9)
vector = st.lists(whole, min_size=1, max_size=6).filter(any)
#: Shapes on which every kernel of at most 4 × 4 fits.
shapes = st.builds(
    Shapes,
    height=st.integers(4, 9),
    width=st.integers(4, 9),
    channels=st.integers(1, 4),
    filters=st.integers(1, 5),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
)


# ---- spatial ---------------------------------------------------------------------------------


def test_the_example_has_small_whole_factors() -> None:
    found = separate(EXAMPLE)
    assert found.column.tolist() == [[5], [10], [15]]
    assert found.row.tolist() == [[1, 2, 3]]
    assert found.product.tolist() == EXAMPLE
    assert (found.rank, found.separable, found.error) == (1, True, 0)
    # The only singular value of an outer product is its Frobenius norm.
    assert found.singular_values == pytest.approx(
        [sum(x * x for r in EXAMPLE for x in r) ** 0.5, 0, 0]
    )
    assert found.singular_values[1:].tolist() == [0, 0]
    assert (found.multiplications, found.factor_multiplications) == (9, 6)


@given(column=vector, row=vector)
def test_every_outer_product_is_found_in_lowest_terms(column: list[int], row: list[int]) -> None:
    found = separate(np.outer(column, row))
    assert found.rank == 1
    assert np.array_equal(found.product, np.outer(column, row))
    assert np.gcd.reduce(found.row.astype(int).ravel()) == 1
    assert (found.column == found.column.round()).all()


@given(
    column=st.lists(st.integers(1, 9), min_size=2, max_size=5),
    row=st.lists(st.integers(1, 9), min_size=2, max_size=5),
    size=st.sampled_from([1, 1e6]),
)
def test_a_kernel_that_is_almost_an_outer_product_is_not_separable(
    column: list[int], row: list[int], size: float
) -> None:
    kernel = size * np.outer(column, row).astype(float)
    kernel[-1, -1] += 1
    found = separate(kernel)
    assert found.rank == 2
    assert not found.separable
    assert 0 < found.error < 1


def test_decimals_and_fractions_have_a_whole_row() -> None:
    assert separate([[0.1, 0.2], [0.3, 0.6]]).row.tolist() == [[1, 2]]
    gauss = separate(np.outer([1, 2, 1], [1, 2, 1]) / 16)
    assert gauss.row.tolist() == [[1, 2, 1]]
    assert gauss.column.tolist() == [[1 / 16], [1 / 8], [1 / 16]]


def test_an_outer_product_of_roots_is_separable_up_to_rounding() -> None:
    bell = np.exp(-(np.linspace(-2, 2, 7) ** 2))
    found = separate(np.outer(bell, bell))
    assert found.rank == 1
    assert np.abs(found.product - np.outer(bell, bell)).max() < 1e-15


def test_the_error_of_laplace_follows_from_its_eigenvalues() -> None:
    found = separate(LAPLACE)
    # Symmetric; on (0,1,0) and (1,0,1)/√2 it is [[-4, √2], [√2, 0]], so λ = -2 ± √6.
    assert found.singular_values == pytest.approx([6**0.5 + 2, 6**0.5 - 2, 0])
    assert found.rank == 2
    assert found.error == pytest.approx((6**0.5 - 2) / 20**0.5)  # ‖Laplace‖² = 4 + 16
    assert np.linalg.norm(found.product - LAPLACE) / 20**0.5 == pytest.approx(found.error)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_no_other_outer_product_is_closer(seed: int) -> None:
    rng = np.random.default_rng(seed)
    kernel = rng.integers(-9, 10, (4, 3)).astype(float)
    assume(kernel.any())
    found = separate(kernel)
    row = rng.normal(size=3)
    for _ in range(50):  # alternating least squares from a random start
        column = kernel @ row / (row @ row)
        assume(column.any())
        row = kernel.T @ column / (column @ column)
        assume(row.any())
    error = np.linalg.norm(kernel - np.outer(column, row))
    assert np.linalg.norm(kernel - found.product) <= error + 1e-9


@pytest.mark.parametrize("size", [1e-300, 1e-9, 1e9])
def test_the_error_does_not_depend_on_the_size_of_the_numbers(size: float) -> None:
    assert separate(size * np.array(LAPLACE)).error == pytest.approx(separate(LAPLACE).error)


@given(column=vector, row=vector, seed=st.integers(0, 99))
@settings(max_examples=30)
def test_column_then_row_is_the_kernel_on_a_picture(
    column: list[int], row: list[int], seed: int
) -> None:
    found = separate(np.outer(column, row))
    picture = np.random.default_rng(seed).integers(0, 256, (9, 8)).astype(float)
    expected = correlate(picture, np.outer(column, row))
    assert np.array_equal(correlate(correlate(picture, found.column), found.row), expected)


def correlate(picture: Any, kernel: Any) -> Any:
    """Filter a picture of one channel with a kernel, written out."""
    h, w = kernel.shape
    rows, columns = picture.shape[0] - h + 1, picture.shape[1] - w + 1
    return np.array(
        [
            [(picture[y : y + h, x : x + w] * kernel).sum() for x in range(columns)]
            for y in range(rows)
        ]
    )


@pytest.mark.parametrize(
    "kernel",
    [
        [],
        [[]],
        [1, 2],
        [[1, 2], [3]],
        [["a"]],
        [[float("nan")]],
        [[1, float("inf")]],
        [[10**400]],
        [[0, 0], [0, 0]],
        None,
    ],
)
def test_refuses_bad_kernels(kernel: Any) -> None:
    with pytest.raises(HemozoinError, match=r"^kernel: .*give ") as caught:
        separate(kernel)
    assert "\n" not in str(caught.value)


# ---- depthwise -------------------------------------------------------------------------------


def test_the_counts_of_the_example() -> None:
    example = Shapes(height=12, width=12, channels=3, filters=256, kernel=(5, 5))
    assert example.output == (8, 8, 256)
    assert example.full == 1_228_800
    assert (example.depthwise, example.pointwise, example.pair) == (4_800, 49_152, 53_952)
    assert example.ratio == Fraction(1, 256) + Fraction(1, 25)
    assert (example.full_weights, example.pair_weights) == (19_200, 843)
    assert compare_outputs(example)[0] == 0


@given(shapes)
@settings(max_examples=40, deadline=None)
def test_the_counts_are_those_of_written_out_loops(s: Shapes) -> None:
    padded = (s.height + 2 * s.padding, s.width + 2 * s.padding)
    positions = [
        (y, x)
        for y in range(0, padded[0] - s.kernel[0] + 1, s.stride)
        for x in range(0, padded[1] - s.kernel[1] + 1, s.stride)
    ]
    filtered = sum(
        1 for _ in every(positions, range(s.kernel[0]), range(s.kernel[1]), range(s.channels))
    )
    mixed = sum(1 for _ in every(positions, range(s.channels), range(s.filters)))
    assert s.output[0] * s.output[1] == len(positions)
    assert (s.depthwise, s.pointwise, s.pair) == (filtered, mixed, filtered + mixed)
    assert s.full == filtered * s.filters
    assert float(s.ratio) == pytest.approx(1 / s.filters + 1 / (s.kernel[0] * s.kernel[1]))


@given(shapes, st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_the_steps_are_torchs_convolutions(s: Shapes, seed: int) -> None:
    rng = np.random.default_rng(seed)
    picture = rng.normal(size=(s.height, s.width, s.channels))
    filters = rng.normal(size=(*s.kernel, s.channels))
    weights = rng.normal(size=(s.channels, s.filters))
    kernels = rng.normal(size=(*s.kernel, s.channels, s.filters))
    x = torch.from_numpy(picture).permute(2, 0, 1)[None]

    full = F.conv2d(x, torch.from_numpy(kernels).permute(3, 2, 0, 1), stride=s.stride)
    close(separable.convolve(picture, kernels, s.stride), full)
    depthwise = torch.from_numpy(filters).permute(2, 0, 1)[:, None]
    filtered = F.conv2d(x, depthwise, stride=s.stride, groups=s.channels)
    close(separable.convolve_depthwise(picture, filters, s.stride), filtered)
    mixed = F.conv2d(x, torch.from_numpy(weights).T[:, :, None, None])
    close(separable.convolve_pointwise(picture, weights), mixed)

    # The pair is torch's full convolution with the combined kernels.
    combined = torch.from_numpy(separable.combine_kernels(filters, weights)).permute(3, 2, 0, 1)
    first = separable.convolve_depthwise(picture, filters, s.stride)
    pair = separable.convolve_pointwise(first, weights)
    close(pair, F.conv2d(x, combined, stride=s.stride))


def close(output: Any, expected: torch.Tensor) -> None:
    np.testing.assert_allclose(output, expected[0].permute(1, 2, 0), atol=1e-12)


@given(shapes)
@settings(max_examples=40, deadline=None)
def test_output_is_torchs(s: Shapes) -> None:
    x = torch.empty(1, s.channels, s.height, s.width, device="meta")
    weight = torch.empty(s.filters, s.channels, *s.kernel, device="meta")
    out = F.conv2d(x, weight, stride=s.stride, padding=s.padding)
    assert s.output == (*out.shape[2:], out.shape[1])
    assert s.full == weight.numel() * out.shape[2] * out.shape[3]
    assert s.full_weights == weight.numel()


def test_the_comparison_would_notice_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    s = Shapes(6, 5, 3, 4, (3, 2), stride=2, padding=1)
    difference, largest = compare_outputs(s)
    assert difference == 0
    assert largest > 50
    combine = separable.combine_kernels
    monkeypatch.setattr(separable, "combine_kernels", lambda f, w: combine(f, w[::-1]))
    assert compare_outputs(s)[0] > 0


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4))
def test_groups_divide_the_work(groups: int, m: int, n: int) -> None:
    s = Shapes(8, 7, groups * m, groups * n, (3, 3), padding=1)
    weight = torch.empty(groups * n, m, 3, 3, device="meta")
    x = torch.empty(1, groups * m, 8, 7, device="meta")
    out = F.conv2d(x, weight, padding=1, groups=groups)
    assert s.grouped(groups) == weight.numel() * out.shape[2] * out.shape[3]


@pytest.mark.parametrize("groups", [0, -2, 4, 5, 24])
def test_refuses_groups_that_do_not_divide(groups: int) -> None:
    with pytest.raises(HemozoinError, match=r"12 channels and 30 filters: 1, 2, 3, 6$"):
        Shapes(8, 8, 12, 30, (3, 3)).grouped(groups)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"height": 0}, "height is 0; give a whole number from 1 to 65,536"),
        ({"channels": -3}, "channels is -3; give a whole number from 1"),
        ({"filters": 10**12}, "filters is 1000000000000; give"),
        ({"stride": 0}, "stride is 0; give"),
        ({"padding": -1}, "padding is -1; give a whole number from 0"),
        ({"kernel": (0, 3)}, "kernel is 0×3; give one from 1×1 to 8×6"),
        ({"kernel": (9, 3)}, "kernel is 9×3; give"),
        ({"kernel": (3, 7)}, "kernel is 3×7; give"),
    ],
)
def test_refuses_shapes_that_do_not_fit(change: dict[str, Any], message: str) -> None:
    fitting: dict[str, Any] = {
        "height": 8,
        "width": 6,
        "channels": 3,
        "filters": 4,
        "kernel": (8, 6),
    }
    Shapes(**fitting)
    with pytest.raises(HemozoinError, match=message):
        Shapes(**fitting | change)


def test_a_message_names_a_few_divisors() -> None:
    with pytest.raises(HemozoinError, match=r" filters: 1, 2, .*, 12, \.\.\.$"):
        Shapes(8, 8, 55440, 55440, (3, 3)).grouped(13)
