"""What an evaluation's rows come to: each metric's mean for each method, with its interval, beside the controls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from explain.evaluation.controls import CONTROLS
from explain.evaluation.variants import over_seeds
from explain.methods.sise import SISE
from explain.paper import TABLE_2
from severstal_xai.bootstrap import RESAMPLES, Measure, Weights, resample, with_interval
from severstal_xai.manifest import Manifest, Split


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


_PAPER_DROP = {name: drop for name, (drop, _) in TABLE_2.items()}
_PAPER_INCREASE = {name: increase for name, (_, increase) in TABLE_2.items()}
METRICS = (
    Metric("drop", "Drop %", more_is_better=False, paper=_PAPER_DROP),
    Metric("increase", "Increase %", more_is_better=True, paper=_PAPER_INCREASE),
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
        weights_sha256: SHA-256 of the weights.
        same_data: Whether it was trained on this data.
        manifest: The data.
        split: Which part of it was evaluated.
        device: Where the model ran.
        rows: `explain.evaluation.rows.Row`s with their strips, of methods, variants and controls.
        sise: SISE's settings.
        steps: Of the curves of insertion and deletion.
        sure: The probability from which on an answer is sure; None where nobody asked.
        seed: Of the intervals' lot.
        studies: The records of each study, by its folder.
    """

    run: str
    architecture: str
    weights_sha256: str
    same_data: bool
    manifest: Manifest
    split: Split
    device: str
    rows: pd.DataFrame
    sise: SISE
    steps: int
    sure: float | None
    seed: int
    studies: Mapping[str, tuple[Any, ...]]

    @cached_property
    def main(self) -> pd.DataFrame:
        """A row for each patch and method: seeds averaged, SISE at its own threshold."""
        return over_seeds(self.rows)

    @property
    def with_sise(self) -> bool:
        """Whether SISE is among the methods."""
        return bool((self.rows["method"] == "sise").any())

    @property
    def first_method(self) -> str:
        """The method whose maps tell where the evidence lies."""
        return str(self.rows["method"].iloc[0])

    @property
    def engines(self) -> str:
        """What answered for the model, with the number of rows where there were several."""
        counts = self.rows["engine"].value_counts()
        names = [name or "not noted" for name in counts.index]
        if len(names) == 1:
            return str(names[0])
        return ", ".join(f"{name} ({count:,} rows)" for name, count in zip(names, counts, strict=True))

    def strips(self, patches: Sequence[str]) -> list[str]:
        """Return the patches' strips."""
        return [self.manifest.find(patch).strip for patch in patches]


@dataclass(frozen=True)
class Figures:
    """A metric of all methods.

    Args:
        metric: The metric.
        measures: The mean over the patches, in per cent, with its interval, by the method's name.
        beaten: Whether a method is better than the best control, by the interval of their paired difference.
        undefined: How many patches it is not defined on.
        nothing: On how many patches a method's map is all zero, by the method's name; those that found something on each are missing.
    """

    metric: Metric
    measures: Mapping[str, Measure]
    beaten: Mapping[str, bool]
    undefined: int
    nothing: Mapping[str, int]

    @property
    def best_control(self) -> str:
        """The name of the control that does best."""
        return _best_control(self.metric, self.measures)


def figures_of(rows: pd.DataFrame, seed: int) -> list[Figures]:
    """Return what the metrics come to, patch by patch, with intervals over strips; see `summarise`."""
    return summarise(rows, METRICS, seed, unit="patch", group="strip")


def summarise(
    rows: pd.DataFrame, metrics: Sequence[Metric], seed: int, *, unit: str, group: str
) -> list[Figures]:
    """Return what metrics come to; one that was left out or is nowhere defined is missing.

    Args:
        rows: A row for each unit and method, the controls among these.
        metrics: Columns of the rows.
        seed: Of the intervals' lot.
        unit: The column that names what each method was asked about, and what a mean is taken over.
        group: The column that names what units are alike in: the intervals' lot draws these.
    """
    groups = rows.groupby(unit, sort=True)[group].first()
    lots = lots_of(list(groups), seed)
    nothing = {
        str(name): int(count)
        for name, count in rows.groupby("method", sort=False)["empty"].sum().items()
        if count
    }
    found = []
    for metric in metrics:
        values = _by_unit(rows, metric.column, groups)
        known = values.notna().all(axis=1).to_numpy()
        if known.any():
            by_method = {name: values[name].to_numpy() for name in dict.fromkeys(rows["method"])}
            found.append(_figures(metric, by_method, known, lots, nothing))
    return found


def difference(rows: pd.DataFrame, column: str, first: str, second: str, seed: int) -> Measure:
    """Return how much higher a metric's mean is by the second method than by the first, in per cent, patch by patch."""
    strips = rows.groupby("patch", sort=True)["strip"].first()
    values = _by_unit(rows, column, strips)
    change = (values[second] - values[first]).to_numpy()
    return mean_of(change, lots_of(list(strips), seed))


def mean_of(values: Float[np.ndarray, " patches"], lots: Weights) -> Measure:
    """Return the mean of the values that are known with its interval; the first lot counts each patch once."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        means = (lots[:, known] @ values[known]) / lots[:, known].sum(axis=1)
    return with_interval(float(means[0]), means[1:])


def median_of(values: Float[np.ndarray, " patches"], lots: Weights) -> Measure:
    """Return the median with its interval; the first lot counts each patch once.

    Example: a patch that took long once is one of three, and in some lots two of them.
        >>> lots = np.array([[1.0, 1, 1], [1, 1, 1], [1, 0, 2]])
        >>> found = median_of(np.array([1.0, 2.0, 9.0]), lots)
        >>> found.value, round(found.high, 3)
        (2.0, 8.825)
    """
    order = np.argsort(values, kind="stable")
    ordered, counts = values[order], lots[:, order].cumsum(axis=1)
    half = counts[:, -1:] / 2
    medians = (ordered[(counts >= half).argmax(axis=1)] + ordered[(counts > half).argmax(axis=1)]) / 2
    return with_interval(float(medians[0]), medians[1:])


def lots_of(strips: Sequence[str], seed: int) -> Weights:
    """Return the lots of the bootstrap over strips; before them one that counts each patch once."""
    return np.concatenate([np.ones((1, len(strips))), resample(strips, RESAMPLES, seed)])


def _by_unit(rows: pd.DataFrame, column: str, groups: pd.Series) -> pd.DataFrame:
    """Return a metric in per cent: a row for each unit of the groups' index, a column for each method."""
    values = rows.pivot_table(
        index=groups.index.name, columns="method", values=column, dropna=False, observed=True
    )
    return 100 * values.reindex(groups.index).astype(float)


def _figures(
    metric: Metric,
    values: Mapping[str, Float[np.ndarray, " patches"]],
    known: np.ndarray,
    lots: Weights,
    nothing: Mapping[str, int],
) -> Figures:
    def mean(some: Float[np.ndarray, " patches"]) -> Measure:
        return mean_of(np.where(known, some, np.nan), lots)

    measures = {name: mean(some) for name, some in values.items()}
    sign = 1 if metric.more_is_better else -1
    control = _best_control(metric, measures)
    beaten = {name: mean(sign * (some - values[control])).low > 0 for name, some in values.items()}
    return Figures(metric, measures, beaten, int((~known).sum()), nothing)


def _best_control(metric: Metric, measures: Mapping[str, Measure]) -> str:
    sign = 1 if metric.more_is_better else -1
    return max(CONTROLS, key=lambda name: sign * measures[name].value)
