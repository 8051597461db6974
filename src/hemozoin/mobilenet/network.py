"""MobileNet V1 in torch (Howard et al. 2017, arXiv 1704.04861).

    picture [N, 3, H, W]
      │  3 × 3 convolution, stride 2             ┐
      │  13 × ( 3 × 3 depthwise convolution      │ batch norm and ReLU
      │         1 × 1 pointwise convolution )    ┘ after each
    features [N, C, ⌈H/32⌉, ⌈W/32⌉]
      │  mean over the map
      │  linear
    logits [N, classes]

A full 3 × 3 convolution filters and mixes the channels in one step. MobileNet takes two steps: the
depthwise convolution filters each channel by itself, then the pointwise convolution mixes the
channels. With N output channels the two steps need 1/N + 1/9 of the multiplications (section 3.1).
"""

from __future__ import annotations

from collections import OrderedDict

import torch.nn.functional as F
from torch import Tensor, nn

from hemozoin.mobilenet.architecture import (
    SMALLEST_SIZE,
    Architecture,
    Layer,
    Padding,
    is_small,
    layers,
)


class MobileNet(nn.Module):
    """The MobileNet that `architecture` describes, with random initial weights.

    Takes floats [N, 3, H, W], H and W at least 32, and returns logits [N, classes] (no softmax).
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        # The weights don't depend on the input size, so any size can be used to list the layers.
        *convolutions, _pool, linear = layers(architecture, SMALLEST_SIZE)
        self.body = nn.Sequential(
            OrderedDict(
                (layer.name, _conv_norm_relu(layer, architecture)) for layer in convolutions
            )
        )
        self.head = nn.Linear(linear.channels_in, linear.channels_out)
        self.apply(_initialise)

    def features(self, x: Tensor) -> Tensor:
        """Return the last map before pooling: [N, 3, H, W] to [N, C, ⌈H/32⌉, ⌈W/32⌉].

        `head` applied to each of its pixels gives the class activation map.
        """
        features: Tensor = self.body(x)
        return features

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits: [N, 3, H, W] to [N, classes]."""
        logits: Tensor = self.head(self.features(x).mean(dim=(2, 3)))
        return logits


def _conv_norm_relu(layer: Layer, architecture: Architecture) -> nn.Sequential:
    """Return convolution, batch norm and ReLU, the unit that MobileNet repeats 27 times (Figure 3).

    Two of these units, depthwise and pointwise, are one depthwise separable block.
    """
    relu = nn.ReLU6 if architecture.activation == "relu6" else nn.ReLU
    return nn.Sequential(
        OrderedDict(
            conv=_convolution(layer, architecture.padding),
            norm=nn.BatchNorm2d(layer.channels_out, eps=architecture.bn_epsilon),
            relu=relu(inplace=True),
        )
    )


def _convolution(layer: Layer, padding: Padding) -> nn.Conv2d:
    """Return the convolution alone. It has no bias, because batch norm adds a shift after it."""
    asymmetric, depthwise = padding == "same" and layer.stride == 2, layer.kind == "depthwise"
    convolution = SameConv2d if asymmetric else DepthwiseConv2d if depthwise else nn.Conv2d
    return convolution(
        layer.channels_in,
        layer.channels_out,
        layer.kernel,
        stride=layer.stride,
        padding=0 if asymmetric else layer.kernel // 2,
        groups=layer.channels_in if depthwise else 1,
        bias=False,
    )


class DepthwiseConv2d(nn.Conv2d):
    """A 3 × 3 depthwise convolution that trains fast on small maps, too.

    The zeros around a map of 1 or 2 px (3 px with a stride of 2) become pixels of the map while the
    network trains: oneDNN then computes the gradient in a tenth of the time.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Turn [N, C, H, W] into [N, C, ⌈H/stride⌉, ⌈W/stride⌉]."""
        if not self.training or not is_small(min(x.shape[2:]), self.stride[0]):
            return super().forward(x)
        padded = F.pad(x, (1, 1, 1, 1))
        return F.conv2d(padded, self.weight, stride=self.stride, groups=self.groups)


class SameConv2d(nn.Conv2d):
    """A 3 × 3 convolution of stride 2 with the padding that TensorFlow calls "SAME".

    An odd size is padded on both sides, an even size only at the right and the bottom.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Turn [N, C, H, W] into [N, C', ⌈H/2⌉, ⌈W/2⌉]."""
        height, width = x.shape[2:]
        return super().forward(F.pad(x, (width % 2, 1, height % 2, 1)))


def _initialise(module: nn.Module) -> None:
    """Draw convolutions from He's normal distribution and the classifier near zero.

    The paper does not say how it initialises. Fan-in is used because torch's fan-out ignores the
    groups: it counts C · 9 outputs for a depthwise filter instead of 9, and so makes the weights
    far too small. With a classifier near zero, every class is about equally likely at the start.
    """
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="relu")
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.01)
        nn.init.zeros_(module.bias)
