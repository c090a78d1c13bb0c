"""Outlines of defects, as polygons in pixels, and the masks they enclose."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float

Points = Float[np.ndarray, "_ 2"]
"""Corners of a polygon, (x, y) in pixels."""


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels: upper left corner, width and height; it may reach beyond the strip."""

    x: float
    y: float
    width: float
    height: float

    def shrunk(self, gap: float) -> "Box":
        """Return the box without a frame of `gap` pixels, or of a fifth of a side where that is less."""
        across, down = min(gap, self.width / 5), min(gap, self.height / 5)
        return Box(self.x + across, self.y + down, self.width - 2 * across, self.height - 2 * down)

    def meets(self, other: "Box") -> bool:
        """Return whether the two share an area."""
        return (
            self.x < other.x + other.width
            and other.x < self.x + self.width
            and self.y < other.y + other.height
            and other.y < self.y + self.height
        )


def mask_of(
    polygon: Points, shape: tuple[int, int], corner: tuple[int, int] = (0, 0)
) -> Bool[np.ndarray, "height width"]:
    """Return the pixels that a polygon encloses, in a picture of `shape` whose corner lies at (x, y)."""
    picture = np.zeros(shape, dtype=np.uint8)
    cv2.fillPoly(picture, [np.rint(polygon - np.array(corner)).astype(np.int32)], 1)
    return picture.astype(bool)


def fitted(points: Points, box: Box) -> Points:
    """Stretch the points so that they just fill the box."""
    low, high = points.min(axis=0), points.max(axis=0)
    unit = (points - low) / np.maximum(high - low, 1e-9)
    return np.asarray(unit * [box.width, box.height] + [box.x, box.y])


def blob(chance: np.random.Generator, box: Box, ruggedness: float, lobes: int = 24) -> Points:
    """Return a closed, irregular outline: a circle whose radius varies, the less the finer.

    Args:
        chance: Its shape.
        box: What it fills.
        ruggedness: The radius' variation, about 0.1 for a pebble, 0.35 for a torn plate.
        lobes: The finest variation, in waves around the outline.
    """
    angles = np.linspace(0, 2 * np.pi, 8 * lobes, endpoint=False)
    waves = np.arange(2, lobes)
    strengths = chance.standard_normal(waves.size) * ruggedness / waves**1.15
    phases = chance.uniform(0, 2 * np.pi, waves.size)
    radius = 1 + (strengths[:, None] * np.cos(waves[:, None] * angles + phases[:, None])).sum(axis=0)
    radius = np.maximum(radius, 0.25)[:, None]
    # A box-like start: plates and scabs are squarer than circles.
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    squared = circle / np.maximum(np.abs(circle).max(axis=1, keepdims=True), 1e-9)
    return fitted(radius * (0.6 * circle + 0.4 * squared), box)


def torn(chance: np.random.Generator, box: Box, ruggedness: float) -> Points:
    """Return the outline of a torn-off piece: a few straight edges, each frayed.

    Args:
        chance: Its shape.
        box: What it fills.
        ruggedness: How far the fraying reaches, in box sides: about 0.02 clean-cut, 0.1 shredded.
    """
    corners = int(chance.integers(5, 10))
    angles = np.sort(np.linspace(0, 2 * np.pi, corners, endpoint=False) + chance.uniform(-0.3, 0.3, corners))
    radii = np.where(
        chance.random(corners) < 0.25, chance.uniform(0.35, 0.7, corners), chance.uniform(0.8, 1.3, corners)
    )
    rough = np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)
    closed = np.concatenate([rough, rough[:1]])
    places = np.linspace(0, corners, 40 * corners, endpoint=False)
    edge = np.stack([np.interp(places, np.arange(corners + 1), closed[:, axis]) for axis in (0, 1)], axis=1)
    waves = np.arange(5, 90)
    phases = chance.uniform(0, 2 * np.pi, (2, waves.size, 1))
    strengths = chance.standard_normal((2, waves.size, 1)) * ruggedness / (waves[:, None] / 5) ** 0.8
    turn = 2 * np.pi * places / corners
    fray = (strengths * np.cos(waves[:, None] * turn + phases)).sum(axis=1).T
    return fitted(edge + fray, box)


def slanted(chance: np.random.Generator, box: Box, slant: float) -> Points:
    """Return a four-cornered bar that leans: it takes `1 - slant` of the box's width at each height.

    The lean is to the left or to the right; `slant` is 0 (upright) to below 1.
    """
    lean = slant * box.width
    top, bottom = (lean, 0.0) if chance.random() < 0.5 else (0.0, lean)
    thick = box.width - lean
    corners = [(top, 0.0), (top + thick, 0.0), (bottom + thick, box.height), (bottom, box.height)]
    return np.asarray(np.array(corners) + np.array([box.x, box.y]))


def sweep(chance: np.random.Generator, box: Box, thickness: float) -> Points:
    """Return a long, bent, tapering stroke that crosses the box from left to right.

    Args:
        chance: Its bend and its taper.
        box: What it fills.
        thickness: How much of the box's height it takes at its thickest, 0 to 1.
    """
    along = np.linspace(0, 1, 40)
    rise = chance.choice([-1.0, 1.0]) * (along - 0.5) + chance.normal(0, 0.4) * (along - 0.5) ** 2
    rise = (rise - rise.min()) / np.ptp(rise) * (1 - thickness)
    taper = np.sin(np.pi * np.clip(along, 0.04, 0.96)) ** chance.uniform(0.2, 0.7)
    half = thickness / 2 * taper * (1 + 0.12 * chance.standard_normal(along.size))
    upper = np.stack([along, rise + thickness / 2 - half], axis=1)
    lower = np.stack([along, rise + thickness / 2 + half], axis=1)
    return fitted(np.concatenate([upper, lower[::-1]]), box)
