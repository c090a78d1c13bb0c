"""The evaluation's report: the paper's tables and figures beside ours, in Markdown and as one HTML file."""

import base64
import io
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from markdown_it import MarkdownIt
from matplotlib.figure import Figure

from explain.evaluation import tables, tiles
from explain.evaluation.controls import CONTROLS
from explain.evaluation.evidence import groups_of
from explain.evaluation.files import EVIDENCE_FILE, write_evidence
from explain.evaluation.findings import findings
from explain.evaluation.pictures import draw_figures, draw_sanity, draw_thresholds
from explain.evaluation.reasons import right_reason, sanity, suspects, the_counterfactual
from explain.evaluation.rows import ORDERED
from explain.evaluation.summary import Evaluated, Figures, figures_of
from explain.methods import METHODS
from explain.words import counted, patches_in_words, sise_in_words
from severstal_xai.bootstrap import RESAMPLES, SHARE_INTERVAL, rate, resample
from severstal_xai.files import write_bytes, write_text
from severstal_xai.paper import PAPER_NETWORK

PICTURES = (
    *("evaluation.png", "maps.png", "masks.png", "thresholds.png", "worst.png"),
    *("counterfactual.png", "suspects.png", "sanity.png", *(f"cascade_{name}.png" for name in METHODS)),
)
"""The pictures that a report may have."""
_DPI = 130
_FEW_STRIPS = 20


def write_evaluation(folder: Path, evaluated: Evaluated) -> None:
    """Write the report as Markdown and as one HTML file, and its pictures."""
    figures = figures_of(evaluated.main, evaluated.seed)
    groups = groups_of(evaluated.main, evaluated.first_method)
    pictures = _pictures(folder, evaluated, figures)
    for name in PICTURES:
        if name in pictures:
            write_bytes(folder / name, pictures[name])
        else:
            (folder / name).unlink(missing_ok=True)
    write_evidence(folder / EVIDENCE_FILE, groups, evaluated.first_method, evaluated.weights_sha256)
    report = report_of(
        evaluated,
        figures,
        groups,
        sanity_check=sanity(evaluated, tiles.trained_maps(folder, evaluated)),
        pictures=pictures,
    )
    write_text(folder / "report.md", report)
    write_text(folder / "report.html", as_html(report, pictures))


def _pictures(folder: Path, evaluated: Evaluated, figures: Sequence[Figures]) -> dict[str, bytes]:
    drawn = {
        "evaluation.png": draw_figures(figures),
        "maps.png": tiles.maps(folder, evaluated),
        "masks.png": tiles.attribution_masks(folder, evaluated),
        "thresholds.png": draw_thresholds(evaluated),
        "worst.png": tiles.worst(folder, evaluated),
        "counterfactual.png": tiles.counterfactual(evaluated),
        "suspects.png": tiles.suspects(folder, evaluated),
        "sanity.png": draw_sanity(evaluated),
        **{f"cascade_{name}.png": one for name, one in tiles.cascade_pictures(folder, evaluated)},
    }
    return {name: png_of(figure) for name, figure in drawn.items() if figure is not None}


