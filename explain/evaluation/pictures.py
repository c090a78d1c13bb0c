"""An evaluation's figures: the metrics with their intervals, SISE by its threshold, and the sanity check."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from explain.evaluation.controls import CONTROLS
from explain.evaluation.reasons import cascades
from explain.evaluation.summary import Evaluated, Figures, figures_of
from explain.evaluation.variants import thresholds_of
from explain.paper import TABLE_6

_OURS, _BESIDE = "#0072B2", "#888888"


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
            colour = _BESIDE if name in CONTROLS else _OURS
            axes.plot([measure.low, measure.high], [place, place], color=colour, linewidth=2)
            axes.plot(measure.value, place, "o", color=colour)
        axes.axvline(one.measures[one.best_control].value, color=_BESIDE, linestyle="--", linewidth=1)
        _name(axes, one)
    for axes in grid.ravel()[len(figures) :]:
        axes.set_visible(False)
    for line in grid:
        line[0].set_yticks(range(len(names)), names)
    grid[0, 0].invert_yaxis()
    return figure


def draw_thresholds(evaluated: Evaluated) -> Figure | None:
    """Draw SISE's metrics by its threshold, beside the paper's (Fig. 12); None where it was evaluated at one alone."""
    names = thresholds_of(evaluated.rows, evaluated.sise.mu)
    if not names:
        return None
    rows = evaluated.rows[evaluated.rows["method"].isin([*names.values(), *CONTROLS])]
    figures = [one for one in figures_of(rows, evaluated.seed) if one.metric.column in TABLE_6[0.0]]
    figure = Figure(figsize=(2.9 * (len(figures) + 1), 2.6), layout="constrained")
    *places, last = figure.subplots(1, len(figures) + 1, squeeze=False)[0]
    for axes, one in zip(places, figures, strict=True):
        measures = [one.measures[name] for name in names.values()]
        values = np.array([measure.value for measure in measures])
        ends = np.array(
            [[value - one.low, one.high - value] for value, one in zip(values, measures, strict=True)]
        )
        axes.errorbar(list(names), values, yerr=ends.clip(0).T, color=_OURS, marker="o", label="here")
        paper = {mu: TABLE_6[mu][one.metric.column] for mu in TABLE_6}
        axes.plot(list(paper), list(paper.values()), color=_BESIDE, marker="s", linestyle="--", label="paper")
        axes.set_xlabel("mu")
        _name(axes, one)
    _draw_seconds(
        last, rows.groupby("method")["seconds"].median()[list(names.values())].tolist(), list(names)
    )
    last.legend(fontsize=8)
    return figure


def _draw_seconds(axes: Axes, seconds: Sequence[float], mus: Sequence[float]) -> None:
    axes.plot(mus, seconds, color=_OURS, marker="o", label="here")
    paper = {mu: TABLE_6[mu]["seconds"] for mu in TABLE_6}
    axes.plot(list(paper), list(paper.values()), color=_BESIDE, marker="s", linestyle="--", label="paper")
    axes.set_yscale("log")
    axes.set_xlabel("mu")
    axes.set_title("seconds a map, median\nlower is better", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)


def draw_sanity(evaluated: Evaluated) -> Figure | None:
    """Draw how alike the maps stay as ever more of the network is random; None where nobody asked."""
    known = cascades(evaluated)
    if not known:
        return None
    figure = Figure(figsize=(8.0, 3.2), layout="constrained")
    for axes, (name, title) in zip(
        figure.subplots(1, 2, sharey=True),
        (("spearman", "rank correlation"), ("ssim", "structural similarity")),
        strict=True,
    ):
        for method, records in known:
            parts = ["trained", *records[0].parts]
            means = np.mean([getattr(one, name) for one in records], axis=0)
            axes.plot(parts, [1.0, *means], marker="o", label=method)
        axes.axhline(0, color=_BESIDE, linewidth=0.8)
        axes.set_title(f"{title} with the trained network's map", fontsize=9)
        axes.tick_params(axis="x", rotation=45, labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8)
    return figure


def _name(axes: Axes, one: Figures) -> None:
    direction = "higher" if one.metric.more_is_better else "lower"
    axes.set_title(f"{one.metric.title}\n{direction} is better", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
