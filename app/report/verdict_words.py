"""The verdicts on a patch, as a report tells of them: no more than its reader may see."""

from collections.abc import Sequence
from datetime import UTC

from app.report.record import Column, Table
from app.review.filters import KIND_WORDS
from app.verdicts.readings import Sight
from app.verdicts.records import Entry, Kind
from app.words import class_title

_SEAL = 16
"""Digits of a record's hash, which seals it: enough to find it by."""
KEPT_BACK = (
    "This patch is read twice, each time without knowing what the other said: others' verdicts are kept back until "
    "the reader has given one."
)


def in_short(sight: Sight | None) -> str:
    """Return in words what stands of the verdicts on a patch, as far as the reader may know."""
    if sight is None:
        return ""
    if sight.hidden:
        return "kept back"
    standing = [KIND_WORDS[entry.verdict.kind] for entry in _standing(sight.entries)]
    return ", ".join(dict.fromkeys(standing)) or "none"


def _standing(entries: Sequence[Entry]) -> list[Entry]:
    """Return the last verdict of each reader that was not taken back."""
    taken_back = {entry.verdict.withdraws for entry in entries}
    last = {
        entry.verdict.reader: entry
        for entry in entries
        if entry.verdict.kind != Kind.WITHDRAWN and entry.number not in taken_back
    }
    return list(last.values())


def in_full(sight: Sight | None) -> tuple[Table, ...]:
    """Return the records on a patch that the reader may see, in a table; none where there are none."""
    if sight is None or not sight.entries:
        return ()
    columns = (
        Column("Record", 0.9),
        Column("When", 1.6),
        Column("Who", 1.8),
        Column("Verdict", 2.0),
        Column("Note", 4.0),
        Column("Seal, first digits", 1.7),
    )
    return (Table(columns, tuple(map(_entry, sight.entries))),)


def _entry(entry: Entry) -> tuple[str, ...]:
    verdict = entry.verdict
    at = verdict.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    if verdict.kind == Kind.WITHDRAWN:
        said = f"takes record {verdict.withdraws} back"
    else:
        said = KIND_WORDS[verdict.kind] + (
            f": it is {class_title(verdict.label)}" if verdict.label is not None else ""
        )
    return (str(entry.number), at, verdict.reader, said, verdict.note, entry.sha256[:_SEAL])
