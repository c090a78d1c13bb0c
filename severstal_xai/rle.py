"""Kaggle's run-length encoding of masks, both ways; no other module knows it.

Pairs `start length`, separated by blanks; `start` counts pixels from 1, down the columns (column-major), from
the left column to the right; runs are sorted and do not overlap.
"""

import re

import numpy as np
from jaxtyping import Bool

from severstal_xai.errors import InputError

_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,15}")


def encode_rle(mask: Bool[np.ndarray, "height width"]) -> str:
    """Encode a mask; the empty mask is the empty string.

    Example: a square of 2 x 2 pixels at the upper right of a mask of 3 x 3.
        >>> encode_rle(np.array([[0, 1, 1], [0, 1, 1], [0, 0, 0]], dtype=bool))
        '4 2 7 2'
    """
    down_columns = np.concatenate([[False], mask.ravel(order="F"), [False]])
    changes = np.flatnonzero(down_columns[1:] != down_columns[:-1]) + 1
    starts, ends = changes[::2], changes[1::2]
    return " ".join(f"{start} {end - start}" for start, end in zip(starts, ends, strict=True))


def decode_rle(text: str, height: int, width: int) -> Bool[np.ndarray, "height width"]:
    """Decode a mask of `height` x `width` pixels.

    Raises:
        InputError: The text is not a run-length encoding of such a mask; the message says where and why.

    Example:
        >>> decode_rle("4 2 7 2", height=3, width=3).astype(int)
        array([[0, 1, 1],
               [0, 1, 1],
               [0, 0, 0]])
    """
    runs = _parse(text, height * width)
    # +1 where a run begins, -1 where it ends: the running sum is 1 inside runs, without a loop over them.
    steps = np.zeros(height * width + 1, dtype=np.int8)
    steps[runs[:, 0] - 1] += 1
    steps[runs[:, 0] - 1 + runs[:, 1]] -= 1
    down_columns = np.cumsum(steps[:-1], dtype=np.int8).astype(bool)
    return np.ascontiguousarray(down_columns.reshape(width, height).T)


def check_rle(text: str, height: int, width: int) -> None:
    """Check, without building it, that the text encodes a mask of `height` x `width` pixels.

    Raises:
        InputError: As `decode_rle`.
    """
    _parse(text, height * width)


def _parse(text: str, pixels: int) -> np.ndarray:
    """Return the runs, an array of (start, length), checked."""
    words = text.split()
    if len(words) % 2:
        raise InputError(f"run-length encoding has {len(words)} numbers, expected pairs of start and length")
    for word in words:
        if not _WHOLE_NUMBER.fullmatch(word):
            raise InputError(f"run-length encoding holds {word[:40]!r}, expected whole numbers")
    runs = np.array(words, dtype=np.int64).reshape(-1, 2)
    _check(runs, pixels)
    return runs


def _check(runs: np.ndarray, pixels: int) -> None:
    starts, lengths = runs[:, 0], runs[:, 1]
    ends = starts + lengths - 1
    for wrong, what in (
        (starts < 1, "starts before pixel 1"),
        (lengths < 1, "has no length"),
        (ends > pixels, f"runs past the last pixel, {pixels}"),
        (np.concatenate([[False], starts[1:] <= ends[:-1]]), "starts before the end of the run before it"),
    ):
        if wrong.any():
            at = int(np.argmax(wrong))
            raise InputError(f"run {at + 1}, '{starts[at]} {lengths[at]}', {what}")
