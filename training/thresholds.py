"""Thresholds from costs: how probable a defect class must be for its patch to be held before an inspector.

A patch is flagged as a class from its threshold on. One of the class that is not flagged is a miss, one of another class
that is flagged is a false alarm, and the thresholds are those for which both together cost least on the patches at hand.
(For calibrated probabilities that is alarm / (alarm + miss): Elkan, The Foundations of Cost-Sensitive Learning, IJCAI
2001, Eq. 2. Ours need not be calibrated.)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int64

from severstal_xai.bootstrap import RESAMPLES, Measure, Weights, rate, resample
from severstal_xai.classes import DEFECTS, SOUND
from severstal_xai.operating_point import ABOVE_ALL, Costs, Expected, Review
from severstal_xai.strips import WINDOW_COUNT
from training.measures import Labels, Probabilities

LEAST_PATCHES = 5
"""So many patches of a class, and as many others, there must be to choose a threshold on."""

Flags = Bool[np.ndarray, "patches defects"]
_Chosen = Bool[np.ndarray, " patches"]


@dataclass(frozen=True)
class Ladder:
    """What each threshold of a class would lead to, from the highest, which flags nothing, to the lowest, which flags all.

    Args:
        order: The patches, from the likeliest to be of the class to the least likely.
        flagged: How many patches each threshold flags: the first so many of `order`.
        misses: How many patches of the class it does not flag.
        alarms: How many patches of other classes it flags.
        thresholds: The thresholds: each in the middle between the last probability that it flags and the next.
    """

    order: Int64[np.ndarray, " patches"]
    flagged: Int64[np.ndarray, " rungs"]
    misses: Int64[np.ndarray, " rungs"]
    alarms: Int64[np.ndarray, " rungs"]
    thresholds: Float[np.ndarray, " rungs"]

    def cost(self, miss: float, alarm: float) -> Float[np.ndarray, " rungs"]:
        """Return what each threshold costs."""
        costs: Float[np.ndarray, " rungs"] = miss * self.misses + alarm * self.alarms
        return costs

    def cheapest(self, miss: float, alarm: float) -> int:
        """Return the place of the threshold that costs least; of equal ones that with fewer misses, then alarms."""
        return int(np.lexsort((self.alarms, self.misses, self.cost(miss, alarm)))[0])


def ladder(probability: Float[np.ndarray, " patches"], of_class: Bool[np.ndarray, " patches"]) -> Ladder:
    """Return the thresholds that tell patches apart; equal probabilities are flagged together.

    Example: the first and the third of three are of the class.
        >>> rungs = ladder(np.array([0.9, 0.5, 0.1]), np.array([True, False, True]))
        >>> rungs.misses.tolist(), rungs.alarms.tolist(), rungs.thresholds.round(2).tolist()
        ([2, 1, 1, 0], [0, 0, 1, 1], [0.95, 0.7, 0.3, 0.05])
    """
    order = np.argsort(-probability, kind="stable")
    fenced = np.concatenate([[ABOVE_ALL], probability[order], [0.0]])
    middle = (fenced[:-1] + fenced[1:]) / 2
    between = np.where(
        middle > fenced[1:], middle, fenced[:-1]
    )  # between two neighbouring numbers there is none
    flagged = np.flatnonzero(np.concatenate([[True], np.diff(probability[order]) != 0, [True]]))
    hits = np.concatenate([[0], of_class[order].cumsum()])[flagged]
    return Ladder(order, flagged, of_class.sum() - hits, flagged - hits, between[flagged])


def choose(probabilities: Probabilities, labels: Labels, costs: Costs) -> tuple[float | None, ...]:
    """Choose the defect classes' thresholds, in their order; None for a class of which there are too few patches.

    With a limit on what can be looked at, thresholds are lowered step by step from where nothing is flagged, always that
    whose step saves most for a patch more to look at, until no step that saves anything fits the limit. (A knapsack:
    what the best choice could save beyond is less than one step.)
    """
    known = [steel.id for steel in DEFECTS if enough_of(labels, steel.id)]
    ladders = {label: ladder(probabilities[:, label], labels == label) for label in known}
    prices = {steel.id: (costs.miss[place], costs.alarm[place]) for place, steel in enumerate(DEFECTS)}
    if costs.review_limit is None:
        rungs = {label: ladders[label].cheapest(*prices[label]) for label in known}
    else:
        answered = probabilities.argmax(axis=1)
        fallback = np.isin(answered, [steel.id for steel in DEFECTS if steel.id not in known])
        most = int(costs.review_limit / WINDOW_COUNT * len(labels) + 1e-9)
        rungs = _climb(ladders, prices, fallback, most)
    return tuple(
        float(ladders[steel.id].thresholds[rungs[steel.id]]) if steel.id in rungs else None
        for steel in DEFECTS
    )


def enough_of(labels: Labels, label: int) -> bool:
    """Tell whether there are patches enough to choose a class's threshold: of it, and others."""
    count = int((labels == label).sum())
    return min(count, len(labels) - count) >= LEAST_PATCHES


