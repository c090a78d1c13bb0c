"""The paper's tables, each a section of the report, ours beside its own."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from explain.evaluation.answers import Answer
from explain.evaluation.controls import CONTROLS
from explain.evaluation.rows import ORDERED
from explain.evaluation.studies import ANSWERS
from explain.evaluation.summary import METRICS, Evaluated, Figures, figures_of
from explain.evaluation.variants import seeds_of, thresholds_of
from explain.paper import TABLE_6, TABLE_7
from severstal_xai.bootstrap import RESAMPLES, Measure, rate, resample
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
    return "## The data\n\nThe paper's Table 3; validation counts as training.\n\n" + table(
        header, [*rows, ["all", *totals]]
    )


def the_model(evaluated: Evaluated) -> str:
    """Tell how the model answers, beside Table 5; nothing where nobody asked."""
    answers: tuple[Answer, ...] = evaluated.studies.get(ANSWERS, ())
    if not answers:
        return ""
    labels, predictions = (
        np.array([getattr(one, name) for one in answers]) for name in ("label", "prediction")
    )
    lots = resample(evaluated.strips([one.patch for one in answers]), RESAMPLES, evaluated.seed)
    right = rate(labels == predictions, np.ones(len(labels), dtype=bool), lots)
    rows = []
    for actual, paper in zip(CLASSES, TABLE_5, strict=True):
        of_class = labels == actual.id
        if of_class.any():
            shares = [(predictions[of_class] == known.id).mean() for known in CLASSES]
            cells = [f"{ours:.1%} [{theirs:.1%}]" for ours, theirs in zip(shares, paper, strict=True)]
            rows.append([f"{actual.id} {actual.name}", int(of_class.sum()), *cells])
    header = ["actual class", "patches", *(f"answer {known.id}" for known in CLASSES)]
    inside = "inside" if right.low <= TOP_1 <= right.high else "outside"
    return f"""## The model

The paper's Table 5: the answers as shares of the actual class, and in brackets the paper's. {_asked(evaluated, len(answers))}
Top-1, the share of right answers: {_percent(right)}, in the paper {TOP_1:.2%}, which lies {inside} the interval.

{table(header, rows)}"""


def _asked(evaluated: Evaluated, answers: int) -> str:
    """Say how many patches the model was asked about, and that a draw by class is another mix than the split's."""
    split = len(evaluated.manifest.of_split(evaluated.split))
    if answers == split:
        return f"All {split:,} patches of the {evaluated.split} split, the sound ones among them."
    return (
        f"{answers:,} of the {split:,} patches of the {evaluated.split} split, the sound ones among them: the classes are not mixed "
        "as they are on the line, and the share of all right answers hangs on the mix. The rows of the table do not."
    )


def _percent(measure: Measure) -> str:
    return f"{measure.value:.1%} ({measure.low:.1%} to {measure.high:.1%})"


def against_the_model(figures: Sequence[Figures]) -> str:
    """Return Table 2 with ours, and insertion and deletion."""
    some = [one for one in figures if one.metric.column in {"drop", "increase", "insertion", "deletion"}]
    return "## Against the model\n\nThe paper's Table 2, and insertion and deletion.\n\n" + metrics_table(
        some
    )


def against_the_masks(figures: Sequence[Figures]) -> str:
    """Return the metrics against the ground truth."""
    some = [one for one in figures if one.metric.column in {"energy_pointing", "top_iou", "box_score"}]
    if not some:
        return "## Against the masks\n\nNo defect is marked on these patches."
    left_out = f" Patches without a mask, {some[0].undefined}, are left out." * bool(some[0].undefined)
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
            row.append(f"{_value(one.measures[name])}{mark}")
            if one.metric.paper is not None:
                row.append(f"{one.metric.paper[name]:g}" if name in one.metric.paper else "")
        rows.append(row)
    return table(header, rows) + (
        "\n\n† not shown to be better than the best map that knows nothing of the model (those in italics): the interval of "
        "the paired difference holds 0, or the control is better."
    )


def _value(measure: Measure) -> str:
    return f"{measure.value:.2f} ({measure.low:.1f} to {measure.high:.1f})"


def seeds(evaluated: Evaluated) -> str:
    """Tell how much lots change; nothing where no method was evaluated with several seeds."""
    families = seeds_of(evaluated.rows)
    if not families:
        return ""
    names = [name for family in families.values() for name in family]
    known = [metric for metric in METRICS if evaluated.rows[metric.column].notna().any()]
    means = {metric.title: evaluated.rows.groupby("method")[metric.column].mean() for metric in known}
    rows = [[name, *(f"{100 * float(some[name]):.2f}" for some in means.values())] for name in names]
    return f"""## Methods that draw lots

As in the paper, whose figures are means of three runs, those of {" and ".join(families)} above are means over these.

{table(["run", *means], rows)}"""


def threshold(evaluated: Evaluated) -> str:
    r"""Return Table 6: SISE by its threshold; nothing where it was evaluated at one alone."""
    names = thresholds_of(evaluated.rows, evaluated.mu)
    if not names:
        return ""
    rows = evaluated.rows[evaluated.rows["method"].isin([*names.values(), *CONTROLS])]
    figures = [one for one in figures_of(rows, evaluated.seed) if one.metric.column in TABLE_6[0.0]]
    seconds = rows.groupby("method")["seconds"].mean()
    lines = []
    for mu, name in names.items():
        paper = TABLE_6.get(mu, {})
        cells = [_value(one.measures[name]) + _beside(paper.get(one.metric.column)) for one in figures]
        lines.append([f"{mu:g}", *cells, f"{seconds[name]:.2f}{_beside(paper.get('seconds'))}"])
    header = ["mu", *(one.metric.title for one in figures), f"seconds, {evaluated.device}"]
    return f"""## SISE by its threshold

The paper's Table 6 and Fig. 12. In square brackets the paper's figures, of another network on other images (ResNet-50, PASCAL VOC 2007, a
Tesla T4): their course is to be compared, not their height.

{table(header, lines)}

![SISE's metrics by its threshold](thresholds.png)"""


def _beside(paper: float | None) -> str:
    return "" if paper is None else f" [{paper:g}]"


def time(evaluated: Evaluated) -> str:
    """Return Table 7: seconds a map."""
    seconds = evaluated.main.groupby("method", sort=False)["seconds"]
    rows = [
        [
            name,
            f"{some.mean():.3g}",
            f"{some.median():.3g}",
            *(f"{paper:g}" for paper in TABLE_7.get(str(name), ())),
        ]
        for name, some in seconds
        if name not in CONTROLS and not str(name).endswith(ORDERED)
    ]
    rows = [[*row, *([""] * (5 - len(row)))] for row in rows]
    header = ["method", f"mean, {evaluated.device}", "median", "paper: VGG16, T4", "paper: ResNet-50, T4"]
    return f"""## Time

The paper's Table 7: seconds a map, as it went, beside whatever else the machine did; `python -m explain.benchmark` measures with care.

{table(header, rows)}"""
