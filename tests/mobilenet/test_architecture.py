from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemozoin.errors import HemozoinError
from hemozoin.mobilenet.architecture import TABLE_1, Architecture, layers


def test_at_224_px_the_layers_are_table_1_line_by_line() -> None:
    made = layers(Architecture(), 224)
    assert [layer.kind for layer in made] == [spec.kind for spec in TABLE_1]
    for layer, spec in zip(made, TABLE_1, strict=True):
        assert (layer.size_in, layer.size_in, layer.channels_in) == spec.input_shape, layer.name
        filters = {
            "depthwise": (layer.kernel, layer.kernel, layer.channels_in),
            "pool": (layer.kernel, layer.kernel),
            "linear": (layer.channels_in, layer.channels_out),
        }
        full = (layer.kernel, layer.kernel, layer.channels_in, layer.channels_out)
        assert filters.get(layer.kind, full) == spec.filter_shape, layer.name


def test_five_layers_halve_the_map_and_the_last_depthwise_does_not() -> None:
    made = layers(Architecture(), 224)
    halving = [layer.name for layer in made if layer.stride == 2]
    assert halving == ["conv1", "depthwise2", "depthwise4", "depthwise6", "depthwise12"]
    assert [layer.size_out for layer in made if layer.name == "depthwise13"] == [7]


def test_full_body_folds_each_pair_into_one_convolution() -> None:
    made = layers(Architecture(body="full"), 224)[:-2]
    assert {(layer.kind, layer.kernel) for layer in made} == {("conv", 3)}
    pairs = [layer for layer in layers(Architecture(), 224) if layer.kind == "pointwise"]
    assert [layer.channels_out for layer in made[1:]] == [layer.channels_out for layer in pairs]
    assert [layer.size_out for layer in made[1:]] == [layer.size_out for layer in pairs]


def test_shallow_body_leaves_out_five_pairs() -> None:
    kinds = [layer.kind for layer in layers(Architecture(body="shallow"), 224)]
    assert kinds.count("depthwise") == kinds.count("pointwise") == 13 - 5


@given(
    alpha=st.floats(1e-3, 4),
    size=st.integers(32, 1024),
    body=st.sampled_from(["separable", "full", "shallow"]),
)
def test_the_input_of_each_layer_is_the_output_of_the_one_before(
    alpha: float, size: int, body: Any
) -> None:
    made = layers(Architecture(alpha=alpha, classes=2, body=body), size)
    assert (made[0].size_in, made[0].channels_in) == (size, 3)
    for before, after in pairwise(made):
        assert (before.size_out, before.channels_out) == (after.size_in, after.channels_in)
    assert made[-3].size_out == -(-size // 32)
    assert (made[-1].size_out, made[-1].channels_out) == (1, 2)
    assert len({layer.name for layer in made}) == len(made)


@pytest.mark.parametrize(
    ("alpha", "width"), [(1, 32), (0.25, 8), (0.35, 11), (1.99, 63), (0.01, 1)]
)
def test_width_is_rounded_down_but_at_least_1(alpha: float, width: int) -> None:
    assert Architecture(alpha=alpha).width(32) == width
    assert layers(Architecture(alpha=alpha), 32)[0].channels_out == width


def test_survives_json() -> None:
    keras = Architecture(0.5, 2, "relu6", "same", 1e-3, "shallow")
    assert Architecture.from_dict(json.loads(json.dumps(keras.to_dict()))) == keras


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(
            ("alpha", value)
            for value in (0, -1.0, float("nan"), float("inf"), "0.5", True, None, 4.1, 10**400)
        ),
        *(("bn_epsilon", value) for value in (0.0, -1e-5, float("nan"), "1e-5")),
        *(("classes", value) for value in (0, -2, 2.0, "2", True, 100_001)),
        *(("activation", value) for value in ("swish", "RELU", None, ["relu"])),
        *(("padding", value) for value in ("valid", 1)),
        *(("body", value) for value in ("deep", None)),
    ],
)
def test_refuses_values_that_are_not_allowed(field: str, value: object) -> None:
    values = Architecture().to_dict() | {field: value}
    with pytest.raises(HemozoinError, match=rf"^{field} is .*; give ") as caught:
        Architecture.from_dict(values)
    assert "\n" not in str(caught.value)


def test_refuses_a_missing_and_an_unknown_field() -> None:
    values = Architecture().to_dict()
    del values["padding"]
    with pytest.raises(HemozoinError, match="missing or unknown padding;"):
        Architecture.from_dict(values)
    with pytest.raises(HemozoinError, match="missing or unknown depth;"):
        Architecture.from_dict(Architecture().to_dict() | {"depth": 3})


@pytest.mark.parametrize("size", [31, 0, -224, 1025, 10**400, 64.0, True, "64"])
def test_refuses_another_size_than_32_to_1024_px(size: Any) -> None:
    with pytest.raises(HemozoinError, match="from 32 to 1,024"):
        layers(Architecture(), size)


def test_needs_neither_torch_nor_numpy() -> None:
    code = (
        "import sys, hemozoin.mobilenet.cost\n"
        "assert not {'torch', 'numpy'} & set(sys.modules), 'heavy import'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
