"""What an evaluation's rows come to: each metric's mean for each method, with its interval, beside the controls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from explain.controls import CONTROLS
from severstal_xai.bootstrap import RESAMPLES, Measure, resample, with_interval
from severstal_xai.manifest import Manifest

PAPER_TABLE_2: Mapping[str, tuple[float, float]] = {
    "grad_cam": (67.44, 12.46),
    "grad_cam_plus_plus": (64.1, 12.96),
    "rise": (63.25, 15.63),
    "score_cam": (64.29, 10.35),
    "full_grad": (77.23, 10.26),
    "sise": (61.06, 15.64),
}
"""SISE paper, Table 2: Drop % and Increase % on Severstal with ResNet-101."""


@dataclass(frozen=True)
class Metric:
    """A column of the tables.

    Args:
        column: Of the rows.
        title: Of the table.
        more_is_better: Whether a higher value is the better.
        paper: The paper's figures by the method's name, in per cent; None where it has none.
    """

    column: str
    title: str
    more_is_better: bool
    paper: Mapping[str, float] | None = None


METRICS = (
    Metric("drop", "Drop %", more_is_better=False, paper={name: it[0] for name, it in PAPER_TABLE_2.items()}),
    Metric(
        "increase",
        "Increase %",
        more_is_better=True,
        paper={name: it[1] for name, it in PAPER_TABLE_2.items()},
    ),
    Metric("insertion", "Insertion AUC, %", more_is_better=True),
    Metric("deletion", "Deletion AUC, %", more_is_better=False),
    Metric("energy_pointing", "EBPG %", more_is_better=True),
    Metric("top_iou", "mIoU %", more_is_better=True),
    Metric("box_score", "Bbox %", more_is_better=True),
)


@dataclass(frozen=True)
class Evaluated:
    """What the report tells of.

    Args:
        run: The run's name.
        architecture: Its network.
        same_data: Whether it was trained on this data.
        manifest: The data.
        rows: `explain.evaluation.Row`s with their strips.
        steps: Of the curves of insertion and deletion.
        seed: Of the intervals' lot.
    """

    run: str
    architecture: str
    same_data: bool
    manifest: Manifest
    rows: pd.DataFrame
    steps: int
    seed: int


@dataclass(frozen=True)
class Figures:
    """A metric of all methods.

    Args:
        metric: The metric.
        measures: The mean over the patches, in per cent, with its interval, by the method's name.
        beaten: Whether a method is better than the best control, by the interval of their paired difference.
        undefined: How many patches it is not defined on.
    """

    metric: Metric
    measures: Mapping[str, Measure]
    beaten: Mapping[str, bool]
    undefined: int

    @property
    def best_control(self) -> str:
        """The name of the control that does best."""
        return _best_control(self.metric, self.measures)


def figures_of(evaluated: Evaluated) -> list[Figures]:
    """Return what the metrics come to; one that was left out or is nowhere defined is missing."""
    return summarise(evaluated.rows, METRICS, evaluated.seed, unit="patch", group="strip")


def summarise(
    rows: pd.DataFrame, metrics: Sequence[Metric], seed: int, *, unit: str, group: str
) -> list[Figures]:
    """Return what metrics come to; one that was left out or is nowhere defined is missing.

    Args:
        rows: A row for each unit and method.
        metrics: Columns of the rows.
        seed: Of the intervals' lot.
        unit: The column that names what each method was asked about, and what a mean is taken over.
        group: The column that names what units are alike in: the intervals' lot draws these.
    """
    groups = rows.groupby(unit, sort=True)[group].first()
    lots = np.concatenate([np.ones((1, len(groups))), resample(list(groups), RESAMPLES, seed)])
    found = []
    for metric in metrics:
        values = rows.pivot_table(
            index=unit, columns="method", values=metric.column, dropna=False, observed=True
        )
        values = 100 * values.reindex(groups.index).astype(float)
        known = values.notna().all(axis=1).to_numpy()
        if known.any():
            by_method = {name: values[name].to_numpy() for name in dict.fromkeys(rows["method"])}
            found.append(_figures(metric, by_method, known, lots))
    return found


def _figures(
    metric: Metric,
    values: Mapping[str, Float[np.ndarray, " patches"]],
    known: np.ndarray,
    lots: Float[np.ndarray, "resamples patches"],
) -> Figures:
    def mean(some: Float[np.ndarray, " patches"]) -> Measure:
        with np.errstate(invalid="ignore"):
            means = (lots[:, known] @ some[known]) / lots[:, known].sum(axis=1)
        return with_interval(float(means[0]), means[1:])

    measures = {name: mean(some) for name, some in values.items()}
    sign = 1 if metric.more_is_better else -1
    control = _best_control(metric, measures)
    beaten = {name: mean(sign * (some - values[control])).low > 0 for name, some in values.items()}
    return Figures(metric, measures, beaten, int((~known).sum()))


def _best_control(metric: Metric, measures: Mapping[str, Measure]) -> str:
    sign = 1 if metric.more_is_better else -1
    return max(CONTROLS, key=lambda name: sign * measures[name].value)