def report_of(
    evaluated: Evaluated,
    figures: Sequence[Figures],
    groups: pd.DataFrame,
    *,
    sanity_check: str,
    pictures: Collection[str],
) -> str:
    """Return the report, in Markdown.

    Args:
        evaluated: What was found.
        figures: What the metrics come to.
        groups: The patches by their group of evidence.
        sanity_check: Its section.
        pictures: Names of the pictures that there are.
    """
    sections = [
        _head(evaluated),
        _made_with(evaluated),
        _how_to_read(evaluated),
        "## What the metrics say\n\n" + "\n".join(f"- {line}" for line in findings(evaluated, figures)),
        tables.the_data(evaluated),
        tables.the_model(evaluated),
        tables.against_the_model(figures),
        tables.against_the_masks(figures),
        "![The metrics with their intervals](evaluation.png)",
        tables.seeds(evaluated.rows, evaluated.seed),
        tables.threshold(evaluated),
        tables.time(evaluated),
        _MAPS if "maps.png" in pictures else "",
        _MASKS if "masks.png" in pictures else "",
        sanity_check,
        right_reason(evaluated, groups),
        "![The worst cases: right, but elsewhere; wrong, and elsewhere; wrong, though on the defect](worst.png)"
        if "worst.png" in pictures
        else "",
        the_counterfactual(evaluated),
        suspects(evaluated),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


_MAPS = """## Maps side by side

As in the paper's Fig. 8 and 16: a patch of each class that was evaluated, the model's probability of that class beside it. Maps go from 0 to 1 each, whatever the
probability.

![Maps](maps.png)"""
_MASKS = """## Attribution masks

As in the paper's Fig. 4: what the masks of each block with the highest gradient scores let through of a patch, and some of RISE's.

![Attribution masks](masks.png)"""


def _head(evaluated: Evaluated) -> str:
    rows = evaluated.main
    first = rows.drop_duplicates("patch")
    strips = first["strip"].nunique()
    right = rate(
        (first["prediction"] == first["label"]).to_numpy(dtype=bool),
        np.ones(len(first), dtype=bool),
        resample(list(first["strip"]), RESAMPLES, evaluated.seed),
    )
    counts = ", ".join(
        f"{count:,} of class {label}" for label, count in first["label"].value_counts().sort_index().items()
    )
    other = (
        ""
        if evaluated.same_data
        else "\n\n**The model was trained on other data than this**: patches that it learnt from may be among these."
    )
    few = (
        ""
        if strips >= _FEW_STRIPS
        else f"\n\n**Only {counted(strips, 'strip')}**: intervals of so few are narrower than they should be, and nothing here proves much."
    )
    return f"""# Evaluation of {evaluated.run}

{evaluated.architecture}, {patches_in_words(len(first))} of {counted(strips, "strip")} ({counts}); the class explained is the patch's own. The model names
{right.value:.0%} of them ({right.low:.0%} to {right.high:.0%}) rightly.{other}{few}"""


def _made_with(evaluated: Evaluated) -> str:
    """Tell what the figures are of, and where that is not the paper's."""
    network = (
        ", the paper's"
        if evaluated.architecture == PAPER_NETWORK
        else f"; the paper's Tables 2 and 5 are of {PAPER_NETWORK}, so that a figure may differ for that alone"
    )
    lines = [
        f"- The network: {evaluated.architecture}{network}. Its weights have the SHA-256 `{evaluated.weights_sha256}`.",
        f"- What answered for the network when the metrics asked: {evaluated.engines}.",
        f"- The data: the {evaluated.split} split of a data folder whose manifest has the SHA-256 `{evaluated.manifest.checksum}`.",
    ]
    if evaluated.with_sise:
        lines.append(f"- SISE: {sise_in_words(evaluated.sise)}.")
    return "\n".join(["## What was evaluated", "", *lines])


def _how_to_read(evaluated: Evaluated) -> str:
    ordered = (
        f" Names that end in `{ORDERED}` are the same maps with ties ordered by the sum before the gates: most of such a map is "
        "zero, and the top pixels run into the zeros."
        if evaluated.rows["method"].str.endswith(ORDERED).any()
        else ""
    )
    curves = (
        " Insertion and deletion AUC: how fast the probability comes when pixels are uncovered in the map's order, and goes when they are "
        f"taken away. Insertion begins with the blurred patch, deletion ends with one of the mean grey; {evaluated.steps} steps each."
        if evaluated.steps
        else ""
    )
    return f"""## How to read it

Each method gives every patch a map: high where it says that the model's evidence for the class lies.

- **Does the map show what the model goes by?** Drop %: how much of its probability the model loses when it is shown the top 15 % of the map's pixels alone,
  the others at the training data's mean grey. Increase %: on how many patches it gains.{curves}
- **Does it lie on the marked defect?** EBPG: the share of the map's energy inside the mask. mIoU: the mask's overlap with the top 20 % of
  pixels. Bbox: the share inside the mask of as many top pixels as the mask has.
- **Is that worth anything?** In italics three controls, which know nothing of the model: {", ".join(CONTROLS)}. A method that does not beat them
  shows nothing by that metric, whatever its figure.

Ties fall row by row.{ordered} The paper's Increase % is printed as a sum of signs, ours is a share. In brackets: the middle 95 % of
{RESAMPLES:,} bootstrap samples of the strips; of shares of patches (Table 5, the groups of evidence) {SHARE_INTERVAL}. The paper's figures are of the full Severstal data. All rows are in
`per_patch.parquet`, and each study's records in a table of its name beside it."""


def png_of(figure: Figure) -> bytes:
    """Return a figure as a PNG file."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=_DPI)
    return content.getvalue()


_STYLE = (
    "body{font-family:sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem;line-height:1.45;color:#222}"
    "table{border-collapse:collapse;font-size:.85rem}th,td{border:1px solid #ccc;padding:.25rem .5rem;text-align:left}"
    "img{max-width:100%}.wide{overflow-x:auto}code{overflow-wrap:anywhere}"
)


def as_html(report: str, pictures: Mapping[str, bytes]) -> str:
    """Return the report as one HTML page that holds its pictures and asks for nothing else."""
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(report)
    body = body.replace("<table>", '<div class="wide" tabindex="0"><table>').replace(
        "</table>", "</table></div>"
    )
    for name, content in pictures.items():
        body = body.replace(
            f'src="{name}"', f'src="data:image/png;base64,{base64.b64encode(content).decode()}"'
        )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Evaluation</title><style>{_STYLE}</style>'
        f"<body>{body}</body></html>\n"
    )
