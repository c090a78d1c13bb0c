"""Pictures of a run: the confusion matrix beside the paper's, and the curves of its epochs."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter, MaxNLocator, PercentFormatter

from severstal_xai.classes import CLASSES, DEFECTS
from severstal_xai.files import whole_file
from severstal_xai.paper import TABLE_5
from training.history import Epoch, best_of
from training.measures import BINS, Labels, Probabilities, bin_of, calibration_error, scaled
from training.scores import Scores, normalised
from training.thresholds import ladder

_DPI = 150
_COLOURS = "cividis"  # the same to the colour-blind and in grey
_BLUE, _ORANGE = "#0072B2", "#D55E00"  # of the Okabe-Ito palette


def write_figure(path: Path, figure: Figure) -> None:
    """Write a figure as a PNG file."""
    with whole_file(path) as temporary:
        figure.savefig(temporary, format="png", dpi=_DPI)


def confusion_figure(scores: Scores, title: str) -> Figure:
    """Draw the confusion matrix, each row as shares of the actual class, beside the paper's Table 5."""
    figure = Figure(figsize=(12, 5.4), layout="constrained")
    ours, paper = figure.subplots(1, 2)
    counts = scores.confusion.sum(axis=1)
    _draw_matrix(ours, normalised(scores.confusion), [f"n = {count}" for count in counts])
    ours.set_title(f"{title}\ntop-1 {scores.top1:.2%}, {scores.count} test patches")
    _draw_matrix(paper, np.array(TABLE_5), [""] * len(CLASSES))
    ours.set_ylabel("actual class")
    paper.set_title("The paper's Table 5: ResNet-101, full data\ntop-1 86.58%")
    figure.colorbar(paper.images[0], ax=[ours, paper], label="share of the actual class", shrink=0.8)
    return figure


def _draw_matrix(axes: Axes, shares: Float[np.ndarray, "actual predicted"], notes: Sequence[str]) -> None:
    axes.imshow(shares, cmap=_COLOURS, vmin=0, vmax=1)
    for (actual, predicted), share in np.ndenumerate(shares):
        text = "-" if np.isnan(share) else f"{share:.2g}"  # two digits, as the paper prints them
        colour = "black" if share > 0.55 or np.isnan(share) else "white"
        weight = "bold" if actual == predicted else "normal"
        axes.text(predicted, actual, text, ha="center", va="center", color=colour, weight=weight)
    ids = [steel.id for steel in CLASSES]
    names = [f"{steel.id} {steel.name}\n{note}".strip() for steel, note in zip(CLASSES, notes, strict=True)]
    axes.set_xticks(ids, [str(steel.id) for steel in CLASSES])
    axes.set_yticks(ids, names)
    axes.set_xlabel("predicted class")


