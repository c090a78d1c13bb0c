"""What lies on sound steel and is no defect: oil, scale, drops, spindles, edges of a wet film, raised patterns."""

from collections.abc import Callable

import cv2
import numpy as np

from data_prep.synthetic.fields import Field, Number, between, covering, fractal, happens, smooth
from data_prep.synthetic.steel import SHAPE
from severstal_xai.strips import STRIP_HEIGHT, STRIP_WIDTH

Mark = Callable[[np.random.Generator, Field], Field]
"""Lays one kind of mark on the grey values of a strip."""


def marked(chance: np.random.Generator, grey: Field) -> Field:
    """Lay marks on a strip, each kind as often as its share says."""
    for mark, share in MARKS.items():
        if happens(chance, share):
            grey = mark(chance, grey)
    return grey


def oil_streaks(chance: np.random.Generator, grey: Field) -> Field:
    """Darken streaky islands: oil that the rolls drew out down the strip."""
    bands = covering(
        smooth(chance, SHAPE, (150, between(chance, (25, 90)))), between(chance, (0.1, 0.5)), 1.0
    )
    islands = fractal(chance, SHAPE, (between(chance, (7, 40)), between(chance, (1.3, 5))))
    share = between(chance, (0.2, 0.7)) * bands + 0.01
    oil = covering(islands, np.asarray(share, dtype=np.float32), softness=between(chance, (0.15, 0.6)))
    return np.asarray(grey * (1 - between(chance, (0.06, 0.32)) * oil), dtype=np.float32)


def bright_scale(chance: np.random.Generator, grey: Field) -> Field:
    """Brighten ragged islands: places where the scale came off."""
    bands = covering(
        smooth(chance, SHAPE, (90, between(chance, (20, 70)))), between(chance, (0.06, 0.2)), 1.2
    )
    islands = fractal(chance, SHAPE, (between(chance, (5, 26)), between(chance, (1.5, 6))), octaves=4)
    bare = covering(islands, np.asarray(between(chance, (0.2, 0.5)) * bands, dtype=np.float32), softness=0.8)
    return np.asarray(grey * (1 + between(chance, (0.12, 0.45)) * bare), dtype=np.float32)


def blotches(chance: np.random.Generator, grey: Field) -> Field:
    """Darken cloudy, crumbling islands of scale, as broad as they are high."""
    size = between(chance, (10, 34))
    clouds = fractal(chance, SHAPE, (size, size * between(chance, (0.8, 1.8))), octaves=5)
    share = 0.5 * covering(smooth(chance, SHAPE, (90, 110)), between(chance, (0.03, 0.15)), 1.0)
    scale = covering(clouds, np.asarray(share, dtype=np.float32), softness=0.25)
    return np.asarray(grey * (1 - between(chance, (0.25, 0.5)) * scale), dtype=np.float32)


def spindles(chance: np.random.Generator, grey: Field) -> Field:
    """Darken a few pointed drops of oil, upright."""
    oil = np.zeros(SHAPE, dtype=np.float32)
    for _ in range(chance.integers(1, 8)):
        centre = (int(chance.integers(STRIP_WIDTH)), int(chance.integers(STRIP_HEIGHT)))
        half = between(chance, (6, 30))
        rows = np.linspace(-1, 1, 24)
        halfwidth = half * between(chance, (0.06, 0.16)) * (1 - rows**2)
        right = np.stack([halfwidth, rows * half], axis=1)
        outline = np.concatenate([right, (right * [-1, 1])[::-1]]) + centre
        cv2.fillPoly(oil, [np.rint(outline).astype(np.int32)], 1.0)
    return np.asarray(grey * (1 - between(chance, (0.2, 0.5)) * _blurred(oil, 0.8)), dtype=np.float32)


def drops(chance: np.random.Generator, grey: Field) -> Field:
    """Lay drops of water or emulsion in a band down the strip: lit to white at their edges."""
    middle, reach = between(chance, (100, STRIP_WIDTH - 100)), between(chance, (15, 60))
    columns = np.arange(STRIP_WIDTH, dtype=np.float32)[None, :]
    near = np.exp(-(((columns - middle) / reach) ** 2)) * np.ones(SHAPE, dtype=np.float32)
    share = near * between(chance, (0.05, 0.3)) * covering(smooth(chance, SHAPE, (40, 40)), 0.5, 1.0)
    film = fractal(chance, SHAPE, (between(chance, (7, 16)), between(chance, (4, 7))), octaves=4)
    wet = covering(film, np.asarray(share, dtype=np.float32), softness=0.05)
    edge = np.clip(2.5 * np.abs(wet - _blurred(wet, 1.6)), 0, 1)
    white = np.maximum(edge, wet * (smooth(chance, SHAPE, (4, 3)) > between(chance, (-0.6, 0.8))))
    return np.asarray(grey * (1 - 0.3 * wet) + 220 * white, dtype=np.float32)


def wet_film(chance: np.random.Generator, grey: Field) -> Field:
    """Change the brightness on one side of a wandering line down the strip, sharp as a film's edge."""
    line = between(chance, (0, STRIP_WIDTH)) + 25 * smooth(chance, (STRIP_HEIGHT, 1), (90, 0.1))
    line = line + between(chance, (-60, 60)) * np.linspace(-0.5, 0.5, STRIP_HEIGHT)[:, None]
    width = between(chance, (60, 500))
    columns = np.arange(STRIP_WIDTH)[None, :]
    inside = np.clip(columns - line, 0, 1) * np.clip(
        (line + width - columns) / between(chance, (1, 80)), 0, 1
    )
    return np.asarray(grey * (1 + between(chance, (-0.25, 0.2)) * inside), dtype=np.float32)


def dust(chance: np.random.Generator, grey: Field) -> Field:
    """Scatter small dark spots."""
    spots = covering(
        smooth(chance, SHAPE, (between(chance, (1.0, 2.0)), 1.2)), between(chance, (0.001, 0.006)), 0.5
    )
    return np.asarray(grey * (1 - between(chance, (0.3, 0.6)) * spots), dtype=np.float32)


def guide_lines(chance: np.random.Generator, grey: Field) -> Field:
    """Draw one to three faint, broken lines down the strip: too shallow to be scratches."""
    depth = np.zeros(SHAPE, dtype=np.float32)
    for _ in range(chance.integers(1, 4)):
        x = between(chance, (0, STRIP_WIDTH))
        across = np.exp(-(((np.arange(STRIP_WIDTH) - x) / between(chance, (0.8, 2.5))) ** 2))
        along = np.clip(0.5 + smooth(chance, (STRIP_HEIGHT, 1), (25, 0.1)), 0, 1)
        depth += np.asarray(along * across[None, :], dtype=np.float32)
    return np.asarray(grey * (1 - between(chance, (0.06, 0.16)) * depth), dtype=np.float32)


MARKS: dict[Mark, float] = {
    oil_streaks: 0.42,
    bright_scale: 0.25,
    blotches: 0.15,
    spindles: 0.25,
    wet_film: 0.25,
    dust: 0.3,
    guide_lines: 0.3,
    drops: 0.07,
}
"""The kinds of mark, and the share of strips that have each; judged by eye on the real sample."""


def _blurred(field: Field, reach: Number) -> Field:
    return np.asarray(cv2.GaussianBlur(field, (0, 0), reach), dtype=np.float32)
