"""What people marked on a window of a strip, whether the data keeps the window as a patch or leaves it out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from app.words import class_title
from severstal_xai.classes import SOUND


@dataclass(frozen=True)
class Marks:
    """What people marked on a window.

    Args:
        classes: The defects' classes, from the least; none where they looked and marked nothing.
        masks: Where, by class; without the classes of which nobody can tell where they lie.
    """

    classes: tuple[int, ...]
    masks: Mapping[int, Bool[np.ndarray, "256 256"]]

    @property
    def placed(self) -> bool:
        """Whether it is known where all of them lie."""
        return set(self.classes) == set(self.masks)


def in_words(classes: Iterable[int]) -> str:
    """Return classes by number and name; of none, that it is sound.

    Example:
        >>> in_words([3, 4])
        '3 · scratches and scabs and 4 · torn plates'
        >>> in_words([])
        '0 · sound'
    """
    return " and ".join(map(class_title, classes)) or class_title(SOUND.id)
