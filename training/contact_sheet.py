"""The contact sheet: training patches as the network sees them, under each augmentation by itself and under all."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import UInt8
from matplotlib.figure import Figure

from severstal_xai.classes import CLASSES
from severstal_xai.manifest import Manifest, Patch, Split
from training.augment import Augmenter
from training.schedule import Draw
from training.settings import Augmentation, Settings

OFF = Augmentation(0.0, 0.0, 0, 0.0, 0.0, 0.0)
_PROBABILITIES = ("horizontal_flip", "vertical_flip")
_TURNS = 3
"""Turns of the patch that are shown with all augmentations."""

Pictures = list[UInt8[np.ndarray, "height width"]]


def contact_sheet(settings: Settings, manifest: Manifest) -> Figure:
    """Draw the first training patch of each class: as it is, under each augmentation alone, and as in epochs 1 to 3.

    A flip that happens by chance is shown as happening.
    """
    patches = _one_of_each_class(manifest)
    rows = contact_rows(settings, manifest, patches)
    figure = Figure(figsize=(1.7 * len(patches) + 1.6, 1.75 * len(rows) + 0.4), layout="constrained")
    grid = figure.subplots(len(rows), len(patches), squeeze=False)
    for axes_row, (name, pictures) in zip(grid, rows.items(), strict=True):
        for axes, picture in zip(axes_row, pictures, strict=True):
            axes.imshow(picture, cmap="gray", vmin=0, vmax=255)
            axes.set_xticks([])
            axes.set_yticks([])
        axes_row[0].set_ylabel(name, fontsize=8)
    for axes, patch in zip(grid[0], patches, strict=True):
        axes.set_title(f"{patch.label} {CLASSES[patch.label].name}", fontsize=8)
    return figure


def contact_rows(settings: Settings, manifest: Manifest, patches: Sequence[Patch]) -> dict[str, Pictures]:
    """Return the sheet's rows: what each shows, and a picture for each patch."""
    training = manifest.of_split(Split.TRAIN)
    greys = {training.index(patch): manifest.read_image(patch) for patch in patches}

    def row(augmentation: Augmentation, epoch: int = 1) -> Pictures:
        change = Augmenter(augmentation, settings.seed)
        return [change(grey, Draw(epoch, place)) for place, grey in greys.items()]

    rows = {"as it is": row(OFF)}
    for field in dataclasses.fields(Augmentation):
        amount = getattr(settings.augmentation, field.name)
        if amount:
            shown = 1.0 if field.name in _PROBABILITIES else amount
            rows[f"{field.name}\n{amount:g}"] = row(_alone(field.name, shown))
    if len(rows) > 1:
        rows |= {f"all, epoch {turn}": row(settings.augmentation, turn) for turn in range(1, _TURNS + 1)}
    return rows


def _alone(name: str, amount: float | int) -> Augmentation:
    values: dict[str, Any] = dataclasses.asdict(OFF) | {name: amount}
    return Augmentation(**values)


def _one_of_each_class(manifest: Manifest) -> list[Patch]:
    first: dict[int, Patch] = {}
    for patch in manifest.of_split(Split.TRAIN):
        first.setdefault(patch.label, patch)
    return [first[label] for label in sorted(first)]
