"""The hash chain over the records: what seals a record, and how a broken chain is found.

Each record's hash is taken of its content and of the hash before it (Haber and Stornetta, How to Time-Stamp a Digital
Document, 1991), so the last hash seals them all. A record that is altered, taken out, moved or put in between breaks the
chain there. Two things no chain finds by itself: that its end was cut off, and that all of it was made anew; to find
these, the last hash is to be noted elsewhere now and then.

Pure functions, of rows as the database holds them: one that was tampered with may be no verdict at all.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from severstal_xai.files import sha256

GENESIS = "0" * 64
"""What the first record follows, and the head of an empty chain."""
FORMAT = 2
"""Of the records that are written now."""
HEAT_COLUMNS = (
    ("method", "settings", "target", "map_sha256"),
    ("beside_method", "beside_settings", "beside_target", "beside_map_sha256"),
)
"""The columns of each map that can have been in sight: the one asked for, and the one beside it."""
_FIRST_FIELDS = (
    *("number", "format", "id", "at", "reader", "kind", "label", "note", "withdraws"),
    *("patch", "strip", "image_sha256", "marked_label", "mask_sha256", "blind"),
    *("weights_sha256", "predicted", "probability"),
    *HEAT_COLUMNS[0],
)
FIELDS: Mapping[int, tuple[str, ...]] = {1: _FIRST_FIELDS, 2: (*_FIRST_FIELDS, *HEAT_COLUMNS[1])}
"""What is sealed, by format, in this order: a column that comes later is in a new format, and old seals hold."""

Row = Mapping[str, object]


@dataclass(frozen=True)
class Head:
    """Where a chain ends: the number of its last record, 0 for none, and that record's hash."""

    number: int
    sha256: str


NOTHING = Head(0, GENESIS)


@dataclass(frozen=True)
class Fault:
    """Where a chain is broken: the number of the first wrong record, and what is wrong."""

    number: int
    reason: str


def canonical(row: Row) -> bytes:
    """Return a record's content as bytes: the same content, the same bytes, on every system.

    JSON in ASCII, a list in the order of `FIELDS`; numbers as Python writes them, the shortest that reads back.
    """
    content = [row[name] for name in _fields_of(row)]
    return json.dumps(content, ensure_ascii=True, separators=(",", ":"), default=repr).encode()


def _fields_of(row: Row) -> tuple[str, ...]:
    return FIELDS.get(row["format"], FIELDS[FORMAT]) if isinstance(row["format"], int) else FIELDS[FORMAT]


def seal(previous: str, row: Row) -> str:
    """Return the hash of a record that follows the one with the hash `previous`."""
    return sha256(previous.encode() + b"\n" + canonical(row))


def first_fault(rows: Iterable[Row], head: Head, noted: str | None = None) -> Fault | None:
    """Find the first record at which a chain is broken.

    Args:
        rows: All records, by number, with `previous_sha256` and `sha256`.
        head: Where the database says that the chain ends.
        noted: A head's hash that was noted elsewhere; None to compare with none.

    Returns:
        The fault; None where the chain holds.
    """
    last, found = NOTHING, noted in {None, GENESIS}
    for row in rows:
        fault = _fault_of(row, last)
        if fault:
            return fault
        last = Head(last.number + 1, str(row["sha256"]))
        found = found or last.sha256 == noted
    if last != head:
        return Fault(*_wrong_end(last, head))
    if not found:
        return Fault(
            last.number,
            f"no record up to {last.number} has the noted hash {noted}: the chain's end was cut off or the chain made anew",
        )
    return None


def _fault_of(row: Row, last: Head) -> Fault | None:
    number = last.number + 1
    if row["number"] != number:
        return Fault(number, f"record {number} is missing: record {row['number']} stands in its place")
    if row["previous_sha256"] != last.sha256:
        return Fault(number, f"record {number} does not follow the record before it")
    if row["sha256"] != seal(last.sha256, row) or any(row[name] is not None for name in _later_fields(row)):
        return Fault(number, f"record {number} was altered: its content is not what its hash was taken of")
    return None


def _later_fields(row: Row) -> tuple[str, ...]:
    """Return what a record's seal does not cover, for it is of an earlier format: there it can hold nothing."""
    return tuple(name for name in FIELDS[FORMAT] if name not in _fields_of(row))


def _wrong_end(last: Head, head: Head) -> tuple[int, str]:
    if head.number > last.number:
        return (
            last.number + 1,
            f"record {last.number + 1} is missing: the chain was noted to end at {head.number}",
        )
    if head.number < last.number:
        return (
            head.number + 1,
            f"record {head.number + 1} was put in: the chain was noted to end at {head.number}",
        )
    return last.number, f"record {last.number} is not the one that the chain was noted to end with"
