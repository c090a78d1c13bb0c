"""Kinds of defect: of each its class, outline, look, and how closely the annotators follow it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from data_prep.synthetic import defects, sizes
from data_prep.synthetic.fields import between
from data_prep.synthetic.shapes import Box, Points, blob, slanted, sweep, torn


@dataclass(frozen=True)
class Kind:
    """A kind of defect.

    Args:
        label: The class, 1 to 4.
        outline: Draws the true outline that fills a box.
        paint: Paints the defect on the steel, within the outline.
        gap: The distance that the annotators keep from it, in pixels.
        coarseness: How far their corners may lie from it, in pixels.
    """

    label: int
    outline: Callable[[np.random.Generator, Box], Points]
    paint: defects.Painter
    gap: int
    coarseness: int


def _pebble(chance: np.random.Generator, box: Box) -> Points:
    return blob(chance, box, ruggedness=0.15)


def _ragged(chance: np.random.Generator, box: Box) -> Points:
    return blob(chance, box, ruggedness=between(chance, (0.15, 0.5)))


def _torn(chance: np.random.Generator, box: Box) -> Points:
    return torn(chance, box, float(chance.lognormal(np.log(0.03), 0.5)))


def _leaning(chance: np.random.Generator, box: Box) -> Points:
    return slanted(chance, box, between(chance, (0.05, 0.5)))


def _upright(chance: np.random.Generator, box: Box) -> Points:
    return slanted(chance, box, between(chance, (0.0, 0.25)))


def _stroke(chance: np.random.Generator, box: Box) -> Points:
    return sweep(chance, box, between(chance, (0.45, 0.8)))


def _furrow(chance: np.random.Generator, box: Box) -> Points:
    return slanted(chance, Box(box.y, box.x, box.height, box.width), between(chance, (0.1, 0.5)))[:, ::-1]


KINDS: Mapping[str, Kind] = {
    "pit": Kind(1, _pebble, defects.pit, gap=5, coarseness=5),
    "pitted line": Kind(1, _leaning, defects.pitted_line, gap=3, coarseness=3),
    "blister": Kind(1, _pebble, defects.blister, gap=3, coarseness=3),
    "edge bar": Kind(2, _leaning, defects.edge_bar, gap=3, coarseness=4),
    "scratches": Kind(3, _upright, defects.scratches, gap=5, coarseness=5),
    "dark band": Kind(3, _upright, defects.dark_band, gap=3, coarseness=4),
    "scab": Kind(3, _pebble, defects.scab, gap=3, coarseness=4),
    "bare flakes": Kind(3, _pebble, defects.bare_flakes, gap=5, coarseness=7),
    "crumbs": Kind(3, _ragged, defects.crumbs, gap=5, coarseness=7),
    "brushed": Kind(3, _stroke, defects.brushed, gap=5, coarseness=6),
    "groove": Kind(3, _furrow, defects.groove, gap=4, coarseness=5),
    "scuffed": Kind(3, _pebble, defects.scuffed, gap=6, coarseness=12),
    "plate": Kind(4, _torn, defects.plate, gap=5, coarseness=5),
}


def kind_for(chance: np.random.Generator, family: sizes.Family, width: float, height: float) -> str:
    """Return the name of a kind that comes in such a size: its look follows from its build."""
    if family is sizes.PITTING:
        return _pitting(width, height)
    if family is sizes.EDGE_BARS:
        return "edge bar"
    if family is sizes.PLATES:
        return "plate"
    names, shares = _scratch_kinds(family, width, height)
    return names[int(chance.choice(len(names), p=shares))]


def _pitting(width: float, height: float) -> str:
    if height > 4 * width:
        return "pitted line"
    return "blister" if width > 50 else "pit"


def _scratch_kinds(
    family: sizes.Family, width: float, height: float
) -> tuple[tuple[str, ...], tuple[float, ...]]:
    if family is sizes.FULL_HEIGHT:
        return (
            (("scratches", "dark band"), (0.82, 0.18))
            if width < 220
            else (("scuffed", "crumbs"), (0.85, 0.15))
        )
    if family is sizes.UPRIGHT and height > 3 * width:
        return ("scratches", "scab", "dark band"), (0.62, 0.28, 0.1)
    if width * height < 2500:
        return ("scab", "bare flakes"), (0.65, 0.35)
    if family is sizes.UPRIGHT:
        return ("scab", "bare flakes", "crumbs", "scratches"), (0.45, 0.25, 0.1, 0.2)
    if width > 5 * height:
        return ("brushed", "groove"), (0.75, 0.25)
    return ("bare flakes", "brushed", "crumbs", "scab"), (0.4, 0.25, 0.15, 0.2)
