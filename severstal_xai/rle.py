"""Kaggle's run-length encoding of masks, both ways; no other module knows it.

Pairs `start length`, separated by blanks; `start` counts pixels from 1, down the columns (column-major), from
the left column to the right; runs are sorted and do not overlap.
"""

import re

import numpy as np
from jaxtyping import Bool

from severstal_xai.errors import InputError

_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,15}")
_PAIRS = re.compile(r"\s*(?:-?[0-9]{1,15}\s+-?[0-9]{1,15}(?:\s+|$))*", re.ASCII)
_BLANKS = re.compile(r"\s+", re.ASCII)


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
    """Decode a mask of `height` x `width` pixels; it lies in memory as it is encoded, column by column.

    Raises:
        InputError: The text is not a run-length encoding of such a mask; the message says where and why.

    Example:
        >>> decode_rle("4 2 7 2", height=3, width=3).astype(int)
        array([[0, 1, 1],
               [0, 1, 1],
               [0, 0, 0]])
    """
    down_columns = np.zeros(height * width, dtype=bool)
    for start, length in _parse(text, height * width).tolist():
        down_columns[start - 1 : start - 1 + length] = True
    return down_columns.reshape(width, height).T


def check_rle(text: str, height: int, width: int) -> None:
    """Check, without building it, that the text encodes a mask of `height` x `width` pixels.

    Raises:
        InputError: As `decode_rle`.
    """
    _parse(text, height * width)


def _parse(text: str, pixels: int) -> np.ndarray:
    """Return the runs, an array of (start, length), checked."""
    if not _PAIRS.fullmatch(text):
        raise InputError(f"run-length encoding {_what_is_wrong(text)}")
    runs = np.fromstring(text, dtype=np.int64, sep=" ").reshape(-1, 2)
    _check(runs, pixels)
    return runs


def _what_is_wrong(text: str) -> str:
    words = [word for word in _BLANKS.split(text) if word]
    strange = [word for word in words if not _WHOLE_NUMBER.fullmatch(word)]
    if strange:
        return f"holds {strange[0][:40]!r}, expected whole numbers"
    return f"has {len(words)} numbers, expected pairs of start and length"


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
