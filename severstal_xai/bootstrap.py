"""Intervals by the bootstrap (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13).

The test is held again a thousand times on strips drawn by lot from those there are, and the middle 95 % of the results are
told. Strips are drawn, not patches: the patches of one strip look alike, and to draw them singly would promise too much.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import binomtest

RESAMPLES = 1000
LEVEL = 0.95
SHARE_INTERVAL = (
    "the wider of the bootstrap's over strips and the exact one of Clopper and Pearson, end by end"
)
"""What the interval of `rate` is, in words."""
FEWEST_STRIPS = 5
"""From so many on an interval over strips says something: of one alone it has no width."""

Weights = Float[np.ndarray, "resamples patches"]
Values = Float[np.ndarray, " resamples"]


@dataclass(frozen=True)
class Measure:
    """A measured value and the interval in which it may as well have lain.

    Args:
        value: The value; NaN where there is none.
        low: The interval's lower end, of 95 %.
        high: The interval's upper end.
    """

    value: float
    low: float
    high: float


def resample(strips: Sequence[str], count: int, seed: int) -> Weights:
    """Draw as many strips as there are, with replacement; return how often each patch counts.

    Example:
        >>> lots = resample(["a", "a", "b"], 4, seed=0)
        >>> bool((lots[:, 0] == lots[:, 1]).all()), (lots[:, 1] + lots[:, 2]).tolist()
        (True, [2.0, 2.0, 2.0, 2.0])
    """
    _, places = np.unique(np.asarray(strips), return_inverse=True)
    kinds = int(places.max()) + 1
    drawn = np.random.default_rng(seed).multinomial(kinds, np.full(kinds, 1 / kinds), size=count)
    counted: Weights = drawn[:, places].astype(np.float64)
    return counted


def with_interval(value: float, resampled: Values) -> Measure:
    """Return a value with its interval; a resample in which it has none (NaN) is left out.

    Example:
        >>> with_interval(0.5, np.array([0.25, 0.5, np.nan, 0.75])).low
        0.2625
    """
    known = resampled[~np.isnan(resampled)]
    if np.isnan(value) or len(known) == 0:
        return Measure(value, np.nan, np.nan)
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Measure(value, float(low), float(high))


def rate(part: Bool[np.ndarray, " patches"], whole: Bool[np.ndarray, " patches"], lots: Weights) -> Measure:
    """Return the share of some patches that others are, with its interval.

    The interval is the wider of two, end by end: the bootstrap's over strips, and the exact one for patches (Clopper and
    Pearson, Biometrika 1934). The first knows that the patches of a strip are alike, but what did not happen once
    happens in none of its samples; the second knows that five patches without a miss prove little.

    Args:
        part: The patches counted, all among `whole`.
        whole: The patches they are a share of, one at least.
        lots: As `resample` draws them.

    Example: none of three.
        >>> found = rate(np.array([False] * 3), np.array([True] * 3), np.ones((5, 3)))
        >>> found.value, found.low, round(found.high, 3)
        (0.0, 0.0, 0.708)
    """
    among, of = int(part.sum()), int(whole.sum())
    with np.errstate(invalid="ignore"):  # a lot in which there are none says nothing
        drawn = with_interval(among / of, (lots @ part) / (lots @ whole))
    exact = binomtest(among, of).proportion_ci(LEVEL)
    return Measure(drawn.value, float(np.fmin(drawn.low, exact.low)), float(np.fmax(drawn.high, exact.high)))
