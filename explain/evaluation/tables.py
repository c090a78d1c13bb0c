"""The paper's tables, each a section of the report, ours beside its own."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from explain.evaluation.answers import Answer
from explain.evaluation.controls import CONTROLS
from explain.evaluation.rows import ORDERED
from explain.evaluation.studies import ANSWERS
from explain.evaluation.summary import METRICS, Evaluated, Figures, figures_of, lots_of, mean_of, median_of
from explain.evaluation.variants import seeds_of, thresholds_of
from explain.paper import TABLE_6, TABLE_7
from explain.words import patches_in_words
from severstal_xai.bootstrap import RESAMPLES, SHARE_INTERVAL, Measure, rate, resample
from severstal_xai.classes import CLASSES
from severstal_xai.manifest import Split
from severstal_xai.markdown import table
from severstal_xai.paper import TABLE_3, TABLE_5, TOP_1


def the_data(evaluated: Evaluated) -> str:
    """Count the patches of each class, beside Table 3."""
    counts = Counter((one.label, one.split == Split.TEST) for one in evaluated.manifest.patches)
    numbers = [(counts[one.id, False], counts[one.id, True], *TABLE_3[one.id]) for one in CLASSES]
    rows = [[f"{one.id} {one.name}", *some] for one, some in zip(CLASSES, numbers, strict=True)]
    totals = [sum(some) for some in zip(*numbers, strict=True)]
    header = ["class", "training", "test", "paper: training", "paper: test"]
    alike = sum(
        ours == theirs for some in numbers for ours, theirs in ((some[0], some[2]), (some[1], some[3]))
    )
    whole = sum(some[0] + some[1] == some[2] + some[3] for some in numbers)
    return f"""## The data

The paper's Table 3; validation counts as training. {_counts_alike(alike, whole)}

{table(header, [*rows, ["all", *totals]])}"""


def _counts_alike(alike: int, whole: int) -> str:
    """Say how many of the counts, and how many of the classes' totals, are the paper's.

    Example:
        >>> _counts_alike(2, 5)
        "Each class has as many patches as the paper's, split otherwise: 2 of the 10 counts are the paper's."
    """
    counts = 2 * len(CLASSES)
    if alike == counts:
        return "All counts are the paper's."
    some = f"{alike} of the {counts} counts are the paper's"
    if whole == len(CLASSES):
        return f"Each class has as many patches as the paper's, split otherwise: {some}."
    totals = f"of the {len(CLASSES)} classes {whole} have as many patches as the paper's in all"
    return f"{some}, and {totals}: this is other data, or cut by other rules."


def the_model(evaluated: Evaluated) -> str:
    """Tell how the model answers, beside Table 5; nothing where it was asked about no patch."""
    answers: tuple[Answer, ...] = evaluated.studies.get(ANSWERS, ())
    if not answers:
        return ""
    labels, predictions = (
        np.array([getattr(one, name) for one in answers]) for name in ("label", "prediction")
    )
    lots = resample(evaluated.strips([one.patch for one in answers]), RESAMPLES, evaluated.seed)
    right = rate(labels == predictions, np.ones(len(labels), dtype=bool), lots)
    rows, outside, cells = [], [], 0
    for actual, paper in zip(CLASSES, TABLE_5, strict=True):
        of_class = labels == actual.id
        if of_class.any():
            shares = [rate(of_class & (predictions == known.id), of_class, lots) for known in CLASSES]
            told = [f"{_percent(ours)} [{theirs:.1%}]" for ours, theirs in zip(shares, paper, strict=True)]
            rows.append([f"{actual.id} {actual.name}", int(of_class.sum()), *told])
            cells += len(told)
            outside += [
                f"{actual.id} answered {known.id}"
                for known, ours, theirs in zip(CLASSES, shares, paper, strict=True)
                if not _holds(ours, theirs)
            ]
    header = ["actual class", "patches", *(f"answer {known.id}" for known in CLASSES)]
    return f"""## The model

The paper's Table 5: the answers as shares of the actual class, in round brackets their intervals, {SHARE_INTERVAL}; in square ones the paper's. {_asked(evaluated, len(answers))}
{_top_1(evaluated, right, len(answers))} Of the paper's {cells} shares
{cells - len(outside)} lie inside our intervals; outside: {", ".join(outside) or "none"}.

