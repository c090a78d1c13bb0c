"""`train.csv`, checked line by line; what is wrong with a row costs its strip, and is listed."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath

from data_prep.rejects import Reject, reject
from severstal_xai.annotation_file import (
    ANNOTATIONS,
    NEW_COLUMNS,
    OLD_COLUMNS,
    cells_of,
    check_row,
    columns_of,
    is_old_form,
    lines_of,
    row_of,
)
from severstal_xai.errors import InputError


@dataclass(frozen=True)
class Annotations:
    """What is known of the strips' defects.

    Args:
        masks: By strip's file name: the run-length encoded mask of each class, by class. A strip that is not
            there is free of defects.
        doubtful: Strips with a row that was rejected: nobody knows what they show, so they are not used.
        rejects: The rows that were not used.
    """

    masks: Mapping[str, Mapping[int, str]]
    doubtful: frozenset[str]
    rejects: tuple[Reject, ...]


def read_annotations(content: bytes, images: Collection[str]) -> Annotations:
    """Read `train.csv`.

    Args:
        content: The file's bytes: UTF-8, with or without a byte order mark, lines ended in any way. Bytes that
            are no text spoil their own cell alone.
        images: The strips' file names that there are.

    Raises:
        InputError: The file is empty, or its header names neither form's columns: then no strip's
            truth is known.
    """
    masks: dict[str, dict[int, str]] = {}
    seen: set[tuple[str, int]] = set()
    doubtful: set[str] = set()
    rejects: list[Reject] = []
    lines = _lines(content.decode("utf-8-sig", errors="replace"))
    columns = columns_of(next(lines, (1, ""))[1])
    finder = _finder(columns, images)
    for number, line in lines:
        try:
            row = row_of(columns, cells_of(line))
            label = check_row(row, images, seen)
        except InputError as error:
            rejects.append(reject(ANNOTATIONS, number, line, error))
            doubtful.update(finder.strips_in(line))
        else:
            seen.add((row.image, label))
            if row.runs:
                masks.setdefault(row.image, {})[label] = row.runs
    return Annotations(masks, frozenset(doubtful), tuple(rejects))


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of each line that is not blank."""
    for number, (line, _) in enumerate(lines_of(text), start=1):
        if line.strip():
            yield number, line


@dataclass(frozen=True)
class _Finder:
    """Finds the strips that a rejected line may have been about, whatever is wrong with it.

    Rather one too many: a strip whose truth is unknown must not pass for sound. A name counts in any cell; in
    the cell that should hold it also without its ending, or with another one, or behind a folder.
    """

    columns: list[str]
    by_name: Mapping[str, str]
    by_stem: Mapping[str, str]

    def strips_in(self, line: str) -> set[str]:
        old_form = is_old_form(self.columns)
        where = self.columns.index(OLD_COLUMNS[0] if old_form else NEW_COLUMNS[0])
        found = set()
        for place, cell in _cells_at_any_rate(line):
            name = PureWindowsPath(cell.strip(" \"'")).name.casefold()  # which takes off `/`, `\` and `C:`
            name = name.rpartition("_")[0] if old_form else name
            found.add(self.by_name.get(name))
            if place == where:
                found.add(self.by_stem.get(PurePosixPath(name).stem))
        return {strip for strip in found if strip}


def _finder(columns: list[str], images: Collection[str]) -> _Finder:
    by_stem = {PurePosixPath(name).stem.casefold(): name for name in images}
    return _Finder(columns, {name.casefold(): name for name in images}, by_stem)


def _cells_at_any_rate(line: str) -> Iterator[tuple[int, str]]:
    """Yield the cells with their places, as CSV and as if there were no quotes."""
    yield from enumerate(line.split(","))
    with suppress(InputError):
        yield from enumerate(cells_of(line))
