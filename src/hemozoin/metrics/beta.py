"""The beta distribution: its distribution function and its quantiles.

The distribution function is the regularized incomplete beta function I_x(a, b) (DLMF 8.17,
https://dlmf.nist.gov/8.17). It also gives the tails of the binomial distribution:
P(K ≥ k) = I_p(k, n - k + 1) for k of n with probability p (8.17.5).
"""

from __future__ import annotations

import math
from itertools import count

import numpy as np

from hemozoin.arrays import Floats

#: The coefficients of -ln(1 - t) - t, for |t| < 0.1.
_LOGARITHM = (*(1 / k for k in range(18, 1, -1)), 0, 0)

#: The continued fraction ends when a factor is this close to 1; every fourth is compared.
_PRECISION, _CHECKED = 1e-14, 4

#: Below the logarithm of the smallest positive number.
_LOWEST = -745.0

#: Halvings of the interval from `_LOWEST` to 0, until it is as small as a rounding error.
_HALVINGS = 62


def incomplete_beta(a: float, b: float, x: Floats) -> Floats:
    """Return I_x(a, b), float `[N]` in 0..1, for a, b > 0 and x `[N]` in 0..1.

    The continued fraction converges fast on the side of the mean where I is small; on the other
    side I_x(a, b) = 1 - I_{1-x}(b, a) (8.17.4).
    """
    x = np.asarray(x, np.float64)
    complement = 1 - x
    difference = (b * x - a * complement) / (a + b)
    density = _density(a, b, x, difference)
    is_high = x > (a + 1) / (a + b + 2)
    low = density[~is_high] / _continued_fraction(a, b, x[~is_high], difference[~is_high])
    high = density[is_high] / _continued_fraction(b, a, complement[is_high], -difference[is_high])
    result = np.empty_like(x)
    result[~is_high], result[is_high] = low, 1 - high
    return result


def beta_quantiles(a: float, b: float, probabilities: Floats) -> Floats:
    """Return the x `[N]` at which I_x(a, b) is each probability, by bisection of ln x.

    A larger probability never has a smaller quantile.
    """
    low = np.full(np.shape(probabilities), _LOWEST)
    high = np.zeros_like(low)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        is_below = incomplete_beta(a, b, np.exp(middle)) < probabilities
        low, high = np.where(is_below, middle, low), np.where(is_below, high, middle)
    return np.exp(high)


def mean_at_least(k: int, n: int, probabilities: Floats) -> float:
    """Return P(K ≥ k) for K of n, 0 ≤ k ≤ n + 1, as a mean over binomial probabilities `[N]`."""
    if k in (0, n + 1):
        return float(k == 0)
    return float(incomplete_beta(k, n - k + 1, probabilities).mean())


def mean_at_most(k: int, n: int, probabilities: Floats) -> float:
    """Return P(K ≤ k) for K of n, 0 ≤ k ≤ n, as a mean over binomial probabilities `[N]`."""
    return 1 - mean_at_least(k + 1, n, probabilities)


def _density(a: float, b: float, x: Floats, difference: Floats) -> Floats:
    """Return x^a (1 - x)^b / B(a, b); `difference` is that of x to the mean."""
    mean = a / (a + b)
    exponent = a * _log_minus_linear(x, mean, difference)
    exponent += b * _log_minus_linear(1 - x, b / (a + b), -difference)
    stirling = _stirling_error(a + b) - _stirling_error(a) - _stirling_error(b)
    return np.asarray(math.sqrt(mean * b / (2 * math.pi)) * np.exp(exponent + stirling))


def _continued_fraction(a: float, b: float, x: Floats, difference: Floats) -> Floats:
    """Return the continued fraction by which the density is divided, for x up to the mean.

    It is formula (9) of DiDonato & Morris 1992 (ACM Trans. Math. Softw. 18, 360), evaluated by
    Lentz's method (Lentz 1976, Appl. Opt. 15, 668). Its terms are positive.
    """
    linear, square, other = 1 - (a + b) * difference, x * x, 2 - x
    c = fraction = a / (a + 1) * linear
    d = np.zeros_like(x)
    for n in count(1):
        step = n * (b - n) / (a + 2 * n - 1)
        alpha = (a + n - 1) * (a + b + n - 1) / (a + 2 * n - 1) * step * square
        beta = n + step * x + (a + n) / (a + 2 * n + 1) * (linear + n * other)
        d = 1 / (beta + alpha * d)
        c = beta + alpha / c
        factor = c * d
        fraction = fraction * factor
        if n % _CHECKED == 0 and (np.abs(factor - 1) <= _PRECISION).all():
            break
    return fraction


def _log_minus_linear(x: Floats, mean: float, difference: Floats) -> Floats:
    """Return ln(x / mean) - (x / mean - 1), as a series near the mean.

    `difference` is x - mean. In the sum over x and 1 - x the linear terms cancel: leaving them out
    saves the digits that large a and b would lose (Loader 2000, "Fast and Accurate Computation of
    Binomial Probabilities").
    """
    relative = difference / mean
    with np.errstate(divide="ignore"):  # the logarithm of 0 is -inf, and its exponential is 0
        far = np.log(x / mean) - relative
    near = -np.polyval(_LOGARITHM, -relative)
    return np.where(np.abs(relative) < 0.1, near, far)


def _stirling_error(z: float) -> float:
    """Return ln Γ(z) minus Stirling's approximation of it (5.11.1)."""
    if z < 16:
        return math.lgamma(z) - ((z - 0.5) * math.log(z) - z + 0.5 * math.log(2 * math.pi))
    coefficients = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188)
    return sum(factor / z ** (2 * k + 1) for k, factor in enumerate(coefficients))
