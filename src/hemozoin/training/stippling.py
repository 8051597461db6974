"""Data augmentation: healthy cells become cells with the stippling of Plasmodium vivax.

Red cells with *P. vivax* or *P. ovale* show Schüffner's dots: many fine dots all over the cell,
together with irregular, amoeboid cytoplasm of the parasite (WHO 2010, Basic Malaria Microscopy,
learner's guide, part I). *P. falciparum* has neither, and NLM's cells hold *P. falciparum* only.
So a network that has learned from them alone takes one dark dot for a parasite, and is in doubt
about a cell that is full of dots. Some healthy cells of each batch get both, and count as
parasitized.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from hemozoin.classes import POSITIVE
from hemozoin.model.transform import BACKGROUND
from hemozoin.training.augmentation import blur

#: Share of the healthy cells that get stippling, and share that get a few specks.
STIPPLED, SPECKLED = 0.08, 0.1

#: Share of the pixels at which a dot or a speck is centred, lowest and highest: 10 to 40 dots or
#: about one speck in a cell.
DOTS, SPECKS = (0.004, 0.013), (0.0003, 0.0007)

#: Density of a dot and of a speck, lowest and highest, and largest density of the parasite's
#: cytoplasm. A density of 1 is 0.25 in optical density; chromatin has 1 to 5.
DOT, SPECK, CYTOPLASM = (0.6, 3.0), (0.3, 3.0), 2.0

#: Absorption of red, green and blue, lowest and highest: dots absorb green most (they are dark red
#: to violet), cytoplasm red (it is blue).
DOT_TINT = ((0.7, 1.1), (1.0, 1.6), (0.6, 1.1))
CYTOPLASM_TINT = ((0.9, 1.4), (0.8, 1.3), (0.5, 1.0))


def stipple(inputs: Tensor, targets: Tensor, random: Generator) -> tuple[Tensor, Tensor]:
    """Return a batch in which some healthy cells have stippling: `[N, 3, S, S]` and int `[N]`.

    `inputs` are outputs of the input transform, `targets` numbers in CLASSES; both are left as
    they are.
    """
    healthy = torch.nonzero(targets != POSITIVE)[:, 0]
    drawn = torch.rand(len(healthy), generator=random).to(inputs.device)
    stippled = healthy[drawn < STIPPLED]
    speckled = healthy[(drawn >= STIPPLED) & (drawn < STIPPLED + SPECKLED)]
    inputs = _add(inputs, stippled, lambda c: dots(c, DOTS, DOT, random) + cytoplasm(c, random))
    inputs = _add(inputs, speckled, lambda c: dots(c, SPECKS, SPECK, random))
    return inputs, targets.index_fill(0, stippled, POSITIVE)


def _add(inputs: Tensor, rows: Tensor, draw: Callable[[Tensor], Tensor]) -> Tensor:
    """Return the inputs with a drawn density added to the cells of some rows."""
    cells = inputs[rows]
    changed = torch.where(cells == BACKGROUND, cells, cells + draw(cells).to(cells.device))
    return inputs.index_copy(0, rows, changed)


def dots(
    cells: Tensor, share: tuple[float, float], density: tuple[float, float], random: Generator
) -> Tensor:
    """Return the density of dots 3 px wide, centred at a share of all pixels, shape as `cells`."""
    shape = (len(cells), 1, *cells.shape[2:])
    places = torch.rand(shape, generator=random) < _uniform((len(cells), 1, 1, 1), share, random)
    strength = _uniform(shape, density, random)
    return 9 * blur(places * strength) * _tint(len(cells), DOT_TINT, random)


def cytoplasm(cells: Tensor, random: Generator) -> Tensor:
    """Return the density of irregular patches, same shape as `cells`."""
    count, _, height, width = cells.shape
    noise = torch.randn(count, 1, 5, 5, generator=random)
    patches = F.interpolate(noise, size=(height, width), mode="bicubic", align_corners=False)
    strength = CYTOPLASM / 2 * torch.rand(count, 1, 1, 1, generator=random)
    return patches.clamp(0, 2) * strength * _tint(count, CYTOPLASM_TINT, random)


def _tint(count: int, ranges: tuple[tuple[float, float], ...], random: Generator) -> Tensor:
    """Return the absorption of each channel, `[count, 3, 1, 1]`, with a mean of 1."""
    tint = torch.cat([_uniform((count, 1, 1, 1), one, random) for one in ranges], dim=1)
    return tint / tint.mean(dim=1, keepdim=True)


def _uniform(shape: tuple[int, ...], limits: tuple[float, float], random: Generator) -> Tensor:
    """Return uniform random numbers between two limits."""
    low, high = limits
    return low + (high - low) * torch.rand(shape, generator=random)
