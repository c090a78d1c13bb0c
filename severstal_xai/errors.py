"""The one exception of our own."""

from collections.abc import Iterator
from contextlib import contextmanager


class InputError(Exception):
    """A file or a setting that the user gave is wrong.

    The message names the thing, the value and what was expected, in one line; a command prints it and ends
    with exit status 1. Any other exception is a bug of ours and keeps its traceback.
    """


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
