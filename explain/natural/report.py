"""The report on natural images: the paper's Table 1 or 4 beside ours, the network's accuracy, and what they say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from explain.evaluation.controls import CONTROLS
from explain.evaluation.findings import what_they_say
from explain.evaluation.pictures import draw_figures
from explain.evaluation.report import as_html, png_of
from explain.evaluation.rows import ORDERED
from explain.evaluation.summary import Figures, summarise
from explain.evaluation.tables import metrics_table, seeds
from explain.evaluation.variants import over_seeds
from explain.natural.accuracy import accuracy_of
from explain.natural.both_networks import both_networks, no_run_beside, of_run_beside
from explain.natural.datasets import MaskKind
from explain.natural.pairs import Source, make_ready
from explain.natural.paper import ACCURACIES, NAMES, TABLE_NUMBERS, metrics_of
from explain.natural.per_pair import ROWS_FILE, Run, read_run
from explain.natural.photos import Reject
from explain.natural.pictures import ShownPair, draw_maps
from explain.natural.settings import Settings
from explain.natural.torchray import Architecture, Dataset
from explain.words import counted, sise_in_words
from severstal_xai.bootstrap import RESAMPLES, Measure
from severstal_xai.command import to_plain
from severstal_xai.errors import InputError
from severstal_xai.files import write_bytes, write_text
from severstal_xai.markdown import table

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
        rows: `explain.evaluation.rows.Row`s of all seeds, with `image`, `class`, and `place`, the class's among the five likeliest.
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

    @cached_property
    def main(self) -> pd.DataFrame:
        """A row for each pair and method: seeds averaged."""
        return over_seeds(self.rows, unit="pair")


def write_report(folder: Path, evaluated: Evaluated) -> None:
    """Write the report as Markdown and as one HTML file, and its pictures."""
    settings = evaluated.settings
    figures = _figures_of(settings, settings.architecture, evaluated.rows)
    pictures = {"evaluation.png": png_of(draw_figures(figures))}
    methods = list(dict.fromkeys(evaluated.main["method"]))
    shown = _shown_pairs(folder, evaluated, methods)
    if shown:
        pictures["maps.png"] = png_of(draw_maps(folder, shown, methods))
    for name, content in pictures.items():
        write_bytes(folder / name, content)
    report = report_of(evaluated, figures, both=_both_networks(evaluated, figures), with_maps=bool(shown))
    write_text(folder / "report.md", report)
    write_text(folder / "report.html", as_html(report, pictures))


def _figures_of(settings: Settings, network: Architecture, rows: pd.DataFrame) -> list[Figures]:
    metrics = metrics_of(settings.dataset, network)
    return summarise(over_seeds(rows, unit="pair"), metrics, settings.seed, unit="pair", group="image")


def _both_networks(evaluated: Evaluated, figures: Sequence[Figures]) -> str:
    """Return the table of both networks, the other one's from the run that lies beside this one."""
    settings, other = evaluated.settings, evaluated.settings.other_network()
    folder, known = settings.folder_beside(), {settings.architecture: figures}
    try:
        run = read_run(folder, settings.dataset, other)
    except InputError as error:
        return both_networks(settings.dataset, known, no_run_beside(settings, str(error)))
    known[other] = _figures_of(settings, other, run.rows)
    own = Run(settings.architecture, to_plain(settings), evaluated.rows)
    return both_networks(settings.dataset, known, of_run_beside(own, run, folder.name))


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


def report_of(evaluated: Evaluated, figures: Sequence[Figures], *, both: str, with_maps: bool) -> str:
    """Return the report, in Markdown.

    Args:
        evaluated: What was found.
        figures: What the metrics come to.
        both: The section with both networks.
        with_maps: Whether there is a picture of maps.
    """
    settings, rows = evaluated.settings, evaluated.main
    number = TABLE_NUMBERS[settings.dataset]
    against_model = [one for one in figures if one.metric.column in _AGAINST_MODEL]
    against_masks = [one for one in figures if one.metric.column not in _AGAINST_MODEL]
    maps = (
        "## Maps side by side\n\nThe network's probability of the class stands beside its name. Maps go from 0 to 1 each, "
        "whatever the probability.\n\n![Maps](maps.png)"
    )
    sections = [
        f"# {NAMES[settings.dataset]}, {NAMES[settings.architecture]}",
        _about(evaluated),
        f"## Against the model\n\nThe paper's Table {number}, Drop % and Increase %.\n\n{metrics_table(against_model)}",
        f"## Against the masks\n\nThe paper's Table {number}, EBPG, mIoU and Bbox.{_undefined(against_masks)}\n\n"
        + (metrics_table(against_masks) if against_masks else "No mask has a pixel, at this size or at all."),
        seeds(evaluated.rows, settings.seed, unit="pair", group="image"),
        both,
        "## What they say\n\n" + "\n".join(f"- {line}" for line in findings(rows, figures)),
        *([maps] if with_maps else []),
        _accuracy(evaluated),
        "![The metrics with their intervals](evaluation.png)",
        _how(evaluated),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


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
        f"{counted(images, 'image')}{lot}; every class of an image's ground truth is explained: {counted(pairs, 'pair')} of an image and a class, "
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
    of = f"both of this network, ours on {counted(rows['image'].nunique(), 'image')}"
    return what_they_say(figures, of) + [
        f"{name} found nothing (a map of zeros) on {counted(count, 'pair')}." for name, count in empty.items()
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
    sise = f" SISE: {sise_in_words(settings.sise)}." * bool((evaluated.rows["method"] == "sise").any())
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
share. Controls: {", ".join(CONTROLS)}.{sise}

In brackets: the middle 95 % of {RESAMPLES:,} bootstrap samples of the images; of shares of pairs and images, what the network names, the wider of
that and the exact one of Clopper and Pearson, end by end. All rows are in `{ROWS_FILE}`."""
