"""The report's pictures of patches: maps, masks and paintings side by side."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, UInt8
from matplotlib.figure import Figure

from explain.evaluation.answers import Answer
from explain.evaluation.counterfactual import Counterfactual, painted_pictures
from explain.evaluation.evidence import groups_of
from explain.evaluation.files import read_maps
from explain.evaluation.reasons import cascades, suspected
from explain.evaluation.rows import ORDERED
from explain.evaluation.studies import CASCADE, COUNTERFACTUAL, MASKS, SUSPECTS, WORST, read_kept
from explain.evaluation.summary import Evaluated
from explain.subjects import Subject, read_patch
from severstal_xai.classes import CLASSES
from severstal_xai.imaging import PATCH_SHAPE
from severstal_xai.manifest import Patch
from severstal_xai.overlay import as_rgb, blend_heat, draw_outline

_OPACITY = 0.5
_SHOWN = 8
"""Patches of a picture that lists cases."""
Picture = UInt8[np.ndarray, "height width 3"]


@dataclass(frozen=True)
class Tile:
    """A picture and what stands over it."""

    picture: Picture
    title: str = ""


@dataclass(frozen=True)
class Line:
    """A row of tiles and what stands beside it."""

    title: str
    tiles: Sequence[Tile]


def draw_tiles(lines: Sequence[Line]) -> Figure | None:
    """Draw rows of pictures; None where there is none."""
    if not lines:
        return None
    across = max(len(line.tiles) for line in lines)
    figure = Figure(figsize=(1.75 * across + 0.4, 1.95 * len(lines)), layout="constrained")
    grid = figure.subplots(len(lines), across, squeeze=False)
    for axes in grid.ravel():
        axes.set_axis_off()
    for row, line in zip(grid, lines, strict=True):
        row[0].text(-0.06, 0.5, line.title, transform=row[0].transAxes, ha="right", va="center", fontsize=7)
        for axes, tile in zip(row, line.tiles, strict=False):
            axes.imshow(tile.picture)
            axes.set_title(tile.title, fontsize=7)
    return figure


def maps(folder: Path, evaluated: Evaluated) -> Figure | None:
    """Draw the maps of a patch of each class side by side (Fig. 8 and 16); None where no map was kept."""
    names = [name for name in dict.fromkeys(evaluated.main["method"]) if not name.endswith(ORDERED)]
    probabilities = evaluated.main.drop_duplicates("patch").set_index("patch")["whole"]
    lines: list[Line] = []
    for patch in _by_class(evaluated, list(probabilities.index)):
        kept = [read_maps(folder / name, patch.patch, PATCH_SHAPE) for name in names]
        if all(one is not None for one in kept):
            subject = read_patch(evaluated.manifest, patch)
            shown = [
                Tile(_heat(subject, one), name.replace("_", " ") if not lines else "")
                for name, one in zip(names, kept, strict=True)
                if one is not None
            ]
            title = f"class {patch.label}\n{probabilities[patch.patch]:.2f}"
            lines.append(Line(title, [Tile(_bare(subject)), *shown]))
    return draw_tiles(lines)


def worst(folder: Path, evaluated: Evaluated) -> Figure | None:
    """Draw the worst patches of the groups that are failures, the group over each, and the answer where that is wrong."""
    known = groups_of(evaluated.main, evaluated.first_method).set_index("patch")
    lines = []
    for record in evaluated.studies.get(WORST, ()):
        patch = evaluated.manifest.find(record.patch)
        saliency = read_kept(folder / WORST, record)
        if saliency is not None:
            subject = read_patch(evaluated.manifest, patch)
            line, own = _case(subject, saliency), known.loc[record.patch]
            answer = "" if own["prediction"] == own["label"] else f"\nanswer {own['prediction']}"
            lines.append(Line("", [line.tiles[0], Tile(line.tiles[1].picture, f"{own['group']}{answer}")]))
    return _in_two_columns(lines)


def suspects(folder: Path, evaluated: Evaluated) -> Figure | None:
    """Draw the suspected label errors: the patch, and the region that the answer rests on in a box."""
    answers: tuple[Answer, ...] = evaluated.studies.get(SUSPECTS, ())
    lines = []
    for one in suspected(answers)[:_SHOWN]:
        patch = evaluated.manifest.find(one.patch)
        saliency = read_kept(folder / SUSPECTS, one)
        if saliency is not None and one.box is not None:
            subject = read_patch(evaluated.manifest, patch)
            line = _case(subject, saliency)
            boxed = draw_outline(line.tiles[1].picture, _box(saliency.shape, one.box), (255, 255, 255))
            said = f"answer {one.prediction}, {one.probability:.2f}"
            lines.append(Line(line.title, [line.tiles[0], Tile(boxed, said)]))
    return _in_two_columns(lines)


def counterfactual(evaluated: Evaluated) -> Figure | None:
    """Draw a patch of each class as it is, without its defect, and with as much painted elsewhere."""
    records: tuple[Counterfactual, ...] = evaluated.studies.get(COUNTERFACTUAL, ())
    lines = []
    for label in sorted({one.label for one in records}):
        whole = [one for one in records if one.label == label and one.elsewhere is not None]
        for one in whole[:2]:
            subject = read_patch(evaluated.manifest, evaluated.manifest.find(one.patch))
            assert subject.mask is not None
            painted, elsewhere = painted_pictures(one.patch, subject.grey, subject.mask)
            assert painted is not None
            assert elsewhere is not None
            shown = [
                Tile(_bare(subject), f"class {label}: {one.whole:.2f}"),
                Tile(as_rgb(painted), f"defect painted: {one.painted:.2f}"),
                Tile(as_rgb(elsewhere), f"elsewhere: {one.elsewhere:.2f}"),
            ]
            lines.append(Line("", shown))
    return _in_two_columns(lines)


def attribution_masks(folder: Path, evaluated: Evaluated) -> Figure | None:
    """Draw the masks of each block, those with the highest gradient scores, and some of RISE's (Fig. 4)."""
    lines = []
    for record in evaluated.studies.get(MASKS, ()):
        patch = evaluated.manifest.find(record.patch)
        kept = read_kept(folder / MASKS, record)
        if kept is not None:
            subject = read_patch(evaluated.manifest, patch)
            titles = [
                *(
                    f"{block}\n{count:,} masks"
                    for block, count in zip(record.blocks, record.kept, strict=True)
                ),
                "RISE",
            ]
            for title, row in zip(titles, kept, strict=True):
                lines.append(Line(title, [Tile(_masked(subject.grey, mask)) for mask in row]))
    return draw_tiles(lines)


