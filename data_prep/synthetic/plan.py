"""Decide what a strip holds and where, before a pixel is painted: cheap, and all that the masks need."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from data_prep.synthetic import sizes
from data_prep.synthetic.annotation import rough_polygon
from data_prep.synthetic.fields import between, happens
from data_prep.synthetic.kinds import KINDS, kind_for
from data_prep.synthetic.shapes import Box, Points, mask_of
from data_prep.synthetic.steel import SHAPE, Margin, Side
from severstal_xai.strips import STRIP_HEIGHT

_DARK_BESIDE = {0: 0.08, 1: 0.54, 2: 0.93, 3: 0.35, 4: 0.16}
"""Share of strips that show the dark beside the strip, by class, in the real sample; of two classes the higher."""
_WIDTHS_OF_DARK = (18, 130, 390, 630, 1060)
"""Quantiles at 0, 1/4, 1/2, 3/4 and 1 of the dark's width in pixels, in the real sample."""
_TRIES = 24


@dataclass(frozen=True)
class Defect:
    """A defect: its kind, a key of `KINDS`, its true outline, and the annotator's polygon around it."""

    kind: str
    outline: Points
    polygon: Points

    @property
    def label(self) -> int:
        """Its class, 1 to 4."""
        return KINDS[self.kind].label


@dataclass(frozen=True)
class Plan:
    """What a strip holds: the dark beside it, whether it is chequered plate, its defects."""

    margin: Margin
    chequered: bool
    defects: tuple[Defect, ...]

    def masks(self) -> dict[int, Bool[np.ndarray, "height width"]]:
        """Return the annotators' mask of each class that the strip holds, in the order of the classes."""
        masks: dict[int, Bool[np.ndarray, "height width"]] = {}
        for defect in sorted(self.defects, key=lambda defect: defect.label):
            mask = mask_of(defect.polygon, SHAPE)
            masks[defect.label] = masks.get(defect.label, mask) | mask
        return masks


def plan_strip(chance: np.random.Generator, shares: Mapping[str, float], chequered: float) -> Plan:
    """Plan one strip.

    Args:
        chance: What it becomes.
        shares: How often strips hold which classes, in any unit: "none", "3", "3+4" …, each with its weight.
        chequered: The share of chequered plate among strips without a defect.
    """
    labels = draw_labels(chance, shares)
    margin = draw_margin(chance, max(_DARK_BESIDE[label] for label in labels or (0,)))
    is_chequered = happens(chance, chequered) and not labels
    taken: list[Box] = []
    defects: list[Defect] = []
    for label in labels:
        defects += _defects_of_class(chance, label, margin, taken)
    return Plan(margin, is_chequered, tuple(defects))


def draw_labels(chance: np.random.Generator, shares: Mapping[str, float]) -> tuple[int, ...]:
    """Return the classes of a strip's defects, sorted; none for a sound strip.

    Example:
        >>> draw_labels(np.random.default_rng(0), {"none": 0.0, "3+4": 1.0})
        (3, 4)
    """
    names, weights = list(shares), np.array(list(shares.values()), dtype=float)
    name = names[int(chance.choice(len(names), p=weights / weights.sum()))]
    return () if name == "none" else tuple(int(label) for label in name.split("+"))


def draw_margin(chance: np.random.Generator, share: float) -> Margin:
    """Return the dark beside the strip, which a share of strips has, left and right nearly as often."""
    if not happens(chance, share):
        return Margin(Side.NONE, 0.0, 0.0)
    width = float(np.interp(chance.random(), np.linspace(0, 1, len(_WIDTHS_OF_DARK)), _WIDTHS_OF_DARK))
    return Margin(Side.LEFT if happens(chance, 0.45) else Side.RIGHT, width, float(chance.normal(0, 3)))


@dataclass(frozen=True)
class _Site:
    """Where a class's defects gather on a strip: around `centre`, as far off as `spread`, in pixels of x."""

    margin: Margin
    centre: float
    spread: float

    def x(self, chance: np.random.Generator) -> float:
        """Return a place on the steel; the centre lies on it, so that a few tries will do."""
        left, right = self.margin.span()
        while not left <= (x := float(chance.normal(self.centre, self.spread))) <= right:
            pass
        return x

    def x_beside_the_edge(self, chance: np.random.Generator) -> float:
        """Return a place 35 to 115 pixels from the strip's edge, as if the picture ended there if none is seen."""
        left, right = self.margin.span()
        inward = between(chance, (35, 115))
        at_left = self.margin.side == Side.LEFT or (self.margin.side == Side.NONE and happens(chance, 0.5))
        return left + inward if at_left else right - inward


def _defects_of_class(
    chance: np.random.Generator, label: int, margin: Margin, taken: list[Box]
) -> list[Defect]:
    """Return a class's defects, clear of the boxes `taken`, to which theirs are added; one at the least."""
    families = sizes.draw_families(chance, label)
    site = _Site(margin, between(chance, margin.span()), float(chance.lognormal(np.log(260), 0.8)))
    found: list[Defect] = []
    for family, size in zip(families, sizes.draw_sizes(chance, families), strict=True):
        boxes = _candidates(chance, family, size, site)
        free = [box for box in boxes if not any(box.meets(other) for other in taken)]
        # On a full strip a class's first defect lies on another one's, as it does on some real strips.
        for box in free[:1] or boxes[: not found]:
            taken.append(box)
            found.append(draw_defect(chance, kind_for(chance, family, box.width, box.height), box))
    return found


def _candidates(
    chance: np.random.Generator, family: sizes.Family, size: tuple[float, float], site: _Site
) -> list[Box]:
    return [_box_at(chance, family, size, site) for _ in range(_TRIES)]


def _box_at(chance: np.random.Generator, family: sizes.Family, size: tuple[float, float], site: _Site) -> Box:
    """Return a box on the steel, at a place that suits its family."""
    left, right = site.margin.span()
    width, height = min(size[0], right - left), size[1]
    is_at_edge = family is sizes.EDGE_BARS or (family is sizes.PITTING and height > 4 * width)
    x = site.x_beside_the_edge(chance) if is_at_edge else site.x(chance)
    start = float(np.clip(x - width / 2, left, right - width))
    return Box(start, *_upright_place(chance, width, height, family.at_border))


def _upright_place(
    chance: np.random.Generator, width: float, height: float, at_border: float
) -> tuple[float, float, float]:
    """Return a box's top, width and height; at the picture's border it goes on beyond, as the strip does."""
    beyond = height * between(chance, (0.05, 0.5))
    if height >= STRIP_HEIGHT - 6:
        return -beyond, width, height + 2 * beyond
    where = chance.random()
    if where < at_border:
        return -beyond, width, height + beyond
    if where < 2 * at_border:
        return STRIP_HEIGHT - height, width, height + beyond
    return between(chance, (0, STRIP_HEIGHT - height)), width, height


def draw_defect(chance: np.random.Generator, name: str, box: Box) -> Defect:
    """Draw a defect of the kind `name` so that the annotator's polygon about fills the box."""
    kind = KINDS[name]
    care = float(chance.lognormal(0, 0.4))
    gap = min(kind.gap * care, box.width / 5, box.height / 5)
    outline = kind.outline(chance, box.shrunk(gap))
    coarseness = min(kind.coarseness * care, box.width / 6)
    return Defect(name, outline, rough_polygon(chance, outline, gap, coarseness))
