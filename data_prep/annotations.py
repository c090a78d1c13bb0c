"""`train.csv`, checked line by line.

Two forms are known: `ImageId,ClassId,EncodedPixels`, a row for each defect class of a strip; and the older
`ImageId_ClassId,EncodedPixels`, a row for each strip and class, empty where there is no such defect.
"""

import csv
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath

from data_prep.rejects import Reject, reject
from data_prep.source import ANNOTATIONS
from severstal_xai.classes import DEFECTS
from severstal_xai.errors import InputError, about
from severstal_xai.files import check_name
from severstal_xai.rle import check_rle
from severstal_xai.strips import STRIP_HEIGHT, STRIP_WIDTH

NEW_COLUMNS = ("ImageId", "ClassId", "EncodedPixels")
OLD_COLUMNS = ("ImageId_ClassId", "EncodedPixels")
_LINE_END = re.compile(r"\r\n|\n|\r")


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


@dataclass(frozen=True)
class _Row:
    image: str
    label: str
    runs: str
    may_be_empty: bool


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
    columns = _columns(next(lines, (1, ""))[1])
    finder = _finder(columns, images)
    for number, line in lines:
        try:
            row = _row(columns, _cells(line))
            label = _check_row(row, images, seen)
        except InputError as error:
            rejects.append(reject(ANNOTATIONS, number, line, error))
            doubtful.update(finder.strips_in(line))
        else:
            seen.add((row.image, label))
            if row.runs:
                masks.setdefault(row.image, {})[label] = row.runs
    return Annotations(masks, frozenset(doubtful), tuple(rejects))


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of each line that is not blank.

    No cell of ours holds a line break, so each line is read for itself: a quote that is never closed costs its
    own line, and not all those after it.
    """
    for number, line in enumerate(_LINE_END.split(text), start=1):
        if line.strip():
            yield number, line


def _cells(line: str) -> list[str]:
    limit = csv.field_size_limit(len(line))  # by default less than a mask of many small runs takes
    try:
        return [cell.strip() for cell in next(csv.reader([line], strict=True))]
    except csv.Error as error:
        raise InputError(f"not a line of CSV ({error})") from error
    finally:
        csv.field_size_limit(limit)


def _columns(header: str) -> list[str]:
    """Return the names of the columns, which must be those of one form; others beside them do no harm."""
    if not header:
        raise InputError(f"{ANNOTATIONS}: empty, expected the columns {', '.join(NEW_COLUMNS)}")
    with about(f"{ANNOTATIONS}, line 1"):
        names = _cells(header)
    expected = OLD_COLUMNS if OLD_COLUMNS[0] in names else NEW_COLUMNS
    for column in expected:
        if names.count(column) != 1:
            raise InputError(
                f"{ANNOTATIONS}: column {column} is there {names.count(column)} times in {','.join(names)[:200]!r}, expected once"
            )
    return names


def _row(columns: list[str], cells: list[str]) -> _Row:
    if len(cells) != len(columns):
        raise InputError(f"{len(cells)} cells, expected {len(columns)}, one a column")
    named = dict(zip(columns, cells, strict=True))
    if OLD_COLUMNS[0] in named:
        image, _, label = named[OLD_COLUMNS[0]].rpartition("_")
        return _Row(image, label, named["EncodedPixels"], may_be_empty=True)
    return _Row(named["ImageId"], named["ClassId"], named["EncodedPixels"], may_be_empty=False)


def _check_row(row: _Row, images: Collection[str], seen: Collection[tuple[str, int]]) -> int:
    """Return the row's class; InputError where anything in it cannot be true."""
    check_name(row.image)
    if row.image not in images:
        raise InputError(f"strip {row.image!r} has no usable file in train_images/, expected one")
    label = next((defect.id for defect in DEFECTS if str(defect.id) == row.label), None)
    if label is None:
        raise InputError(f"class {row.label!r}, expected {DEFECTS[0].id} to {DEFECTS[-1].id}")
    if (row.image, label) in seen:
        raise InputError(f"strip {row.image!r} and class {label} came before, expected one row for both")
    if not row.runs and not row.may_be_empty:
        raise InputError("EncodedPixels is empty, expected runs: this form of the file lists defects only")
    check_rle(row.runs, STRIP_HEIGHT, STRIP_WIDTH)
    return label


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
        old_form = OLD_COLUMNS[0] in self.columns
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
        yield from enumerate(_cells(line))
