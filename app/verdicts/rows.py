"""A verdict as a row of the database, and back."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import zip_longest
from typing import Any

from app.verdicts.chain import FORMAT, HEAT_COLUMNS, Head, seal
from app.verdicts.records import Answer, Entry, Heat, Kind, Seen, Verdict, as_text
from severstal_xai.errors import InputError, about


def row_of(verdict: Verdict, last: Head) -> dict[str, Any]:
    """Return the row of the record that follows `last`, sealed.

    Numbers are made Python's own: what comes from an array would read back as another text. And no probability is
    written -0.0, which SQLite reads back as 0.0.
    """
    seen = verdict.seen
    answer = seen.answer
    row = {
        "number": last.number + 1,
        "format": FORMAT,
        "id": verdict.id,
        "at": as_text(verdict.at),
        "reader": verdict.reader,
        "kind": str(verdict.kind),
        "label": None if verdict.label is None else int(verdict.label),
        "note": verdict.note,
        "withdraws": None if verdict.withdraws is None else int(verdict.withdraws),
        "patch": seen.patch,
        "strip": seen.strip,
        "image_sha256": seen.image_sha256,
        "marked_label": int(seen.label),
        "mask_sha256": seen.mask_sha256,
        "blind": int(seen.blind),
        "weights_sha256": answer and answer.weights_sha256,
        "predicted": answer and int(answer.predicted),
        "probability": answer and float(answer.probability) + 0.0,
    } | _of_heats(seen.heats)
    return {**row, "previous_sha256": last.sha256, "sha256": seal(last.sha256, row)}


def entry_of(row: Mapping[str, Any]) -> Entry:
    """Return the verdict that a row holds.

    Raises:
        InputError: It holds none: somebody changed the database.
    """
    number = row["number"]
    with about(f"record {number} of the store of verdicts"):
        try:
            return Entry(number, _verdict(row), row["sha256"])
        except (ValueError, TypeError, AttributeError) as error:
            raise InputError(
                f"holds no verdict ({error}), expected what was written; ask `python -m app.audit verify`"
            ) from error


def _verdict(row: Mapping[str, Any]) -> Verdict:
    answer = None
    if row["weights_sha256"] is not None:
        answer = Answer(row["weights_sha256"], row["predicted"], row["probability"])
    seen = Seen(
        row["patch"],
        row["strip"],
        row["image_sha256"],
        row["marked_label"],
        row["mask_sha256"],
        answer,
        _heats(row),
        bool(row["blind"]),
    )
    return Verdict(
        Kind(row["kind"]),
        row["reader"],
        datetime.fromisoformat(row["at"]),
        seen,
        row["label"],
        row["note"],
        row["withdraws"],
        row["id"],
    )


def _of_heats(heats: Sequence[Heat]) -> dict[str, Any]:
    """Return the columns of the maps: each in its own, those of a map that there was not empty."""
    columns: dict[str, Any] = {}
    for columns_of_one, heat in zip_longest(HEAT_COLUMNS, heats):
        method, settings, target, sha256 = columns_of_one
        columns |= {
            method: heat and heat.method,
            settings: heat and _settings_as_text(heat),
            target: heat and int(heat.target),
            sha256: heat and heat.sha256,
        }
    return columns


def _heats(row: Mapping[str, Any]) -> tuple[Heat, ...]:
    """Return the maps that a row names, those of a record of before there were two, too."""
    found = []
    for method, settings, target, sha256 in HEAT_COLUMNS:
        if row[method] is not None:
            pairs = tuple((name, value) for name, value in json.loads(row[settings]))
            found.append(Heat(row[method], pairs, row[target], row[sha256]))
    return tuple(found)


def _settings_as_text(heat: Heat) -> str:
    plain = [[name, value if isinstance(value, str | int) else float(value)] for name, value in heat.settings]
    return json.dumps(plain, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
