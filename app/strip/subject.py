"""What the strip's page shows: the strip's picture, its six windows, and what people and the model say of each."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import UInt8

from app import loading
from app.discretion import discreet
from app.opening import Opened
from app.patch.layers import outline_path
from app.review import filters
from app.review.rows import recorded_shares
from app.strip.marks import Marks
from app.strip.picture import Outline
from app.strip.strips import Grey, Strip, composed, read_whole
from app.words import class_title, inside
from severstal_xai.classes import CLASSES, SOUND
from severstal_xai.errors import InputError
from severstal_xai.files import sha256
from severstal_xai.imaging import STRIP_SHAPE
from severstal_xai.left_out import LeftOutWindow
from severstal_xai.manifest import Patch
from severstal_xai.operating_point import OperatingPoint, flagged_as
from severstal_xai.strips import Window, cut, patch_name

_NOT_SAID = "the data does not say why"


@dataclass(frozen=True)
class Steel:
    """The picture of a window.

    Args:
        grey: Its grey values.
        image: Their checksum, which names it in a `Request`: the patch's where there is one.
        probabilities: The model's, of the classes.
    """

    grey: Grey
    image: str
    probabilities: tuple[float, ...]


@dataclass(frozen=True)
class SeenWindow:
    """A window, and what is known of it.

    Args:
        window: Where it lies.
        patch: Its patch; None where it became none.
        steel: Its picture; None where there is none.
        marks: What people marked on it; None where the data does not say.
        words: Why there is no patch, or why it cannot be shown; empty where all is well.
        verdict: What inspectors said of the patch, in words.
    """

    window: Window
    patch: Patch | None
    steel: Steel | None
    marks: Marks | None
    words: str
    verdict: str


@dataclass(frozen=True)
class StripSubject:
    """A strip.

    Args:
        name: Its name.
        grey: Its picture, black where there is none.
        whole: Whether the picture shows what became no patch, too.
        windows: Its six windows, from the left.
        outlines: What people marked, a class each; without what nobody can tell where it lies.
        problem: Why the whole strip's picture cannot be shown; empty where it is, or where nobody asked for it.
    """

    name: str
    grey: UInt8[np.ndarray, "256 1600"]
    whole: bool
    windows: tuple[SeenWindow, ...]
    outlines: tuple[Outline, ...]
    problem: str


def read_subject(opened: Opened, strip: Strip, kinds: "pd.Series[str]") -> StripSubject:
    """Read a strip's files and ask the model; a file that cannot be read leaves the others standing.

    Args:
        opened: The data and the model.
        strip: The strip.
        kinds: The kinds of verdicts on patches, joined by blanks, by the patches' names.
    """
    greys, masks, problems = _read_patches(opened, strip)
    whole, problem = _read_whole(opened, strip, greys)
    seen = greys if whole is None else {window.index: _cut(whole, window) for window in strip.windows}
    left_out = loading.left_out(opened.manifest) if len(strip.patches) < len(strip.windows) else {}
    windows = []
    for window in strip.windows:
        patch, grey = strip.patches.get(window.index), seen.get(window.index)
        absent = left_out.get(patch_name(strip.name, window.index))
        marks = _marks_of(patch, masks.get(window.index)) if patch else _marks_of_left_out(absent)
        words = problems.get(window.index) or ("" if patch else absent.reason if absent else _NOT_SAID)
        steel = None if grey is None else steel_of(opened, patch, grey)
        verdict = filters.kinds_in_words(kinds.get(patch.patch, "")) if patch else ""
        windows.append(SeenWindow(window, patch, steel, marks, words, verdict))
    grey = composed(strip, greys) if whole is None else whole
    return StripSubject(strip.name, grey, whole is not None, tuple(windows), _outlines(windows), problem)


def _marks_of_left_out(absent: LeftOutWindow | None) -> Marks | None:
    return None if absent is None else Marks(absent.classes, absent.masks())


def _marks_of(patch: Patch, mask: np.ndarray | None) -> Marks:
    if patch.label == SOUND.id:
        return Marks((), {})
    return Marks((patch.label,), {} if mask is None else {patch.label: mask})


def _cut(whole: UInt8[np.ndarray, "256 1600"], window: Window) -> Grey:
    return np.ascontiguousarray(cut(whole, window))


def _read_patches(
    opened: Opened, strip: Strip
) -> tuple[dict[int, Grey], dict[int, np.ndarray], dict[int, str]]:
    """Return the patches' images and masks by their windows, and what is wrong with those that cannot be read."""
    greys: dict[int, Grey] = {}
    masks: dict[int, np.ndarray] = {}
    problems: dict[int, str] = {}
    for index, patch in strip.patches.items():
        try:
            grey, mask = opened.manifest.read_image(patch), opened.manifest.read_mask(patch)
        except InputError as error:
            problems[index] = discreet(inside(str(error), opened.manifest.root))
        else:
            greys[index], masks[index] = grey, mask
    return greys, masks, problems


