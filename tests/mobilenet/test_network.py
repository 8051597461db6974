from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from hemozoin.mobilenet.architecture import Architecture, layers
from hemozoin.mobilenet.cost import cost
from hemozoin.mobilenet.network import DepthwiseConv2d, MobileNet

BODIES = ["separable", "full", "shallow"]
PADDINGS = ["symmetric", "same"]


def weightless(**architecture: Any) -> MobileNet:
    """Return a network on torch's meta device: it has shapes but computes nothing."""
    with torch.device("meta"):
        return MobileNet(Architecture(**architecture))


def small(**architecture: Any) -> MobileNet:
    torch.manual_seed(0)
    return MobileNet(Architecture(**{"alpha": 0.25, "classes": 2} | architecture)).eval()


def named(network: MobileNet, name: str) -> Any:
    return network.get_submodule(f"body.{name}")


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("alpha", [1.0, 0.75, 0.5, 0.25, 0.37])
def test_has_as_many_parameters_as_the_paper_counts(alpha: float, body: str) -> None:
    network = weightless(alpha=alpha, body=body, classes=10)
    counted = cost(layers(network.architecture, 224))
    assert sum(p.numel() for p in network.parameters()) == counted.parameters


@pytest.mark.slow
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize(("alpha", "size"), [(1.0, 224), (0.5, 160), (0.25, 97), (0.37, 32)])
def test_does_as_many_mult_adds_as_the_paper_counts(
    alpha: float, size: int, body: str, padding: str
) -> None:
    network = weightless(alpha=alpha, body=body, padding=padding)
    with FlopCounterMode(display=False) as counter:
        network(torch.empty(2, 3, size, size, device="meta"))
    counted = cost(layers(network.architecture, size)).mult_adds
    assert counter.get_total_flops() == 2 * 2 * counted  # 2 pictures, 2 operations a mult-add


@pytest.mark.slow
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("size", [32, 33, 63, 64, 97, 128, 160, 192, 223, 224])
def test_every_layer_has_the_listed_shape(size: int, body: str, padding: str) -> None:
    network = weightless(alpha=0.25, body=body, padding=padding)
    x = torch.empty(2, 3, size, size, device="meta")
    *convolutions, _, linear = layers(network.architecture, size)
    assert [layer.name for layer in convolutions] == [n for n, _ in network.body.named_children()]
    for layer in convolutions:
        x = named(network, layer.name)(x)
        assert x.shape == (2, layer.channels_out, layer.size_out, layer.size_out), layer.name
    assert network.head(x.mean((2, 3))).shape == (2, linear.channels_out)


def test_logits_are_the_head_over_the_mean_of_the_features() -> None:
    network, x = small(), torch.rand(3, 3, 224, 192)
    features = network.features(x)
    assert features.shape == (3, 256, 7, 6)
    assert features.min() >= 0
    evidence = torch.einsum("nchw,kc->nkhw", features, network.head.weight)  # the activation map
    expected = evidence.mean((2, 3)) + network.head.bias
    torch.testing.assert_close(network(x), expected)


def test_depthwise_filters_see_one_channel_and_pointwise_ones_see_all() -> None:
    network = small()
    conv = named(network, "depthwise3").conv
    x = torch.rand(1, conv.in_channels, 8, 8)
    changed = x.clone()
    changed[:, 5] += 1
    touched = (conv(changed) - conv(x)).abs().amax((0, 2, 3)) > 1e-6
    assert touched.nonzero().flatten().tolist() == [5]
    mix = named(network, "pointwise3").conv
    assert ((mix(changed) - mix(x)).abs().amax((0, 2, 3)) > 1e-6).all()


def test_each_unit_is_convolution_norm_and_relu() -> None:
    network = small(activation="relu6", bn_epsilon=1e-3)
    for name, unit in network.body.named_children():
        conv, norm, relu = unit.children()
        assert isinstance(conv, nn.Conv2d), name
        assert conv.bias is None, name
        assert isinstance(norm, nn.BatchNorm2d), name
        assert norm.eps == 1e-3, name
        assert isinstance(relu, nn.ReLU6), name
    assert isinstance(named(small(), "conv1").relu, nn.ReLU)


