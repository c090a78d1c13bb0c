"""The contact sheet: training patches as the network sees them, under each augmentation by itself and under all."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import UInt8
from matplotlib.figure import Figure

from severstal_xai.classes import CLASSES
from severstal_xai.manifest import Manifest, Patch, Split
from severstal_xai.strips import PATCH_SIZE
from training.augment import Augmenter
from training.schedule import Draw
from training.settings import Augmentation, Settings

OFF = Augmentation(0.0, 0.0, 0, 0.0, 0.0, 0.0)
_PROBABILITIES = ("horizontal_flip", "vertical_flip")
_TILE = PATCH_SIZE + 12
"""A patch and the gap beside it, in pixels."""
_TURNS = 3
"""Turns of the patch that are shown with all augmentations."""

Pictures = list[UInt8[np.ndarray, "height width"]]


def contact_sheet(settings: Settings, manifest: Manifest) -> Figure:
    """Draw the first training patch of each class: as it is, under each augmentation alone, and as in epochs 1 to 3.

    A flip that happens by chance is shown as happening.
    """
    patches = _one_of_each_class(manifest)
    rows = contact_rows(settings, manifest, patches)
    tiles = np.full((len(rows), len(patches), _TILE, _TILE), 255, dtype=np.uint8)
    for row, pictures in enumerate(rows.values()):
        for column, picture in enumerate(pictures):
            tiles[row, column, :PATCH_SIZE, :PATCH_SIZE] = picture
    sheet = tiles.swapaxes(1, 2).reshape(len(rows) * _TILE, len(patches) * _TILE)
    figure = Figure(figsize=(1.7 * len(patches) + 1.6, 1.7 * len(rows) + 0.6), layout="constrained")
    axes = figure.subplots()
    axes.imshow(sheet, cmap="gray", vmin=0, vmax=255)
    centres = PATCH_SIZE / 2 + _TILE * np.arange(max(tiles.shape[:2]))
    axes.set_yticks(centres[: len(rows)], list(rows), fontsize=8)
    names = [f"{patch.label} {CLASSES[patch.label].name}" for patch in patches]
    axes.set_xticks(centres[: len(patches)], names, fontsize=8)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
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