def _read_whole(
    opened: Opened, strip: Strip, greys: Mapping[int, Grey]
) -> tuple[UInt8[np.ndarray, "256 1600"] | None, str]:
    """Return the whole strip's picture, where the inspector was started with the strips, or what is wrong with it."""
    if opened.folders.strips is None:
        return None, ""
    try:
        return read_whole(opened.folders.strips, strip, greys), ""
    except InputError as error:
        return None, inside(str(error), opened.folders.strips)


def steel_of(opened: Opened, patch: Patch | None, grey: Grey) -> Steel:
    """Return a window's picture with the model's answer: asked, unless its run has said what it says of the patch."""
    if patch is None:
        image = sha256(grey.tobytes())
        return Steel(grey, image, loading.probabilities(opened.checkpoint, image, grey))
    said = recorded_shares(opened.known, patch.patch) if opened.is_own_data else None
    probabilities = said or loading.probabilities(opened.checkpoint, patch.image_sha256, grey)
    return Steel(grey, patch.image_sha256, probabilities)


def _outlines(windows: Sequence[SeenWindow]) -> tuple[Outline, ...]:
    marked: defaultdict[int, np.ndarray] = defaultdict(lambda: np.zeros(STRIP_SHAPE, dtype=bool))
    for seen in windows:
        for label, mask in seen.marks.masks.items() if seen.marks else ():
            cut(marked[label], seen.window)[:] |= mask
    return tuple(
        Outline(outline_path(mask), CLASSES[label].colour, class_title(label))
        for label, mask in sorted(marked.items())
    )


def in_words(subject: StripSubject, point: OperatingPoint | None) -> str:
    """Return in Markdown what people and the model say of a strip."""
    people = _people_in_words(subject.windows)
    shares = [seen.steel.probabilities for seen in subject.windows if seen.steel]
    if not shares:
        return people + "No window of it can be shown."
    looked = f"Of {len(shares)} windows" if len(shares) > 1 else "Of 1 window"
    if point is None:
        found = sum(int(np.argmax(one)) != SOUND.id for one in shares)
        return f"{people}{looked} the model finds a defect on **{found or 'none'}**."
    flagged = sum(bool(flagged_as(point, one)) for one in shares)
    return f"{people}{looked} **{flagged or 'none'}** {'are' if flagged > 1 else 'is'} flagged for an inspector to look at."


def _people_in_words(windows: Sequence[SeenWindow]) -> str:
    marked = [(seen.patch, seen.marks.classes) for seen in windows if seen.marks and seen.marks.classes]
    if not marked:
        known = all(seen.marks for seen in windows)
        return f"People marked no defect on {'its windows' if known else 'the windows that are kept'}. "
    labels = sorted({label for _, classes in marked for label in classes})
    classes = " and ".join(f"**{class_title(label)}**" for label in labels)
    absent = sum(patch is None for patch, _ in marked)
    if not absent:
        return f"People marked {classes}. "
    if len(marked) == 1:
        return f"People marked {classes} on 1 window, which is left out of the data. "
    return f"People marked {classes} on {len(marked)} windows, {'all' if absent == len(marked) else absent} of them left out of the data. "


def lacks_places(subject: StripSubject) -> bool:
    """Tell whether people marked what the data folder does not tell the place of, on a window that became no patch."""
    absent = [seen.marks for seen in subject.windows if seen.patch is None]
    return any(marks is not None and not marks.placed for marks in absent)
