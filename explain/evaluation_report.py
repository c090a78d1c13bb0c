"""The evaluation's report: the paper's Table 2 beside ours, the metrics against the masks, and what they say."""

import base64
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from markdown_it import MarkdownIt
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from explain.controls import CONTROLS
from explain.evaluation import ORDERED
from explain.evaluation_pictures import draw_figures, draw_maps
from explain.evaluation_summary import Evaluated, Figures, figures_of
from explain.evidence import Group, count_groups, groups_of
from severstal_xai.bootstrap import RESAMPLES
from severstal_xai.classes import CLASSES
from severstal_xai.files import write_bytes, write_text
from severstal_xai.markdown import table

_DPI = 130
_WORST = 10
"""Patches that are named as the worst cases."""


def write_evaluation(folder: Path, evaluated: Evaluated) -> None:
    """Write the report as Markdown and as one HTML file, and its pictures."""
    figures = figures_of(evaluated)
    pictures = {"evaluation.png": png_of(draw_figures(figures))}
    shown = draw_maps(folder, evaluated)
    if shown is not None:
        pictures["maps.png"] = png_of(shown)
    for name, content in pictures.items():
        write_bytes(folder / name, content)
    groups = groups_of(evaluated.rows, str(evaluated.rows["method"].iloc[0]))
    write_text(folder / "evidence.csv", groups.to_csv(index=False, lineterminator="\n"))
    report = report_of(evaluated, figures, groups, with_maps=shown is not None)
    write_text(folder / "report.md", report)
    write_text(folder / "report.html", as_html(report, pictures))


def report_of(
    evaluated: Evaluated, figures: Sequence[Figures], groups: pd.DataFrame, *, with_maps: bool
) -> str:
    """Return the report, in Markdown."""
    rows = evaluated.rows
    patches, strips = rows["patch"].nunique(), rows["strip"].nunique()
    first = rows.drop_duplicates("patch")
    right = (first["prediction"] == first["label"]).mean()
    counts = ", ".join(
        f"{count:,} of class {label}" for label, count in first["label"].value_counts().sort_index().items()
    )
    other = (
        ""
        if evaluated.same_data
        else (
            "\n\n**The model was trained on other data than this**: patches that it learnt from may be among these."
        )
    )
    sections = [
        f"""# Evaluation of {evaluated.run}

{evaluated.architecture}, {patches:,} patches of {strips:,} strips ({counts}); the class explained is the patch's own. The model names
{right:.0%} of them rightly.{other}""",
        _against_the_model(figures),
        _against_the_masks(figures),
        *_right_reason(evaluated, groups),
        "## What they say\n\n" + "\n".join(f"- {line}" for line in findings(evaluated, figures)),
        "![The metrics with their intervals](evaluation.png)",
        _how(evaluated),
    ]
    if with_maps:
        sections.insert(
            4,
            "## Maps side by side\n\nA patch of each class, the model's probability of that class beside it. Maps go from 0 to 1 each, whatever the probability.\n\n![Maps](maps.png)",
        )
    return "\n\n".join(sections) + "\n"


def _against_the_model(figures: Sequence[Figures]) -> str:
    return "## Against the model\n\nThe paper's Table 2, and insertion and deletion.\n\n" + metric_table(
        [one for one in figures if one.metric.column in {"drop", "increase", "insertion", "deletion"}]
    )


def _against_the_masks(figures: Sequence[Figures]) -> str:
    some = [one for one in figures if one.metric.column in {"energy_pointing", "top_iou", "box_score"}]
    if not some:
        return "## Against the masks\n\nNo defect is marked on these patches."
    left_out = f" Patches without a mask, {some[0].undefined}, are left out." * bool(some[0].undefined)
    return f"## Against the masks\n\nHow much of a map lies on the marked defect.{left_out}\n\n{metric_table(some)}"


def _right_reason(evaluated: Evaluated, groups: pd.DataFrame) -> list[str]:
    """Tell for each class how often the model is right, and how often it looks at the defect, by the first method."""
    if groups.empty:
        return []
    method = evaluated.rows["method"].iloc[0]
    counts = count_groups(groups, evaluated.seed)
    rows = [
        [
            "all" if label is None else f"{label} {CLASSES[label].name}",
            *(
                f"{one.patches} ({one.share.low:.0%} to {one.share.high:.0%})"
                for one in counts
                if one.label == label
            ),
        ]
        for label in dict.fromkeys(one.label for one in counts)
    ]
    worst = groups[groups["group"] == Group.RIGHT_ELSEWHERE].head(_WORST)
    named = "; ".join(
        f"{one.patch} (class {one.label}, {one.whole:.2f}; {one.energy_pointing:.1%} of the energy on the defect, "
        f"{one.threshold:.1%} of a blind map's)"
        for one in worst.itertuples()
    )
    return [
        f"""## Right for the right reason

Where the evidence for the patch's class lies, by {method}: on the defect where more of the map's energy is inside the mask than of the random
map's and the bell's on the same patch. Patches, and the 95 % interval of their share of the class.

{table(["class", *(str(group) for group in Group)], rows)}

Right, but farthest from the defect: {named or "none"}. All patches by their group are in `evidence.csv`."""
    ]


