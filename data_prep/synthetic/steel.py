"""Sound steel as the camera sees it: grain, rolling streaks, ripples, uneven light, the dark beside the strip.

The strip runs through the picture from top to bottom, so all that rolling leaves runs down the columns.
Brightness is built as a sum of logarithms: textures and light multiply, as reflectance and lamps do.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from jaxtyping import UInt8

from data_prep.synthetic.fields import Field, between, covering, fractal, happens, sheared, smooth
from severstal_xai.strips import STRIP_HEIGHT, STRIP_WIDTH

SHAPE = (STRIP_HEIGHT, STRIP_WIDTH)

_MEAN_GREY = (97.0, 0.27)
"""Median of a strip's mean grey value on steel, and the deviation of its logarithm; as in the real sample."""
_BLACK_LEVEL, _SENSOR_NOISE = (2.6, 0.4), 1.1
"""Median of the grey value where no steel lies and the deviation of its logarithm; and the noise, as in the real
sample."""


class Side(StrEnum):
    """Where the dark beside the strip is in the picture."""

    NONE = "none"
    LEFT = "left"
    RIGHT = "right"


@dataclass(frozen=True)
class Margin:
    """The dark beside the strip: its side, its width in pixels, and how far the edge leans over the height."""

    side: Side
    width: float
    lean: float

    def span(self) -> tuple[float, float]:
        """Return the x of the steel's left and right end, in pixels."""
        left = self.width if self.side == Side.LEFT else 0.0
        right = STRIP_WIDTH - (self.width if self.side == Side.RIGHT else 0.0)
        return left, right

    def distance(self) -> Field:
        """Return each pixel's distance from the edge in pixels, negative in the dark; far where there is none."""
        if self.side == Side.NONE:
            return np.full(SHAPE, 2.0 * STRIP_WIDTH, dtype=np.float32)
        columns = np.arange(STRIP_WIDTH, dtype=np.float32)
        lean = self.lean * (np.arange(STRIP_HEIGHT, dtype=np.float32) / STRIP_HEIGHT - 0.5)
        from_side = columns if self.side == Side.LEFT else columns[::-1]
        return np.asarray(from_side[None, :] - self.width - lean[:, None], dtype=np.float32)


def steel_surface(chance: np.random.Generator, margin: Margin) -> Field:
    """Return the grey values of sound, clean steel, without the dark beside it and without sensor noise."""
    mean, spread = _MEAN_GREY
    logarithm = (
        np.float32(np.log(mean) + spread * np.clip(chance.standard_normal(), -2.2, 2.0))
        + uneven_light(chance)
        + rolling_streaks(chance)
        + grain(chance)
    )
    if happens(chance, 0.5):
        logarithm = logarithm + ripples(chance)
    if happens(chance, 0.35):
        logarithm = logarithm + sweeps(chance)
    logarithm = logarithm + glitter(chance, margin)
    return np.asarray(np.exp(logarithm), dtype=np.float32)


def uneven_light(chance: np.random.Generator) -> Field:
    """Return the light's logarithm: a slope down the height, a broad unevenness along the width."""
    height = np.linspace(-0.5, 0.5, STRIP_HEIGHT, dtype=np.float32)[:, None]
    slope = np.float32(chance.choice([-1.0, 1.0]) * chance.lognormal(np.log(0.5), 0.5))
    bend = np.float32(chance.normal(-0.35, 0.5))
    strength = np.float32(chance.lognormal(np.log(0.12), 0.5))
    lamps = smooth(chance, SHAPE, (140, between(chance, (120, 320))))
    return np.asarray(slope * height + bend * (height**2 - 1 / 12) + strength * lamps, dtype=np.float32)


def rolling_streaks(chance: np.random.Generator) -> Field:
    """Return what the rolls leave: streaks down the columns, from hair lines to broad bands."""
    strength = np.float32(chance.lognormal(np.log(0.75), 0.4))
    hair = 0.02 * smooth(chance, SHAPE, (between(chance, (12, 90)), 0.9))
    lines = 0.02 * smooth(chance, SHAPE, (160, 5))
    bands = 0.05 * smooth(chance, SHAPE, (260, between(chance, (14, 50))))
    return np.asarray(strength * (hair + lines + bands), dtype=np.float32)


