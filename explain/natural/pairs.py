"""An image and one class of its ground truth: what is explained, and how it is made ready."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from explain.natural.photos import Photo, Seen
from severstal_xai.files import sha256


@dataclass(frozen=True)
class Pair:
    """An image and a class of its ground truth.

    Args:
        name: What its files are called.
        image: The image's name.
        target: The class.
        of: What its rows depend on.
    """

    name: str
    image: str
    target: int
    of: dict[str, Any]


@dataclass(frozen=True)
class Source:
    """An image with its pairs, not read yet.

    Args:
        photo: The image.
        pairs: One for each class of its ground truth.
        of: What the network's answer depends on.
    """

    photo: Photo
    pairs: tuple[Pair, ...]
    of: dict[str, Any]


@dataclass(frozen=True)
class Ready:
    """An image and its masks in the size in which they are asked about.

    Args:
        pixels: Red, green, blue.
        masks: Of each class of the ground truth; those of small things may have vanished.
    """

    pixels: UInt8[np.ndarray, "size size 3"]
    masks: dict[int, Bool[np.ndarray, "size size"]]


def source_of(photo: Photo, classes: Sequence[str], content: bytes) -> Source:
    """Return an image's pairs.

    Args:
        photo: The image.
        classes: All classes' names.
        content: The image's file.
    """
    of = {"image_sha256": sha256(content)}
    pairs = [
        Pair(pair_name(photo.name, classes[target]), photo.name, target, of | {"marked_sha256": photo.marked})
        for target in photo.targets
    ]
    return Source(photo, tuple(pairs), of)


def pair_name(image: str, label: str) -> str:
    """Return what a pair's files are called.

    Example:
        >>> pair_name("COCO_val2014_000000000042", "hot dog")
        'COCO_val2014_000000000042_hot_dog'
    """
    return f"{image}_{''.join(sign if sign.isalnum() else '_' for sign in label)}"


def draw_lot(photos: Sequence[Photo], at_most: int | None, seed: int) -> list[Photo]:
    """Return at most so many photographs, all of them in the lot's order: fewer are the first of more."""
    return sorted(photos, key=lambda photo: sha256(f"{seed} {photo.name}".encode()))[:at_most]


def make_ready(seen: Seen, size: int) -> Ready:
    """Resize an image, bilinearly as torchvision's transforms do, and its masks, to the nearest pixel.

    The whole image becomes a square, so that nothing of a mask is cut off. **Deviation**: of necessity; the paper does not
    say how its images came to the networks' size.
    """
    pixels = Image.fromarray(seen.pixels).resize((size, size), Image.Resampling.BILINEAR)
    masks = {target: nearest(mask, size) for target, mask in seen.masks.items()}
    return Ready(np.asarray(pixels), masks)


def nearest(mask: Bool[np.ndarray, "height width"], size: int) -> Bool[np.ndarray, "size size"]:
    """Resize a mask: each pixel is the one on which its centre lies.

    Example:
        >>> nearest(np.array([[True, False, False, True]]), 2).astype(int)
        array([[0, 1],
               [0, 1]])
    """
    rows, columns = (((np.arange(size) + 0.5) * side / size).astype(int) for side in mask.shape)
    resized: np.ndarray = mask[rows][:, columns]
    return resized
