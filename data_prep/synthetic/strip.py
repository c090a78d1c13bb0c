"""A whole synthetic strip: its plan, painted."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256

import numpy as np
from jaxtyping import UInt8

from data_prep.synthetic.fields import Field
from data_prep.synthetic.kinds import KINDS
from data_prep.synthetic.marks import marked
from data_prep.synthetic.plan import Defect, Plan, plan_strip
from data_prep.synthetic.relief_plates import chequered
from data_prep.synthetic.shapes import mask_of
from data_prep.synthetic.steel import beside_the_strip, exposed, steel_surface
from severstal_xai.strips import STRIP_HEIGHT, STRIP_WIDTH

_NAMES = 16**9
_STRIDE = 0x9E3779B97
"""Odd, so that number times stride runs through all names before one comes again; near the golden section of
them, so that neighbours get names far apart."""
_PLAN, _SURFACE, _DEFECTS, _SENSOR = range(4)
"""Streams of chance of a strip: the steel is the same with its defects and without."""
_ROOM = 12
"""Pixels around a defect that its shadow may fall on."""


@dataclass(frozen=True)
class StripSource:
    """What all strips have in common.

    Args:
        seed: 0 or more; another seed, other strips.
        shares: How often strips hold which classes: "none", "3", "3+4" …, each with its weight.
        chequered: The share of chequered plate among strips without a defect, 0 to 1.
    """

    seed: int
    shares: Mapping[str, float]
    chequered: float

    def plan(self, number: int) -> Plan:
        """Return the plan of strip `number`, which depends on nothing but this source and the number."""
        return plan_strip(self._chance(number, _PLAN), self.shares, self.chequered)

    def paint(self, number: int, plan: Plan) -> UInt8[np.ndarray, "256 1600"]:
        """Return the grey values of strip `number`, painted by its plan."""
        grey = _steel(self._chance(number, _SURFACE), plan)
        chance = self._chance(number, _DEFECTS)
        for defect in plan.defects:
            grey = with_defect(chance, grey, defect)
        sensor = self._chance(number, _SENSOR)
        return exposed(sensor, beside_the_strip(sensor, grey, plan.margin))

    def paint_sound(self, number: int) -> UInt8[np.ndarray, "256 1600"]:
        """Return the same strip without its defects."""
        return self.paint(number, replace(self.plan(number), defects=()))

    def _chance(self, number: int, stream: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, number, stream])


def _steel(chance: np.random.Generator, plan: Plan) -> Field:
    surface = steel_surface(chance, plan.margin)
    return chequered(chance, surface) if plan.chequered else marked(chance, surface)


def with_defect(chance: np.random.Generator, grey: Field, defect: Defect) -> Field:
    """Return the grey values with one defect painted on them."""
    low = np.maximum(np.floor(defect.outline.min(axis=0)).astype(int) - _ROOM, 0)
    high = np.minimum(np.ceil(defect.outline.max(axis=0)).astype(int) + _ROOM, [STRIP_WIDTH, STRIP_HEIGHT])
    around = np.s_[low[1] : high[1], low[0] : high[0]]
    shape = mask_of(defect.outline, grey[around].shape, (int(low[0]), int(low[1])))
    painted = grey.copy()
    if shape.any():
        painted[around] = KINDS[defect.kind].paint(chance, grey[around], shape)
    return painted


def strip_name(seed: int, number: int) -> str:
    """Return a strip's file name: nine hexadecimal digits as Kaggle's, no two alike within a seed.

    Example:
        >>> strip_name(seed=0, number=0), strip_name(seed=0, number=1)
        ('5feceb66f.jpg', 'fe2465206.jpg')
    """
    start = int(sha256(str(seed).encode()).hexdigest()[:9], 16)
    return f"{(start + number * _STRIDE) % _NAMES:09x}.jpg"
