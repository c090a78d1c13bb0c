"""The five classes of the recast Severstal data (SISE paper, appendix "Severstal Dataset")."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SteelClass:
    """A class of patch.

    Args:
        id: 0 for sound steel, 1 to 4 as in Kaggle's `ClassId`.
        name: What the class looks like. Severstal published numbers only; these are our words.
        colour: RGB, 0 to 255: of the Okabe-Ito palette, which the colour-blind can tell apart.
    """

    id: int
    name: str
    colour: tuple[int, int, int]


CLASSES = (
    SteelClass(0, "sound", (187, 187, 187)),
    SteelClass(1, "pitting", (86, 180, 233)),
    SteelClass(2, "edge bars", (240, 228, 66)),
    SteelClass(3, "scratches and scabs", (230, 159, 0)),
    SteelClass(4, "torn plates", (204, 121, 167)),
)
"""All classes; `CLASSES[i].id == i`."""

SOUND = CLASSES[0]
DEFECTS = CLASSES[1:]
