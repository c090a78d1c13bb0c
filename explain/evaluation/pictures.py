"""An evaluation in pictures: the metrics with their intervals, and maps side by side."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from explain.evaluation.controls import CONTROLS
from explain.evaluation.summary import Evaluated, Figures
from explain.subjects import read_patch
from severstal_xai.classes import CLASSES
from severstal_xai.overlay import as_rgb, blend_heat, draw_outline

_OPACITY = 0.5


def draw_figures(figures: Sequence[Figures]) -> Figure:
    """Draw each metric's values with their intervals; the dashed line is the best control."""
    names = list(figures[0].measures)
    across = min(len(figures), 4)
    down = -(-len(figures) // across)
    figure = Figure(figsize=(3.2 * across + 1.6, down * (0.3 * len(names) + 1.1)), layout="constrained")
    grid = figure.subplots(down, across, sharey=True, squeeze=False)
    for axes, one in zip(grid.ravel(), figures, strict=False):
        for place, name in enumerate(names):
            measure = one.measures[name]
            colour = "#888888" if name in CONTROLS else "#0072B2"
            axes.plot([measure.low, measure.high], [place, place], color=colour, linewidth=2)
            axes.plot(measure.value, place, "o", color=colour)
        axes.axvline(one.measures[one.best_control].value, color="#888888", linestyle="--", linewidth=1)
        direction = "higher" if one.metric.more_is_better else "lower"
        axes.set_title(f"{one.metric.title}\n{direction} is better", fontsize=9)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in grid.ravel()[len(figures) :]:
        axes.set_visible(False)
    for line in grid:
        line[0].set_yticks(range(len(names)), names)
    grid[0, 0].invert_yaxis()
    return figure


def draw_maps(folder: Path, evaluated: Evaluated) -> Figure | None:
    """Draw the maps of a patch of each class side by side; None where no map was kept."""
    rows = evaluated.rows
    names = list(dict.fromkeys(rows["method"]))
    kept = {patch.patch: patch for patch in evaluated.manifest.patches if patch.patch in set(rows["patch"])}
    shown = [
        patch
        for patch in sorted(kept.values(), key=lambda patch: patch.label)
        if all((folder / name / f"{patch.patch}.npy").is_file() for name in names)
    ]
    if not shown:
        return None
    figure = Figure(figsize=(1.75 * (len(names) + 1), 1.95 * len(shown)), layout="constrained")
    grid = figure.subplots(len(shown), len(names) + 1, squeeze=False)
    probabilities = rows.drop_duplicates("patch").set_index("patch")["whole"]
    for line, patch in zip(grid, shown, strict=True):
        subject = read_patch(evaluated.manifest, patch)
        mask = np.zeros(subject.grey.shape, dtype=bool) if subject.mask is None else subject.mask
        colour = CLASSES[patch.label].colour
        line[0].imshow(draw_outline(as_rgb(subject.grey), mask, colour))
        line[0].set_ylabel(f"class {patch.label}\n{probabilities[patch.patch]:.2f}", fontsize=8)
        for axes, name in zip(line[1:], names, strict=True):
            saliency = np.load(folder / name / f"{patch.patch}.npy", allow_pickle=False).astype(np.float32)
            axes.imshow(draw_outline(blend_heat(subject.grey, saliency, _OPACITY), mask, colour))
        for axes in line:
            axes.set_xticks([])
            axes.set_yticks([])
    for axes, name in zip(grid[0], ["patch", *names], strict=True):
        axes.set_title(name.replace("_", " "), fontsize=7)
    return figure
