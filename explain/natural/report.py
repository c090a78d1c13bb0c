"""The report on natural images: the paper's Table 1 or 4 beside ours, the network's accuracy, and what they say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from explain.evaluation.controls import CONTROLS
from explain.evaluation.findings import what_they_say
from explain.evaluation.pictures import draw_figures
from explain.evaluation.report import as_html, png_of
from explain.evaluation.rows import ORDERED
from explain.evaluation.summary import Figures, summarise
from explain.evaluation.tables import metrics_table
from explain.natural.accuracy import accuracy_of
from explain.natural.datasets import MaskKind
from explain.natural.pairs import Source, make_ready
from explain.natural.paper import ACCURACIES, TABLE_NUMBERS, metrics_of
from explain.natural.photos import Reject
from explain.natural.pictures import ShownPair, draw_maps
from explain.natural.settings import Settings
from explain.natural.torchray import Dataset
from severstal_xai.bootstrap import RESAMPLES, Measure
from severstal_xai.files import write_bytes, write_text
from severstal_xai.markdown import table

_NAMES: Mapping[str, str] = {
    "voc2007": "PASCAL VOC 2007 (test)",
    "coco2014": "MS COCO 2014 (validation)",
    "vgg16": "VGG16",
    "resnet50": "ResNet-50",
}
_MASKS: Mapping[tuple[Dataset, MaskKind], str] = {
    ("voc2007", "boxes"): (
        "The ground truth is the objects of the annotations, those marked difficult, too. A mask is all boxes of a class."
    ),
    ("voc2007", "segments"): (
        "The ground truth is the objects of the annotations, those marked difficult, too. A mask is a class's pixels in the "
        "segmentation, which a part of the test set has; borders and difficult objects are void there and belong to no class."
    ),
    ("coco2014", "boxes"): (
        "The ground truth is the annotated instances, and crowds, too. A mask is all boxes of a class."
    ),
    ("coco2014", "segments"): (
        "The ground truth is the annotated instances, and crowds, too. A mask is all segments of a class."
    ),
}
_AGAINST_MODEL = {"drop", "increase", "insertion", "deletion"}


@dataclass(frozen=True)
class Evaluated:
    """What the report tells of.

    Args:
        settings: What was asked for.
        weights: SHA-256 of the weights.
        classes: The classes' names.
        rows: `explain.evaluation.rows.Row`s with `image`, `class`, and `place`, the class's among the five likeliest.
        rejects: Images that could not be used.
        empty: How many images without an object were left out.
        shown: By the pair's name, the images of those whose maps were kept.
    """

    settings: Settings
    weights: str
    classes: tuple[str, ...]
    rows: pd.DataFrame
    rejects: Sequence[Reject]
    empty: int
    shown: Mapping[str, Source]


def write_report(folder: Path, evaluated: Evaluated) -> None:
    """Write the report as Markdown and as one HTML file, and its pictures."""
    settings = evaluated.settings
    figures = summarise(
        evaluated.rows,
        metrics_of(settings.dataset, settings.architecture),
        settings.seed,
        unit="pair",
        group="image",
    )
    pictures = {"evaluation.png": png_of(draw_figures(figures))}
    methods = list(dict.fromkeys(evaluated.rows["method"]))
    shown = _shown_pairs(folder, evaluated, methods)
    if shown:
        pictures["maps.png"] = png_of(draw_maps(folder, shown, methods))
    for name, content in pictures.items():
        write_bytes(folder / name, content)
    report = report_of(evaluated, figures, with_maps=bool(shown))
    write_text(folder / "report.md", report)
    write_text(folder / "report.html", as_html(report, pictures))


def _shown_pairs(folder: Path, evaluated: Evaluated, methods: Sequence[str]) -> list[ShownPair]:
    """Read again the images of the pairs all of whose maps are there."""
    pairs: dict[str, Any] = evaluated.rows.drop_duplicates("pair").set_index("pair").to_dict("index")  # type: ignore[assignment]
    shown = []
    for name, source in evaluated.shown.items():
        if name in pairs and all((folder / method / f"{name}.npy").is_file() for method in methods):
            pair = pairs[name]
            ready = make_ready(source.photo.read(), evaluated.settings.size)
            shown.append(ShownPair(name, pair["class"], pair["label"], pair["whole"], ready))
    return shown


def report_of(evaluated: Evaluated, figures: Sequence[Figures], *, with_maps: bool) -> str:
    """Return the report, in Markdown."""
    settings, rows = evaluated.settings, evaluated.rows
    number = TABLE_NUMBERS[settings.dataset]
    against_model = [one for one in figures if one.metric.column in _AGAINST_MODEL]
    against_masks = [one for one in figures if one.metric.column not in _AGAINST_MODEL]
    maps = (
        "## Maps side by side\n\nThe network's probability of the class stands beside its name. Maps go from 0 to 1 each, "
        "whatever the probability.\n\n![Maps](maps.png)"
    )
    sections = [
        f"# {_NAMES[settings.dataset]}, {_NAMES[settings.architecture]}",
        _about(evaluated),
        f"## Against the model\n\nThe paper's Table {number}, Drop % and Increase %.\n\n{metrics_table(against_model)}",
        f"## Against the masks\n\nThe paper's Table {number}, EBPG, mIoU and Bbox.{_undefined(against_masks)}\n\n"
        + (metrics_table(against_masks) if against_masks else "No mask has a pixel, at this size or at all."),
        "## What they say\n\n" + "\n".join(f"- {line}" for line in findings(rows, figures)),
        *([maps] if with_maps else []),
        _accuracy(evaluated),
        "![The metrics with their intervals](evaluation.png)",
        _how(evaluated),
    ]
    return "\n\n".join(sections) + "\n"


def _about(evaluated: Evaluated) -> str:
    settings, rows = evaluated.settings, evaluated.rows
    pairs, images = rows["pair"].nunique(), rows["image"].nunique()
    lot = (
        ""
        if settings.images_at_most is None
        else f" (drawn by lot, at most {settings.images_at_most:,} wanted)"
    )
    empty = f" Images without an object are left out: {evaluated.empty:,}." * bool(evaluated.empty)
    rejected = (
        f" Images that could not be used are in `rejected.csv`, with the reasons: {len(evaluated.rejects):,}."
        * bool(evaluated.rejects)
    )
    return (
        f"{images:,} images{lot}; every class of an image's ground truth is explained: {pairs:,} pairs of an image and a class, "
        f"of {rows['class'].nunique()} of the {len(evaluated.classes)} classes.{empty}{rejected} Weights: "
        f"`{settings.weights_path().name}`, SHA-256 {evaluated.weights[:16]}…"
    )


def _undefined(figures: Sequence[Figures]) -> str:
    """Say on how many pairs no mask is left."""
    left_out = figures[0].undefined if figures else 0
    return f" Pairs whose mask has no pixel, at this size or at all, are left out: {left_out:,}." * bool(
        left_out
    )


def findings(rows: pd.DataFrame, figures: Sequence[Figures]) -> list[str]:
    """Say in words what the figures come to; all of it computed."""
    empty = rows[rows["empty"]].groupby("method")["pair"].nunique()
    return what_they_say(figures) + [
        f"{name} found nothing (a map of zeros) on {count} pairs." for name, count in empty.items()
    ]


def _accuracy(evaluated: Evaluated) -> str:
    settings = evaluated.settings
    ours = accuracy_of(evaluated.rows.drop_duplicates("pair"), settings.seed)
    paper = ACCURACIES[settings.dataset, settings.architecture]
    lines = [
        ["pairs whose class comes first", _percent(ours.pairs_first), f"{paper.first:.2f}"],
        ["the most that could", f"{ours.pairs_first_most:.2%}", f"{paper.first_most:.2f}"],
        ["pairs whose class is among the first five", _percent(ours.pairs_five), f"{paper.five:.2f}"],
        ["the most that could", f"{ours.pairs_five_most:.2%}", f"{paper.five_most:.2f}"],
        [
            "images whose first class is in them",
            _percent(ours.images_first),
            f"{100 * paper.first / paper.first_most:.2f}",
        ],
        ["images with a class of theirs among the first five", _percent(ours.images_five), ""],
    ]
    return (
        "## What the network names\n\nThe paper counts pairs, so that of an image with two classes one alone can come first; its "
        "share of images is the quotient of its two figures. Where all images are evaluated and the most that could differs "
        "from the paper's, other objects are counted here than there.\n\n"
        + table(["", "here", "paper, %"], lines)
    )


def _percent(measure: Measure) -> str:
    return f"{measure.value:.2%} ({measure.low:.1%} to {measure.high:.1%})"


def _how(evaluated: Evaluated) -> str:
    settings = evaluated.settings
    ordered = (
        f" Names that end in `{ORDERED}` are the same maps with ties ordered by the sum before the gates: most of such a map is "
        "zero, and the top pixels run into the zeros."
        if evaluated.rows["method"].str.endswith(ORDERED).any()
        else ""
    )
    curves = (
        f" Insertion begins with the blurred image, deletion ends with the mean colour; {settings.steps} steps each."
        if settings.steps
        else ""
    )
    return f"""## How

Each image is resized to {settings.size} x {settings.size} pixels, bilinearly, its sides' ratio given up so that no object is cut off, and the masks to
the nearest pixel; the paper does not say how its images came to their size. {_MASKS[settings.dataset, settings.masks]} The probability is the softmax over the classes.

Drop % and Increase % show the network the top 15 % of pixels, the others in the training images' mean colour.{curves} EBPG is the
share of the map's energy inside the mask; mIoU is the mask's overlap with the top 20 % of pixels; Bbox is the share inside the mask
of as many top pixels as the mask has. Ties fall row by row.{ordered} The paper's Increase % is printed as a sum of signs, ours is a
share. Controls: {", ".join(CONTROLS)}.

In brackets: the middle 95 % of {RESAMPLES:,} bootstrap samples of the images. All rows are in `per_pair.parquet`."""
