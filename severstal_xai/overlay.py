"""Map, mask outline and image as one RGB picture."""

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

Colour = tuple[int, int, int]

_RAMP = cv2.cvtColor(
    cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB
)[:, 0]


def heat_colours(heat: Float[np.ndarray, "height width"]) -> UInt8[np.ndarray, "height width 3"]:
    """Colour a map on the fixed scale 0 (black) to 1 (pale yellow), by the colour map "inferno".

    Its lightness rises evenly, so it reads the same to the colour-blind and in a grey print. Values outside
    the scale take its ends; NaN is black.

    Example:
        >>> heat_colours(np.array([[0.0, 1.0, np.nan]])).tolist()
        [[[0, 0, 4], [252, 255, 164], [0, 0, 4]]]
    """
    steps = np.rint(np.nan_to_num(heat, nan=0.0).clip(0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(_RAMP[steps])


def blend_heat(
    grey: UInt8[np.ndarray, "height width"], heat: Float[np.ndarray, "height width"], opacity: float
) -> UInt8[np.ndarray, "height width 3"]:
    """Lay a map over its image; where the map is NaN, nobody looked, and the image shows bare.

    Args:
        grey: The image.
        heat: The map on its fixed scale, 0 to 1.
        opacity: 0 (only the image) to 1 (only the map).
    """
    picture = as_rgb(grey)
    looked = ~np.isnan(heat)
    mixed = (1 - opacity) * picture[looked] + opacity * heat_colours(heat)[looked]
    picture[looked] = np.rint(mixed).astype(np.uint8)
    return picture


def draw_outline(
    picture: UInt8[np.ndarray, "height width 3"], mask: Bool[np.ndarray, "height width"], colour: Colour
) -> UInt8[np.ndarray, "height width 3"]:
    """Return the picture with the mask's inner boundary, one pixel wide, in `colour`.

    A mask that touches the picture's edge is closed along the edge.
    """
    padded = np.pad(mask.astype(np.uint8), 1)
    interior = cv2.erode(padded, np.ones((3, 3), dtype=np.uint8))[1:-1, 1:-1].astype(bool)
    outlined = picture.copy()
    outlined[mask & ~interior] = colour
    return outlined


def as_rgb(grey: UInt8[np.ndarray, "height width"]) -> UInt8[np.ndarray, "height width 3"]:
    """Return the grey image as RGB, a copy."""
    return np.repeat(grey[:, :, None], 3, axis=2)


def encode_picture(picture: UInt8[np.ndarray, "height width 3"]) -> bytes:
    """Encode an RGB picture as PNG; the same picture gives the same bytes."""
    encoded, content = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    if not encoded:
        raise RuntimeError(f"OpenCV could not encode a picture of shape {picture.shape}")
    return bytes(content.data)