{table(header, rows)}"""


def _holds(measure: Measure, value: float) -> bool:
    return measure.low <= value <= measure.high


def _asked(evaluated: Evaluated, answers: int) -> str:
    """Say how many patches the model was asked about."""
    split = len(evaluated.manifest.of_split(evaluated.split))
    if answers == split:
        return f"The model was asked about the whole {evaluated.split} split ({patches_in_words(split)}), the sound ones among them."
    return (
        f"The model was asked about {answers:,} of the {patches_in_words(split)} of the {evaluated.split} split, drawn by class, the sound "
        "ones among them."
    )


def _top_1(evaluated: Evaluated, right: Measure, answers: int) -> str:
    """Tell the share of right answers, and hold it against the paper's where it is of a whole test split, too."""
    told = f"Top-1, the share of right answers: {_percent(right)}"
    if answers < len(evaluated.manifest.of_split(evaluated.split)):
        return (
            f"{told}. It is not held against the paper's {TOP_1:.2%}: it hangs on the mix of the classes, and those of a draw by class "
            "are not mixed as on the line. The rows of the table do not hang on it."
        )
    if evaluated.split != Split.TEST:
        return f"{told}. It is not held against the paper's {TOP_1:.2%}, which is of a test split."
    inside = "inside" if _holds(right, TOP_1) else "outside"
    return f"{told}, in the paper {TOP_1:.2%}, which lies {inside} the interval."


def _percent(measure: Measure) -> str:
    return f"{measure.value:.1%} ({measure.low:.1%} to {measure.high:.1%})"


def against_the_model(figures: Sequence[Figures]) -> str:
    """Return Table 2 with ours, and insertion and deletion."""
    some = [one for one in figures if one.metric.column in {"drop", "increase", "insertion", "deletion"}]
    curves = ", and insertion and deletion" * any(one.metric.column == "insertion" for one in some)
    return f"## Against the model\n\nThe paper's Table 2{curves}.\n\n{metrics_table(some)}"


def against_the_masks(figures: Sequence[Figures]) -> str:
    """Return the metrics against the ground truth."""
    some = [one for one in figures if one.metric.column in {"energy_pointing", "top_iou", "box_score"}]
    if not some:
        return "## Against the masks\n\nNo defect is marked on these patches."
    left_out = f" Left out: {patches_in_words(some[0].undefined)} without a mask." * bool(some[0].undefined)
    return f"## Against the masks\n\nHow much of a map lies on the marked defect.{left_out}\n\n{metrics_table(some)}"


def metrics_table(figures: Sequence[Figures]) -> str:
    """Return some metrics of all methods; what is not shown to beat the best control is marked."""
    header = ["method"]
    for one in figures:
        header.append(f"{one.metric.title} ({'higher' if one.metric.more_is_better else 'lower'} is better)")
        if one.metric.paper is not None:
            header.append("paper")
    rows = []
    for name in figures[0].measures:
        row = [f"*{name}*" if name in CONTROLS else name]
        for one in figures:
            mark = "" if name in CONTROLS or one.beaten[name] else " †"
            row.append(f"{measured(one.measures[name])}{mark}")
            if one.metric.paper is not None:
                row.append(f"{one.metric.paper[name]:g}" if name in one.metric.paper else "")
        rows.append(row)
    return table(header, rows) + (
        "\n\n† not shown to be better than the best map that knows nothing of the model (those in italics): the interval of "
        "the paired difference holds 0, or the control is better." + _found_nothing(figures[0].nothing)
    )


def _found_nothing(counts: Mapping[str, int]) -> str:
    """Say which methods' maps are zero, and how many.

    Example:
        >>> _found_nothing({"sise": 3, "rise": 1}), _found_nothing({})
        (' Maps of zeros, which found nothing, are among these: sise 3, rise 1.', '')
    """
    told = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    return f" Maps of zeros, which found nothing, are among these: {told}." if told else ""


