"""The six windows: where they lie, and that nothing is lost between cutting and stitching."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from severstal_xai.strips import MARGIN, STRIP_HEIGHT, STRIP_WIDTH, cut, patch_name, stitch, windows

offsets = st.integers(0, MARGIN)


def numbered_strip() -> np.ndarray:
    """A strip whose every pixel has a value of its own; float32 holds whole numbers up to 2**24 exactly."""
    return np.arange(STRIP_HEIGHT * STRIP_WIDTH, dtype=np.float32).reshape(STRIP_HEIGHT, STRIP_WIDTH)


def test_the_windows_cover_columns_32_to_1567_once_each() -> None:
    times = np.zeros((STRIP_HEIGHT, STRIP_WIDTH), dtype=int)
    for window in windows():
        cut(times, window)[:] += 1
    assert (times[:, 32:1568] == 1).all()
    assert times[:, :32].sum() == times[:, 1568:].sum() == 0


@settings(deadline=None, max_examples=30)
@given(offsets)
def test_from_any_offset_the_windows_touch_and_stay_on_the_strip(offset: int) -> None:
    edges = [window.x for window in windows(offset)]
    assert edges == [offset + 256 * index for index in range(6)]
    assert edges[-1] + 256 <= STRIP_WIDTH


@settings(deadline=None, max_examples=15)
@given(offsets, st.sets(st.integers(0, 5)))
def test_stitching_undoes_cutting_and_marks_the_rest_as_not_looked_at(offset: int, chosen: set[int]) -> None:
    strip = numbered_strip()
    places = windows(offset)
    stitched = stitch({index: cut(strip, places[index]) for index in chosen}, offset)
    columns = np.zeros(STRIP_WIDTH, dtype=bool)
    for index in chosen:
        columns[offset + 256 * index : offset + 256 * (index + 1)] = True
    assert np.array_equal(stitched[:, columns], strip[:, columns])
    assert np.isnan(stitched[:, ~columns]).all()


def test_cutting_copies_nothing() -> None:
    strip = numbered_strip()
    assert np.shares_memory(cut(strip, windows()[2]), strip)


def test_stitching_leaves_the_maps_as_they_were() -> None:
    patch_map = np.ones((256, 256), dtype=np.float32)
    stitch({0: patch_map})[:] = 7
    assert (patch_map == 1).all()


@pytest.mark.parametrize(("strip", "index", "name"), [("a", 0, "a_0"), ("a_0", 5, "a_0_5")])
def test_a_patch_is_named_by_its_strip_and_window(strip: str, index: int, name: str) -> None:
    assert patch_name(strip, index) == name