def metric_table(figures: Sequence[Figures]) -> str:
    """Return metrics as a table, a line for each method and control, the paper's figures beside ours."""
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
            measure = one.measures[name]
            row.append(f"{measure.value:.2f} ({measure.low:.1f} to {measure.high:.1f}){mark}")
            if one.metric.paper is not None:
                row.append(f"{one.metric.paper[name]:g}" if name in one.metric.paper else "")
        rows.append(row)
    return table(header, rows) + (
        "\n\n† not shown to be better than the best map that knows nothing of the model (those in italics): the interval of "
        "the paired difference holds 0, or the control is better."
    )


def findings(evaluated: Evaluated, figures: Sequence[Figures]) -> list[str]:
    """Say in words what the figures come to; all of it computed."""
    empty = evaluated.rows[evaluated.rows["empty"]].groupby("method")["patch"].nunique()
    return what_they_say(figures) + [
        f"{name} found nothing (a map of zeros) on {count} patches." for name, count in empty.items()
    ]


def what_they_say(figures: Sequence[Figures]) -> list[str]:
    """Say how the methods' order agrees with the paper's, and which are not shown to beat the controls."""
    said = []
    for one in figures:
        if one.metric.paper is not None:
            said += _beside_the_paper(one)
    for one in figures:
        methods = [name for name in one.measures if name not in CONTROLS]
        short = [name for name in methods if not one.beaten[name]]
        control = one.best_control
        best = f"{control} ({one.measures[control].value:.2f})"
        if not short:
            said.append(f"{one.metric.title}: every method beats the best control, {best}.")
        elif len(short) == len(methods):
            said.append(f"{one.metric.title}: no method is shown to beat the best control, {best}.")
        else:
            said.append(
                f"{one.metric.title}: not shown to beat the best control, {best}: {', '.join(short)}."
            )
    return said


def _beside_the_paper(one: Figures) -> list[str]:
    """Say how the order of the paper's methods here agrees with the paper's."""
    paper = one.metric.paper or {}
    shared = [name for name in paper if name in one.measures]
    if len(shared) < 2:
        return []
    sign = -1 if one.metric.more_is_better else 1
    ours = sorted(shared, key=lambda name: sign * one.measures[name].value)
    theirs = sorted(shared, key=lambda name: sign * paper[name])
    line = f"{one.metric.title}: best of the paper's methods here is {ours[0]}, in the paper {theirs[0]}"
    if len(shared) > 2:
        agreement = spearmanr(
            [one.measures[name].value for name in shared], [paper[name] for name in shared]
        ).statistic
        line += "" if math.isnan(agreement) else f"; rank correlation of the two orders {agreement:.2f}"
    said = [f"{line}. Here: {', '.join(ours)}; there: {', '.join(theirs)}."]
    if "sise" in ours:
        rank = ours.index("sise") + 1
        said.append(
            f"{one.metric.title}: SISE is number {rank} of {len(ours)} here, {theirs.index('sise') + 1} in the paper."
        )
    return said


def _how(evaluated: Evaluated) -> str:
    ordered = (
        f" Names that end in `{ORDERED}` are the same maps with ties ordered by the sum before the gates: most of such a map is "
        "zero, and the top pixels run into the zeros."
        if evaluated.rows["method"].str.endswith(ORDERED).any()
        else ""
    )
    curves = (
        f" Insertion begins with the blurred patch, deletion ends with one of the mean grey; {evaluated.steps} steps each."
        if evaluated.steps
        else ""
    )
    return f"""## How

Drop % and Increase % show the model the top 15 % of pixels, the others at the training data's mean grey.{curves} EBPG is the share of the
map's energy inside the mask; mIoU is the mask's overlap with the top 20 % of pixels; Bbox is the share inside the mask of as
many top pixels as the mask has. Ties fall row by row.{ordered} The paper's Increase % is printed as a sum of signs, ours is a share.
Controls: {", ".join(CONTROLS)}.

In brackets: the middle 95 % of {RESAMPLES:,} bootstrap samples of the strips. The paper's figures are of the full Severstal data. All
rows are in `per_patch.parquet`."""


def png_of(figure: Figure) -> bytes:
    """Return a figure as a PNG file."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=_DPI)
    return content.getvalue()


_STYLE = (
    "body{font-family:sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem;line-height:1.45;color:#222}"
    "table{border-collapse:collapse;font-size:.85rem}th,td{border:1px solid #ccc;padding:.25rem .5rem;text-align:left}"
    "img{max-width:100%}"
)


def as_html(report: str, pictures: Mapping[str, bytes]) -> str:
    """Return the report as one HTML page that holds its pictures and asks for nothing else."""
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(report)
    for name, content in pictures.items():
        body = body.replace(
            f'src="{name}"', f'src="data:image/png;base64,{base64.b64encode(content).decode()}"'
        )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Evaluation</title><style>{_STYLE}</style>'
        f"<body>{body}</body></html>\n"
    )