def measured(measure: Measure) -> str:
    """Return a cell: the value, and in brackets its interval."""
    return f"{measure.value:.2f} ({measure.low:.1f} to {measure.high:.1f})"


def seeds(rows: pd.DataFrame, seed: int, *, unit: str = "patch", group: str = "strip") -> str:
    """Tell how much lots change; nothing where no method was evaluated with several seeds.

    Args:
        rows: `explain.evaluation.rows.Row`s, of all seeds.
        seed: Of the intervals' lot.
        unit: As `summarise` takes it.
        group: As `summarise` takes it.
    """
    families = seeds_of(rows)
    if not families:
        return ""
    known = [metric for metric in METRICS if rows[metric.column].notna().any()]
    lines = []
    for name in (name for family in families.values() for name in family):
        own = rows[rows["method"] == name].sort_values(unit)
        lots = lots_of(list(own[group]), seed)
        values = (100 * own[metric.column].to_numpy(float) for metric in known)
        lines.append([name, *(measured(mean_of(some, lots)) for some in values)])
    return f"""## Methods that draw lots

As in the paper's Table 1, where the figures of RISE and extremal perturbation are means of three runs, those of
{" and ".join(families)} above are means over these.

{table(["run", *(metric.title for metric in known)], lines)}"""


def threshold(evaluated: Evaluated) -> str:
    r"""Return Table 6: SISE by its threshold; nothing where it was evaluated at one alone."""
    names = thresholds_of(evaluated.rows, evaluated.sise.mu)
    if not names:
        return ""
    rows = evaluated.rows[evaluated.rows["method"].isin([*names.values(), *CONTROLS])]
    figures = [one for one in figures_of(rows, evaluated.seed) if one.metric.column in TABLE_6[0.0]]
    seconds = _seconds(evaluated, rows)
    lines = []
    for mu, name in names.items():
        paper = TABLE_6.get(mu, {})
        cells = [measured(one.measures[name]) + _beside(paper.get(one.metric.column)) for one in figures]
        lines.append([f"{mu:g}", *cells, f"{_duration(seconds[name])}{_beside(paper.get('seconds'))}"])
    header = ["mu", *(one.metric.title for one in figures), f"seconds, {evaluated.device}, median"]
    return f"""## SISE by its threshold

The paper's Table 6 and Fig. 12. In square brackets the paper's figures, of another network on other images (ResNet-50, PASCAL VOC 2007, a
Tesla T4): their course is to be compared, not their height.

{table(header, lines)}

![SISE's metrics by its threshold](thresholds.png)"""


def _beside(paper: float | None) -> str:
    return "" if paper is None else f" [{paper:g}]"


def time(evaluated: Evaluated) -> str:
    """Return Table 7: seconds a map."""
    means = evaluated.main.groupby("method")["seconds"].mean()
    rows = [
        [
            name,
            _duration(median),
            f"{means[name]:.3g}",
            *(f"{paper:g}" for paper in TABLE_7.get(name, ())),
        ]
        for name, median in _seconds(evaluated, evaluated.main).items()
        if name not in CONTROLS and not name.endswith(ORDERED)
    ]
    rows = [[*row, *([""] * (5 - len(row)))] for row in rows]
    header = ["method", f"median, {evaluated.device}", "mean", "paper: VGG16, T4", "paper: ResNet-50, T4"]
    return f"""## Time

The paper's Table 7: seconds a map, as it went, beside whatever else the machine did; `python -m explain.benchmark` measures with care.
The first map of a process holds what is done once for all (the engine is chosen, the network converted), which the mean counts and the median of several
patches does not: methods are ordered by the median. The paper's are means of 100 maps.

{table(header, rows)}"""


def _seconds(evaluated: Evaluated, rows: pd.DataFrame) -> dict[str, Measure]:
    """Return what a map took, the median with its interval over strips, by the method's name."""
    return {
        str(name): median_of(some["seconds"].to_numpy(float), lots_of(list(some["strip"]), evaluated.seed))
        for name, some in rows.groupby("method", sort=False)
    }


def _duration(seconds: Measure) -> str:
    return f"{seconds.value:.3g} ({seconds.low:.3g} to {seconds.high:.3g})"
