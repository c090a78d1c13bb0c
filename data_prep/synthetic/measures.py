"""What can be measured on strips and their masks, real or synthetic, to hold them against each other."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from severstal_xai.strips import PATCH_SIZE, STRIP_WIDTH

DARK = 12.0
"""A column whose mean grey value is below this shows the dark beside the strip; no steel is so dark."""
_FEWEST_COLUMNS = 200
_STEP = 128


@dataclass(frozen=True)
class StripMeasures:
    """A strip's grey values, measured on its steel.

    Args:
        steel: The share of columns that show steel, 0 to 1.
        mean: Mean grey value.
        spread: Standard deviation of the grey values.
        across: Power of the relative grey values along x, by frequency: 1 to 128 waves in 256 pixels.
        along: The same along y, the direction that the strip runs in.
    """

    steel: float
    mean: float
    spread: float
    across: Float[np.ndarray, " waves"]
    along: Float[np.ndarray, " waves"]


@dataclass(frozen=True)
class DefectMeasures:
    """An annotation: its class, its pixels, and the width and height of each connected component's box."""

    label: int
    pixels: int
    boxes: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Measures:
    """All that was measured on a set of strips."""

    strips: Sequence[StripMeasures]
    defects: Sequence[DefectMeasures]


def measure_strip(grey: UInt8[np.ndarray, "256 1600"]) -> StripMeasures | None:
    """Measure a strip; None where it shows too little steel for a window of 256 pixels."""
    lit = grey.mean(axis=0) >= DARK
    windows = [
        grey[:, x : x + PATCH_SIZE].astype(np.float64)
        for x in range(0, STRIP_WIDTH - PATCH_SIZE + 1, _STEP)
        if lit[x : x + PATCH_SIZE].all()
    ]
    if not windows or lit.sum() < _FEWEST_COLUMNS:
        return None
    steel = grey[:, lit]
    return StripMeasures(
        steel=float(lit.mean()),
        mean=float(steel.mean()),
        spread=float(steel.std()),
        across=np.mean([power(window) for window in windows], axis=0),
        along=np.mean([power(window.T) for window in windows], axis=0),
    )


def power(window: Float[np.ndarray, "lines 256"]) -> Float[np.ndarray, " waves"]:
    """Return the mean power spectrum of a window's lines, of grey values relative to the window's mean.

    The lines are weighted by a Hann window, scaled so that the powers sum to the variance.

    Example: 8 waves of amplitude 0.1 have a variance of 0.1² / 2 = 0.005, at frequency 8 and its neighbours.
        >>> wave = 100 + 10 * np.cos(2 * np.pi * 8 * np.arange(256) / 256)
        >>> powers = power(np.tile(wave, (2, 1)))
        >>> int(powers.argmax()) + 1, round(float(powers.sum()), 5)
        (8, 0.005)
    """
    relative = window / window.mean() - 1
    length = window.shape[1]
    hann = np.hanning(length + 1)[:-1]
    lines = (relative - relative.mean(axis=1, keepdims=True)) * hann
    strength = 2 * np.abs(np.fft.rfft(lines, axis=1)[:, 1:]) ** 2
    strength[:, -1] /= 2
    return np.asarray(strength.mean(axis=0) / (length * (hann**2).sum()))


def measure_defect(label: int, mask: Bool[np.ndarray, "height width"]) -> DefectMeasures:
    """Measure one annotation of a strip."""
    _, _, components, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    boxes = tuple((int(box[cv2.CC_STAT_WIDTH]), int(box[cv2.CC_STAT_HEIGHT])) for box in components[1:])
    return DefectMeasures(label, int(mask.sum()), boxes)


def quantiles(values: Sequence[float], levels: Sequence[float]) -> list[float]:
    """Return the quantiles of the values at the levels; NaN where there are no values."""
    return [float(value) for value in np.quantile(values, levels)] if len(values) else [np.nan] * len(levels)
