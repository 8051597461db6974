"""MobileNet V1 in torch (Howard et al. 2017, arXiv 1704.04861).

    picture [N, 3, H, W]
      │  3 × 3 convolution, stride 2             ┐
      │  13 × ( 3 × 3 depthwise convolution      │ batch norm and ReLU
      │         1 × 1 pointwise convolution )    ┘ after each
    features [N, C, ⌈H/32⌉, ⌈W/32⌉]
      │  mean over the map
      │  linear
    logits [N, classes]

A full 3 × 3 convolution filters and mixes channels at once. MobileNet does it in two steps: the
depthwise convolution filters each channel by itself, then the pointwise one mixes the channels.
For C channels out that costs 1/C + 1/9 of the multiplications (section 3.1).
"""

from __future__ import annotations

from collections import OrderedDict

import torch.nn.functional as F
from torch import Tensor, nn

from hemozoin.mobilenet.architecture import SMALLEST_SIZE, Architecture, Layer, Padding, layers


class MobileNet(nn.Module):
    """MobileNet as `architecture` describes it, with fresh weights.

    Takes floats [N, 3, H, W], H and W at least 32; gives logits [N, classes] (no softmax).
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        # The weights don't depend on the input size, so any size will do to list the layers.
        *convolutions, _pool, linear = layers(architecture, SMALLEST_SIZE)
        self.body = nn.Sequential(
            OrderedDict((layer.name, _step(layer, architecture)) for layer in convolutions)
        )
        self.head = nn.Linear(linear.channels_in, linear.channels_out)
        self.apply(_initialise)

    def features(self, x: Tensor) -> Tensor:
        """Give the last map before pooling: [N, 3, H, W] to [N, C, ⌈H/32⌉, ⌈W/32⌉].

        `head` applied to each of its pixels gives the class-activation map.
        """
        features: Tensor = self.body(x)
        return features

    def forward(self, x: Tensor) -> Tensor:
        """Give the logits: [N, 3, H, W] to [N, classes]."""
        logits: Tensor = self.head(self.features(x).mean(dim=(2, 3)))
        return logits


def _step(layer: Layer, architecture: Architecture) -> nn.Sequential:
    """Convolution, batch norm, ReLU: what MobileNet repeats 27 times (Figure 3)."""
    relu = nn.ReLU6 if architecture.activation == "relu6" else nn.ReLU
    return nn.Sequential(
        OrderedDict(
            conv=_convolution(layer, architecture.padding),
            norm=nn.BatchNorm2d(layer.channels_out, eps=architecture.bn_epsilon),
            relu=relu(inplace=True),
        )
    )


def _convolution(layer: Layer, padding: Padding) -> nn.Conv2d:
    """Make the bare convolution; it has no bias, since batch norm's shift follows."""
    asymmetric = padding == "same" and layer.stride == 2
    convolution = SameConv2d if asymmetric else nn.Conv2d
    return convolution(
        layer.channels_in,
        layer.channels_out,
        layer.kernel,
        stride=layer.stride,
        padding=0 if asymmetric else layer.kernel // 2,
        groups=layer.channels_in if layer.kind == "depthwise" else 1,
        bias=False,
    )


class SameConv2d(nn.Conv2d):
    """A 3 × 3 convolution of stride 2, padded as TensorFlow's "SAME" does.

    An odd size is padded on both sides, an even one only at the right and the bottom.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Take [N, C, H, W] to [N, C', ⌈H/2⌉, ⌈W/2⌉]."""
        height, width = x.shape[2:]
        return super().forward(F.pad(x, (width % 2, 1, height % 2, 1)))


def _initialise(module: nn.Module) -> None:
    """He's normal for convolutions, near zero for the classifier; the paper names none.

    Fan-in, because torch's fan-out forgets the groups: it reckons C · 9 for a depthwise filter,
    not 9, and makes it far too small. A small head starts with every class equally likely.
    """
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.01)
        nn.init.zeros_(module.bias)
