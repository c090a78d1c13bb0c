"""Random fields: the noise that steel, light and dirt are painted with."""

from collections.abc import Sequence
from statistics import NormalDist

import cv2
import numpy as np
from jaxtyping import Float32

Field = Float32[np.ndarray, "height width"]
Shape = tuple[int, int]
"""Height and width in pixels."""
Number = float | int
"""A measure; where it is whole it may be written so."""

_FINEST = 2.0
"""Cells per standard deviation at least; a field that varies slowly is drawn coarsely and enlarged."""


_SHARES = np.linspace(0.0005, 0.9995, 512)
_LEVELS = np.array([NormalDist().inv_cdf(1 - share) for share in _SHARES])


def smooth(chance: np.random.Generator, shape: Shape, sigma: tuple[Number, Number]) -> Field:
    """Return Gaussian noise, blurred by a Gaussian; mean 0, standard deviation 1.

    Args:
        chance: Where the noise comes from.
        shape: Height and width in pixels.
        sigma: The blur's standard deviation along y and x in pixels: how large the field's features are.
    """
    cells = [max(1.0, deviation / _FINEST) for deviation in sigma]
    # Drawn three deviations wider than needed, so that the borders vary as the middle does.
    pads = [int(np.ceil(3 * deviation / cell)) for deviation, cell in zip(sigma, cells, strict=True)]
    coarse = [int(np.ceil(size / cell)) + 1 for size, cell in zip(shape, cells, strict=True)]
    noise = chance.standard_normal((coarse[0] + 2 * pads[0], coarse[1] + 2 * pads[1]), dtype=np.float32)
    blur_y, blur_x = (max(deviation / cell, 1e-3) for deviation, cell in zip(sigma, cells, strict=True))
    blurred = cv2.GaussianBlur(noise, (2 * pads[1] + 1, 2 * pads[0] + 1), sigmaX=blur_x, sigmaY=blur_y)
    inner = blurred[pads[0] : pads[0] + coarse[0], pads[1] : pads[1] + coarse[1]] / _deviation(blur_y, blur_x)
    if coarse == [shape[0] + 1, shape[1] + 1]:
        return np.ascontiguousarray(inner[:-1, :-1])
    return np.asarray(cv2.resize(inner, shape[::-1], interpolation=cv2.INTER_CUBIC), dtype=np.float32)


def _deviation(blur_y: float, blur_x: float) -> np.float32:
    """Return what a blur leaves of white noise's standard deviation: the norm of its kernel."""
    return np.float32(np.prod([np.linalg.norm(_kernel(blur)) for blur in (blur_y, blur_x)]))


def _kernel(blur: float) -> np.ndarray:
    offsets = np.arange(-int(np.ceil(4 * blur)), int(np.ceil(4 * blur)) + 1)
    weights = np.exp(-0.5 * (offsets / blur) ** 2)
    return np.asarray(weights / weights.sum())


def fractal(
    chance: np.random.Generator, shape: Shape, sigma: tuple[Number, Number], octaves: int = 3
) -> Field:
    """Return noise of several sizes, each twice as fine and 0.6 times as strong as the one before.

    Mean 0, standard deviation 1; `sigma` (y, x, pixels) is the coarsest one's.
    """
    weights = 0.6 ** np.arange(octaves)
    layers = [
        weight * smooth(chance, shape, (sigma[0] / 2**octave, sigma[1] / 2**octave))
        for octave, weight in enumerate(weights)
    ]
    return np.asarray(np.sum(layers, axis=0) / np.linalg.norm(weights), dtype=np.float32)


def covering(field: Field, share: Number | Field, softness: Number = 0.15) -> Field:
    """Cut a field of mean 0 and deviation 1 into islands, 1 on them and 0 off them, with soft shores.

    Args:
        field: The noise; the islands are its summits.
        share: The share of the area that the islands take, 0 to 1, of the whole or pixel by pixel.
        softness: How far the shore reaches, in units of the field.
    """
    level = _summit_level(share)
    return np.asarray(np.clip((field - level) / softness + 0.5, 0, 1), dtype=np.float32)


def _summit_level(share: Number | Field) -> float | Field:
    """Return the level that the share of a normal variable lies above; to the pixel from a table."""
    level = np.interp(share, _SHARES, _LEVELS)
    return float(level) if isinstance(share, float | int) else np.asarray(level, dtype=np.float32)


def sheared(field: Field, slope: float) -> Field:
    """Slide the columns of a field down by `slope` pixels a pixel of x; what leaves below enters above."""
    height, width = field.shape
    rows = np.arange(height, dtype=np.float32)[:, None] - slope * np.arange(width, dtype=np.float32)[None]
    columns = np.broadcast_to(np.arange(width, dtype=np.float32)[None], field.shape)
    moved = cv2.remap(
        field,
        np.ascontiguousarray(columns),
        np.ascontiguousarray(np.mod(rows, height)),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_WRAP,
    )
    return np.asarray(moved, dtype=np.float32)


def turned(chance: np.random.Generator, shape: Shape, sigma: tuple[Number, Number], angle: float) -> Field:
    """Return `smooth` noise whose x axis is turned by `angle` (radians, clockwise on the screen)."""
    size = int(np.ceil(np.hypot(*shape))) + 2
    straight = smooth(chance, (size, size), sigma)
    turn = cv2.getRotationMatrix2D((size / 2, size / 2), -float(np.degrees(angle)), 1.0)
    turn[:, 2] += (shape[1] / 2 - size / 2, shape[0] / 2 - size / 2)
    return np.asarray(cv2.warpAffine(straight, turn, shape[::-1], borderMode=cv2.BORDER_REFLECT), np.float32)


def relief(height_map: Field, light: tuple[float, float]) -> Field:
    """Return the shading of a surface lit from the side: its slope against the light, without unit.

    Args:
        height_map: The surface.
        light: The direction (y, x) that the light travels in; its length is the strength.
    """
    down = np.gradient(height_map, axis=0)
    across = np.gradient(height_map, axis=1)
    return np.asarray(light[0] * down + light[1] * across, dtype=np.float32)


def between(chance: np.random.Generator, ends: Sequence[Number]) -> float:
    """Return a uniform number between the two ends."""
    return float(chance.uniform(ends[0], ends[1]))


def happens(chance: np.random.Generator, share: float) -> bool:
    """Return True with the probability `share`."""
    return bool(chance.random() < share)
