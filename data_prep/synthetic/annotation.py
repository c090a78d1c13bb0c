"""The annotator's hand: a few corners clicked around a defect, some pixels off."""

import cv2
import numpy as np

from data_prep.synthetic.shapes import Points, mask_of
from severstal_xai.strips import STRIP_HEIGHT, STRIP_WIDTH


def rough_polygon(chance: np.random.Generator, outline: Points, gap: float, coarseness: float) -> Points:
    """Return a polygon around an outline: few corners, at a distance, not quite exact.

    The real masks are such polygons: most have four to twelve corners and leave a rim of sound steel.

    Args:
        chance: The hand's error, a third of `gap` per corner.
        outline: The defect's true outline, which may reach beyond the strip.
        gap: The distance that the annotator keeps, in pixels.
        coarseness: How far a corner may lie from the outline's own, in pixels; more means fewer corners.
    """
    reach = round(gap)
    frame = reach + 2
    corner = np.floor(outline.min(axis=0)).astype(int) - frame
    width, height = (np.ceil(outline.max(axis=0)).astype(int) + frame + 1 - corner).tolist()
    inside = mask_of(outline, (height, width), (int(corner[0]), int(corner[1]))).astype(np.uint8)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    contours, _ = cv2.findContours(cv2.dilate(inside, kernel), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    around = max(contours, key=cv2.contourArea)
    corners = cv2.approxPolyDP(around, coarseness, closed=True).reshape(-1, 2) + corner
    shaky = corners + chance.normal(0, gap / 3, corners.shape)
    return np.asarray(np.clip(shaky, 0, [STRIP_WIDTH - 1, STRIP_HEIGHT - 1]))
