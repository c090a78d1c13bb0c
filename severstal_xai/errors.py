"""The one exception of our own, and the check of a number that a user set."""

import math
from collections.abc import Iterator
from contextlib import contextmanager


class InputError(Exception):
    """A file or a setting that the user gave is wrong.

    The message names the thing, the value and what was expected, in one line; a command prints it and ends
    with exit status 1. Any other exception is a bug of ours and keeps its traceback.
    """


def check_range(
    name: str,
    value: int | float,
    least: int | float,
    most: int | float = math.inf,
    *,
    above: bool = False,
    below: bool = False,
) -> None:
    """Refuse a number out of its range; NaN is out of every range.

    Args:
        name: The setting, as the user writes it.
        value: What the user gave.
        least: The least value that is allowed; with `above`, only what is more.
        most: The largest value that is allowed; with `below`, only what is less.
        above: Whether `least` itself is refused.
        below: Whether `most` itself is refused.

    Raises:
        InputError: The value is out of the range.

    Example:
        >>> check_range("split.train_share", 1, 0, 1, below=True)
        Traceback (most recent call last):
            ...
        severstal_xai.errors.InputError: split.train_share 1, expected 0 or more, below 1
    """
    holds = (least < value if above else least <= value) and (value < most if below else value <= most)
    if not holds:
        low = f"above {least}" if above else f"{least} or more"
        high = "" if most == math.inf else f", below {most}" if below else f", at most {most}"
        raise InputError(f"{name} {value}, expected {low}{high}")


@contextmanager
def about(thing: object) -> Iterator[None]:
    """Put what an `InputError` is about before its message.

    Example:
        >>> with about("train.csv, line 3"):
        ...     raise InputError("class 7, expected 1 to 4")
        Traceback (most recent call last):
            ...
        severstal_xai.errors.InputError: train.csv, line 3: class 7, expected 1 to 4
    """
    try:
        yield
    except InputError as error:
        raise InputError(f"{thing}: {error}") from error
