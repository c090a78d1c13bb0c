"""The report of a data folder: what was built, beside the paper's Table 3, in words, numbers and pictures."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from data_prep.annotations import Annotations
from data_prep.figures import draw_contact_sheet, draw_defect_sizes
from data_prep.patches import LeftOut
from data_prep.rejects import REJECTED_FILE, Reject
from data_prep.settings import DataPrepSettings
from data_prep.source import IMAGES
from severstal_xai.classes import CLASSES, DEFECTS
from severstal_xai.files import write_bytes, write_text
from severstal_xai.left_out import LEFT_OUT_FILE, LeftOutWindow
from severstal_xai.manifest import Patch, Split, count_shared_strips
from severstal_xai.markdown import table
from severstal_xai.paper import TABLE_3
from severstal_xai.strips import PATCH_SIZE

REPORT_FILE = "report.md"
CONTACT_SHEET = "report/patches.png"
DEFECT_SIZES = "report/defect_sizes.png"
REPORTS = (REPORT_FILE, CONTACT_SHEET, DEFECT_SIZES)

_PAPER_EVALUATION = {1: 401, 2: 63, 3: 500, 4: 417}
_SHOWN = 20


def write_report(
    folder: Path,
    settings: DataPrepSettings,
    patches: Sequence[Patch],
    left_out: Sequence[LeftOutWindow],
    *,
    rejects: Sequence[Reject],
    annotations: Annotations,
    strips: int,
) -> None:
    """Write `report.md` and its pictures.

    Args:
        folder: Where the patches are, and the report will be.
        settings: What was built.
        patches: All patches.
        left_out: The windows that became none.
        rejects: What could not be used.
        annotations: What `train.csv` says.
        strips: How many strips were worked on.
    """
    write_bytes(folder / CONTACT_SHEET, draw_contact_sheet(folder, patches))
    write_bytes(folder / DEFECT_SIZES, draw_defect_sizes(patches))
    sections = (
        f"# Patches of {settings.source}",
        _summary(patches, left_out, rejects, strips),
        _counts(patches),
        _evaluation(patches),
        _neighbours(settings, patches),
        _strips_left_out(settings, rejects, annotations),
        _windows_left_out(settings, left_out),
        _rejected(rejects),
        _sizes(patches),
        f"## How they look\n\nUp to eight patches of each class, drawn by lot, their defects outlined.\n\n![Patches of each class]({CONTACT_SHEET})",
    )
    write_text(folder / REPORT_FILE, "\n\n".join(sections) + "\n")


def _summary(
    patches: Sequence[Patch],
    left_out: Sequence[LeftOutWindow],
    rejects: Sequence[Reject],
    strips: int,
) -> str:
    return (
        f"{strips:,} strips were read. They gave {len(patches):,} patches; "
        f"{len(left_out):,} windows were left out and {len(rejects):,} things were rejected, each for a reason given below."
    )


def _counts(patches: Iterable[Patch]) -> str:
    counts = Counter((patch.label, patch.split) for patch in patches)
    rows: list[list[str | int]] = []
    for steel_class in CLASSES:
        ours = [counts[steel_class.id, split] for split in Split]
        training, test = TABLE_3[steel_class.id]
        rows.append(
            [f"{steel_class.id} {steel_class.name}", *ours, sum(ours), training, test, training + test]
        )
    totals = [sum(int(row[column]) for row in rows) for column in range(1, 8)]
    header = ["class", *Split, "total", "paper: training", "paper: test", "paper: total"]
    return (
        "## Patches of each class\n\n"
        "Beside the paper's Table 3, which counts validation as training and is of all 12,568 strips.\n\n"
        + table(header, [*rows, ["all", *totals]])
    )


def _evaluation(patches: Iterable[Patch]) -> str:
    counts = Counter(patch.label for patch in patches if patch.evaluation)
    rows = [[f"{one.id} {one.name}", counts[one.id], _PAPER_EVALUATION[one.id]] for one in DEFECTS]
    rows.append(["all", counts.total(), sum(_PAPER_EVALUATION.values())])
    return "## Evaluation subset\n\nThe test patches on which methods are compared.\n\n" + table(
        ["class", "ours", "paper"], rows
    )


def _neighbours(settings: DataPrepSettings, patches: Sequence[Patch]) -> str:
    shared = count_shared_strips((patch.strip, patch.split) for patch in patches)
    test = sum(patch.split == Split.TEST for patch in patches)
    share = f" ({shared / test:.0%})" if test else ""
    text = f"## Neighbours of the test\n\n{shared:,} of {test:,} test patches{share} share a strip with training or validation"
    if settings.split.unit == "patch":
        return (
            f"{text}: neighbours on one strip look alike, so scores on this split, the paper's, flatter the model. "
            "`configs/data_prep_by_strip.yaml` splits by strip."
        )
    return f"{text}: the split is by strip."


def _strips_left_out(settings: DataPrepSettings, rejects: Sequence[Reject], annotations: Annotations) -> str:
    known = {name: masks for name, masks in annotations.masks.items() if name not in annotations.doubtful}
    several = sum(len(masks) > 1 for masks in known.values())
    patches = (
        "all their defect patches"
        if settings.several_classes == "leave_out_strip"
        else "only their mixed patches"
    )
    rows = [
        [f"defects of several classes: {patches} are left out", several],
        ["a row of `train.csv` was rejected, so nobody knows what they show", len(annotations.doubtful)],
        ["the image cannot be used", sum(one.file.startswith(IMAGES) for one in rejects)],
    ]
    return f"## Strips left out\n\n{len(known):,} strips have defects.\n\n" + table(["why", "strips"], rows)


def _windows_left_out(settings: DataPrepSettings, left_out: Sequence[LeftOutWindow]) -> str:
    counts = Counter((one.reason, one.label) for one in left_out)
    rows = []
    for reason in LeftOut:
        ours = [counts[reason, steel_class.id] for steel_class in CLASSES]
        rows.append([reason.value, *ours, sum(ours)])
    labelled = [one for one in left_out if one.reason == LeftOut.BLACK and one.label]
    text = (
        "## Windows left out\n\n"
        f"By the class that the annotation gives them; each is listed in `{LEFT_OUT_FILE}`, with what people marked on it. Black is a mean grey value "
        f"below {settings.black_level} of 255.\n\n"
        + table(["reason", *(str(steel_class.id) for steel_class in CLASSES), "total"], rows)
    )
    names = ", ".join(
        f"{one.patch} (class {one.label}, mean {one.mean_grey:.2f})" for one in labelled[:_SHOWN]
    )
    more = f" and {len(labelled) - _SHOWN} more" if len(labelled) > _SHOWN else ""
    return f"{text}\n\nBlack patches that carried a label: {len(labelled)}{': ' + names + more if labelled else ''}."


def _rejected(rejects: Sequence[Reject]) -> str:
    if not rejects:
        return "## Rejects\n\nNothing was rejected."
    rows = [
        [one.file, one.line or "", _for_cell(one.value), _for_cell(one.reason)]
        for one in sorted(rejects)[:_SHOWN]
    ]
    text = f"## Rejects\n\n{len(rejects):,}, all in `{REJECTED_FILE}`; the first {len(rows)}:\n\n"
    return text + table(["file", "line", "value", "reason"], rows)


def _for_cell(text: str) -> str:
    """Keep what came from outside from being read as Markdown or HTML."""
    printable = "".join(sign if sign.isprintable() else " " for sign in text)
    return f"`{printable.replace('`', ' ').replace('|', ' ')}`" if printable.strip() else ""


def _sizes(patches: Sequence[Patch]) -> str:
    rows: list[list[object]] = []
    for defect in DEFECTS:
        sizes = [patch.defect_pixels for patch in patches if patch.label == defect.id]
        if sizes:
            quantiles = np.quantile(sizes, [0, 0.25, 0.5, 0.75, 1]).astype(int).tolist()
            rows.append([f"{defect.id} {defect.name}", *quantiles, f"{np.median(sizes) / PATCH_SIZE**2:.1%}"])
    header = [
        "class",
        "least",
        "lower quarter",
        "median",
        "upper quarter",
        "most",
        "median share of the patch",
    ]
    return (
        "## Defect sizes\n\nPixels of the ground truth on a patch, of its 65,536.\n\n"
        + table(header, rows)
        + f"\n\n![Defect sizes of each class]({DEFECT_SIZES})"
    )
