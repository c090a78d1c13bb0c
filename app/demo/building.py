"""The demo being built in the background: one job of the server, shared by all who look, that goes on when they leave.

The work is `python -m app.demo`'s, in a process of its own that ends with this one, however this one ends. What it says is
read for how far it is. What was made stays whatever happens, so that who builds again goes on.
"""

import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from app.demo.steps import DEMO, STEPS, Step, is_done, is_whole
from severstal_xai.command import DONE

_LOG = logging.getLogger(__name__)
COMMAND = (sys.executable, "-u", "-m", "app.demo", "--watched")
ROOM = 300_000_000
"""Bytes that the demo takes on the disk, with some to spare: it holds 215 MB."""
_KEPT_LINES = 50
_GRACE = 10.0
"""Seconds that the commands have to end when they are told to."""
_BELIEVED = 10.0
"""Seconds of work after which the pace that is seen counts as much as the one that is expected."""
_STEP = re.compile(r"\[(\d+)/\d+\] ")
_COUNT = re.compile(r"(?:^|[\s|])(\d+)/(\d+)(?=\s)")
_OWN_LINE = "demo: could not"


@dataclass(frozen=True)
class Reached:
    """How far the demo is.

    Args:
        step: The number of the step that is being done, from 1; 0 before the first.
        done: How many of its parts are done.
        of: How many parts it has; 0 while nobody knows.
    """

    step: int = 0
    done: int = 0
    of: int = 0


@dataclass(frozen=True)
class Idle:
    """Nobody builds the demo.

    Args:
        cancelled: Whether somebody stopped it.
        begun: Whether a part of it lies there.
    """

    cancelled: bool = False
    begun: bool = False


@dataclass(frozen=True)
class AtWork:
    """The demo is being built.

    Args:
        reached: How far it is.
        share: How much of all the work is done, 0 to 1.
        left: The seconds that the rest takes, about.
    """

    reached: Reached
    share: float
    left: float


@dataclass(frozen=True)
class Broken:
    """The demo could not be built.

    Args:
        step: What could not be done, as its `Step` says it; empty where it did not begin.
        said: The last line that the command said.
    """

    step: str
    said: str


@dataclass(frozen=True)
class Whole:
    """The demo is there."""


State = Idle | AtWork | Broken | Whole


def after(reached: Reached, line: str) -> Reached:
    """Return how far the demo is when its commands have said a line more.

    Example:
        >>> after(Reached(3), "epoch  5/8  rate 0.0005")
        Reached(step=3, done=5, of=8)
        >>> after(Reached(3, 5, 8), "[4/4] explain test patches: demo/run/maps")
        Reached(step=4, done=0, of=0)
    """
    begun = _STEP.match(line)
    if begun:
        return Reached(int(begun[1]))
    counted = _COUNT.search(line)
    if counted is None or not 0 <= int(counted[1]) <= int(counted[2]) or not int(counted[2]):
        return reached
    return replace(reached, done=int(counted[1]), of=int(counted[2]))


def seconds_done(reached: Reached, steps: Sequence[Step]) -> float:
    """Return how many of the seconds that the steps take are over.

    Example:
        >>> steps = [Step("a", (), Path(), 10), Step("b", (), Path(), 40)]
        >>> seconds_done(Reached(2, 1, 4), steps), seconds_done(Reached(), steps)
        (20.0, 0.0)
    """
    before = sum(step.seconds for step in steps[: max(0, reached.step - 1)])
    now = steps[reached.step - 1].seconds if reached.step else 0.0
    return float(before + now * (reached.done / reached.of if reached.of else 0.0))


def time_left(to_do: float, done: float, took: float, since: float) -> float:
    """Return the seconds that the rest takes, at the pace seen so far; at first at the one expected.

    Args:
        to_do: Expected seconds of the rest.
        done: Expected seconds of what was done.
        took: Seconds that it took.
        since: Seconds since the last of it was done.

    Example: twice as slow as expected, seen for long; and nothing seen yet.
        >>> time_left(100.0, 990.0, 1990.0, 0.0), time_left(100.0, 0.0, 0.0, 5.0)
        (200.0, 95.0)
    """
    pace = (took + _BELIEVED) / (done + _BELIEVED)
    return max(0.0, pace * to_do - since)


