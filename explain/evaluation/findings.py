"""What an evaluation says, in words; all of it computed."""

from collections.abc import Mapping, Sequence
from functools import partial

from scipy.stats import spearmanr

from explain.evaluation.controls import CONTROLS
from explain.evaluation.summary import METRICS, Evaluated, Figures, difference
from explain.evaluation.variants import thresholds_of
from explain.paper import TABLE_6, TABLE_7
from explain.words import counted, patches_in_words
from severstal_xai.paper import PAPER_NETWORK

_NO_WIDTH = 1e-9
"""Per cent: what rounding makes of an interval of no width."""


def findings(evaluated: Evaluated, figures: Sequence[Figures]) -> list[str]:
    """Say in words what the metrics come to, and where they agree with the paper's."""
    of = f"the paper's are of {PAPER_NETWORK} on the full Severstal data, ours of {evaluated.architecture} on the data below"
    said = what_they_say(figures, of)
    said += _beside_table_6(evaluated)
    said += _beside_table_7(evaluated)
    rows = evaluated.main
    empty = rows[rows["empty"].astype(bool)].groupby("method")["patch"].nunique()
    said += [
        f"{name} found nothing (a map of zeros) on {patches_in_words(count)}."
        for name, count in empty.items()
    ]
    return said


def what_they_say(figures: Sequence[Figures], of: str) -> list[str]:
    """Say how the methods' figures and order agree with the paper's, and which are not shown to beat the controls.

    Args:
        figures: What the metrics come to.
        of: What the paper's figures are of, and ours.
    """
    said = []
    for one in figures:
        if one.metric.paper is not None:
            said += _inside(one, one.metric.paper, of) + _beside_the_papers(one, one.metric.paper)
    return said + [_beside_the_controls(one) for one in figures]


def _inside(one: Figures, paper: Mapping[str, float], of: str) -> list[str]:
    """Say of how many methods the paper's figure lies inside our interval; an interval of no width says nothing."""
    known = {name: one.measures[name] for name in paper if name in one.measures}
    wide = {name: ours for name, ours in known.items() if ours.high - ours.low > _NO_WIDTH}
    if not wide:
        return []
    outside = [name for name, ours in wide.items() if not ours.low <= paper[name] <= ours.high]
    return [
        f"{one.metric.title}: the paper's figure lies inside our interval for {len(wide) - len(outside)} of "
        f"{counted(len(wide), 'method')}{_also(', outside for', ', '.join(outside))} ({of})."
    ]


def _also(begin: str, names: str) -> str:
    """Return a part of a sentence that is left out where there is nobody to name."""
    return f"{begin} {names}" if names else ""


def _beside_the_controls(one: Figures) -> str:
    """Say which methods beat the best of the maps that know nothing."""
    methods = [name for name in one.measures if name not in CONTROLS]
    short = [name for name in methods if not one.beaten[name]]
    control = one.best_control
    value = one.measures[control].value
    if all(measure.value == value for measure in one.measures.values()):
        return f"{one.metric.title}: all methods and all controls come to {value:.2f}: it tells none from another here."
    alike = [name for name in CONTROLS if name != control and one.measures[name].value == value]
    best = f"{control} ({value:.2f}{_also(', as', ' and '.join(alike))})"
    if not short:
        return f"{one.metric.title}: every method beats the best control, {best}."
    equal = [name for name in short if one.measures[name].value == value]
    come = f" {', '.join(equal)} {'comes' if len(equal) == 1 else 'come'} to the same." if equal else ""
    if len(short) == len(methods):
        return f"{one.metric.title}: no method is shown to beat the best control, {best}.{come}"
    return f"{one.metric.title}: not shown to beat the best control, {best}: {', '.join(short)}.{come}"


