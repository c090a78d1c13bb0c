"""`train.csv`, line by line: what data preparation reads and the inspector corrects.

Two forms are known: `ImageId,ClassId,EncodedPixels`, a row for each defect class of a strip; and the older
`ImageId_ClassId,EncodedPixels`, a row for each strip and class, empty where there is no such defect.
"""

import csv
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from severstal_xai.classes import DEFECTS
from severstal_xai.errors import InputError, about
from severstal_xai.files import check_name
from severstal_xai.rle import check_rle
from severstal_xai.strips import STRIP_HEIGHT, STRIP_WIDTH

ANNOTATIONS = "train.csv"
NEW_COLUMNS = ("ImageId", "ClassId", "EncodedPixels")
OLD_COLUMNS = ("ImageId_ClassId", "EncodedPixels")
RUNS_COLUMN = "EncodedPixels"
_LINE = re.compile(r"([^\r\n]*)(\r\n|\n|\r|\Z)")


@dataclass(frozen=True)
class Row:
    """A line's cells, as they are.

    Args:
        image: The strip's file name.
        label: The class, as it is written.
        runs: The run-length encoded mask.
        may_be_empty: Whether the file's form has rows without a defect.
    """

    image: str
    label: str
    runs: str
    may_be_empty: bool


def lines_of(text: str) -> Iterator[tuple[str, str]]:
    r"""Yield each line and what ends it; together they are the text.

    No cell of ours holds a line break, so each line is read for itself: a quote that is never closed costs its
    own line, and not all those after it.

    Example:
        >>> list(lines_of("a\r\nb"))
        [('a', '\r\n'), ('b', '')]
    """
    for found in _LINE.finditer(text):
        if found[0]:
            yield found[1], found[2]


def cells_of(line: str) -> list[str]:
    """Return a line's cells, without blanks around them.

    Raises:
        InputError: It is no line of CSV.
    """
    limit = csv.field_size_limit(len(line))  # by default less than a mask of many small runs takes
    try:
        return [cell.strip() for cell in next(csv.reader([line], strict=True))]
    except csv.Error as error:
        raise InputError(f"not a line of CSV ({error})") from error
    finally:
        csv.field_size_limit(limit)


def columns_of(header: str) -> list[str]:
    """Return the names of the columns, which must be those of one form; others beside them do no harm.

    Raises:
        InputError: They are not.
    """
    if not header:
        raise InputError(f"{ANNOTATIONS}: empty, expected the columns {', '.join(NEW_COLUMNS)}")
    with about(f"{ANNOTATIONS}, line 1"):
        names = cells_of(header)
    expected = OLD_COLUMNS if is_old_form(names) else NEW_COLUMNS
    for column in expected:
        if names.count(column) != 1:
            raise InputError(
                f"{ANNOTATIONS}: column {column} is there {names.count(column)} times in {','.join(names)[:200]!r}, expected once"
            )
    return names


def is_old_form(columns: Collection[str]) -> bool:
    """Tell whether the columns are those of the older form."""
    return OLD_COLUMNS[0] in columns


def row_of(columns: list[str], cells: list[str]) -> Row:
    """Return a line's cells by what they are.

    Raises:
        InputError: There are not as many as columns.
    """
    if len(cells) != len(columns):
        raise InputError(f"{len(cells)} cells, expected {len(columns)}, one a column")
    named = dict(zip(columns, cells, strict=True))
    if is_old_form(columns):
        image, _, label = named[OLD_COLUMNS[0]].rpartition("_")
        return Row(image, label, named[RUNS_COLUMN], may_be_empty=True)
    return Row(named["ImageId"], named["ClassId"], named[RUNS_COLUMN], may_be_empty=False)


def check_row(row: Row, images: Collection[str], seen: Collection[tuple[str, int]]) -> int:
    """Return the row's class.

    Args:
        row: The row.
        images: The strips' file names that there are.
        seen: The strips and classes of the rows before it.

    Raises:
        InputError: Anything in the row cannot be true.
    """
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
