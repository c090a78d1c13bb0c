"""Geometry: a strip, its six windows, and patches stitched back onto the strip.

A strip is an image of 1600 x 256 pixels (width x height). The SISE paper (appendix "Severstal Dataset") crops
it, without overlap and "with an initial offset of 32 pixels", into six patches of 256 x 256 pixels.
Arrays have the axes (height, width) throughout.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

STRIP_HEIGHT = 256
STRIP_WIDTH = 1600
PATCH_SIZE = 256
WINDOW_COUNT = 6
MARGIN = STRIP_WIDTH - WINDOW_COUNT * PATCH_SIZE
"""Pixels that no window covers, both sides together: 64."""
OFFSET = MARGIN // 2
"""The x of the first window: 32, so that both margins are equally wide."""


@dataclass(frozen=True)
class Window:
    """A patch's place on its strip: `index` 0 to 5 from the left, `x` of its left edge in pixels."""

    index: int
    x: int


def windows(offset: int = OFFSET) -> tuple[Window, ...]:
    """Return the six windows of a strip, the first one at x = `offset` (0 to 64).

    Example:
        >>> [window.x for window in windows()]
        [32, 288, 544, 800, 1056, 1312]
    """
    return tuple(Window(index, offset + index * PATCH_SIZE) for index in range(WINDOW_COUNT))


def cut(strip: Shaped[np.ndarray, "256 1600"], window: Window) -> Shaped[np.ndarray, "256 256"]:
    """Return the window's pixels, as a view of the strip."""
    return strip[:, window.x : window.x + PATCH_SIZE]


def stitch(
    patch_maps: Mapping[int, Float[np.ndarray, "256 256"]], offset: int = OFFSET
) -> Float[np.ndarray, "256 1600"]:
    """Lay the maps of patches back onto their strip.

    Args:
        patch_maps: Maps by the index of their window, 0 to 5; windows may be absent.
        offset: The x of the first window, in pixels.

    Returns:
        The strip's map, NaN where no map lies: outside the windows and in the absent ones. Not 0: "nobody
        looked here" must not read as "nothing found here".
    """
    strip_map = np.full((STRIP_HEIGHT, STRIP_WIDTH), np.nan, dtype=np.float32)
    by_index = windows(offset)
    for index, patch_map in patch_maps.items():
        cut(strip_map, by_index[index])[:] = patch_map
    return strip_map


def patch_name(strip: str, index: int) -> str:
    """Return the name of a strip's patch: the strip's name without its ending, `_`, the window's index.

    Example:
        >>> patch_name("0002cc93b", 3)
        '0002cc93b_3'
    """
    return f"{strip}_{index}"


def strip_of(patch: str) -> str:
    """Return the name of the strip that a patch's name begins with.

    Example:
        >>> strip_of("0002cc93b_3")
        '0002cc93b'
    """
    return patch.rpartition("_")[0]
