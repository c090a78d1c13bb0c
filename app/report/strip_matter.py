"""What the report of a strip is made from: its windows, what people, the model and inspectors say of each, and the maps."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from app.report.explained import Explained
from app.strip.marks import Marks
from app.verdicts.readings import Sight
from severstal_xai.operating_point import OperatingPoint
from severstal_xai.strips import Window


@dataclass(frozen=True)
class Asked:
    """What the model says of a window.

    Args:
        grey: The window's picture.
        image_sha256: Its checksum: the image file's, or that of the grey values where there is no file.
        probabilities: Of the classes.
        explained: The map.
    """

    grey: UInt8[np.ndarray, "256 256"]
    image_sha256: str
    probabilities: tuple[float, ...]
    explained: Explained

    @property
    def answer(self) -> int:
        """The likeliest class."""
        return int(np.argmax(self.probabilities))

    @property
    def heat(self) -> np.ndarray | None:
        """The map times the probability of its class; None where there is no map."""
        saliency = self.explained.saliency
        return None if saliency is None else saliency * self.probabilities[self.explained.target]


@dataclass(frozen=True)
class StripWindow:
    """A window of the strip, as the report tells of it.

    Args:
        window: Where it lies.
        patch: Its patch's name; empty where it became none.
        words: Why there is no patch, or why it cannot be shown; empty where all is well.
        asked: The model's answer; None where there is no picture.
        marks: What people marked; None where nobody is known to have looked.
        mask_sha256: The mask file's checksum; empty where there is none.
        sight: The verdicts on it that the reader may see; None where they cannot be read or there is no patch.
    """

    window: Window
    patch: str
    words: str
    asked: Asked | None
    marks: Marks | None
    mask_sha256: str
    sight: Sight | None


@dataclass(frozen=True)
class Matter:
    """What the report of a strip is made from.

    Args:
        name: The strip's.
        words: What is said of the whole of it.
        grey: Its picture.
        whole: Whether that shows what lies outside the windows, too.
        windows: Its windows, from the left.
        method: Whose heat it is, as people call it.
        point: The thresholds; None where there are none.
        remarks: What is missing, a sentence each.
        verdicts_read: Whether the verdicts could be read.
    """

    name: str
    words: str
    grey: UInt8[np.ndarray, "256 1600"]
    whole: bool
    windows: tuple[StripWindow, ...]
    method: str
    point: OperatingPoint | None
    remarks: tuple[str, ...] = ()
    verdicts_read: bool = True
