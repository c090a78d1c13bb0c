"""Chequered plate: sound strips rolled with a raised pattern, of lenses or of crossing ribs."""

import numpy as np

from data_prep.synthetic.fields import Field, between, covering, fractal, relief, smooth
from data_prep.synthetic.steel import SHAPE


def chequered(chance: np.random.Generator, grey: Field) -> Field:
    """Raise a pattern on the steel and light it from one side; the rubbed tops are brighter."""
    heights = lenses(chance) if chance.random() < 0.55 else ribs(chance)
    light = (0.9 * float(chance.choice([-1.0, 1.0])), 0.25 * float(chance.choice([-1.0, 1.0])))
    shade = np.clip(between(chance, (0.3, 0.5)) * relief(heights, light), -0.75, 0.9)
    near = 0.12 * covering(smooth(chance, SHAPE, (60, 90)), 0.2, 1.5)
    worn = covering(fractal(chance, SHAPE, (2, 9), octaves=4), np.asarray(near, dtype=np.float32), 0.8)
    rubbed = between(chance, (0.05, 0.25)) * np.clip(heights / 6, 0, 1) + 0.6 * worn
    return np.asarray(grey * (1 + shade + rubbed), dtype=np.float32)


def lenses(chance: np.random.Generator) -> Field:
    """Return the heights of staggered rows of lenses that lean in turn to one side and to the other."""
    pitch_x, pitch_y = between(chance, (125, 150)), between(chance, (66, 82))
    long, short, lean = between(chance, (38, 48)), between(chance, (11, 15)), between(chance, (0.75, 1.0))
    start_x, start_y = between(chance, (0, pitch_x)), between(chance, (0, 2 * pitch_y))
    rows, columns = np.indices(SHAPE, dtype=np.float32)
    heights = np.zeros(SHAPE, dtype=np.float32)
    for parity, angle in ((0, -lean), (1, lean)):
        x = np.mod(columns - start_x - parity * pitch_x / 2, pitch_x) - pitch_x / 2
        y = np.mod(rows - start_y - parity * pitch_y, 2 * pitch_y) - pitch_y
        along = (x * np.cos(angle) + y * np.sin(angle)) / long
        aside = (-x * np.sin(angle) + y * np.cos(angle)) / short
        heights = np.maximum(heights, 6 * _rounded(1 - along**2 - np.abs(aside) * 1.0))
    return heights


def ribs(chance: np.random.Generator) -> Field:
    """Return the heights of two sets of straight ribs that cross to rhombs."""
    pitch, slope = between(chance, (92, 108)), between(chance, (0.38, 0.5))
    width, start = between(chance, (9, 13)), between(chance, (0, 100))
    rows, columns = np.indices(SHAPE, dtype=np.float32)
    heights = np.zeros(SHAPE, dtype=np.float32)
    for sign in (-1, 1):
        from_rib = np.abs(np.mod(columns + sign * slope * rows - start, pitch) - pitch / 2)
        heights = np.maximum(heights, 5 * _rounded(0.62 * (1 - from_rib / width)))
    return heights


def _rounded(height: np.ndarray) -> Field:
    """Return the height with a flat top and a steep but smooth foot, 0 to 1."""
    ramp = np.clip(height / 0.5, 0, 1)
    return np.asarray(ramp * ramp * (3 - 2 * ramp), dtype=np.float32)