def _climb(
    ladders: Mapping[int, Ladder],
    prices: Mapping[int, tuple[float, float]],
    looked_at: Bool[np.ndarray, " patches"],
    most: int,
) -> dict[int, int]:
    """Lower thresholds, from where they flag nothing, while at most so many patches are looked at in all."""
    rungs = dict.fromkeys(ladders, 0)
    while True:
        steps = [
            step
            for label, rung in rungs.items()
            if (
                step := _best_step(label, ladders[label], rung, prices[label], looked_at=looked_at, most=most)
            )
        ]
        if not steps:
            return rungs
        best = max(steps, key=lambda step: step.saves)
        rungs[best.label] = best.rung
        flagged = ladders[best.label].order[: ladders[best.label].flagged[best.rung]]
        looked_at = looked_at | np.isin(np.arange(len(looked_at)), flagged)


@dataclass(frozen=True)
class _Step:
    """To lower a class's threshold to a rung of its ladder; what that saves for a patch more to look at."""

    label: int
    rung: int
    saves: float


def _best_step(
    label: int,
    rungs: Ladder,
    rung: int,
    price: tuple[float, float],
    *,
    looked_at: Bool[np.ndarray, " patches"],
    most: int,
) -> _Step | None:
    """Return the step down from a rung that saves most for a patch more to look at; None where none saves and fits."""
    costs = rungs.cost(*price)
    more = np.append(0, (~looked_at[rungs.order]).cumsum())[rungs.flagged]
    saved = costs[rung] - costs
    fits = (np.arange(len(costs)) > rung) & (saved > 0) & (looked_at.sum() + more <= most)
    if not fits.any():
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        saves = np.where(fits, saved / more, -np.inf)  # without end where nothing more is to be looked at
    best = int(saves.argmax())
    return _Step(label, best, float(saves[best]))


def flags(thresholds: Sequence[float | None], probabilities: Probabilities) -> Flags:
    """Tell as which defect classes each patch is flagged; without a threshold, where the class is the model's answer."""
    answered = probabilities.argmax(axis=1)
    columns = [
        answered == steel.id if threshold is None else probabilities[:, steel.id] >= threshold
        for steel, threshold in zip(DEFECTS, thresholds, strict=True)
    ]
    flagged: Flags = np.stack(columns, axis=1)
    return flagged


def expect(
    flagged: Flags, labels: Labels, strips: Sequence[str], seed: int
) -> tuple[tuple[Expected, ...], Review]:
    """Count what flags come to on a split, for each defect class and for all together, with intervals."""
    lots = resample(strips, RESAMPLES, seed)
    defect: _Chosen = labels != SOUND.id
    looked_at: _Chosen = flagged.sum(axis=1) > 0
    classes = tuple(
        Expected(
            patches=int((labels == steel.id).sum()),
            misses=_rate(~flagged[:, place] & (labels == steel.id), labels == steel.id, lots),
            alarms=_a_strip(flagged[:, place] & (labels != steel.id), lots),
        )
        for place, steel in enumerate(DEFECTS)
    )
    return classes, Review(_a_strip(looked_at, lots), _rate(defect & ~looked_at, defect, lots))


def _rate(part: _Chosen, whole: _Chosen, lots: Weights) -> Measure | None:
    """Return the share of some patches that others are; None where there are none."""
    return rate(part, whole, lots) if whole.any() else None


def _a_strip(some: _Chosen, lots: Weights) -> Measure:
    """Return how many patches of a strip's six are among some, if strips have as many as the patches at hand."""
    share = rate(some, np.ones_like(some), lots)
    return Measure(*(WINDOW_COUNT * end for end in (share.value, share.low, share.high)))
