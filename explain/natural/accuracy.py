"""How well a network names what is in its images, counted as the paper counts: over pairs, and over images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from severstal_xai.bootstrap import RESAMPLES, Measure, rate, resample

TOP = 5


@dataclass(frozen=True)
class Accuracy:
    """Shares, 0 to 1, with their intervals where they are measured.

    Args:
        pairs_first: Of the pairs of an image and a class of its ground truth, those whose class is the network's first.
        pairs_first_most: The most that could be: images / pairs.
        pairs_five: Those whose class is among the network's first five.
        pairs_five_most: The most that could be: an image with more than five classes cannot have all of them there.
        images_first: Of the images, those whose first class is in the ground truth.
        images_five: Those that have one of the ground truth among the first five.
    """

    pairs_first: Measure
    pairs_first_most: float
    pairs_five: Measure
    pairs_five_most: float
    images_first: Measure
    images_five: Measure


def accuracy_of(pairs: pd.DataFrame, seed: int) -> Accuracy:
    """Return what the pairs come to.

    Args:
        pairs: A row a pair: `image`, and `place`: 1 to 5, the class's among the likeliest; missing where it is not there.
        seed: Of the intervals' lot, which draws images.

    Example: the network's first class of image a is in the ground truth, none of image b is.
        >>> found = accuracy_of(pd.DataFrame({"image": ["a", "a", "b"], "place": [1, 3, None]}), seed=0)
        >>> round(found.pairs_first.value, 3), round(found.pairs_first_most, 3), found.images_five.value
        (0.333, 0.667, 0.5)
    """
    places = pairs["place"].astype(float)
    best = places.fillna(np.inf).groupby(pairs["image"], sort=True).min()
    counts = pairs.groupby("image", sort=True).size()
    return Accuracy(
        pairs_first=_share(places == 1, list(pairs["image"]), seed),
        pairs_first_most=len(counts) / len(pairs),
        pairs_five=_share(places <= TOP, list(pairs["image"]), seed),
        pairs_five_most=float(counts.clip(upper=TOP).sum() / len(pairs)),
        images_first=_share(best == 1, list(best.index), seed),
        images_five=_share(best <= TOP, list(best.index), seed),
    )


def _share(holds: "pd.Series[bool]", images: Sequence[str], seed: int) -> Measure:
    part = holds.to_numpy(dtype=bool)
    return rate(part, np.ones(len(part), dtype=bool), resample(images, RESAMPLES, seed))
