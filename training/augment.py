"""Chance on training patches, by albumentations, on 8-bit grey values: before preprocessing, as a camera would.

The label never changes: flips, shifts of a few pixels, and changes of grey leave a defect a defect.
"""

import os

# Without this, the import asks PyPI for the latest version; an inspection PC has no internet, and nobody asked.
os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"

import albumentations
import cv2
import numpy as np
from jaxtyping import UInt8

from training.schedule import Draw, Stream, chance
from training.settings import Augmentation

GREY_RANGE = 255


class Augmenter:
    """Changes patches; how a patch changes is a function of the seed, the epoch and the patch alone.

    Every transform gets a seed of its own: `albumentations.Compose` hands one seed to all, and then the two
    flips, which compare the same number with the same probability, happen together or not at all.
    """

    def __init__(self, settings: Augmentation, seed: int) -> None:
        self._transforms = transforms(settings)
        self._seed = seed

    def __call__(
        self, grey: UInt8[np.ndarray, "height width"], draw: Draw
    ) -> UInt8[np.ndarray, "height width"]:
        """Return the patch as it looks on this turn."""
        source = chance(self._seed, Stream.AUGMENTATION, *draw)
        for transform, seed in zip(
            self._transforms, source.generate_state(len(self._transforms)), strict=True
        ):
            transform.set_random_seed(int(seed))
            grey = transform(image=grey)["image"]
        return grey


def transforms(settings: Augmentation) -> list[albumentations.BasicTransform]:
    """Return the transforms that are switched on, in the order in which they are applied."""
    shift = (-settings.shift, settings.shift)
    change = {"brightness_limit": settings.brightness, "contrast_limit": settings.contrast}
    noise = (0, settings.noise / GREY_RANGE)
    possible = (
        (settings.horizontal_flip, albumentations.HorizontalFlip(p=settings.horizontal_flip)),
        (settings.vertical_flip, albumentations.VerticalFlip(p=settings.vertical_flip)),
        (
            settings.shift,
            albumentations.Affine(translate_px=shift, border_mode=cv2.BORDER_REFLECT_101, p=1),
        ),
        (
            settings.brightness or settings.contrast,
            albumentations.RandomBrightnessContrast(**change, p=1),
        ),
        (settings.noise, albumentations.GaussNoise(std_range=noise, p=1)),
    )
    return [transform for strength, transform in possible if strength]
