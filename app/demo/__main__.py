"""The command `python -m app.demo`: from nothing to a trained model and its maps, on synthetic strips.

Each step is one of the project's own commands, with the settings in `configs/demo/`; one whose result is there
is not done again, and one that was stopped goes on. `--watched` is for who starts it and may be killed: it ends, with the
step that it is at, when its input ends.
"""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from app.demo import steps
from app.demo.steps import DEMO
from severstal_xai.command import DONE, run
from severstal_xai.errors import InputError

_LOCK = DEMO / ".lock"


def main(arguments: Sequence[str] | None = None) -> int:
    """Do all steps, then say where to look and how long each took."""
    if _settings(arguments).watched:
        _end_with_the_input()
    home = Path()
    lines = []
    with _alone(home):
        anew = False
        for number, step in enumerate(steps.STEPS, start=1):
            print(steps.announcement(number), flush=True)
            seconds = steps.do_step(step, home, anew=anew)
            anew = anew or seconds is not None
            lines.append(f"  {'done before' if seconds is None else f'{seconds:6.0f} s    '}  {step.words}")
    print("\n".join(["", "The demo is ready:", *lines, "", *_WHERE_TO_LOOK]))
    return DONE


def _settings(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m app.demo", description="Make the demo.", allow_abbrev=False
    )
    parser.add_argument("--watched", action="store_true", help="end when the standard input ends")
    return parser.parse_args(arguments)


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Let this process alone make the demo.

    Raises:
        InputError: Another one makes it.
    """
    lock = home / _LOCK
    lock.parent.mkdir(exist_ok=True)
    try:
        with FileLock(lock, timeout=0):
            yield
    except Timeout as error:
        raise InputError(f"{DEMO}: another process is making the demo, expected to be alone") from error


def _end_with_the_input() -> None:
    """End this process and its commands, one group, when whoever started them has gone."""

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 1):  # not by its buffer, which is locked at the end of a process
            pass
        os.killpg(os.getpgrp(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


_WHERE_TO_LOOK = (
    f"  {DEMO}/patches/report.md     what became of the strips",
    f"  {DEMO}/run/README.md         the model and its scores",
    f"  {DEMO}/run/maps              why it answers as it does, patch by patch",
    "  `make demo` serves the inspector on localhost: the address is printed below, when it runs",
)

if __name__ == "__main__":
    run(main)