def _best(values: Mapping[str, float], *, more_is_better: bool) -> str:
    """Return who is first, all that share the place.

    Example:
        >>> _best({"a": 2.0, "b": 2.0, "c": 1.0}, more_is_better=True)
        'a and b'
    """
    best = (max if more_is_better else min)(values.values())
    return " and ".join(name for name, value in values.items() if value == best)


def _order(values: Mapping[str, float], *, more_is_better: bool) -> str:
    """Return the names, the best first, with `=` between those that are equal.

    Example:
        >>> _order({"a": 1.0, "b": 2.0, "c": 1.0}, more_is_better=True)
        'b, a = c'
    """
    sign = -1 if more_is_better else 1
    ranks = sorted(set(values.values()), key=lambda value: sign * value)
    return ", ".join(" = ".join(name for name in values if values[name] == value) for value in ranks)


def _place(name: str, values: Mapping[str, float], *, more_is_better: bool) -> str:
    """Say which number a thing is; those that are equal share the first of their places.

    Example:
        >>> _place("b", {"a": 2.0, "b": 2.0, "c": 1.0}, more_is_better=True)
        '1 (shared) of 3'
    """
    sign = 1 if more_is_better else -1
    before = sum(sign * value > sign * values[name] for value in values.values())
    shared = sum(value == values[name] for value in values.values()) > 1
    return f"{before + 1}{' (shared)' * shared} of {len(values)}"


def _beside_the_papers(one: Figures, paper: Mapping[str, float]) -> list[str]:
    """Say how the order of the paper's methods here agrees with the paper's, whose place is that in its whole table."""
    ours = {name: one.measures[name].value for name in paper if name in one.measures}
    if len(ours) < 2:
        return []
    theirs = {name: paper[name] for name in ours}
    best = partial(_best, more_is_better=one.metric.more_is_better)
    order = partial(_order, more_is_better=one.metric.more_is_better)
    place = partial(_place, more_is_better=one.metric.more_is_better)
    some = len(ours) < len(paper)
    said = [
        f"{one.metric.title}: best of {_run_here(len(ours), len(paper))} is {best(ours)} here, {best(theirs)} in the paper"
        f"{f', where the first of all {len(paper)} is {best(paper)}' * some}{rank_agreement(ours, theirs)}. "
        f"Here: {order(ours)}; there: {order(theirs)}."
    ]
    if "sise" in ours:
        whole = f", {place('sise', paper)} in its whole table" * some
        said.append(
            f"{one.metric.title}: SISE is number {place('sise', ours)} here, {place('sise', theirs)} in the paper{whole}."
        )
    return said


def _run_here(here: int, paper: int) -> str:
    """Say which of the paper's methods are compared.

    Example:
        >>> _run_here(2, 8)
        "the 2 of the paper's 8 methods that were run"
    """
    return (
        "the paper's methods" if here == paper else f"the {here} of the paper's {paper} methods that were run"
    )


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
    names = thresholds_of(evaluated.rows, evaluated.sise.mu)
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
    """Say how the order of the methods by time agrees with the paper's; the mean would hold the first map's warming up."""
    seconds = evaluated.main.groupby("method")["seconds"].median()
    network, column = ("VGG16", 0) if evaluated.architecture == "vgg16" else ("ResNet-50", 1)
    paper = {name: both[column] for name, both in TABLE_7.items()}
    ours = {name: float(seconds[name]) for name in paper if name in seconds}
    if len(ours) < 3:
        return []
    theirs = {name: paper[name] for name in ours}
    fastest, slowest = partial(_best, more_is_better=False), partial(_best, more_is_better=True)
    whole = f"; of all {len(paper)} in its table {fastest(paper)} and {slowest(paper)}" * (
        len(ours) < len(paper)
    )
    return [
        f"Time, by the median: of {_run_here(len(ours), len(paper))} {fastest(ours)} is the fastest and {slowest(ours)} the slowest; "
        f"in the paper, with {network}, {fastest(theirs)} and {slowest(theirs)}{whole}{rank_agreement(ours, theirs)}."
    ]
