"""The background of a field, and how much stain each pixel has compared with it.

Everything is measured as optical density relative to the background next to it. Uneven
illumination, the colour cast of a camera and the exposure then make no difference.
"""

from __future__ import annotations

import cv2
import numpy as np

from hemozoin.arrays import Floats, Levels, Pixels
from hemozoin.optics import optical_density
from hemozoin.smear.segmentation.levels import above, otsu_threshold
from hemozoin.smear.segmentation.morphology import eroded
from hemozoin.smear.segmentation.parameters import STAIN

#: The channel in which haemoglobin absorbs the most light, whatever the Giemsa stain: green.
_GREEN = 1

#: The optical density of each level.
_DENSITY = optical_density(np.arange(256))

#: The pixels from which statistics are computed.
_SAMPLED = np.s_[:: STAIN.step, :: STAIN.step]

#: Exponents of y and x in the terms of a quadratic surface.
_QUADRATIC = ((0, 0), (0, 1), (1, 0), (0, 2), (1, 1), (2, 0))


def downscaled_density(pixels: Pixels, scale: float) -> Floats:
    """Return the optical density of a picture that was made smaller by the factor `scale`.

    float32 `[h, w, 3]` of an RGB picture `[H, W, 3]`, `[h, w]` of a single channel `[H, W]`.
    """
    return np.asarray(cv2.LUT(_downscaled(pixels, scale), _DENSITY))


def _downscaled(pixels: Pixels, scale: float) -> Pixels:
    """Return a picture made smaller by averages: of whole pixels, which is fast, then of parts.

    The right and lower edge lose less than one px of the copy. Interpolation instead of the second
    average is faster still, but blurs the gaps between cells.
    """
    whole = max(1, int(scale))
    height, width = (side // whole for side in pixels.shape[:2])
    picture = pixels[: height * whole, : width * whole]
    if whole > 1:
        picture = np.asarray(
            cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8
        )
    rest = scale / whole
    size = max(8, round(width / rest)), max(8, round(height / rest))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))


def subtract_background(densities: Floats) -> Floats:
    """Return densities `[h, w, 3]` minus those of the background, which thus gets values near 0.

    The background is a quadratic surface for each channel, fitted to the pixels that are below
    Otsu's threshold in green.
    """
    y, x = _powers(densities.shape[0]), _powers(densities.shape[1])
    sample, sampled_y, sampled_x = densities[_SAMPLED], y[:: STAIN.step], x[:: STAIN.step]
    green = sample[..., _GREEN]
    for _ in range(STAIN.rounds):
        weights = _fit(sample, _background(green), sampled_y, sampled_x)
        green = sample[..., _GREEN] - sampled_y @ weights[..., _GREEN] @ sampled_x.T
    background = cv2.merge([y @ weights[..., channel] @ x.T for channel in range(3)])
    return np.asarray(cv2.subtract(densities, background, background), np.float32)


def _background(green: Floats) -> Levels:
    """Return the mask `[h, w]` of the background, without the rims of cells if it can."""
    background = ~above(green, otsu_threshold(green))
    inner = eroded(background, 1)
    return inner if cv2.countNonZero(inner) > STAIN.min_pixels else background


def _fit(densities: Floats, mask: Levels, y: Floats, x: Floats) -> Floats:
    """Return the quadratic surfaces fitted to the densities in a mask by least squares.

    The weights, float32 `[3, 3, 3]`, are those of the powers of y, of the powers of x, in each
    channel: the surface of a channel is y @ weights @ x.T.
    """
    rows, columns = np.nonzero(mask)
    terms = np.stack([y[rows, i] * x[columns, j] for i, j in _QUADRATIC]).astype(np.float64)
    values = densities[rows, columns]
    solved, *_ = np.linalg.lstsq(terms @ terms.T, terms @ values, rcond=None)
    weights = np.zeros((3, 3, 3), np.float32)
    weights[tuple(zip(*_QUADRATIC, strict=True))] = solved
    return weights


def _powers(side: int) -> Floats:
    """Return the powers 0, 1 and 2 of the places along a side, from -1 to 1: float32 `[n, 3]`."""
    return np.vander(np.linspace(-1, 1, side), 3, increasing=True).astype(np.float32)


def stain_levels(relative: Floats) -> Levels:
    """Return how much stain there is, slightly blurred, in 8 bits: uint8 `[h, w]`.

    `relative` `[h, w, 3]` are densities relative to the background. The background is near the
    level `STAIN.zero`, and most of the stain is below `STAIN.full`. From here on all
    masks are computed from integers.
    """
    stain = np.ascontiguousarray(_combined_channels(relative))
    full = float(np.percentile(stain[_SAMPLED], STAIN.clipped[1]))
    gain = (STAIN.full - STAIN.zero) / max(full, STAIN.min_density)
    levels = np.rint(stain * gain + STAIN.zero).clip(0, 255).astype(np.uint8)
    return np.asarray(cv2.GaussianBlur(levels, (0, 0), STAIN.blur))


def _combined_channels(relative: Floats) -> Floats:
    """Return the weighted mean of the channels that separates objects from background best.

    The weights are those of Fisher's linear discriminant, negative ones set to 0: pink, lilac
    and grey-green smears each have their own. Without enough pixels, or without a positive
    weight, it is the green channel.
    """
    green = relative[..., _GREEN]
    objects = above(green, otsu_threshold(green))
    sample = relative[_SAMPLED]
    stained = sample[eroded(objects, 2)[_SAMPLED] > 0]
    bare = sample[eroded(~objects, 1)[_SAMPLED] > 0]
    if min(len(stained), len(bare)) < STAIN.min_stained:
        return green
    within = (np.cov(stained.T) + np.cov(bare.T)) / 2 + 1e-4 * np.eye(3)
    weights = np.linalg.solve(within, stained.mean(axis=0) - bare.mean(axis=0)).clip(0)
    if not weights.sum() > 0:
        return green
    return np.asarray(cv2.transform(relative, (weights / weights.sum())[None]))
