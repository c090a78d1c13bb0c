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
from app.strip.picture import Outline
from app.strip.strips import Grey, Strip, composed, read_whole
from app.words import class_title, inside
from severstal_xai.classes import CLASSES, SOUND
from severstal_xai.errors import InputError
from severstal_xai.files import sha256
from severstal_xai.imaging import STRIP_SHAPE
from severstal_xai.manifest import Patch
from severstal_xai.operating_point import OperatingPoint, flagged_as
from severstal_xai.predictions import SHARES
from severstal_xai.strips import Window, cut, patch_name


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
        words: Why there is no patch, or why it cannot be shown; empty where all is well.
        verdict: What inspectors said of the patch, in words.
    """

    window: Window
    patch: Patch | None
    steel: Steel | None
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
        outlines: What people marked, a class each.
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
    why = loading.left_out(opened.manifest) if len(strip.patches) < len(strip.windows) else {}
    windows = []
    for window in strip.windows:
        patch, grey = strip.patches.get(window.index), seen.get(window.index)
        words = problems.get(window.index) or ("" if patch else _why(why, strip, window))
        steel = None if grey is None else steel_of(opened, patch, grey)
        verdict = filters.kinds_in_words(kinds.get(patch.patch, "")) if patch else ""
        windows.append(SeenWindow(window, patch, steel, words, verdict))
    grey = composed(strip, greys) if whole is None else whole
    return StripSubject(strip.name, grey, whole is not None, tuple(windows), _outlines(strip, masks), problem)


def _why(why: Mapping[str, str], strip: Strip, window: Window) -> str:
    return why.get(patch_name(strip.name, window.index), "the data does not say why")


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
    said = opened.known.loc[patch.patch, SHARES].to_numpy(np.float64)
    if opened.is_own_data and not np.isnan(said).any():
        return Steel(grey, patch.image_sha256, tuple(map(float, said)))
    probabilities = loading.probabilities(opened.checkpoint, patch.image_sha256, grey)
    return Steel(grey, patch.image_sha256, probabilities)


def _outlines(strip: Strip, masks: Mapping[int, np.ndarray]) -> tuple[Outline, ...]:
    marked: defaultdict[int, np.ndarray] = defaultdict(lambda: np.zeros(STRIP_SHAPE, dtype=bool))
    for index, mask in masks.items():
        if mask.any():
            cut(marked[strip.patches[index].label], strip.windows[index])[:] |= mask
    return tuple(
        Outline(outline_path(mask), CLASSES[label].colour, class_title(label))
        for label, mask in sorted(marked.items())
    )


def in_words(subject: StripSubject, point: OperatingPoint | None) -> str:
    """Return in Markdown what people and the model say of a strip."""
    patches = [seen.patch for seen in subject.windows if seen.patch]
    marked = sorted({patch.label for patch in patches} - {SOUND.id})
    people = (
        f"People marked {_classes(marked)}. "
        if marked
        else "People marked no defect on the windows that are kept. "
    )
    shares = [seen.steel.probabilities for seen in subject.windows if seen.steel]
    if not shares:
        return people + "No window of it can be shown."
    looked = f"Of {len(shares)} windows" if len(shares) > 1 else "Of 1 window"
    if point is None:
        found = sum(int(np.argmax(one)) != SOUND.id for one in shares)
        return f"{people}{looked} the model finds a defect on **{found or 'none'}**."
    flagged = sum(bool(flagged_as(point, one)) for one in shares)
    return f"{people}{looked} **{flagged or 'none'}** {'are' if flagged > 1 else 'is'} flagged for an inspector to look at."


def _classes(labels: Sequence[int]) -> str:
    return " and ".join(f"**{class_title(label)}**" for label in labels)
