"""The pictures of a report: steel with what people marked, and the heat over it on its fixed scale.

A heat is a map times the probability of the class that it explains, 0 to 1, so that a report's colours mean what the page's do.
Where nobody looked, or a map is missing, the steel is hatched: it must not look cold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image, ImageDraw, ImageFont

from app.report.pdf_fonts import BOLD, PLAIN, file_of
from app.report.record import Scale
from severstal_xai.overlay import Colour, as_rgb, blend_heat, draw_outline, encode_picture, heat_colours
from severstal_xai.strips import PATCH_SIZE, STRIP_HEIGHT, STRIP_WIDTH

OPACITY = 0.6
"""Of the heat, as the pages have it at first."""
_BAND = 44
"""The height of what stands above a strip, in pixels."""
_BAR = 6
_INK, _WHITE, _STRIPE, _GROUND = (34, 39, 43), (255, 255, 255), (176, 182, 187), (226, 229, 232)
_HALO = (0, 0, 0)

Grey = UInt8[np.ndarray, "height width"]
Rgb = UInt8[np.ndarray, "height width 3"]
Mask = Bool[np.ndarray, "height width"]
Heat = Float[np.ndarray, "height width"]


@dataclass(frozen=True)
class Label:
    """What stands above one of a strip's windows.

    Args:
        x: The window's left edge, in pixels.
        words: What is said of it.
        colour: Of the line below the words.
        strong: Whether the words are bold: it is to be looked at.
    """

    x: int
    words: str
    colour: Colour
    strong: bool


def scale() -> Scale:
    """Return the heat's colours, from 0 to 1, and what they mean."""
    ramp = np.repeat(heat_colours(np.linspace(0, 1, 256)[None]), 12, axis=0)
    words = (
        "the heat is the method's map times the model's probability of the class that it explains, on one scale "
        "for all patches. Dark means: nothing found. Hatched means: no heat."
    )
    return Scale(encode_picture(ramp), "0", "1", words)


def patch_picture(grey: Grey, masks: Mapping[Colour, Mask]) -> bytes:
    """Return a patch with the outlines of what people marked, by the class's colour, as PNG."""
    return encode_picture(_outlined(as_rgb(grey), masks))


def patch_heat(grey: Grey, masks: Mapping[Colour, Mask], heat: Heat | None) -> bytes:
    """Return a patch with the heat over it and the outlines, as PNG; hatched where there is no heat."""
    picture = as_rgb(grey) if heat is None else blend_heat(grey, heat, OPACITY)
    if heat is None:
        _hatch(picture, covers=False)
    return encode_picture(_outlined(picture, masks))


def strip_picture(grey: Grey, seen: Mask, masks: Mapping[Colour, Mask], labels: Sequence[Label]) -> bytes:
    """Return a whole strip with its windows and what people marked, as PNG.

    Args:
        grey: The strip.
        seen: Where the picture shows steel; the rest is hatched.
        masks: What people marked, by the class's colour.
        labels: What stands above the windows.
    """
    picture = as_rgb(grey)
    hatch_where(picture, ~seen, covers=True)
    return _with_windows(_outlined(picture, masks), labels)


def strip_heat(
    grey: Grey, seen: Mask, masks: Mapping[Colour, Mask], labels: Sequence[Label], heat: Heat
) -> bytes:
    """Return a whole strip with the heat of its windows over it, as PNG.

    Args:
        grey: The strip.
        seen: Where the picture shows steel.
        masks: What people marked, by the class's colour.
        labels: What stands above the windows.
        heat: The windows' heat, as `severstal_xai.strips.stitch` lays it; NaN where there is none.
    """
    picture = blend_heat(grey, heat, OPACITY)
    hatch_where(picture, np.isnan(heat), covers=False)
    hatch_where(picture, ~seen, covers=True)
    return _with_windows(_outlined(picture, masks), labels)


def _outlined(picture: Rgb, masks: Mapping[Colour, Mask]) -> Rgb:
    """Draw each mask's inner boundary, and a dark line around it, so that it is seen on any steel and heat."""
    for colour, mask in masks.items():
        around = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), dtype=np.uint8)).astype(bool)
        picture = draw_outline(draw_outline(picture, around, _HALO), mask, colour)
    return picture


def _hatch(picture: Rgb, *, covers: bool) -> None:
    hatch_where(picture, np.ones(picture.shape[:2], dtype=bool), covers=covers)


def hatch_where(picture: Rgb, where: Mask, *, covers: bool) -> None:
    """Draw stripes, in place.

    Args:
        picture: What is drawn on.
        where: The pixels.
        covers: Whether nothing of the picture is left between the stripes.
    """
    height, width = picture.shape[:2]
    stripes = (np.arange(height)[:, None] + np.arange(width)) % 12 < 3
    if covers:
        picture[where] = _GROUND
    picture[where & stripes] = _STRIPE


def _with_windows(picture: Rgb, labels: Sequence[Label]) -> bytes:
    """Put the windows' edges on a strip and the labels above it."""
    whole = Image.new("RGB", (STRIP_WIDTH, _BAND + STRIP_HEIGHT), _WHITE)
    whole.paste(Image.fromarray(picture), (0, _BAND))
    draw = ImageDraw.Draw(whole)
    for label in labels:
        left, right = label.x, label.x + PATCH_SIZE - 1
        draw.rectangle((left + 2, _BAND - _BAR - 2, right - 2, _BAND - 3), fill=label.colour)
        draw.text((left + 4, 5), label.words, fill=_INK, font=_fitting(label.words, strong=label.strong))
        for x in (left, right):
            draw.line((x, _BAND, x, _BAND + STRIP_HEIGHT), fill=_WHITE)
    return encode_picture(np.asarray(whole))


def _fitting(words: str, *, strong: bool) -> ImageFont.FreeTypeFont:
    """Return the largest font in which the words fit above a window."""
    name = BOLD if strong else PLAIN
    sizes = (22, 20, 18, 16, 14, 12)
    return next(
        (font for size in sizes if (font := _font(name, size)).getlength(words) <= PATCH_SIZE - 8),
        _font(name, sizes[-1]),
    )


@cache
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(file_of(name)), size)
