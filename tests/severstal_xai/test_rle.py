"""Kaggle's run-length encoding, against a slow decoder and every way to get it wrong."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from severstal_xai.errors import InputError
from severstal_xai.rle import check_rle, decode_rle, encode_rle
from severstal_xai.strips import STRIP_HEIGHT, STRIP_WIDTH

masks = arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9))


def decode_slowly(text: str, height: int, width: int) -> np.ndarray:
    """Kaggle's definition, pixel by pixel: numbered from 1, down the columns, from left to right."""
    mask = np.zeros((height, width), dtype=bool)
    numbers = [int(word) for word in text.split()]
    for start, length in zip(numbers[::2], numbers[1::2], strict=True):
        for pixel in range(start - 1, start - 1 + length):
            mask[pixel % height, pixel // height] = True
    return mask


@settings(deadline=None, max_examples=100)
@given(masks)
def test_a_mask_survives_encoding_and_decoding(mask: np.ndarray) -> None:
    assert np.array_equal(decode_rle(encode_rle(mask), *mask.shape), mask)


@settings(deadline=None, max_examples=100)
@given(masks)
def test_decoding_does_what_kaggle_defines(mask: np.ndarray) -> None:
    text = encode_rle(mask)
    assert np.array_equal(decode_rle(text, *mask.shape), decode_slowly(text, *mask.shape))


@settings(deadline=None, max_examples=100)
@given(masks)
def test_encoded_runs_are_as_few_as_can_be_and_sorted(mask: np.ndarray) -> None:
    numbers = [int(word) for word in encode_rle(mask).split()]
    starts, lengths = np.array(numbers[::2], dtype=int), np.array(numbers[1::2], dtype=int)
    assert (lengths > 0).all()
    assert (starts[1:] > (starts + lengths)[:-1]).all()  # a gap of a pixel at least: else they were one run
    assert lengths.sum() == mask.sum()


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(1, 60), st.integers(1, 9)), max_size=6))
def test_any_pairs_are_decoded_by_definition_or_refused(pairs: list[tuple[int, int]]) -> None:
    height, width = 7, 8
    text = " ".join(f"{start} {length}" for start, length in pairs)
    ends = [start + length - 1 for start, length in pairs]
    allowed = all(end <= height * width for end in ends) and all(
        later[0] > end for later, end in zip(pairs[1:], ends, strict=False)
    )
    if allowed:
        assert np.array_equal(decode_rle(text, height, width), decode_slowly(text, height, width))
    else:
        with pytest.raises(InputError):
            decode_rle(text, height, width)


def test_a_wide_mask_is_read_down_its_columns() -> None:
    mask = np.zeros((STRIP_HEIGHT, STRIP_WIDTH), dtype=bool)
    mask[10, 3] = True
    assert encode_rle(mask) == f"{3 * STRIP_HEIGHT + 10 + 1} 1"


def test_the_last_pixel_belongs_to_the_strip_and_the_next_one_does_not() -> None:
    pixels = STRIP_HEIGHT * STRIP_WIDTH
    assert decode_rle(f"{pixels} 1", STRIP_HEIGHT, STRIP_WIDTH)[-1, -1]
    with pytest.raises(InputError, match=f"run 1, '{pixels} 2', runs past the last pixel, {pixels}"):
        check_rle(f"{pixels} 2", STRIP_HEIGHT, STRIP_WIDTH)


def test_runs_that_touch_are_no_overlap() -> None:
    assert decode_rle("1 2 3 2", 2, 3).T.ravel().tolist() == [True] * 4 + [False] * 2


def test_the_empty_text_is_the_empty_mask() -> None:
    assert not decode_rle("", 3, 3).any()
    assert encode_rle(np.zeros((3, 3), dtype=bool)) == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1", "has 1 numbers, expected pairs"),
        ("1 2 3", "has 3 numbers, expected pairs"),
        ("0 1", "run 1, '0 1', starts before pixel 1"),
        ("-4 1", "run 1, '-4 1', starts before pixel 1"),
        ("1 0", "run 1, '1 0', has no length"),
        ("1 -2", "run 1, '1 -2', has no length"),
        ("10 1", "run 1, '10 1', runs past the last pixel, 9"),
        ("9 2", "run 1, '9 2', runs past the last pixel, 9"),
        ("1 2 2 1", "run 2, '2 1', starts before the end of the run before it"),
        ("5 1 1 1", "run 2, '1 1', starts before the end of the run before it"),
        ("1 1 1 1", "run 2, '1 1', starts before the end of the run before it"),
        ("a 1", "holds 'a', expected whole numbers"),
        ("1.0 1", "holds '1.0', expected whole numbers"),
        ("1e1 1", "holds '1e1', expected whole numbers"),
        ("+1 1", "holds '\\+1', expected whole numbers"),
        ("1,1", "holds '1,1', expected whole numbers"),
        ("nan 1", "holds 'nan', expected whole numbers"),
        ("١ 1", "holds '١', expected whole numbers"),  # noqa: RUF001 -- a digit to Python, not to Kaggle
        ("9223372036854775807 9223372036854775807", "expected whole numbers"),
        ("999999999999999 999999999999999", "runs past the last pixel, 9"),
    ],
)
def test_what_is_no_encoding_is_refused_with_its_place_and_reason(text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        decode_rle(text, 3, 3)
    with pytest.raises(InputError, match=reason):
        check_rle(text, 3, 3)


def test_a_refused_word_is_shortened() -> None:
    with pytest.raises(InputError) as caught:
        check_rle("x" * 10_000 + " 1", 3, 3)
    assert len(str(caught.value)) < 200
