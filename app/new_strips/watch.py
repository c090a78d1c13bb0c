"""A folder that is looked at again and again: what has come, what is whole, what was replaced and what is gone.

A file is taken once it has stood unchanged for a while; one that changes is taken anew. Nothing outside the folder is
read, whatever a link in it says, and nothing in it is ever written.
"""

import os
import stat
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from app.new_strips.images import (
    LARGEST_FILE,
    NewImage,
    Refused,
    check_image_name,
    each_once,
    read_new,
    refused,
)
from severstal_xai.errors import InputError
from severstal_xai.files import inside, is_nobodys, sha256

EVERY = 1.5
"""Seconds between two looks, however many sessions ask."""
STILL = 1.5
"""Seconds that a file must stand unchanged before it is taken to be whole."""
MOST_FILES = 500
"""The newest; the others are counted."""
MOST_ENTRIES = 20_000
"""That a look goes through."""
_OPEN = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""A link or a pipe that took the file's place a moment ago is refused, not followed and not waited for."""
Stamp = tuple[int, ...]
"""Size, times and number of a file: another one, or another content, has another."""


@dataclass
class _File:
    """A file of the folder.

    Args:
        stamp: What tells whether it has changed.
        since: When it was first seen so.
        outcome: What became of it; None where it was not read yet.
    """

    stamp: Stamp
    since: float
    outcome: NewImage | Refused | None = None


@dataclass(frozen=True)
class Sight:
    """What there is in the folder.

    Args:
        images: What was taken, the oldest first, each content once.
        refused: What was not, and why.
        arriving: How many files are not known to be whole yet.
        waiting: How many are whole and were not read yet.
        left_out: How many older files are not looked at, for there are too many.
        problem: Why the folder cannot be looked at; empty where it can.
    """

    images: tuple[NewImage, ...] = ()
    refused: tuple[Refused, ...] = ()
    arriving: int = 0
    waiting: int = 0
    left_out: int = 0
    problem: str = ""


class Watch:
    """A watched folder, shared by all sessions; safe to share between threads.

    Args:
        folder: Which.
        most_files: How many files are looked at, the newest.
        clock: Seconds, from whenever.
    """

    def __init__(
        self, folder: Path, *, most_files: int = MOST_FILES, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = folder.resolve().name
        self._folder, self._most_files, self._clock = folder, most_files, clock
        self._files: dict[str, _File] = {}
        self._looked: float | None = None
        self._left_out, self._problem = 0, ""
        self._lock = threading.Lock()

    def look(self) -> None:
        """See what has come, changed and gone; a look that follows the last one too soon is none."""
        with self._lock:
            now = self._clock()
            if self._looked is not None and now - self._looked < EVERY:
                return
            self._looked = now
            try:
                found, beyond = _entries(self._folder)
            except OSError as error:
                self._problem = f"{error.strerror}, expected a folder that can be read"
                return  # what was seen before stays listed: the folder may come back
            self._problem = ""
            newest = sorted(found, key=lambda one: (one[1][1], one[0]))[-self._most_files :]
            self._left_out = beyond + len(found) - len(newest)
            self._files = {name: self._known(name, stamp, now) for name, stamp in newest}

    def _known(self, name: str, stamp: Stamp, now: float) -> _File:
        known = self._files.get(name)
        return known if known and known.stamp == stamp else _File(stamp, now)

    def take(self) -> bool:
        """Read and check one file that is whole; tell whether there was one."""
        with self._lock:
            now = self._clock()
            for name, file in self._files.items():
                if file.outcome is None and now - file.since >= STILL:
                    self._read(name, file, now)
                    return True
            return False

    def _read(self, name: str, file: _File, now: float) -> None:
        try:
            content = _content(self._folder, name, file.stamp)
            if content is None:
                file.since = (
                    now  # it is still being written, or was replaced: the next look sees how it is now
                )
                return
            file.outcome = read_new(name, content)
        except InputError as error:
            file.outcome = refused(name, error)

    def seen(self) -> Sight:
        """Return what there is, as of the last look."""
        with self._lock:
            now, files = self._clock(), list(self._files.items())
            unread = [file for _, file in files if file.outcome is None]
            waiting = sum(now - file.since >= STILL for file in unread)
            outcomes = [file.outcome for _, file in files]
            images, twins = each_once(one for one in outcomes if isinstance(one, NewImage))
            wrong = [one for one in outcomes if isinstance(one, Refused)]
            return Sight(
                tuple(images),
                tuple(wrong + twins),
                len(unread) - waiting,
                waiting,
                self._left_out,
                self._problem,
            )

    def read(self, image: NewImage) -> bytes:
        """Return an image's bytes.

        Raises:
            InputError: The file is gone, or is another one by now.
        """
        with self._lock:
            known = self._files.get(image.name)
            stamp = known.stamp if known else None
        content = None if stamp is None else _content(self._folder, image.name, stamp)
        if content is None or sha256(content) != image.sha256:
            raise InputError(
                f"{image.name}: no longer in the folder as it was, expected the file that was checked"
            )
        return content


def _entries(folder: Path) -> tuple[list[tuple[str, Stamp]], int]:
    """Return the files of a folder and how many more entries there are, without those that nobody put there.

    Folders inside it are passed over.

    Raises:
        OSError: The folder cannot be read.
    """
    found = []
    with os.scandir(folder) as entries:
        for entry in islice(entries, MOST_ENTRIES):
            if entry.name.startswith(".") or is_nobodys(Path(entry.path)):
                continue
            status = _status(Path(entry.path))
            if status and not stat.S_ISDIR(status.st_mode):
                found.append((entry.name, _stamp(status)))
        return found, sum(1 for _ in entries)


def _status(path: Path) -> os.stat_result | None:
    """Return what a path leads to, or a link to nothing itself; None where it is gone by now."""
    for follow in (True, False):
        try:
            return path.stat(follow_symlinks=follow)
        except OSError:
            continue
    return None


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _content(folder: Path, name: str, stamp: Stamp) -> bytes | None:
    """Return a file's bytes; None where it is not as it was, or changes while it is read.

    Raises:
        InputError: It is no file of this folder that can be an image.
    """
    check_image_name(name)
    try:
        path = inside(folder, name)
    except InputError as error:
        raise InputError("a link that leads out of the folder, expected a file in it") from error
    if not path.exists() and (folder / name).is_symlink():
        raise InputError("a link to nothing, expected a file")
    try:
        with open(os.open(path, _OPEN), "rb") as stream:  # noqa: PTH123 (of a number, not of a path)
            return _unchanged(stream, stamp)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror}), expected an image file") from error


def _unchanged(stream: BinaryIO, stamp: Stamp) -> bytes | None:
    status = os.fstat(stream.fileno())
    if not stat.S_ISREG(status.st_mode):
        raise InputError("not a file, expected an image file")
    if _stamp(status) != stamp:
        return None
    if status.st_size > LARGEST_FILE:
        raise InputError(f"file of {status.st_size} bytes, expected at most {LARGEST_FILE}")
    content = stream.read(LARGEST_FILE + 1)
    whole = len(content) == status.st_size and _stamp(os.fstat(stream.fileno())) == stamp
    return content if whole else None
