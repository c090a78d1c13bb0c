"""What the defects look like: one function a kind, each paints one defect on the grey values around it.

A function takes the steel around the defect and the defect's true shape on it, and returns the steel with the
defect. All work by factors on the steel, so that a defect lies in the strip's own light; only bare, mirroring
metal is white whatever the light.
"""

from collections.abc import Callable

import cv2
import numpy as np
from jaxtyping import Bool

from data_prep.synthetic.fields import (
    Field,
    Number,
    between,
    covering,
    fractal,
    happens,
    relief,
    smooth,
    turned,
)

Patch = Bool[np.ndarray, "height width"]
Painter = Callable[[np.random.Generator, Field, Patch], Field]


def pit(chance: np.random.Generator, grey: Field, shape: Patch) -> Field:
    """Class 1: a small, dark spot with a few lumps that throw light and shadow."""
    lumps = np.zeros(grey.shape, dtype=np.float32)
    rows, columns = np.nonzero(shape)
    middle = columns.mean()
    for _ in range(int(chance.integers(3, 10)) + rows.size // 250):
        y, x = rows[chance.integers(rows.size)], (columns[chance.integers(rows.size)] + middle) / 2
        lumps += between(chance, (0.6, 2.2)) * _lump(
            grey.shape, (float(y), float(x)), between(chance, (0.8, 2.0))
        )
    rough = relief(0.6 * fractal(chance, grey.shape, (3.5, 1.8)), _light(chance)) - between(
        chance, (0.1, 0.4)
    )
    shade = between(chance, (0.7, 1.6)) * relief(lumps, _light(chance)) + rough * covering_of(
        chance, shape, 0.5
    )
    return _times(grey, 1 + np.clip(shade, -0.7, 2.0) * _soft(shape, 1.5))


def pitted_line(chance: np.random.Generator, grey: Field, shape: Patch) -> Field:
    """Class 1: a row of small pits down the strip, mostly beside its edge."""
    lumps = smooth(chance, grey.shape, (between(chance, (1.6, 3)), between(chance, (1.3, 2.2))))
    along = np.clip(0.6 + 0.7 * smooth(chance, (grey.shape[0], 1), (14, 0.1)), 0.1, 1.3)
    shade = along * (
        between(chance, (0.7, 1.4)) * relief(lumps, _light(chance)) - between(chance, (0.1, 0.35))
    )
    sparks = covering(smooth(chance, grey.shape, (1.2, 1.0)), 0.03, 0.5)
    return _times(grey, 1 + (np.clip(shade, -0.7, 1.5) + 1.2 * along * sparks) * _soft(shape, 1.2))


def blister(chance: np.random.Generator, grey: Field, shape: Patch) -> Field:
    """Class 1: a larger, raised spot with a lit and a shaded flank."""
    dome = 9 * _soft(shape, 5) + between(chance, (1.2, 2.6)) * fractal(chance, grey.shape, (8, 7))
    shade = between(chance, (0.5, 0.9)) * relief(dome, _light(chance)) + between(chance, (-0.15, 0.15))
    return _times(grey, 1 + np.clip(shade, -0.7, 1.8) * _soft(shape, 1.2))


def edge_bar(chance: np.random.Generator, grey: Field, shape: Patch) -> Field:
    """Class 2: a thin upright bar: fine dark lines, rough and flecked between them."""
    place, width = across(shape)
    lines = np.zeros(grey.shape, dtype=np.float32)
    for centre in np.linspace(0.15, 0.85, int(chance.integers(2, 5))) + chance.normal(0, 0.05):
        lines += _line(chance, place, centre, between(chance, (0.7, 1.5)) / width, (18, 0.25))
    rough = relief(smooth(chance, grey.shape, (1.6, 1.2)), (0.28, 0.0))
    flecks = covering(smooth(chance, grey.shape, (1.1, 0.9)), between(chance, (0.01, 0.06)), 0.6)
    dullness = between(chance, (0.0, 0.18))
    shade = (
        rough
        - dullness
        - between(chance, (0.14, 0.42)) * np.clip(lines, 0, 1.2)
        + between(chance, (0.3, 0.9)) * flecks
    )
    return _times(grey, 1 + np.clip(shade, -0.7, 1.5) * _soft(shape, 0.8))


def scratches(chance: np.random.Generator, grey: Field, shape: Patch) -> Field:
    """Class 3: dark lines down the strip, side by side, each now deeper and now shallower."""
    place, width = across(shape)
    dark = np.zeros(grey.shape, dtype=np.float32)
    count = 1 + min(int(chance.poisson(width / 14)), 14)
    centres = chance.uniform(0.06, 0.94, count) if count > 1 else chance.normal(0.5, 0.08, 1)
    for centre in centres:
        halfwidth = float(chance.lognormal(np.log(1.4), 0.5)) / width
        dark += between(chance, (0.25, 0.65)) * _line(chance, place, centre, halfwidth, (24, 0.35))
    sparks = covering(smooth(chance, grey.shape, (2.0, 0.9)), 0.004, 0.5) * (dark > 0.1)
    return _times(grey, 1 + (1.5 * sparks - np.clip(dark, 0, 0.75)) * _soft(shape, 0.8))


def dark_band(chance: np.random.Generator, grey: Field, shape: Patch) -> Field:
    """Class 3: a flat, dark band down the strip with flecked rims, where something dragged."""
    place, _ = across(shape)
    band = np.clip((0.5 - np.abs(place - 0.5)) / 0.12, 0, 1) * np.clip(
        1 + 0.25 * smooth(chance, grey.shape, (40, 3)), 0, 1.3
    )
    rims = np.exp(-(((np.abs(place - 0.5) - 0.42) / 0.05) ** 2))
    sparks = covering(smooth(chance, grey.shape, (1.4, 1.0)), 0.03, 0.6) * rims
    return _times(grey, 1 + (1.2 * sparks - between(chance, (0.3, 0.6)) * band) * _soft(shape, 1.0))


def scab(chance: np.random.Generator, grey: Field, shape: Patch) -> Field:
    """Class 3: a torn sliver, drawn out down the strip: lumpy, dark, with bright crumbs."""
    lumps = fractal(chance, grey.shape, (between(chance, (6, 14)), between(chance, (2.5, 4.5))))
    torn = covering(fractal(chance, grey.shape, (14, 5)), 0.55, 0.5)
    shade = between(chance, (0.8, 1.5)) * relief(lumps, _light(chance)) - between(chance, (0.15, 0.45))
    crumbs = covering(smooth(chance, grey.shape, (1.8, 1.2)), 0.02, 0.4)
    return _times(grey, 1 + (np.clip(shade, -0.75, 1.8) * torn + 1.6 * crumbs) * _soft(shape, 1.5))


def bare_flakes(chance: np.random.Generator, grey: Field, shape: Patch) -> Field:
    """Class 3: flakes of bare metal, white, each with its shadow below."""
    angle = direction(shape) + chance.normal(0, 0.15)
    chips = turned(chance, grey.shape, (between(chance, (1.5, 3.5)), between(chance, (6, 18))), angle)
    inside = _soft(shape, 1.5)
    where = 0.75 * smooth(chance, grey.shape, (16, 22))
    bare = covering((chips + where) / 1.25, between(chance, (0.12, 0.28)), 0.12) * inside
    shadow = np.clip(np.roll(bare, (2, 1), axis=(0, 1)) + np.roll(bare, (-2, 0), axis=(0, 1)), 0, 1)
    shaded = grey * (1 - 0.5 * shadow * inside)
    white = between(chance, (170, 250)) * (1 + 0.15 * smooth(chance, grey.shape, (2, 2)))
    return np.asarray(shaded * (1 - bare) + white * bare, dtype=np.float32)


def crumbs(chance: np.random.Generator, grey: Field, shape: Patch) -> Field:
    """Class 3: a field of white crumbs, thicker here and thinner there."""
    share = between(chance, (0.025, 0.07)) * np.exp(0.7 * smooth(chance, grey.shape, (25, 25)))
    size = between(chance, (1.1, 2.0))
    lit = covering(smooth(chance, grey.shape, (size, size)), np.asarray(share, dtype=np.float32), 0.35)
    return np.asarray(grey + between(chance, (120, 230)) * lit * _soft(shape, 2), dtype=np.float32)


def brushed(chance: np.random.Generator, grey: Field, shape: Patch) -> Field:
    """Class 3: bundles of bright, fine scratches across the strip."""
    angle = direction(shape) + chance.normal(0, 0.06)
    hairs = turned(chance, grey.shape, (between(chance, (0.8, 1.4)), between(chance, (14, 40))), angle)
    bundles = turned(chance, grey.shape, (7, 70), angle)
    bright = covering((hairs + 0.8 * bundles) / 1.28, between(chance, (0.2, 0.4)), 1.0)
    dull = covering((hairs - 0.8 * bundles) / 1.28, 0.3, 1.0)
    shade = chance.lognormal(np.log(1.1), 0.4) * bright - between(chance, (0.1, 0.35)) * dull
    return _times(grey, 1 + shade * _soft(shape, 2.5))


def groove(chance: np.random.Generator, grey: Field, shape: Patch) -> Field:
    """Class 3: a broad furrow across the strip, its rims lit, dull and lined between them."""
    place, width = across(shape.T)
    lines = np.zeros((grey.shape[1], grey.shape[0]), dtype=np.float32)
    for centre in chance.uniform(0.08, 0.92, int(chance.integers(4, 9))):
        signed = between(chance, (0.2, 0.6)) * float(chance.choice([-1.0, 1.0]))
        lines += signed * _line(chance, place, centre, between(chance, (0.8, 2.5)) / width, (50, 0.5))
    rims = np.exp(-(((np.abs(place - 0.5) - 0.44) / 0.035) ** 2)) * np.clip(
        0.4 + smooth(chance, (grey.shape[1], grey.shape[0]), (6, 2)), 0, 2
    )
    chatter = 0.1 * turned(chance, grey.shape, (9, 1.3), 0.0)
    shade = (lines + 0.6 * rims).T + chatter - between(chance, (0.1, 0.3))
    return _times(grey, 1 + np.clip(shade, -0.65, 1.6) * _soft(shape, 1.2))


def scuffed(chance: np.random.Generator, grey: Field, shape: Patch) -> Field:
    """Class 3: a rubbed field: lighter, with dark strokes as of a dry brush down the strip."""
    strokes = smooth(chance, grey.shape, (between(chance, (25, 60)), between(chance, (1.2, 2.5))))
    where = smooth(chance, grey.shape, (60, 26))
    dark = covering((strokes + 1.3 * where) / 1.64, between(chance, (0.15, 0.35)), 0.35)
    dry = np.clip(1 + 0.35 * smooth(chance, grey.shape, (1.2, 5)), 0, 1.4)
    light = between(chance, (0.08, 0.35)) * _soft(shape, 9)
    return _times(grey, (1 + light) * (1 - between(chance, (0.35, 0.65)) * dark * dry * _soft(shape, 2)))


def plate(chance: np.random.Generator, grey: Field, shape: Patch) -> Field:
    """Class 4: a torn plate of rolled-in scale: rough, cracked, mostly dark, with lit and shaded edges."""
    size = between(chance, (3, 9))
    light = _light(chance)
    skin = fractal(chance, grey.shape, (size, size * between(chance, (1.0, 2.2))), octaves=3)
    folds = fractal(chance, grey.shape, (between(chance, (12, 30)), between(chance, (25, 60))), octaves=2)
    shade = (
        chance.lognormal(np.log(0.12), 0.6) * size * relief(skin, light) * np.clip(1 + 0.7 * folds, 0.15, 2.2)
    )
    shade = shade + between(chance, (1.0, 4.0)) * relief(folds, light)
    shade = shade + between(chance, (0.08, 0.2)) * fractal(chance, grey.shape, (40, 28))
    inside = _soft(shape, 1.0)
    body = between(chance, (0.5, 1.02)) * np.clip(1 + shade - cracks(chance, grey.shape), 0.15, 2.6)
    flattened = cv2.GaussianBlur(grey, (0, 0), 5)
    painted = grey * (1 - inside) + inside * (0.4 * flattened + 0.6 * grey) * body
    painted = painted * np.clip(1 + torn_edge(chance, shape, light), 0.12, 2.8)
    if happens(chance, 0.2):
        peeled = fractal(chance, grey.shape, (between(chance, (10, 24)), between(chance, (4, 20))), octaves=5)
        bare = covering(peeled, between(chance, (0.03, 0.15)), 0.25) * inside
        shine = between(chance, (150, 260)) * (1 + 0.12 * fractal(chance, grey.shape, (8, 3)) + 0.5 * shade)
        painted = painted * (1 - bare) + shine * bare
    return np.asarray(painted, dtype=np.float32)


def cracks(chance: np.random.Generator, shape: tuple[int, int]) -> Field:
    """Return dark, wandering cracks, mostly across the strip: 0 between them, up to 0.7 in them."""
    field = fractal(chance, shape, (between(chance, (9, 20)), between(chance, (22, 45))), octaves=4)
    thin = np.exp(-((field / between(chance, (0.03, 0.08))) ** 2))
    where = covering(smooth(chance, shape, (18, 26)), between(chance, (0.2, 0.6)), 0.5)
    return np.asarray(0.7 * thin * where, dtype=np.float32)


def torn_edge(chance: np.random.Generator, shape: Patch, light: tuple[float, float]) -> Field:
    """Return the shading along an outline: a lit rim towards the light, a shadow that falls beyond the other."""
    ragged = np.clip(0.8 + 0.6 * smooth(chance, shape.shape, (9, 9)), 0.1, 2)
    slope = relief(_soft(shape, 1.3), light)
    far = relief(_soft(shape, 3.5), light)
    lit = 2.2 * np.clip(slope, 0, None)
    shaded = 2.0 * np.clip(slope, None, 0) + 2.2 * np.clip(far, None, 0)
    return np.asarray(ragged * (lit + shaded), dtype=np.float32)


def across(shape: Patch) -> tuple[Field, float]:
    """Return each pixel's place between the shape's left (0) and right end (1) on its row, and the mean width.

    On rows that the shape does not meet, the place is that of the nearest row above or below, without meaning.
    """
    width = shape.shape[1]
    met = np.flatnonzero(shape.any(axis=1))
    left = shape[met].argmax(axis=1)
    right = width - shape[met][:, ::-1].argmax(axis=1)
    rows = np.arange(shape.shape[0])
    left_of, right_of = np.interp(rows, met, left), np.interp(rows, met, right)
    place = (np.arange(width) + 0.5 - left_of[:, None]) / (right_of - left_of)[:, None]
    return np.asarray(place, dtype=np.float32), float(np.mean(right - left))


def direction(shape: Patch) -> float:
    """Return the angle of the shape's long axis, in radians, clockwise on the screen from the x axis."""
    rows, columns = np.nonzero(shape)
    spread = np.cov(np.stack([columns, rows]).astype(float)) if rows.size > 2 else np.eye(2)
    axis = np.linalg.eigh(spread)[1][:, -1]
    return float(np.arctan2(axis[1], axis[0]))


def covering_of(chance: np.random.Generator, shape: Patch, share: float) -> Field:
    """Return soft islands that take about `share` of the shape, 0 beyond it."""
    return np.asarray(
        covering(fractal(chance, shape.shape, (7, 4)), share, 0.6) * _soft(shape, 2), dtype=np.float32
    )


def _line(
    chance: np.random.Generator, place: Field, centre: float, halfwidth: float, wave: tuple[Number, Number]
) -> Field:
    """Return a line down the picture at a place across, 0 to about 1; `wave`: its variation's length and size."""
    along = np.clip(1 + wave[1] * smooth(chance, (place.shape[0], 1), (wave[0], 0.1)), 0, 1.3)
    return np.asarray(along * np.exp(-(((place - centre) / halfwidth) ** 2)), dtype=np.float32)


def _lump(shape: tuple[int, int], at: tuple[float, float], reach: Number) -> Field:
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    squared = ((rows - at[0]) / (1.4 * reach)) ** 2 + ((columns - at[1]) / reach) ** 2
    return np.asarray(np.exp(-0.5 * squared), dtype=np.float32)


def _light(chance: np.random.Generator) -> tuple[float, float]:
    """Return the light's direction (y, x): from above or below, somewhat aslant, as the mill's lamps stand."""
    angle = chance.normal(0, 0.5) + (0 if chance.random() < 0.6 else np.pi)
    return float(np.cos(angle)), float(np.sin(angle))


def _soft(shape: Patch, reach: Number) -> Field:
    return np.asarray(cv2.GaussianBlur(shape.astype(np.float32), (0, 0), reach), dtype=np.float32)


def _times(grey: Field, factor: np.ndarray) -> Field:
    return np.asarray(grey * np.maximum(factor, 0.05), dtype=np.float32)
