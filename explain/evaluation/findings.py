"""What an evaluation says, in words; all of it computed."""

from collections.abc import Mapping, Sequence

from scipy.stats import spearmanr

from explain.evaluation.controls import CONTROLS
from explain.evaluation.summary import METRICS, Evaluated, Figures, difference
from explain.evaluation.variants import thresholds_of
from explain.paper import TABLE_6, TABLE_7


def findings(evaluated: Evaluated, figures: Sequence[Figures]) -> list[str]:
    """Say in words what the metrics come to, and where they agree with the paper's."""
    said = what_they_say(figures)
    said += _beside_table_6(evaluated)
    said += _beside_table_7(evaluated)
    rows = evaluated.main
    empty = rows[rows["empty"].astype(bool)].groupby("method")["patch"].nunique()
    said += [f"{name} found nothing (a map of zeros) on {count} patches." for name, count in empty.items()]
    return said


def what_they_say(figures: Sequence[Figures]) -> list[str]:
    """Say how the methods' order agrees with the paper's, and which are not shown to beat the controls."""
    said = []
    for one in figures:
        if one.metric.paper is not None:
            said += _beside_the_papers(one, one.metric.paper)
    return said + [_beside_the_controls(one) for one in figures]


def _beside_the_controls(one: Figures) -> str:
    """Say which methods beat the best of the maps that know nothing."""
    methods = [name for name in one.measures if name not in CONTROLS]
    short = [name for name in methods if not one.beaten[name]]
    control = one.best_control
    best = f"{control} ({one.measures[control].value:.2f})"
    if not short:
        return f"{one.metric.title}: every method beats the best control, {best}."
    if len(short) == len(methods):
        return f"{one.metric.title}: no method is shown to beat the best control, {best}."
    return f"{one.metric.title}: not shown to beat the best control, {best}: {', '.join(short)}."


def _best(order: Sequence[str], values: Mapping[str, float]) -> str:
    """Return who is first, all that share the place.

    Example:
        >>> _best(["a", "b", "c"], {"a": 2.0, "b": 2.0, "c": 1.0})
        'a and b'
    """
    return " and ".join(name for name in order if values[name] == values[order[0]])


def _place(name: str, order: Sequence[str], values: Mapping[str, float]) -> str:
    """Say which number a method is; those that are equal share the first of their places.

    Example:
        >>> _place("b", ["a", "b", "c"], {"a": 2.0, "b": 2.0, "c": 1.0})
        'shares number 1'
    """
    equal = [other for other in order if values[other] == values[name]]
    return f"{'shares' if len(equal) > 1 else 'is'} number {order.index(equal[0]) + 1}"


def _beside_the_papers(one: Figures, paper: Mapping[str, float]) -> list[str]:
    """Say how the order of the paper's methods here agrees with the paper's."""
    ours = {name: one.measures[name].value for name in paper if name in one.measures}
    if len(ours) < 2:
        return []
    theirs = {name: paper[name] for name in ours}
    sign = -1 if one.metric.more_is_better else 1
    order = sorted(ours, key=lambda name: sign * ours[name])
    paper_order = sorted(theirs, key=lambda name: sign * theirs[name])
    said = [
        f"{one.metric.title}: best of the paper's methods here is {_best(order, ours)}, in the paper {paper_order[0]}"
        f"{rank_agreement(ours, theirs)}. Here: {', '.join(order)}; there: {', '.join(paper_order)}."
    ]
    if "sise" in ours:
        said.append(
            f"{one.metric.title}: SISE {_place('sise', order, ours)} of {len(order)} here, "
            f"{paper_order.index('sise') + 1} in the paper."
        )
    return said


def rank_agreement(ours: Mapping[str, float], theirs: Mapping[str, float]) -> str:
    """Say how well two orders of the same things agree; nothing of fewer than three, or where all are equal."""
    if len(ours) < 3 or min(map(_span, (ours, theirs))) == 0:
        return ""
    agreement = spearmanr([ours[name] for name in theirs], list(theirs.values())).statistic
    return f"; rank correlation of the two orders {agreement:.2f}"


def _span(values: Mapping[str, float]) -> float:
    return max(values.values()) - min(values.values())


def _beside_table_6(evaluated: Evaluated) -> list[str]:
    """Say what the highest threshold changes beside the lowest, here and in the paper."""
    names = thresholds_of(evaluated.rows, evaluated.mu)
    both = [mu for mu in names if mu in TABLE_6]
    if len(both) < 2:
        return []
    low, high = both[0], both[-1]
    said = []
    for metric in METRICS:
        if metric.column in TABLE_6[low] and evaluated.rows[metric.column].notna().any():
            ours = difference(evaluated.rows, metric.column, names[low], names[high], evaluated.seed)
            theirs = TABLE_6[high][metric.column] - TABLE_6[low][metric.column]
            said.append(
                f"{metric.title}, SISE at mu {high:g} less at {low:g}: {ours.value:+.2f} ({ours.low:+.1f} to {ours.high:+.1f}), "
                f"in the paper {theirs:+.2f}: {_verdict(ours.low, ours.high, theirs)}."
            )
    return said


def _verdict(low: float, high: float, theirs: float) -> str:
    if low <= 0 <= high:
        return "no change that could be told here"
    return "the same direction" if (low > 0) == (theirs > 0) else "the opposite direction"


def _beside_table_7(evaluated: Evaluated) -> list[str]:
    """Say how the order of the methods by time agrees with the paper's."""
    seconds = evaluated.main.groupby("method")["seconds"].mean()
    ours = {name: float(seconds[name]) for name in TABLE_7 if name in seconds}
    if len(ours) < 3:
        return []
    theirs = {name: TABLE_7[name][1] for name in ours}
    return [
        f"Time: {min(ours, key=lambda name: ours[name])} is the fastest and {max(ours, key=lambda name: ours[name])} the slowest; "
        f"in the paper {min(theirs, key=lambda name: theirs[name])} and {max(theirs, key=lambda name: theirs[name])}"
        f"{rank_agreement(ours, theirs)}."
    ]
