"""Is the inspector's memory flat? How it grows through the second half of a shift, with an interval, beside a bound."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import theilslopes

HOUR = 720
"""Clicks of an hour: one every five seconds."""
MOST_AN_HOUR = 0.05
"""The memory is flat where an hour's clicks add less than so much of it, at the upper end of the interval."""
_CONFIDENCE = 0.95
FEWEST = 5
"""Readings at least: three of them in the second half."""


@dataclass(frozen=True)
class Trend:
    """How memory changes with clicks.

    Args:
        level: The median of the memory, in MB.
        slope: MB per 100 clicks: the median of the slopes between each two readings.
        low: The lower end of its 95 % interval.
        high: The upper end.
    """

    level: float
    slope: float
    low: float
    high: float

    @property
    def share_an_hour(self) -> float:
        """What an hour's clicks add, at the upper end of the interval, as a share of the memory."""
        return self.high * HOUR / 100 / self.level

    @property
    def is_flat(self) -> bool:
        """Whether that is within the bound; memory that shrinks is."""
        return self.share_an_hour < MOST_AN_HOUR


def trend_of(memory: Sequence[float], clicks_between: int) -> Trend:
    """Return how memory changes through the second half of its readings: the first fills the caches.

    The slope is Theil's (1950), the interval Sen's (1968): a reading at which a report was just made does not move them.
    The interval takes the readings as independent of each other.

    Args:
        memory: Readings, in MB, `FEWEST` at least.
        clicks_between: Clicks from one to the next.

    Example: two MB more every 25 clicks.
        >>> trend_of([100, 400, 500, 502, 504, 506], 25)
        Trend(level=504, slope=8.0, low=8.0, high=8.0)
    """
    later = memory[len(memory) // 2 :]
    clicks = [place * clicks_between / 100 for place in range(len(later))]
    slope, _, low, high = map(float, theilslopes(later, clicks, _CONFIDENCE))
    return Trend(statistics.median(later), slope, low, high)
