"""The journal of a build: which strips are done, so that a killed one goes on where it was.

A file of lines in the staging folder. The first names the inputs; each further one is a strip's record, added when
the strip's files are all in place. A kill can leave the last line torn; it is cut off.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from data_prep.strip_work import StripRecord
from severstal_xai.files import write_text

JOURNAL_FILE = ".journal"


class Journal:
    """An open journal: what is done, and the file that grows."""

    def __init__(self, stream: TextIO, done: dict[str, StripRecord]) -> None:
        self._stream = stream
        self.done = done

    def add(self, record: StripRecord) -> None:
        """Note that a strip is done."""
        self._stream.write(record.to_json() + "\n")
        self._stream.flush()
        self.done[record.image] = record


@contextmanager
def open_journal(folder: Path, fingerprint: str) -> Iterator[Journal]:
    """Open the folder's journal; one of other inputs, or none, becomes a new one, in an empty folder."""
    path = folder / JOURNAL_FILE
    lines = (
        path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True) if path.is_file() else []
    )
    if not lines or lines[0] != fingerprint + "\n":
        if folder.exists():
            shutil.rmtree(folder)
        write_text(path, fingerprint + "\n")
        lines = []
    done, whole_bytes = _read_records(lines[1:], folder)
    with path.open("r+", encoding="utf-8", newline="\n") as stream:
        os.truncate(stream.fileno(), len(fingerprint) + 1 + whole_bytes)
        stream.seek(0, os.SEEK_END)
        yield Journal(stream, done)


def _read_records(lines: list[str], folder: Path) -> tuple[dict[str, StripRecord], int]:
    """Return the records up to the first line that is not whole, and the bytes they take.

    A strip whose files are no longer all there is not done.
    """
    done: dict[str, StripRecord] = {}
    whole_bytes = 0
    for line in lines:
        try:
            record = StripRecord.from_json(line)
        except (ValueError, KeyError, TypeError):
            break
        if not line.endswith("\n"):
            break
        whole_bytes += len(line.encode())
        if all(
            (folder / name).is_file()
            for patch in record.patches
            for name in (patch.image, patch.mask)
            if name
        ):
            done[record.image] = record
    return done, whole_bytes
