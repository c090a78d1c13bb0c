"""A picture of an explanation: the image with its ground truth, the heat over it, the scale, a line of words."""

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from severstal_xai.classes import CLASSES
from severstal_xai.overlay import as_rgb, blend_heat, draw_outline, encode_picture, heat_colours

_OPACITY = 0.5
_GAP = 8
_WORDS_HEIGHT = 26
_SCALE_HEIGHT = 10
_INK = (40, 40, 40)

Picture = UInt8[np.ndarray, "_ _ 3"]


def picture_of(
    grey: UInt8[np.ndarray, "height width"],
    heat: Float[np.ndarray, "height width"],
    mask: Bool[np.ndarray, "height width"] | None,
    label: int | None,
    words: str,
) -> bytes:
    """Draw an explanation as PNG bytes.

    Args:
        grey: The image.
        heat: Its map times the probability of the class it explains: the fixed scale, 0 to 1; NaN where nobody
            looked.
        mask: The ground truth, or None.
        label: The ground truth's class, for the outline's colour.
        words: The line above.
    """
    panels = [_outlined(as_rgb(grey), mask, label), _outlined(blend_heat(grey, heat, _OPACITY), mask, label)]
    wide = grey.shape[1] > 2 * grey.shape[0]
    pictures = _stack(panels, axis=0 if wide else 1)
    return encode_picture(
        np.concatenate([_words(words, pictures.shape[1]), pictures, _scale(pictures.shape[1])])
    )


def _outlined(picture: Picture, mask: Bool[np.ndarray, "height width"] | None, label: int | None) -> Picture:
    return picture if mask is None or label is None else draw_outline(picture, mask, CLASSES[label].colour)


def _stack(panels: list[Picture], axis: int) -> Picture:
    height, width, _ = panels[0].shape
    gap = np.full((_GAP, width, 3) if axis == 0 else (height, _GAP, 3), 255, dtype=np.uint8)
    return np.concatenate([panels[0], gap, panels[1]], axis=axis)


def _words(words: str, width: int) -> Picture:
    line = np.full((_WORDS_HEIGHT, width, 3), 255, dtype=np.uint8)
    cv2.putText(line, words, (4, _WORDS_HEIGHT - 9), cv2.FONT_HERSHEY_SIMPLEX, 0.4, _INK, 1, cv2.LINE_AA)
    return line


def _scale(width: int) -> Picture:
    """Draw the heat's fixed scale, 0 at the left, 1 at the right."""
    bar = heat_colours(np.tile(np.linspace(0, 1, width - 60, dtype=np.float32), (_SCALE_HEIGHT, 1)))
    scale = np.full((_WORDS_HEIGHT, width, 3), 255, dtype=np.uint8)
    scale[8 : 8 + _SCALE_HEIGHT, 30 : width - 30] = bar
    for text, left in (("0", 14), ("1", width - 22)):
        cv2.putText(scale, text, (left, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.4, _INK, 1, cv2.LINE_AA)
    return scale