def grain(chance: np.random.Generator) -> Field:
    """Return the surface's own roughness: fine grain, somewhat longer one way, and a coarser mottle."""
    fine = smooth(chance, SHAPE, (between(chance, (0.4, 0.8)), between(chance, (0.35, 0.7))))
    mottle = fractal(chance, SHAPE, (between(chance, (3, 14)), between(chance, (2, 6))))
    strength = chance.lognormal(np.log(0.062), 0.32)
    return np.asarray(strength * fine + chance.lognormal(np.log(0.024), 0.35) * mottle, dtype=np.float32)


def ripples(chance: np.random.Generator) -> Field:
    """Return fine chatter marks that run across the strip, here strong and there gone."""
    lines = smooth(chance, SHAPE, (between(chance, (0.8, 1.5)), between(chance, (10, 40))))
    lines = sheared(lines, between(chance, (-0.06, 0.06)))
    where = np.clip(0.4 + smooth(chance, SHAPE, (60, 110)), 0, 1.5)
    broken = np.clip(1 + 0.5 * smooth(chance, SHAPE, (12, 4)), 0, None)
    return np.asarray(chance.lognormal(np.log(0.05), 0.4) * where * broken * lines, dtype=np.float32)


def sweeps(chance: np.random.Generator) -> Field:
    """Return broad, leaning shades, as a wiper or cooling water leaves them."""
    shades = smooth(chance, (STRIP_HEIGHT, STRIP_WIDTH), (400, between(chance, (10, 40))))
    rows = np.linspace(0, 1, STRIP_HEIGHT)
    shift = between(chance, (-90, 90)) * rows + between(chance, (-60, 60)) * rows**2
    columns = np.arange(STRIP_WIDTH)[None, :] + shift[:, None]
    leaning = np.take_along_axis(shades, np.mod(columns, STRIP_WIDTH).astype(np.intp), axis=1)
    where = np.clip(smooth(chance, SHAPE, (300, 160)), 0, None)
    return np.asarray(chance.lognormal(np.log(0.06), 0.4) * where * leaning, dtype=np.float32)


def glitter(chance: np.random.Generator, margin: Margin) -> Field:
    """Return bright flecks in bands down the strip, where scale came off; most often beside its edge."""
    share = np.float32(chance.lognormal(np.log(0.0007), 0.8)) * np.ones(SHAPE, dtype=np.float32)
    if happens(chance, 0.3):
        band = covering(
            smooth(chance, SHAPE, (200, between(chance, (20, 90)))), between(chance, (0.1, 0.45)), 1.2
        )
        share = share + between(chance, (0.02, 0.11)) * band
    if margin.side != Side.NONE and happens(chance, 0.6):
        middle, reach = between(chance, (25, 75)), between(chance, (8, 25))
        share = share + between(chance, (0.04, 0.2)) * np.exp(-(((margin.distance() - middle) / reach) ** 2))
    flecks = smooth(chance, SHAPE, (between(chance, (0.5, 0.8)), between(chance, (0.6, 1.5))))
    clumped = (flecks + 0.5 * smooth(chance, SHAPE, (3, 3)) + 0.3 * smooth(chance, SHAPE, (30, 2))) / 1.16
    lit = covering(np.asarray(clumped, np.float32), np.asarray(share, dtype=np.float32), softness=1.6)
    brightness = chance.lognormal(np.log(0.5), 0.35) * np.exp(0.3 * smooth(chance, SHAPE, (1.5, 1.5)))
    return np.asarray(brightness * lit, dtype=np.float32)


def beside_the_strip(chance: np.random.Generator, grey: Field, margin: Margin) -> Field:
    """Let the picture fall to black beside the strip, over the dull rim of its edge."""
    if margin.side == Side.NONE:
        return grey
    waviness = between(chance, (0.3, 1.2)) * smooth(chance, (STRIP_HEIGHT, 1), (12, 0.1))
    distance = margin.distance() + waviness
    rim, dull = between(chance, (4, 22)), between(chance, (0.2, 0.5))
    shoulder = between(chance, (15, 60))
    lit = np.interp(distance, [0, 2, rim, rim + 4, rim + shoulder], [0, dull, dull, 0.85, 1.0])
    return np.asarray(grey * lit, dtype=np.float32)


def exposed(chance: np.random.Generator, grey: Field) -> UInt8[np.ndarray, "height width"]:
    """Return what the sensor records: black level and noise added, whole numbers from 0 to 255."""
    noise = chance.standard_normal(grey.shape, dtype=np.float32)
    black = np.float32(_BLACK_LEVEL[0] * np.exp(_BLACK_LEVEL[1] * chance.standard_normal()))
    return np.clip(np.rint(grey + black + _SENSOR_NOISE * noise), 0, 255).astype(np.uint8)
