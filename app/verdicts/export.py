"""All records as CSV, for spreadsheets, and as parquet, for programs."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from app.verdicts.chain import NOTHING
from app.verdicts.records import Entry
from app.verdicts.rows import row_of
from severstal_xai.files import sync, whole_file

CSV_FILE = "verdicts.csv"
SCHEMA = pa.schema(
    [
        ("number", pa.int64()),
        ("at", pa.timestamp("us", tz="UTC")),
        ("reader", pa.string()),
        ("kind", pa.string()),
        ("label", pa.int64()),
        ("note", pa.string()),
        ("withdraws", pa.int64()),
        ("current", pa.bool_()),
        ("patch", pa.string()),
        ("strip", pa.string()),
        ("image_sha256", pa.string()),
        ("marked_label", pa.int64()),
        ("mask_sha256", pa.string()),
        ("blind", pa.bool_()),
        ("weights_sha256", pa.string()),
        ("predicted", pa.int64()),
        ("probability", pa.float64()),
        ("method", pa.string()),
        ("settings", pa.string()),
        ("target", pa.int64()),
        ("map_sha256", pa.string()),
        ("beside_method", pa.string()),
        ("beside_settings", pa.string()),
        ("beside_target", pa.int64()),
        ("beside_map_sha256", pa.string()),
        ("id", pa.string()),
        ("sha256", pa.string()),
    ]
)
"""`current`: whether it is what its reader holds of the patch now."""
_BEGINS_A_FORMULA = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001 (the wide signs of East Asian keyboards)


def records(entries: Sequence[Entry], current: Iterable[int]) -> list[dict[str, Any]]:
    """Return records as plain values, in the columns of `SCHEMA`.

    Args:
        entries: The records.
        current: The numbers of those that hold.
    """
    holding = frozenset(current)
    found = []
    for entry in entries:
        row = row_of(entry.verdict, NOTHING) | {
            "number": entry.number,
            "at": entry.verdict.at.astimezone(UTC),
            "current": entry.number in holding,
            "blind": entry.verdict.seen.blind,
            "sha256": entry.sha256,
        }
        found.append({name: row[name] for name in SCHEMA.names})
    return found


def csv_file(rows: Iterable[dict[str, Any]], columns: Sequence[str] = tuple(SCHEMA.names)) -> bytes:
    """Return rows, by default records as `records` returns them, as a CSV file, marked as UTF-8 for spreadsheets."""
    return as_csv(rows, columns).encode("utf-8-sig")


def as_csv(rows: Iterable[dict[str, Any]], columns: Sequence[str]) -> str:
    """Return rows as CSV that a spreadsheet shows and does not run: every text in quotes, none a formula."""
    content = io.StringIO()
    writer = csv.writer(content, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row[name]) for name in columns])
    return content.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")
    if isinstance(value, bool):
        return str(value).lower()
    return harmless(value) if isinstance(value, str) else value


def harmless(text: str) -> str:
    """Put `'` before a text that a spreadsheet would take for a formula (OWASP, CSV injection).

    Example:
        >>> harmless("=HYPERLINK(1)"), harmless(" -1"), harmless("a scab")
        ("'=HYPERLINK(1)", "' -1", 'a scab')
    """
    return f"'{text}" if text.lstrip(" ").startswith(_BEGINS_A_FORMULA) else text


def write_parquet(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows as parquet, exactly as they are, the file whole."""
    table = pa.Table.from_pylist(list(rows), schema=SCHEMA)
    with whole_file(path) as temporary:
        pq.write_table(table, temporary)
        sync(temporary)
