"""The report of one strip: the whole of it, each of its windows, what people, the model and inspectors say, and all checksums."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np

from app.report.pictures import Label, patch_heat, patch_picture, scale, strip_heat, strip_picture
from app.report.provenance import Lines
from app.report.record import Column, Key, Picture, Report, Section, Table
from app.report.strip_matter import Asked, Matter, StripWindow
from app.report.verdict_words import KEPT_BACK, in_full, in_short
from app.strip.marks import Marks, in_words
from app.words import class_title, how_sure
from severstal_xai.classes import CLASSES, SOUND
from severstal_xai.imaging import STRIP_SHAPE
from severstal_xai.operating_point import OperatingPoint, flagged_as
from severstal_xai.overlay import Colour
from severstal_xai.strips import cut, stitch


def of_strip(matter: Matter, made_at: datetime, made_by: str, lines: Lines) -> Report:
    """Return the report of a strip.

    Args:
        matter: What is known of it.
        made_at: When the report is made, with its zone.
        made_by: Who makes it; may be empty.
        lines: What it is made from, as `app.report.provenance` tells it.
    """
    sections = [
        _whole(matter),
        *(_window(matter, one) for one in matter.windows if one.asked),
        _files(matter),
    ]
    return Report(f"Strip {matter.name}", made_at, made_by, lines, tuple(filter(None, sections)))


def _whole(matter: Matter) -> Section:
    marked = {label for one in matter.windows if one.marks for label in one.marks.classes}
    masks, labels, seen = _masks(matter), [_label(matter, one) for one in matter.windows], _seen(matter)
    pictures = [
        Picture(
            strip_picture(matter.grey, seen, masks, labels),
            f"Strip {matter.name} with its windows and what people marked",
            ("The strip, and what people marked. Hatched: not part of the data.",),
        )
    ]
    heats = {one.window.index: one.asked.heat for one in matter.windows if one.asked}
    if heats:
        pictures.append(
            Picture(
                strip_heat(matter.grey, seen, masks, labels, _stitched(matter, heats)),
                f"Strip {matter.name} with the heat of {matter.method}",
                (f"The heat of {matter.method} over it.",),
            )
        )
    return Section(
        "The strip",
        (matter.words, *matter.remarks),
        tuple(Key(CLASSES[label].colour, f"marked {class_title(label)}") for label in sorted(marked)),
        scale() if heats else None,
        tuple(pictures),
        (_summary(matter),),
    )


def _seen(matter: Matter) -> np.ndarray:
    """Return where the strip's picture shows steel."""
    seen = np.full(STRIP_SHAPE, matter.whole)
    for one in matter.windows:
        if one.asked:
            cut(seen, one.window)[:] = True
    return seen


def _masks(matter: Matter) -> dict[Colour, np.ndarray]:
    masks: defaultdict[Colour, np.ndarray] = defaultdict(lambda: np.zeros(STRIP_SHAPE, dtype=bool))
    for one in matter.windows:
        for colour, mask in _by_colour(one.marks).items():
            cut(masks[colour], one.window)[:] |= mask
    return dict(masks)


def _by_colour(marks: Marks | None) -> dict[Colour, np.ndarray]:
    return {CLASSES[label].colour: mask for label, mask in marks.masks.items()} if marks else {}


def _stitched(matter: Matter, heats: Mapping[int, np.ndarray | None]) -> np.ndarray:
    there = {index: heat for index, heat in heats.items() if heat is not None}
    return stitch(there, matter.windows[0].window.x)


def _label(matter: Matter, one: StripWindow) -> Label:
    number = one.window.index + 1
    if one.asked is None:
        words = "cannot be shown" if one.patch else "not in the data"
        return Label(one.window.x, f"{number}: {words}", SOUND.colour, strong=False)
    answer = CLASSES[one.asked.answer]
    strong = bool(matter.point and flagged_as(matter.point, one.asked.probabilities))
    return Label(one.window.x, f"{number}: {answer.name}", answer.colour, strong=strong)


def _summary(matter: Matter) -> Table:
    shares = tuple(Column(f"Class {known.id}", 1.1, number=True) for known in CLASSES)
    columns = (
        Column("Window", 1.15),
        Column("Patch", 2.2),
        Column("People marked", 2.2),
        Column("Model's answer", 2.2),
        *shares,
        Column("Flagged", 1.3),
        Column("Verdicts", 1.7),
    )
    return Table(columns, tuple(_row(matter, one) for one in matter.windows))