def curves_figure(epochs: Sequence[Epoch]) -> Figure:
    """Draw loss and top-1 over the epochs, training and validation; the best epoch is marked."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    loss, top1 = figure.subplots(1, 2)
    best = best_of(epochs)
    _draw_curves(loss, epochs, "train_loss", "validation_loss")
    loss.set_ylabel("cross-entropy, nats")
    loss.set_yscale("log")  # early in training the validation loss may be a thousand times as high as later
    loss.yaxis.set_major_formatter(LogFormatter())
    loss.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1, 0.4)))
    _draw_curves(top1, epochs, "train_top1", "validation_top1")
    top1.set_ylabel("top-1")
    top1.set_ylim(0, 1.02)
    top1.yaxis.set_major_formatter(PercentFormatter(xmax=1))
    for axes in (loss, top1):
        axes.axvline(best.epoch, color="grey", linestyle=":", label=f"kept: epoch {best.epoch}")
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
    return figure


def _draw_curves(axes: Axes, epochs: Sequence[Epoch], train: str, validation: str) -> None:
    numbers = [epoch.epoch for epoch in epochs]
    axes.plot(
        numbers, [getattr(epoch, train) for epoch in epochs], "o-", color=_BLUE, label="training, augmented"
    )
    axes.plot(
        numbers, [getattr(epoch, validation) for epoch in epochs], "s--", color=_ORANGE, label="validation"
    )


def reliability_figure(probabilities: Probabilities, labels: Labels, temperature: float) -> Figure:
    """Draw how often the model is right where it is so and so sure, as it is and with the temperature's probabilities.

    Below, how many patches are so sure: a bar of few tells little.
    """
    figure = Figure(figsize=(9, 5.2), layout="constrained")
    grid = figure.subplots(2, 2, sharex=True, height_ratios=(3, 1))
    titles = ("as it answers", f"logits divided by {temperature:.3f}")
    for (right, count), title, shares in zip(
        grid.T, titles, (probabilities, scaled(probabilities, temperature)), strict=True
    ):
        error = calibration_error(shares, labels, np.ones((1, len(labels))))[0]
        bins = np.bincount(bin_of(shares), minlength=BINS)
        hits = np.bincount(bin_of(shares), weights=shares.argmax(axis=1) == labels, minlength=BINS)
        centres = (np.arange(BINS) + 0.5) / BINS
        filled = bins > 0
        right.bar(centres[filled], hits[filled] / bins[filled], 0.9 / BINS, color=_BLUE)
        right.plot(
            centres[filled], hits[filled] / bins[filled], "o", color=_BLUE, clip_on=False
        )  # a bar of 0, too
        right.plot([0, 1], [0, 1], color=_ORANGE, linestyle="--", label="calibrated")
        right.set_title(f"{title}\ncalibration error {error:.3f}")
        right.set_ylim(0, 1)
        count.bar(centres, bins, 0.9 / BINS, color="grey")
        count.set_xlabel("confidence: the probability of the class that is named")
    grid[0, 0].set_ylabel("share that is right")
    grid[1, 0].set_ylabel("test patches")
    grid[0, 0].legend(frameon=False)
    return figure


def thresholds_figure(
    probabilities: Probabilities, labels: Labels, thresholds: Sequence[float | None]
) -> Figure:
    """Draw, for each defect class, what every threshold would miss and flag; the chosen one is marked."""
    figure = Figure(figsize=(11, 6.4), layout="constrained")
    grid = figure.subplots(2, 2, sharex=True).ravel()
    for axes, steel, threshold in zip(grid, DEFECTS, thresholds, strict=True):
        of_class = labels == steel.id
        rungs = ladder(probabilities[:, steel.id], of_class)
        _draw_steps(
            axes, rungs.thresholds, rungs.misses / max(of_class.sum(), 1), "missed, of the class", _BLUE
        )
        _draw_steps(
            axes,
            rungs.thresholds,
            rungs.alarms / max((~of_class).sum(), 1),
            "flagged, of the others",
            _ORANGE,
        )
        if threshold is None:
            axes.set_title(f"{steel.id} {steel.name}: {of_class.sum()} patches, none chosen")
        else:
            axes.axvline(threshold, color="black", linestyle="--", linewidth=1, label="chosen")
            axes.set_title(f"{steel.id} {steel.name}: {of_class.sum()} patches, {threshold:.4f}")
        axes.set_xlim(0, 1)
        axes.set_ylim(-0.02, 1.02)
        axes.yaxis.set_major_formatter(PercentFormatter(xmax=1))
        axes.grid(alpha=0.3)
    for axes in grid[2:]:
        axes.set_xlabel("threshold: probability of the class")
    for axes in grid[::2]:
        axes.set_ylabel("share of validation patches")
    grid[0].legend()
    return figure


def _draw_steps(
    axes: Axes,
    thresholds: Float[np.ndarray, " rungs"],
    shares: Float[np.ndarray, " rungs"],
    name: str,
    colour: str,
) -> None:
    """Draw shares that change where a threshold passes a patch's probability: half-way between two thresholds."""
    ends = np.concatenate([[1.0], thresholds, [0.0]])
    axes.step(ends, np.concatenate([shares[:1], shares, shares[-1:]]), where="mid", label=name, color=colour)
