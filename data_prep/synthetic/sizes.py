"""How many defects a strip has and how large they are: tables measured on all 7,095 real annotations.

A defect is one connected component of a real mask. The tables hold derived figures only: quantiles of the
components' boxes and counts of components per annotation. Boxes are drawn through a Gaussian copula: the
marginal quantiles are the real ones, width and height are correlated as the real ones are, and so are the
defects of one strip.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

LEVELS = (0.0, 0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98, 1.0)
"""The levels of the quantiles in the tables."""
COMPANY = (1.0, 2.0, 3.5, 6.5, 12.0)
"""The numbers of defects on a strip at which their mean size was taken."""
_REST = 0.9
"""The deviation of a size's score that its company leaves open."""


@dataclass(frozen=True)
class Family:
    """Defects of one class and one build.

    Args:
        heights, widths: Quantiles at `LEVELS`, in pixels.
        correlation: Of the logarithms of width and height.
        kinship: Correlation of the sizes within a strip: 0 for strangers, 1 for twins.
        counts: How many annotations have 1, 2, 3, ... components.
        company: The mean score (standard normal) of the sizes where a strip has `COMPANY` of them: a lone defect
            is larger than one of a dozen.
        at_border: Share of those below full height that touch the upper border, and as many the lower one.
    """

    heights: tuple[int, ...]
    widths: tuple[int, ...]
    correlation: float
    kinship: float
    counts: tuple[int, ...]
    company: tuple[float, ...]
    at_border: float


PITTING = Family(
    heights=(13, 20, 27, 33, 44, 63, 100, 242, 256),
    widths=(6, 15, 18, 21, 26, 32, 43, 60, 180),
    correlation=0.37,
    kinship=0.5,
    counts=(396, 127, 67, 51, 44, 45, 49, 40, 19, 17, 16, 8, 8, 10),
    company=(1.0, 0.39, -0.04, -0.19, -0.29),
    at_border=0.1,
)
EDGE_BARS = Family(
    heights=(48, 62, 89, 124, 169, 218, 256, 256, 256),
    widths=(6, 9, 12, 14, 19, 25, 32, 38, 45),
    correlation=0.48,
    kinship=0.66,
    counts=(182, 57, 7, 1),
    company=(0.25, -0.28, -0.43, -0.43, -0.43),
    at_border=0.33,
)
FULL_HEIGHT = Family(
    heights=(250, 251, 253, 255, 256, 256, 256, 256, 256),
    widths=(5, 14, 18, 22, 28, 49, 119, 456, 1600),
    correlation=0.03,
    kinship=0.85,
    counts=(662, 598, 355, 175, 87, 60, 32, 29, 16, 4, 6, 2),
    company=(0.17, 0.03, -0.08, 0.01, -0.1),
    at_border=0.0,
)
UPRIGHT = Family(
    heights=(8, 13, 31, 59, 106, 174, 220, 246, 249),
    widths=(5, 7, 13, 19, 28, 44, 63, 115, 238),
    correlation=0.42,
    kinship=0.6,
    counts=(527, 478, 327, 247, 168, 117, 85, 34, 25, 12, 11, 24),
    company=(0.4, 0.24, 0.06, -0.18, -0.22),
    at_border=0.22,
)
LYING = Family(
    heights=(8, 11, 20, 34, 55, 94, 147, 224, 249),
    widths=(12, 16, 31, 57, 121, 280, 625, 1519, 1600),
    correlation=0.78,
    kinship=0.8,
    counts=(395, 245, 163, 99, 73, 40, 20, 16, 5, 8, 1, 4),
    company=(0.67, 0.27, 0.02, -0.33, -0.34),
    at_border=0.2,
)
PLATES = Family(
    heights=(9, 15, 35, 59, 99, 156, 223, 256, 256),
    widths=(9, 18, 39, 70, 126, 212, 350, 659, 1234),
    correlation=0.72,
    kinship=0.4,
    counts=(313, 228, 116, 58, 34, 21, 11, 7, 8, 2, 1, 1),
    company=(0.68, 0.17, -0.07, -0.36, -0.73),
    at_border=0.2,
)
"""Class 1, class 2, the three builds of class 3 (over the full height, upright, lying) and class 4."""

SCRATCH_BUILDS = {UPRIGHT: 0.40, LYING: 0.21, FULL_HEIGHT: 0.39}
"""The build of most defects of a class 3 annotation, and its share of these annotations."""
STRAY_BUILD = 0.28
"""Share of a class 3 annotation's defects whose build is drawn anew: one in five then differs, as in reality."""


def draw_families(chance: np.random.Generator, label: int) -> list[Family]:
    """Return the families of a strip's defects of one class, one entry a defect."""
    single = {1: PITTING, 2: EDGE_BARS, 4: PLATES}
    family = single[label] if label in single else _draw_build(chance)
    count = draw_count(chance, family)
    if label in single:
        return [family] * count
    return [_draw_build(chance) if chance.random() < STRAY_BUILD else family for _ in range(count)]


def _draw_build(chance: np.random.Generator) -> Family:
    builds, shares = list(SCRATCH_BUILDS), list(SCRATCH_BUILDS.values())
    return builds[int(chance.choice(len(builds), p=shares))]


def draw_count(chance: np.random.Generator, family: Family) -> int:
    """Return the number of defects of one annotation, 1 or more."""
    shares = np.array(family.counts) / sum(family.counts)
    return int(chance.choice(shares.size, p=shares)) + 1


def draw_sizes(chance: np.random.Generator, families: Sequence[Family]) -> list[tuple[float, float]]:
    """Return the width and the height, in pixels, of the box of each annotated defect of one strip and class."""
    kin = chance.standard_normal(2)
    return [_draw_size(chance, family, kin, len(families)) for family in families]


def _draw_size(
    chance: np.random.Generator, family: Family, kin: np.ndarray, count: int
) -> tuple[float, float]:
    own = chance.standard_normal(2)
    first, second = np.sqrt(family.kinship) * kin + np.sqrt(1 - family.kinship) * own
    second = family.correlation * first + np.sqrt(1 - family.correlation**2) * second
    shift = float(np.interp(count, COMPANY, family.company))
    width = _quantile(family.widths, shift + _REST * float(first))
    return width, _quantile(family.heights, shift + _REST * float(second))


def _quantile(table: tuple[int, ...], score: float) -> float:
    """Return the table's value at a standard normal score; between two entries its logarithm is linear."""
    return float(np.exp(np.interp(NormalDist().cdf(score), LEVELS, np.log(table))))
