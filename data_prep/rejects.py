"""What the user gave and we could not use: a list, never a silent guess."""

import csv
import io
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from severstal_xai.errors import InputError
from severstal_xai.files import write_text

REJECTED_FILE = "rejected.csv"
_LONGEST_VALUE = 80
_LONGEST_REASON = 300


@dataclass(frozen=True, order=True)
class Reject:
    """One thing that was not used.

    Args:
        file: The file, as it is called in the source.
        line: Its line, from 1; 0 where the file as a whole is meant.
        value: What was found there, shortened.
        reason: What is wrong, and what was expected.
    """

    file: str
    line: int
    value: str
    reason: str


def reject(file: str, line: int, value: object, reason: object) -> Reject:
    """Note a reject, as text that can be written down; a long value or reason is shortened."""
    return Reject(
        _writable(file),
        line,
        _shorten(_writable(str(value)), _LONGEST_VALUE),
        _shorten(_writable(str(reason)), _LONGEST_REASON),
    )


def _shorten(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 3] + "..."


def _writable(text: str) -> str:
    """Spell out what is no Unicode: bytes of a file name that its system could not read."""
    return text.encode(errors="backslashreplace").decode()


def write_rejects(folder: Path, rejects: Iterable[Reject]) -> None:
    """Write `rejected.csv`, sorted; only its header where nothing was rejected."""
    write_text(
        folder / REJECTED_FILE,
        to_csv([field.name for field in fields(Reject)], map(astuple, sorted(rejects))),
    )


def to_csv(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a table as CSV."""
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return content.getvalue()


def holds_rejects(path: Path) -> bool:
    """Tell whether a file is such a list, by its first line."""
    header = to_csv([field.name for field in fields(Reject)], []).encode()
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(len(header)) == header


def count_rejects(folder: Path) -> int:
    """Return how many rejects a data folder's `rejected.csv` lists.

    Raises:
        InputError: There is no such file.
    """
    path = folder / REJECTED_FILE
    if not path.is_file():
        raise InputError(f"{path}: no such file, expected the list that was written with the manifest")
    with path.open(encoding="utf-8", newline="") as stream:
        return sum(1 for _ in csv.reader(stream)) - 1
