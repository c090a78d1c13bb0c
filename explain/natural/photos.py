"""Photographs of a data set: their classes and masks, by whatever reader.

Every class of which anything is marked in a photograph is one of its ground truth's. The list of photographs is made
without decoding one; what cannot be read is a reject, with its reason.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from severstal_xai.errors import InputError

Box = tuple[int, int, int, int]
"""Left, top, right, bottom, in pixels from 0; the last two are not in it any more."""
Marks = Sequence[tuple[int, Box]]
"""Classes and their boxes."""
Masks = Mapping[int, Bool[np.ndarray, "height width"]]
DAMAGED: tuple[type[Exception], ...] = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)
"""What Pillow raises of a damaged image."""


@dataclass(frozen=True)
class Seen:
    """A photograph, read.

    Args:
        pixels: Red, green, blue.
        masks: Where each class of the ground truth is.
    """

    pixels: UInt8[np.ndarray, "height width 3"]
    masks: Masks


@dataclass(frozen=True)
class Photo:
    """A photograph of a data set, not read yet.

    Args:
        name: Its file's, without the ending.
        path: Its file.
        targets: The classes of its ground truth, ascending.
        marked: SHA-256 of what is annotated in it.
        read: Reads it; raises `InputError` where it or its masks cannot be read.
    """

    name: str
    path: Path
    targets: tuple[int, ...]
    marked: str
    read: Callable[[], Seen]


@dataclass(frozen=True)
class Reject:
    """A photograph that could not be used, and why."""

    image: str
    reason: str


@dataclass(frozen=True)
class Collection:
    """A data set's photographs.

    Args:
        classes: The classes' names, in the order of the networks' outputs.
        photos: By their names.
        rejects: Those whose annotations cannot be read.
        empty: How many photographs without an object were left out.
    """

    classes: tuple[str, ...]
    photos: tuple[Photo, ...]
    rejects: tuple[Reject, ...]
    empty: int


def read_pixels(path: Path) -> UInt8[np.ndarray, "height width 3"]:
    """Read an image as torchvision's readers do, but leave no file open where it is damaged.

    Raises:
        InputError: It cannot be read.
    """
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except DAMAGED as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"damaged image file: {reason}, expected a whole JPEG") from error


def boxes_as_masks(size: tuple[int, int], marks: Marks) -> Masks:
    """Return each class's boxes as one mask; what lies outside of the image is cut off.

    Args:
        size: Height and width.
        marks: Classes and boxes.

    Example:
        >>> boxes_as_masks((1, 5), [(3, (0, 0, 1, 1)), (3, (3, 0, 9, 9))])[3].astype(int)
        array([[1, 0, 0, 1, 1]])
    """
    masks = {label: np.zeros(size, dtype=bool) for label, _ in marks}
    for label, (left, top, right, bottom) in marks:
        masks[label][max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = True
    return masks
