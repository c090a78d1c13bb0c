"""Tickets whose owners have signed out: whoever kept a copy of the cookie is not let in by it."""

import logging
import os
import threading
import time
from pathlib import Path

_LOG = logging.getLogger(__name__)
_KEPT = 31 * 24 * 3600
"""Seconds; no ticket is good for longer."""


class SignedOut:
    """The tickets that count no more; a file keeps them for the next start.

    Args:
        file: One ticket a line: seconds since 1970, and its fingerprint; None where nobody signs in or out.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._fingerprints = set(_read(file, since=time.time() - _KEPT)) if file else set[str]()

    def __contains__(self, fingerprint: str) -> bool:
        return fingerprint in self._fingerprints

    def add(self, fingerprint: str) -> None:
        """Let a ticket count no more, from now on; where the disk refuses that holds until the inspector ends."""
        with self._lock:
            self._fingerprints.add(fingerprint)
            if self._file is None:
                return
            try:
                _append(self._file, f"{time.time():.0f} {fingerprint}\n")
            except OSError as error:
                _LOG.error("%s: %s; who signed out stays so until the inspector ends", self._file, error)


def _read(file: Path, since: float) -> list[str]:
    """Return the fingerprints, without those whose tickets are too old anyway."""
    try:
        lines = file.read_text(encoding="ascii").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        _LOG.error("%s: %s; tickets that were signed out before may count again", file, error)
        return []
    pairs = (line.partition(" ") for line in lines)
    return [fingerprint for at, _, fingerprint in pairs if at.isdecimal() and float(at) >= since]


def _append(file: Path, line: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line.encode("ascii"))
    finally:
        os.close(descriptor)
