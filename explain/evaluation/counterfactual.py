"""The counterfactual: paint the defect over, and the answer should change; paint as much elsewhere, and it should not.

What is painted takes its grey values from around it (Telea, An image inpainting technique based on the fast marching method,
Journal of Graphics Tools 2004, by OpenCV). It asks the model alone: no map has a part in it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from scipy.signal import fftconvolve
from torch import nn

from explain.subjects import DARK, Subject
from severstal_xai.files import sha256
from severstal_xai.imaging import model_input

MARGIN = 3
"""Pixels around the mask that are painted, too: annotations are drawn by hand and often too small."""
LARGEST = 0.5
"""The share of the patch up to which there is enough of the surroundings to paint with."""
_REACH = 5.0
"""Of the painting, in pixels."""

Area = Bool[np.ndarray, "height width"]
Grey = UInt8[np.ndarray, "height width"]


@dataclass(frozen=True)
class Counterfactual:
    """What becomes of a patch's probability of its own class.

    Args:
        patch: The patch.
        label: Its class.
        area: The share of the patch that is painted, 0 to 1.
        whole: The probability of its class.
        painted: The same, with the defect painted over; None where it is too large for that.
        elsewhere: The same, with as much painted elsewhere, in the same shape; None where there is no room for it.
    """

    patch: str
    label: int
    area: float
    whole: float
    painted: float | None
    elsewhere: float | None


def counterfactual(model: nn.Module, subject: Subject) -> Counterfactual:
    """Ask the model about a patch with a defect, about the same without it, and with as much missing elsewhere."""
    assert subject.label is not None
    assert subject.mask is not None
    pictures = painted_pictures(subject.name, subject.grey, subject.mask)
    images = [subject.grey, *(picture for picture in pictures if picture is not None)]
    answers = iter(_probabilities(model, images)[:, subject.label].tolist())
    whole = next(answers)
    painted, elsewhere = (None if picture is None else next(answers) for picture in pictures)
    return Counterfactual(
        subject.name, subject.label, float(grown(subject.mask).mean()), whole, painted, elsewhere
    )


def _probabilities(model: nn.Module, images: list[Grey]) -> Float[torch.Tensor, "images classes"]:
    device = next(model.parameters()).device
    batch = torch.stack([torch.from_numpy(model_input(grey)) for grey in images]).to(device)
    with torch.inference_mode():
        logits: torch.Tensor = model(batch)
    return logits.double().softmax(dim=1).cpu()


def painted_pictures(name: str, grey: Grey, mask: Area) -> tuple[Grey | None, Grey | None]:
    """Return a patch without its defect, and one with as much missing elsewhere; None for what cannot be made.

    Args:
        name: The patch's; it decides the lot by which the other place is drawn.
        grey: The patch.
        mask: Its defect.
    """
    area = grown(mask)
    if area.mean() > LARGEST:
        return None, None
    other = moved(area, dark=grey < DARK, seed=int(sha256(name.encode())[:15], 16))
    return paint_over(grey, area), None if other is None else paint_over(grey, other)


def grown(mask: Area) -> Area:
    """Return a mask with the margin around it."""
    side = 2 * MARGIN + 1
    ball = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    around: Area = cv2.dilate(mask.astype(np.uint8), ball).astype(bool)
    return around


def paint_over(grey: Grey, area: Area) -> Grey:
    """Return the image with an area painted in the grey values around it."""
    painted: np.ndarray = cv2.inpaint(grey, area.astype(np.uint8), _REACH, cv2.INPAINT_TELEA)
    return painted


def moved(area: Area, dark: Area, seed: int) -> Area | None:
    """Return an area of the same shape elsewhere in the image, drawn by lot.

    Args:
        area: What must not be touched.
        dark: Pixels that show no steel, where painting would prove nothing: the new place holds at most as many of them as
            the old one.
        seed: Of the lot.

    Returns:
        The area; None where there is no such place.

    Example: one place is left.
        >>> moved(np.array([[True, False]]), np.array([[False, False]]), seed=0).tolist()
        [[False, True]]
        >>> moved(np.array([[True, False]]), np.array([[False, True]]), seed=0) is None
        True
    """
    rows, columns = np.nonzero(area.any(axis=1))[0], np.nonzero(area.any(axis=0))[0]
    shape = area[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    count = _counter_under(shape)
    free = (count(area) == 0) & (count(dark) <= (dark & area).sum())
    places = np.argwhere(free)
    if not len(places):
        return None
    top, left = places[np.random.default_rng(seed).integers(len(places))]
    other = np.zeros_like(area)
    other[top : top + shape.shape[0], left : left + shape.shape[1]] = shape
    return other


def _counter_under(shape: Area) -> Callable[[Area], np.ndarray]:
    """Return what counts an image's pixels under a shape, wherever it is laid."""
    turned = shape[::-1, ::-1].astype(float)
    return lambda image: np.rint(fftconvolve(image.astype(float), turned, mode="valid"))
