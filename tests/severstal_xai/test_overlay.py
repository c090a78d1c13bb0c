"""Heat, outline and image: colours by hand, the border, and places where nobody looked."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from severstal_xai.classes import CLASSES
from severstal_xai.overlay import as_rgb, blend_heat, draw_outline, heat_colours

RED = (255, 0, 0)


def luminance(colours: np.ndarray) -> np.ndarray:
    """Relative luminance of sRGB (IEC 61966-2-1 and ITU-R BT.709)."""
    parts = colours / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    weighted: np.ndarray = linear @ np.array([0.2126, 0.7152, 0.0722])
    return weighted


def outline_slowly(mask: np.ndarray) -> np.ndarray:
    """A mask's pixel is on the outline when one of its eight neighbours is off the mask or off the picture."""
    height, width = mask.shape
    outline = np.zeros_like(mask)
    for y, x in zip(*np.nonzero(mask), strict=True):
        around = [(y + down, x + right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
        outline[y, x] = any(
            not (0 <= row < height and 0 <= column < width) or not mask[row, column] for row, column in around
        )
    return outline


def test_hotter_is_lighter_all_along_the_scale() -> None:
    heat = np.linspace(0, 1, 256)[None]
    assert (np.diff(luminance(heat_colours(heat)[0])) > 0).all()


def test_values_outside_the_scale_take_its_ends() -> None:
    colours = heat_colours(np.array([[-3.0, 0.0, 1.0, 7.0, np.inf, -np.inf]]))[0].tolist()
    assert colours[0] == colours[1] == colours[5]
    assert colours[2] == colours[3] == colours[4]


def test_the_scale_is_fixed_and_not_stretched_to_the_map() -> None:
    weak, strong = heat_colours(np.array([[0.0, 0.1]])), heat_colours(np.array([[0.0, 0.1, 1.0]]))
    assert np.array_equal(weak[0, :2], strong[0, :2])


def test_float32_and_float64_maps_look_the_same() -> None:
    heat = np.random.default_rng(0).random((20, 20)).astype(np.float32)
    assert np.array_equal(heat_colours(heat), heat_colours(heat.astype(np.float64)))


def test_where_nobody_looked_the_image_shows_bare() -> None:
    grey = np.array([[10, 20, 30]], dtype=np.uint8)
    heat = np.array([[np.nan, 0.0, 1.0]])
    assert blend_heat(grey, heat, opacity=1.0).tolist() == [[[10, 10, 10], [0, 0, 4], [252, 255, 164]]]


@pytest.mark.parametrize("opacity", [0.0, 0.25, 0.5, 1.0])
def test_the_blend_is_the_weighted_mean_of_image_and_heat(opacity: float) -> None:
    chance = np.random.default_rng(0)
    grey, heat = chance.integers(0, 256, (8, 9)).astype(np.uint8), chance.random((8, 9))
    expected = (1 - opacity) * as_rgb(grey).astype(float) + opacity * heat_colours(heat)
    assert np.abs(blend_heat(grey, heat, opacity) - expected).max() <= 0.5  # rounded to the nearest


def test_without_heat_the_picture_is_the_image() -> None:
    grey = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert np.array_equal(blend_heat(grey, np.full((2, 3), np.nan), 0.7), as_rgb(grey))


def test_the_outline_of_a_square_is_its_rim() -> None:
    mask = np.zeros((7, 7), dtype=bool)
    mask[1:6, 1:6] = True
    outlined = draw_outline(np.zeros((7, 7, 3), dtype=np.uint8), mask, RED)
    rim = mask.copy()
    rim[2:5, 2:5] = False
    assert np.array_equal(outlined == RED, np.repeat(rim[:, :, None], 3, axis=2) | (np.array(RED) == 0))


def test_an_outline_is_closed_along_the_picture_s_edge() -> None:
    mask = np.ones((4, 5), dtype=bool)
    outlined = draw_outline(np.zeros((4, 5, 3), dtype=np.uint8), mask, RED)[:, :, 0] == 255
    assert outlined.tolist() == [
        [True] * 5,
        [True, *[False] * 3, True],
        [True, *[False] * 3, True],
        [True] * 5,
    ]


@settings(deadline=None, max_examples=100)
@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=8)))
def test_the_outline_is_the_mask_s_inner_boundary(mask: np.ndarray) -> None:
    picture = np.zeros((*mask.shape, 3), dtype=np.uint8)
    outlined = draw_outline(picture, mask, RED)
    assert np.array_equal(outlined[:, :, 0] == 255, outline_slowly(mask))
    assert not picture.any()  # the caller's picture is untouched


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 255))
def test_grey_as_rgb_has_three_equal_channels_and_is_a_copy(value: int) -> None:
    grey = np.full((2, 2), value, dtype=np.uint8)
    rgb = as_rgb(grey)
    rgb[:] = 0
    assert (grey == value).all()
    assert (as_rgb(grey) == value).all()


def test_each_class_stands_at_its_id_and_has_a_colour_of_its_own() -> None:
    assert [steel_class.id for steel_class in CLASSES] == [0, 1, 2, 3, 4]
    assert len({steel_class.colour for steel_class in CLASSES}) == len(CLASSES)
    assert len({steel_class.name for steel_class in CLASSES}) == len(CLASSES)
