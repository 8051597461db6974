"""Statistics of 8-bit pictures, from their histograms, and Otsu's threshold."""

from __future__ import annotations

import math

import cv2
import numpy as np

from hemozoin.arrays import Bools, Floats, Ints, Levels
from hemozoin.smear.segmentation.parameters import STAIN

#: About this many values give the same threshold as all of them.
_SAMPLE = 30_000

#: Standard deviation of a normal distribution over its median absolute deviation, which outliers
#: change little.
_NORMAL = 1.4826


def otsu_threshold(values: Floats | Levels) -> float:
    """Return Otsu's threshold of a sample of `values`, whose extremes are clipped before.

    It is the one of 256 levels that separates two classes with the least variance within them
    (Otsu 1979, doi.org/10.1109/TSMC.1979.4310076).
    """
    flat = values.ravel()
    sample = flat[:: max(1, len(flat) // _SAMPLE)]
    low, high = np.percentile(sample, STAIN.clipped)
    if not high > low:
        return float(low)
    levels = np.rint((sample.clip(low, high) - low) * (255 / (high - low))).astype(np.uint8)
    level, _ = cv2.threshold(levels, 0, 255, cv2.THRESH_OTSU)
    return float(low + (level + 0.5) / 255 * (high - low))


def above(values: Floats | Levels, threshold: float) -> Levels:
    """Return the mask of the values above a threshold."""
    if values.dtype == np.uint8:
        threshold = math.floor(threshold)  # integers are compared ten times as fast
    return as_mask(np.asarray(values > threshold))


def as_mask(inside: Bools) -> Levels:
    """Return truth values as a mask."""
    # 0 stays 0 and 1 becomes 255; `np.where` takes fifty times as long.
    return np.negative(inside.view(np.uint8))


def masked_sample(values: Floats, mask: Levels) -> Floats:
    """Return a sample of the values `[h, w, ...]` within a mask that isn't empty: `[n, ...]`."""
    step = max(1, round((mask.size / _SAMPLE) ** 0.5))
    inside = values[::step, ::step][mask[::step, ::step] > 0]
    return inside if len(inside) else values[mask > 0]


def median_and_deviation(values: Floats) -> tuple[float, float]:
    """Return the median of values `[n]`, and a standard deviation that outliers don't change."""
    middle = float(np.median(values))
    return middle, _NORMAL * float(np.median(np.abs(values - middle)))


def median_level(levels: Levels, mask: Levels) -> int:
    """Return the median of uint8 `[h, w]` within a mask that isn't empty."""
    return _median(_histogram(levels, mask))


def median_and_noise(levels: Levels, mask: Levels) -> tuple[int, float]:
    """Return the same as `median_and_deviation` for the levels within a mask, from a histogram."""
    histogram = _histogram(levels, mask)
    middle = _median(histogram)
    deviations = np.bincount(np.abs(np.arange(256) - middle), histogram, 256)
    return middle, _NORMAL * _median(deviations)


def _histogram(levels: Levels, mask: Levels) -> Floats:
    return np.asarray(cv2.calcHist([levels], [0], mask, [256], [0, 256]), np.float64).ravel()


def _median(histogram: Floats | Ints) -> int:
    cumulative = histogram.cumsum(dtype=np.float64)
    return int(np.searchsorted(cumulative, cumulative[-1] / 2))
