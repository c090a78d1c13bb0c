"""The rules of the recast, window by window, against a slow copy of method and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.patches import LeftOut, Verdict, count_defect_pixels, drop_black, judge
from data_prep.settings import LabelRules, NormalFrom, SeveralClasses
from severstal_xai.strips import windows


def rules(
    least: int = 1, several: SeveralClasses = "leave_out_strip", normal_from: NormalFrom = "annotated"
) -> LabelRules:
    return LabelRules(least, several, normal_from, black_level=0.5)


def test_pixels_are_counted_in_their_own_window_alone() -> None:
    mask = np.zeros((256, 1600), dtype=bool)
    mask[0, 31], mask[0, 32], mask[255, 287], mask[5, 288], mask[5, 1567], mask[5, 1568] = (True,) * 6
    counts = count_defect_pixels({2: mask}, windows())
    assert counts == [{2: 2}, {2: 1}, {2: 0}, {2: 0}, {2: 0}, {2: 1}]


@pytest.mark.parametrize(
    ("pixels", "strip_classes", "chosen", "verdict"),
    [
        ({3: 1}, 1, rules(), Verdict(3)),
        ({}, 1, rules(), Verdict(0)),
        ({3: 0}, 1, rules(), Verdict(0)),
        ({3: 5, 1: 0}, 2, rules(), Verdict(3, LeftOut.SEVERAL_CLASSES)),
        ({3: 5, 1: 7}, 2, rules(), Verdict(1, LeftOut.SEVERAL_CLASSES)),
        ({3: 0, 1: 0}, 2, rules(), Verdict(0)),
        ({3: 5, 1: 0}, 2, rules(several="leave_out_patch"), Verdict(3)),
        ({3: 5, 1: 7}, 2, rules(several="leave_out_patch"), Verdict(1, LeftOut.SEVERAL_CLASSES)),
        ({3: 4}, 1, rules(least=5), Verdict(3, LeftOut.FEW_DEFECT_PIXELS)),
        ({3: 5}, 1, rules(least=5), Verdict(3)),
        ({}, 0, rules(), Verdict(0, LeftOut.NOT_ASKED_FOR)),
        ({}, 0, rules(normal_from="all"), Verdict(0)),
        ({3: 0, 1: 0}, 2, rules(normal_from="one_class"), Verdict(0, LeftOut.NOT_ASKED_FOR)),
        ({3: 0}, 1, rules(normal_from="one_class"), Verdict(0)),
    ],
)
def test_a_window_is_judged_by_the_rules(
    pixels: dict[int, int], strip_classes: int, chosen: LabelRules, verdict: Verdict
) -> None:
    assert judge(pixels, strip_classes, chosen) == verdict


@settings(deadline=None, max_examples=100)
@given(st.dictionaries(st.integers(1, 4), st.integers(0, 5), min_size=1))
def test_by_the_paper_s_rules_a_pixel_is_a_defect_and_a_second_class_on_the_strip_too_much(
    pixels: dict[int, int],
) -> None:
    verdict = judge(pixels, len(pixels), rules())
    shows_one = any(count > 0 for count in pixels.values())
    assert (verdict.label > 0) == shows_one
    assert (verdict.left_out is None) == (not shows_one or len(pixels) == 1)


@pytest.mark.parametrize(("mean", "dropped"), [(0.0, True), (0.49999, True), (0.5, False), (255.0, False)])
def test_a_window_below_the_black_level_is_dropped(mean: float, dropped: bool) -> None:
    assert (drop_black(Verdict(3), mean, rules()).left_out == LeftOut.BLACK) == dropped


def test_what_was_left_out_keeps_its_first_reason() -> None:
    verdict = Verdict(3, LeftOut.SEVERAL_CLASSES)
    assert drop_black(verdict, 0.0, rules()) == verdict
