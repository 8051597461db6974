"""The background of a field, and how much stain each pixel has compared with it.

Everything is measured as optical density relative to the background next to it. Uneven
illumination, the colour cast of a camera and the exposure then make no difference.
"""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage
from skimage.filters import threshold_otsu

from hemozoin.arrays import Bools, Floats
from hemozoin.optics import optical_density

#: The channel in which haemoglobin absorbs the most light, whatever the Giemsa stain: green.
_GREEN = 1

#: Percentiles to which values are clipped before Otsu's method. The darkest 2 % of a field, nuclei
#: and dirt, would raise the threshold between background and cells.
_CLIPPED = 1, 98

#: About this many pixels give the same threshold as all of them.
_SAMPLE = 30_000

#: How often the background's pixels are selected and the illumination is fitted to them.
_ROUNDS = 2

#: Every 7th pixel is enough to fit the illumination. Pixels at the rims of cells are left out of
#: the fit where more than 200 others remain.
_STEP, _MIN_BACKGROUND = 7, 200

#: Fewest pixels, both of objects and of background, from which a stain's colour is estimated.
_MIN_STAINED = 50

#: Standard deviation in px of the blur that takes the noise out of the stain density.
_BLUR = 0.8


def downscaled_density(picture: Image.Image, scale: float) -> Floats:
    """Return the optical density of a picture that was made smaller by the factor `scale`.

    float32 `[h, w, 3]` of an RGB picture, `[h, w]` of a single channel.
    """
    size = max(8, round(picture.width / scale)), max(8, round(picture.height / scale))
    return optical_density(np.asarray(picture.resize(size, Image.Resampling.BOX)))


def subtract_background(densities: Floats) -> Floats:
    """Return densities `[h, w, 3]` minus those of the background, which thus gets values near 0.

    The background is a quadratic surface for each channel, fitted to the pixels that are below
    Otsu's threshold in green.
    """
    terms = _quadratic_terms(*densities.shape[:2])
    relative = densities
    for _ in range(_ROUNDS):
        sample = np.flatnonzero(_background(relative[..., _GREEN]))[::_STEP]
        values = terms.reshape(-1, terms.shape[-1])[sample], densities.reshape(-1, 3)[sample]
        weights, *_ = np.linalg.lstsq(*values, rcond=None)
        relative = terms @ weights
        np.subtract(densities, relative, out=relative)
    return relative


def _background(green: Floats) -> Bools:
    """Return the pixels of the background, bool `[h, w]`, without the rims of cells if it can."""
    background = green < otsu_threshold(green)
    inner = ndimage.binary_erosion(background)
    return inner if inner.sum() > _MIN_BACKGROUND else background


def stain_density(relative: Floats) -> Floats:
    """Return how much stain there is, slightly blurred: float `[h, w]`, about 0 on background.

    `relative` `[h, w, 3]` are densities relative to the background.
    """
    return np.asarray(ndimage.gaussian_filter(_combined_channels(relative), _BLUR))


def _combined_channels(relative: Floats) -> Floats:
    """Return the weighted mean of the channels that separates objects from background best.

    The weights are those of Fisher's linear discriminant, negative ones set to 0: pink, lilac
    and grey-green smears each have their own. Without enough pixels it is the green channel.
    """
    green = relative[..., _GREEN]
    objects = green > otsu_threshold(green)
    inner = ndimage.binary_erosion(objects, iterations=2)
    background = ndimage.binary_erosion(~objects)
    if min(inner.sum(), background.sum()) < _MIN_STAINED:
        return green
    stained, bare = relative[inner], relative[background]
    within = (np.cov(stained.T) + np.cov(bare.T)) / 2 + 1e-4 * np.eye(3)
    weights = np.linalg.solve(within, stained.mean(axis=0) - bare.mean(axis=0)).clip(0)
    return np.asarray(relative @ (weights / weights.sum()).astype(np.float32))


def otsu_threshold(values: Floats) -> float:
    """Return Otsu's threshold of a sample of `values`, whose extremes are clipped before."""
    sample = values.ravel()[:: max(1, values.size // _SAMPLE)]
    low, high = np.percentile(sample, _CLIPPED)
    return float(threshold_otsu(sample.clip(low, high)))  # type: ignore[no-untyped-call]


def _quadratic_terms(height: int, width: int) -> Floats:
    """Return 1, x, y, x², xy, y² over a picture, float32 `[h, w, 6]`: illumination is smooth."""
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    terms = np.empty((height, width, 6), np.float32)
    for number, term in enumerate((np.ones_like(x), x, y, x * x, x * y, y * y)):
        terms[..., number] = term
    return terms