def tf_same(x: Tensor) -> Tensor:
    """Pad by TensorFlow's rule for "SAME" with a 3 × 3 window and stride 2, written out."""
    for axis in (2, 3):
        size = x.shape[axis]
        total = max((math.ceil(size / 2) - 1) * 2 + 3 - size, 0)
        before = [*x.shape]
        before[axis] = total // 2
        after = [*x.shape]
        after[axis] = total - total // 2
        x = torch.cat([torch.zeros(before), x, torch.zeros(after)], dim=axis)
    return x


@pytest.mark.parametrize("size", [(1, 2), (4, 4), (5, 5), (6, 7), (33, 32), (97, 112)])
def test_same_padding_is_tensorflows_in_every_layer_of_stride_2(size: tuple[int, int]) -> None:
    halving = [c for c in small(padding="same").modules() if getattr(c, "stride", 0) == (2, 2)]
    assert len(halving) == 5
    for conv in halving:
        assert isinstance(conv, nn.Conv2d)
        x = torch.rand(2, conv.in_channels, *size)
        expected = F.conv2d(tf_same(x), conv.weight, stride=2, groups=conv.groups)
        torch.testing.assert_close(conv(x), expected)


@pytest.mark.parametrize(
    ("padding", "size", "sums"),
    [
        ("same", 4, [54, 45, 72, 54]),  # worked out by hand on 1 … 16
        ("same", 3, [12, 16, 24, 28]),
        ("symmetric", 4, [14, 30, 57, 99]),
        ("symmetric", 3, [12, 16, 24, 28]),
    ],
)
def test_padding_by_hand(padding: str, size: int, sums: list[float]) -> None:
    conv = named(small(padding=padding), "depthwise2").conv
    x = torch.arange(1.0, size * size + 1).reshape(1, 1, size, size)
    nn.init.ones_(conv.weight)
    summed = conv(x.expand(1, conv.in_channels, size, size))
    assert summed[0, 0].flatten().tolist() == sums


def test_starts_from_hes_normal_by_fan_in() -> None:
    network = MobileNet(Architecture(classes=2))
    depthwise = named(network, "depthwise13").conv.weight
    pointwise = named(network, "pointwise13").conv.weight
    assert depthwise.std().item() == pytest.approx(math.sqrt(2 / 9), rel=0.05)
    assert pointwise.std().item() == pytest.approx(math.sqrt(2 / 1024), rel=0.05)
    assert network.head.weight.std().item() == pytest.approx(0.01, rel=0.1)
    assert not network.head.bias.any()


def test_same_seed_same_weights() -> None:
    first, second = small().state_dict(), small().state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_channels_last_gives_the_same_logits() -> None:
    network, x = small(padding="same"), torch.rand(2, 3, 64, 64)
    expected = network(x)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    torch.testing.assert_close(network(x.to(memory_format=torch.channels_last)), expected)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_zeros_in_the_map_give_the_same_maps_and_gradients(size: int, stride: int) -> None:
    """While it trains, a depthwise convolution pads small maps itself."""
    ours = DepthwiseConv2d(6, 6, 3, stride=stride, padding=1, groups=6, bias=False)
    plain = nn.Conv2d(6, 6, 3, stride=stride, padding=1, groups=6, bias=False)
    plain.load_state_dict(ours.state_dict())
    x = torch.rand(4, 6, size, size, requires_grad=True)
    found, expected = ours.train()(x), plain(x)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(ours.eval()(x), expected)
    weight = torch.rand_like(expected)
    torch.testing.assert_close(
        torch.autograd.grad(found, (x, ours.weight), weight),
        torch.autograd.grad(expected, (x, plain.weight), weight),
    )


@pytest.mark.parametrize("padding", PADDINGS)
def test_gradients_reach_every_weight(padding: str) -> None:
    network = small(padding=padding).train()
    loss = F.cross_entropy(network(torch.rand(4, 3, 64, 64)), torch.tensor([0, 1, 0, 1]))
    gradients = torch.autograd.grad(loss, list(network.parameters()))
    for (name, _), gradient in zip(network.named_parameters(), gradients, strict=True):
        assert gradient.abs().sum() > 0, name
