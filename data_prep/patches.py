"""From a strip to its patches: what each window shows, and which windows become patches of which class.

The rules are those that give Table 3 of the SISE paper (appendix "Severstal Dataset"). Pure functions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from jaxtyping import Bool

from data_prep.settings import LabelRules
from severstal_xai.classes import SOUND
from severstal_xai.imaging import is_black
from severstal_xai.strips import Window, cut

StripMask = Bool[np.ndarray, "256 1600"]


class LeftOut(StrEnum):
    """Why a window does not become a patch."""

    SEVERAL_CLASSES = "several classes"
    FEW_DEFECT_PIXELS = "fewer defect pixels than the minimum"
    NOT_ASKED_FOR = "sound, of a strip that gives no class 0"
    BLACK = "black"


@dataclass(frozen=True)
class Verdict:
    """What becomes of a window.

    Args:
        label: The class it shows, by its pixels; 0 where it shows none. Of several classes the one with the
            most pixels.
        left_out: Why it becomes no patch; None where it becomes one.
    """

    label: int
    left_out: LeftOut | None = None


def count_defect_pixels(masks: Mapping[int, StripMask], windows: tuple[Window, ...]) -> list[dict[int, int]]:
    """Return for each window the pixels of each class that it holds."""
    return [
        {label: int(np.count_nonzero(cut(mask, window))) for label, mask in masks.items()}
        for window in windows
    ]


def judge(pixels: Mapping[int, int], strip_classes: int, rules: LabelRules) -> Verdict:
    """Decide on a window, by its strip's annotation alone.

    Args:
        pixels: The window's defect pixels by class.
        strip_classes: How many classes its strip is annotated with.
        rules: The recast's rules.

    Example: a pixel is enough; a second class anywhere on the strip is too much.
        >>> rules = LabelRules(1, "leave_out_strip", "annotated", 0.5)
        >>> judge({3: 1}, 1, rules)
        Verdict(label=3, left_out=None)
        >>> judge({3: 1, 1: 0}, 2, rules).left_out
        <LeftOut.SEVERAL_CLASSES: 'several classes'>
    """
    shown = {label: count for label, count in pixels.items() if count > 0}
    if not shown:
        return Verdict(
            SOUND.id, None if _gives_sound_patches(strip_classes, rules) else LeftOut.NOT_ASKED_FOR
        )
    label = max(shown, key=lambda label: (shown[label], -label))
    several = len(shown) if rules.several_classes == "leave_out_patch" else strip_classes
    if several > 1:
        return Verdict(label, LeftOut.SEVERAL_CLASSES)
    if shown[label] < rules.min_defect_pixels:
        return Verdict(label, LeftOut.FEW_DEFECT_PIXELS)
    return Verdict(label)


def _gives_sound_patches(strip_classes: int, rules: LabelRules) -> bool:
    match rules.normal_from:
        case "all":
            return True
        case "annotated":
            return strip_classes > 0
        case "one_class":
            return strip_classes == 1


def drop_black(verdict: Verdict, mean_grey: float, rules: LabelRules) -> Verdict:
    """Drop a window that is black, whatever its label; what was left out already stays left out for its reason.

    The paper drops "the few empty (black) images"; a black window with a label is an annotation that slipped.
    """
    if verdict.left_out is None and is_black(mean_grey, rules.black_level):
        return Verdict(verdict.label, LeftOut.BLACK)
    return verdict