class Building:
    """The demo's job; safe to share between threads.

    Args:
        home: The project's folder.
        command: What builds the demo there.
        room: Bytes that must be free.
        clock: Seconds, from whenever.
    """

    def __init__(
        self,
        home: Path,
        command: Sequence[str] = COMMAND,
        room: int = ROOM,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._home, self._command, self._room, self._clock = home, tuple(command), room, clock
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._ended: Idle | Broken = Idle()
        self._reached, self._first = Reached(), 0.0
        self._began = self._told = 0.0
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._cancelled = False

    def begin(self) -> None:
        """Build the demo, or go on with it; where it is being built, leave it at that."""
        with self._lock:
            if self._process is not None or is_whole(self._home):
                return
            refusal = self._refusal()
            if refusal:
                self._ended = Broken("", refusal)
                return
            self._begin()

    def cancel(self) -> None:
        """Stop building; what was made stays."""
        with self._lock:
            process, reader = self._process, self._reader
            self._cancelled = process is not None
        if process is None or reader is None:
            return
        if process.stdin:
            process.stdin.close()  # which it watches
        reader.join(_GRACE)
        if reader.is_alive():
            os.killpg(process.pid, signal.SIGKILL)

    def state(self) -> State:
        """Return how the demo stands."""
        with self._lock:
            if self._process is None:
                return Whole() if is_whole(self._home) else self._at_rest()
            total = sum(step.seconds for step in STEPS)
            done = seconds_done(self._reached, STEPS)
            took, since = self._told - self._began, self._clock() - self._told
            left = time_left(total - done, max(0.0, done - self._first), took, since)
            return AtWork(self._reached, done / total, left)

    def _at_rest(self) -> Idle | Broken:
        if isinstance(self._ended, Broken):
            return self._ended
        return replace(self._ended, begun=(self._home / STEPS[0].result).parent.is_dir())

    def _refusal(self) -> str:
        """Say why the demo cannot be written; nothing where it can."""
        folder = self._home / DEMO
        try:
            folder.mkdir(exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
            free = shutil.disk_usage(folder).free
        except OSError as error:
            return f"{DEMO}: {error.strerror}, expected a folder that can be written"
        if free < self._room:
            return f"{DEMO}: {free / 1e6:.0f} MB are free on its disk, expected {self._room / 1e6:.0f} MB"
        return ""

    def _begin(self) -> None:
        try:
            process = subprocess.Popen(
                self._command,
                cwd=self._home,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
        except OSError as error:
            self._ended = Broken("", f"python -m app.demo: {error.strerror}")
            return
        self._process, self._cancelled, self._reached = process, False, Reached()
        self._lines.clear()
        self._first = sum(step.seconds for step in STEPS if is_done(step, self._home))
        self._began = self._told = self._clock()
        self._reader = threading.Thread(target=self._read, args=(process,), daemon=True)
        self._reader.start()

    def _read(self, process: "subprocess.Popen[str]") -> None:
        """Follow what the commands say until they end."""
        for line in process.stdout or ():
            with self._lock:
                self._follow(line)
        status = process.wait()
        for stream in (process.stdin, process.stdout):
            if stream:
                stream.close()
        with self._lock:
            self._process = None
            self._ended = self._end(status)

    def _follow(self, line: str) -> None:
        before, now = self._reached, after(self._reached, line)
        if now != before:
            self._reached, self._told = now, self._clock()
        elif line.strip() and not _COUNT.search(line):
            self._lines.append(line.strip())
        if now.of and not before.of:  # of a step that goes on, all but the last part was done before
            earlier = replace(now, done=max(0, now.done - 1))
            self._first += seconds_done(earlier, STEPS) - seconds_done(replace(now, done=0), STEPS)

    def _end(self, status: int) -> Idle | Broken:
        if self._cancelled:
            return Idle(cancelled=True)
        if status == DONE:
            return Idle()
        _LOG.error(
            "the demo broke off with status %s; the last that was said:\n%s", status, "\n".join(self._lines)
        )
        said = [line for line in self._lines if not line.startswith(_OWN_LINE)]
        step = STEPS[self._reached.step - 1].words if self._reached.step else ""
        return Broken(step, said[-1] if said else f"it ended with status {status} and said nothing")
