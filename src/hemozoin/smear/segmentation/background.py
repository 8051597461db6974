"""What is on the glass: the light made even, the stain measured, bodies told from glass.

All in optical density against the glass beside it, so that a lamp that shines on one side, the
tint of a camera and the exposure don't matter.
"""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage
from skimage.filters import threshold_otsu

from hemozoin.arrays import Floats

#: Green takes most of the light that haemoglobin takes, in any Giemsa.
_GREEN = 1

#: The darkest 2 % of a field, nuclei and dirt, would pull a threshold between glass and cells up.
_DARKEST = 98

#: About so many pixels tell a threshold as well as all of them.
_ENOUGH = 30_000

#: Rounds in which glass and light are found by turns.
_ROUNDS = 2


def density(picture: Image.Image, scale: float) -> Floats:
    """Return the optical density of a picture made smaller by `scale`.

    float32 `[h, w, 3]` of an RGB picture, `[h, w]` of one channel.
    """
    size = max(8, round(picture.width / scale)), max(8, round(picture.height / scale))
    small = picture.resize(size, Image.Resampling.BOX)
    return np.asarray(-np.log((np.asarray(small, np.float32) + 1) / 256))


def subtract_background(picture: Floats) -> Floats:
    """Return densities `[h, w, 3]` less that of the glass, a smooth surface: 0 on bare glass."""
    surfaces = _surfaces(*picture.shape[:2])
    green = picture[..., _GREEN]
    glass = green < otsu(green)
    for _ in range(_ROUNDS):
        inner = ndimage.binary_erosion(glass)
        sure = inner if inner.sum() > 200 else glass
        weights, *_ = np.linalg.lstsq(surfaces[sure][::7], picture[sure][::7], rcond=None)
        relative: Floats = picture - surfaces @ weights
        glass = relative[..., _GREEN] < otsu(relative[..., _GREEN])
    return relative


def stain(relative: Floats) -> Floats:
    """Return how much stain there is, float `[h, w]`, in the colour that tells it best.

    That is the direction of Fisher's linear discriminant between glass and bodies, with no
    negative part: pink, lilac and grey-green smears each have their own.
    """
    bodies = relative[..., _GREEN] > otsu(relative[..., _GREEN])
    core, bare = ndimage.binary_erosion(bodies, iterations=2), ndimage.binary_erosion(~bodies)
    if min(core.sum(), bare.sum()) < 50:
        return relative[..., _GREEN]
    on, off = relative[core], relative[bare]
    within = (np.cov(on.T) + np.cov(off.T)) / 2 + 1e-4 * np.eye(3)
    best = np.linalg.solve(within, on.mean(axis=0) - off.mean(axis=0)).clip(0)
    return np.asarray(relative @ (best / best.sum()).astype(np.float32))


def otsu(values: Floats) -> float:
    """Return Otsu's threshold of values whose extremes are left out."""
    some = values.ravel()[:: max(1, values.size // _ENOUGH)]
    low, high = np.percentile(some, [1, _DARKEST])
    return float(threshold_otsu(some.clip(low, high)))  # type: ignore[no-untyped-call]


def _surfaces(height: int, width: int) -> Floats:
    """Return 1, x, y, x², xy, y² over a picture, `[h, w, 6]`: what light can be like."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).astype(np.float32)
