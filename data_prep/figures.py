"""The pictures of the report, as PNG bytes; the same data gives the same bytes."""

import io
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from matplotlib.figure import Figure

from data_prep.split import shuffled
from severstal_xai.classes import CLASSES, DEFECTS, SteelClass
from severstal_xai.imaging import PATCH_SHAPE, read_grey, read_mask
from severstal_xai.manifest import Patch
from severstal_xai.overlay import as_rgb, draw_outline, encode_picture
from severstal_xai.strips import PATCH_SIZE

_SHOWN = 8
_GAP = 6
_LABEL_HEIGHT = 34

Picture = UInt8[np.ndarray, "_ _ 3"]


def draw_contact_sheet(folder: Path, patches: Sequence[Patch]) -> bytes:
    """Draw up to eight patches of each class, drawn by lot, their defects outlined in the class's colour."""
    by_name = {patch.patch: patch for patch in patches}
    rows = []
    for steel_class in CLASSES:
        names = shuffled(
            (patch.patch for patch in patches if patch.label == steel_class.id), 0, "contact sheet"
        )
        rows.append(_title(steel_class, len(names)))
        rows.append(_row([_outlined(folder, by_name[name], steel_class) for name in names[:_SHOWN]]))
    return encode_picture(np.concatenate(rows))


def _outlined(folder: Path, patch: Patch, steel_class: SteelClass) -> Picture:
    picture = as_rgb(read_grey((folder / patch.image).read_bytes(), PATCH_SHAPE))
    if not patch.mask:
        return picture
    return draw_outline(picture, read_mask((folder / patch.mask).read_bytes()), steel_class.colour)


def _row(pictures: Sequence[Picture]) -> Picture:
    row = np.full((PATCH_SIZE + _GAP, _SHOWN * (PATCH_SIZE + _GAP), 3), 255, dtype=np.uint8)
    for place, picture in enumerate(pictures):
        left = place * (PATCH_SIZE + _GAP)
        row[:PATCH_SIZE, left : left + PATCH_SIZE] = picture
    return row


def _title(steel_class: SteelClass, patches: int) -> Picture:
    title = np.full((_LABEL_HEIGHT, _SHOWN * (PATCH_SIZE + _GAP), 3), 255, dtype=np.uint8)
    text = f"Class {steel_class.id}: {steel_class.name} ({patches:,} patches)"
    cv2.rectangle(title, (0, 6), (20, _LABEL_HEIGHT - 8), steel_class.colour, thickness=-1)
    cv2.putText(
        title, text, (30, _LABEL_HEIGHT - 11), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (30, 30, 30), 1, cv2.LINE_AA
    )
    return title


def draw_defect_sizes(patches: Sequence[Patch]) -> bytes:
    """Draw each defect class's sizes: the share of its patches with at most so many defect pixels."""
    figure = Figure(figsize=(7, 4))
    axes = figure.add_axes((0.1, 0.13, 0.87, 0.83))  # by hand: to find the margins, Matplotlib draws it twice
    for defect, style in zip(DEFECTS, ("-", "--", "-.", ":"), strict=True):
        sizes = [patch.defect_pixels for patch in patches if patch.label == defect.id]
        if sizes:
            colour = tuple(0.8 * part / 255 for part in defect.colour)
            axes.ecdf(sizes, label=f"{defect.id} {defect.name}", color=colour, linestyle=style, linewidth=2)
    axes.set(
        xscale="log", xlabel="defect pixels on the patch", ylabel="share of the class's patches", ylim=(0, 1)
    )
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend(frameon=False)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=110, metadata={"Software": None})
    return content.getvalue()
