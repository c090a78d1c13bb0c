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


def part_columns(text: str, left: int, right: int, height: int, width: int) -> tuple[str, str]:
    """Part an encoding into what lies in the columns `left` to `right` - 1 and what lies outside.

    A run that crosses their edge is cut there; every other one stays as it is.

    Raises:
        InputError: As `decode_rle`.

    Example: a run of four pixels, down the first two columns of a mask of 2 x 3; the second is parted from it.
        >>> part_columns("1 4", left=1, right=2, height=2, width=3)
        ('3 2', '1 2')
    """
    pixels = height * width
    runs = _parse(text, pixels)
    first, end = left * height + 1, right * height + 1
    outside = np.concatenate([_clip(runs, 1, first), _clip(runs, end, pixels + 1)])
    return _as_text(_clip(runs, first, end)), _as_text(outside)


def join_rle(one: str, other: str, height: int, width: int) -> str:
    """Join two encodings that have no pixel in common; every run stays as it is.

    Raises:
        InputError: As `decode_rle`; or they have a pixel in common.

    Example:
        >>> join_rle("7 2", "1 2", height=3, width=3)
        '1 2 7 2'
    """
    runs = np.concatenate([_parse(one, height * width), _parse(other, height * width)])
    runs = runs[np.argsort(runs[:, 0], kind="stable")]
    _check(runs, height * width)
    return _as_text(runs)


def _clip(runs: np.ndarray, first: int, end: int) -> np.ndarray:
    """Return what of the runs lies in the pixels `first` to `end` - 1."""
    starts, ends = np.maximum(runs[:, 0], first), np.minimum(runs.sum(axis=1), end)
    clipped: np.ndarray = np.stack([starts, ends - starts], axis=1)[starts < ends]
    return clipped


def _as_text(runs: np.ndarray) -> str:
    return " ".join(map(str, runs.ravel().tolist()))


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
