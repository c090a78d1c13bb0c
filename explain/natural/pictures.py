"""Maps of natural images side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
from matplotlib.figure import Figure

from explain.evaluation.files import read_maps
from explain.natural.pairs import Ready
from severstal_xai.overlay import blend_heat, draw_outline

_OPACITY = 0.5
_OUTLINE = (0, 158, 115)
"""Bluish green: told from the heat's colours by the colour-blind, too."""


@dataclass(frozen=True)
class ShownPair:
    """A pair whose maps are shown.

    Args:
        name: What its files are called.
        label: The class's name.
        target: The class.
        probability: The network's, of the class.
        ready: The image and its masks.
    """

    name: str
    label: str
    target: int
    probability: float
    ready: Ready


def draw_maps(folder: Path, pairs: Sequence[ShownPair], methods: Sequence[str]) -> Figure:
    """Draw the image with the outline of the class's mask, and the methods' maps over it, a line a pair.

    Args:
        folder: The evaluation's.
        pairs: Those whose maps it holds.
        methods: The names of the columns.
    """
    figure = Figure(figsize=(1.6 * (len(methods) + 1), 1.75 * len(pairs)), layout="constrained")
    grid = figure.subplots(len(pairs), len(methods) + 1, squeeze=False)
    for line, pair in zip(grid, pairs, strict=True):
        mask = pair.ready.masks[pair.target]
        grey = cv2.cvtColor(pair.ready.pixels, cv2.COLOR_RGB2GRAY)
        line[0].imshow(draw_outline(pair.ready.pixels, mask, _OUTLINE))
        line[0].set_ylabel(f"{pair.label}\n{pair.probability:.2f}", fontsize=8)
        for axes, name in zip(line[1:], methods, strict=True):
            saliency = read_maps(folder / name, pair.name, grey.shape)
            if saliency is not None:
                axes.imshow(draw_outline(blend_heat(grey, saliency, _OPACITY), mask, _OUTLINE))
        for axes in line:
            axes.set_xticks([])
            axes.set_yticks([])
    for axes, name in zip(grid[0], ["image", *methods], strict=True):
        axes.set_title(name.replace("_", " "), fontsize=7)
    return figure
