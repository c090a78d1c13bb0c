"""What is done to the review queue, move by move, and which patches must be in sight after each."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from app.review import filters
from app.review.query import Query, Sort
from app.review.rows import known_of, narrowed, with_verdicts
from severstal_xai.checkpoint import Checkpoint
from severstal_xai.errors import InputError
from severstal_xai.manifest import Manifest
from severstal_xai.predictions import PREDICTIONS_FILE, read_predictions

ALL = Query(split=None)
BY_MARGIN = replace(ALL, sort=Sort.MARGIN)
FROM_THE_END = replace(ALL, sort=Sort.NAME, reverse=True)
SHEET = 24
"""Pictures on a sheet."""
_TABLE, _ROW = 618, 35
"""Pixels of the table, its head as high as a row, and of a row."""
IN_SIGHT = _TABLE // _ROW - 2
"""Rows of the table that are seen whole, be there room for one less."""
_WHEEL = 2000
"""Pixels that the wheel is turned by, at most: three tables' height."""
_TENTHS = 4
"""The least margin is raised by so many tenths, one after the other, and lowered again."""


@dataclass(frozen=True)
class Move:
    """What is done to the queue.

    Args:
        choice: What is chosen, typed or pressed.
        query: What the queue is narrowed to by then.
    """

    choice: str
    query: Query


@dataclass(frozen=True)
class Step:
    """A move, and what it must lead to.

    Args:
        choice: The move's.
        heading: What stands over the queue.
        new: The patches that are in sight by then and were not before; a step that brings none is no proof that anything was drawn.
    """

    choice: str
    heading: str
    new: tuple[str, ...]


def known_to(manifest: Manifest, run: Path, checkpoint: Checkpoint) -> pd.DataFrame:
    """Return what the inspector knows of each patch before anybody judged one.

    Raises:
        InputError: The run has no answers: there is nothing to narrow by.
    """
    answers = read_predictions(run / PREDICTIONS_FILE, checkpoint.card.weights_sha256)
    known = known_of(manifest, answers, {}, None)
    return with_verdicts(known, pd.Series(dtype=str))


def by_choice(known: pd.DataFrame, field: str) -> list[Move]:
    """Return the moves through the choices of a filter that hold any patch, all patches last."""
    _, words = filters.choices(field)
    there = set(known[field])
    values = [*(value for value in words if value in there), None]
    return [Move(words[value], replace(ALL, **{field: value})) for value in values]


def by_margin() -> list[Move]:
    """Return the moves that raise the least margin, and lower it again, by a tenth each."""
    tenths = [*range(1, _TENTHS + 1), *range(_TENTHS - 1, -1, -1)]
    keys = ["PageUp"] * _TENTHS + ["PageDown"] * _TENTHS
    return [
        Move(key, replace(BY_MARGIN, margin_low=tenth / 10)) for key, tenth in zip(keys, tenths, strict=True)
    ]


def by_name(known: pd.DataFrame, count: int) -> list[Move]:
    """Return the moves that look for so many names of strips, spread over the data."""
    strips = known["strip"].drop_duplicates().tolist()
    every = max(1, len(strips) // count)
    return [Move(name, replace(ALL, text=name)) for name in strips[::every][:count]]


def steps(known: pd.DataFrame, moves: Sequence[Move], start: Query, seen: int, clicks: int) -> list[Step]:
    """Go round through moves until so many have brought something new into sight; return all of them, those that did not, too.

    Args:
        known: What `known_to` gives.
        moves: The last of them may lead to where the first came from.
        start: What the queue is narrowed to at first.
        seen: How many patches are in sight.
        clicks: How many are to be timed.

    Raises:
        InputError: A whole round of moves brings nothing new.
    """
    shown = [(move.choice, narrowed(known, move.query)) for move in moves]
    before = narrowed(known, start).index[:seen]
    found: list[Step] = []
    timed = in_vain = 0
    for choice, rows in itertools.cycle(shown):
        now = rows.index[:seen]
        new = tuple(str(name) for name in now.difference(before, sort=False))
        found.append(Step(choice, heading(len(rows), len(known)), new))
        before, timed, in_vain = now, timed + bool(new), 0 if new else in_vain + 1
        if timed == clicks or in_vain == len(shown):
            break
    if timed < clicks:
        words = ", ".join(move.choice for move in moves)
        raise InputError(
            f"{len(known)} patches: none of {words} brings others into sight, expected more --rows, or a run whose answers differ more"
        )
    return found


def heading(shown: int, known: int) -> str:
    """Return what stands over the queue.

    Example:
        >>> heading(1234, 11505), heading(1, 5), heading(5, 5)
        ('1,234 patches of 11,505', '1 patch of 5', 'All 5 patches')
    """
    patches = "1 patch" if shown == 1 else f"{shown:,} patches"
    return f"All {patches}" if shown == known else f"{patches} of {known:,}"


def sheets(known: pd.DataFrame, clicks: int) -> list[Step]:
    """Return the steps that turn so many sheets of pictures, from the end of the data on: nobody saw them before.

    Raises:
        InputError: There are too few.
    """
    names = [str(name) for name in narrowed(known, FROM_THE_END).index]
    if len(names) <= clicks * SHEET:
        raise InputError(f"{len(names)} patches, expected more than {clicks * SHEET} to turn {clicks} sheets")
    above = heading(len(names), len(known))
    turned = (tuple(names[turn * SHEET : (turn + 1) * SHEET]) for turn in range(1, clicks + 1))
    return [Step("Next page", above, sheet) for sheet in turned]


def wheel_turns(rows: int, clicks: int) -> Iterator[tuple[int, int]]:
    """Yield by how many pixels the wheel is turned, and the place of the last row that must be seen whole after each turn.

    Raises:
        InputError: There are too few rows: a turn would bring none.

    Example: 2,000 pixels are 57 rows.
        >>> list(wheel_turns(11505, 2))
        [(2000, 72), (2000, 129)]
    """
    pixels = min(_WHEEL, ((rows + 1) * _ROW - _TABLE) // clicks)
    if pixels < 2 * _ROW:
        raise InputError(
            f"{rows} rows, expected at least {_TABLE // _ROW + 2 * clicks} to scroll {clicks} times"
        )
    for turn in range(1, clicks + 1):
        yield pixels, (turn * pixels + _TABLE) // _ROW - 2