def _row(matter: Matter, one: StripWindow) -> tuple[str, ...]:
    shares = (
        tuple(how_sure(share) for share in one.asked.probabilities) if one.asked else ("",) * len(CLASSES)
    )
    answer = class_title(one.asked.answer) if one.asked else "not asked"
    flagged = _flagged(matter.point, one.asked.probabilities) if one.asked else ""
    return (str(one.window.index + 1), one.patch, _people(one), answer, *shares, flagged, in_short(one.sight))


def _people(one: StripWindow) -> str:
    """Return what people marked, and why the window is no patch or cannot be shown."""
    words = f"left out: {one.words}" if one.words and not one.patch else one.words
    if one.marks is None or (words and not one.marks.classes):
        return words or "nobody did"
    return "; ".join(filter(None, (in_words(one.marks.classes), words)))


def _flagged(point: OperatingPoint | None, shares: Sequence[float]) -> str:
    if point is None:
        return "no thresholds"
    labels = flagged_as(point, shares)
    return f"class {' and '.join(map(str, labels))}" if labels else "no"


def _window(matter: Matter, one: StripWindow) -> Section:
    asked = one.asked
    assert asked is not None
    number, masks = one.window.index + 1, _by_colour(one.marks)
    name = one.patch or f"window {number}"
    heat = asked.heat
    pictures = (
        Picture(
            patch_picture(asked.grey, masks),
            f"{name} with what people marked",
            ("The steel, and what people marked" if one.marks else "The steel",),
            0.32,
        ),
        Picture(
            patch_heat(asked.grey, masks, heat),
            f"{name} with the heat of {matter.method}" if heat is not None else f"{name}: no heat",
            _heat_lines(matter.method, asked),
            0.32,
        ),
    )
    return Section(
        f"Window {number}" + (f" · {one.patch}" if one.patch else ""),
        _sentences(matter, one, asked),
        pictures=pictures,
        tables=in_full(one.sight),
    )


def _heat_lines(method: str, asked: Asked) -> tuple[str, ...]:
    found, heat = asked.explained, asked.heat
    title = f"{method} for {class_title(found.target)}"
    if heat is None:
        return (title, f"No heat: {found.words}.")
    hottest = f"Hottest pixel {heat.max():.2f}; the class has {how_sure(asked.probabilities[found.target])}."
    return (title, hottest, *([f"It is {found.words}."] if found.words else []))


def _sentences(matter: Matter, one: StripWindow, asked: Asked) -> tuple[str, ...]:
    people = f"People marked {in_words(one.marks.classes)}." if one.marks else ""
    left_out = f"Left out of the data: {one.words}." if one.words else ""
    known = " ".join(filter(None, (people, left_out))) or "Nobody has marked it."
    model = f"The model's answer is {class_title(asked.answer)}, with a probability of {how_sure(asked.probabilities[asked.answer])}."
    flagged = {
        "no thresholds": "",
        "no": " Not flagged.",
    }.get(words := _flagged(matter.point, asked.probabilities), f" Flagged: {words}.")
    kept_back = KEPT_BACK if one.sight and one.sight.hidden else ""
    return tuple(filter(None, (f"{known} {model}{flagged}", kept_back)))


def _files(matter: Matter) -> Section | None:
    """Return the checksums of all that was looked at."""
    rows = [row for one in matter.windows for row in _checksums(one)]
    if not rows:
        return None
    columns = (Column("Window", 1.0), Column("What", 2.2), Column("SHA-256", 6.0))
    words = (
        "By these the files are found again, and seen to be those that were looked at. A map's is that of its numbers "
        "(float32, row by row), as it stands beside a verdict."
    )
    return Section("Checksums", (words,), tables=(Table(columns, tuple(rows)),))


def _checksums(one: StripWindow) -> list[tuple[str, str, str]]:
    named = [
        ("image" if one.patch else "grey values", one.asked.image_sha256 if one.asked else ""),
        ("mask", one.mask_sha256),
        ("map", one.asked.explained.sha256 if one.asked else ""),
    ]
    return [(str(one.window.index + 1), what, checksum) for what, checksum in named if checksum]
