"""Knowledge distillation: a network learns the mean of several networks instead of the labels.

    labels ── teachers, each trained on them
                  │  mean of their logits for an augmented cell, softmax
                  ▼
              targets of the network for the same augmented cell

The mean of several networks makes fewer mistakes than one of them, but takes as many times the
work. A network that learns from the mean makes as few, if its teachers see each cell as it does,
augmented, and if it trains for long (Hinton et al. 2015, arXiv 1503.02531; Beyer et al. 2022,
arXiv 2106.05237). `benchmarks/distillation.py` shows by how much.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor, nn


class Teachers(nn.Module):
    """Trained networks that a network learns from: their mean, in inference mode."""

    def __init__(self, networks: Iterable[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks).eval()

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the targets `[N, 2]`, in the order of CLASSES, of inputs `[N, 3, S, S]`.

        The targets are the softmax of the networks' mean logits: 0..1, their sum is 1.
        """
        logits = torch.stack([network(inputs) for network in self.networks])
        return torch.softmax(logits.mean(dim=0), dim=1)


def teacher_checkpoint(checkpoint: Path, number: int) -> Path:
    """Return the path of the checkpoint of a teacher, counted from 1, beside the network's own."""
    return checkpoint.with_name(f"teacher{number}_{checkpoint.name}")