def cascade_pictures(folder: Path, evaluated: Evaluated) -> Iterator[tuple[str, Figure]]:
    """Draw the maps by ever more random networks (Fig. 11), the untrained network's last (Fig. 13), for each method."""
    for name, records in cascades(evaluated):
        lines: list[Line] = []
        for record in records:
            patch = evaluated.manifest.find(record.patch)
            kept = read_kept(folder / (CASCADE + name), record)
            if kept is not None:
                subject = read_patch(evaluated.manifest, patch)
                said = [
                    "trained",
                    *(f"and {part}" if place else part for place, part in enumerate(record.parts)),
                ]
                shown = [
                    Tile(_heat(subject, one), title if not lines else "")
                    for one, title in zip(kept, said, strict=True)
                ]
                lines.append(Line(f"class {record.label}", [Tile(_bare(subject)), *shown]))
        figure = draw_tiles(lines)
        if figure is not None:
            yield name, figure


def trained_maps(folder: Path, evaluated: Evaluated) -> dict[str, list[np.ndarray]]:
    """Return the trained network's maps of the sanity check's patches, by the method's name."""
    found: dict[str, list[np.ndarray]] = {}
    for name, records in cascades(evaluated):
        kept = [read_kept(folder / (CASCADE + name), one) for one in records]
        found[name] = [one[0] for one in kept if one is not None]
    return found


def _by_class(evaluated: Evaluated, names: Sequence[str]) -> list[Patch]:
    return sorted(map(evaluated.manifest.find, names), key=lambda patch: (patch.label, patch.patch))


def _case(subject: Subject, saliency: Float[np.ndarray, "height width"]) -> Line:
    assert subject.label is not None
    marked = Tile(_bare(subject), f"{subject.name}, class {subject.label}")
    return Line("", [marked, Tile(_heat(subject, saliency))])


def _in_two_columns(lines: Sequence[Line]) -> Figure | None:
    """Draw cases, two in a row."""
    pairs = [lines[place : place + 2] for place in range(0, len(lines), 2)]
    return draw_tiles([Line("", [tile for line in pair for tile in line.tiles]) for pair in pairs])


def _outlined(subject: Subject, picture: Picture) -> Picture:
    if subject.mask is None or subject.label is None:
        return picture
    return draw_outline(picture, subject.mask, CLASSES[subject.label].colour)


def _bare(subject: Subject) -> Picture:
    return _outlined(subject, as_rgb(subject.grey))


def _heat(subject: Subject, saliency: Float[np.ndarray, "height width"]) -> Picture:
    return _outlined(subject, blend_heat(subject.grey, saliency, _OPACITY))


def _masked(grey: UInt8[np.ndarray, "height width"], mask: Float[np.ndarray, "height width"]) -> Picture:
    """Return what a mask lets through."""
    return as_rgb(np.rint(grey * mask.clip(0, 1)).astype(np.uint8))


def _box(shape: Sequence[int], box: Sequence[int]) -> Bool[np.ndarray, "height width"]:
    top, left, bottom, right = box
    inside = np.zeros(tuple(shape), dtype=bool)
    inside[top:bottom, left:right] = True
    return inside
