"""A long measurement, stage by stage: what a stage found is a file, so that a run that was killed goes on.

```
settings.yaml   what is measured, and on which machine
STAGE.json      what a stage found, when it began, and in which run of the command
```

A folder of stages holds what was measured of one thing on one machine, or nothing. It goes when all is measured and
told: then the next run measures anew.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from explain.records import Maker, check_maker, claim
from severstal_xai.command import to_plain
from severstal_xai.files import write_text

Measured = TypeVar("Measured")
_SETTINGS = "settings.yaml"


@dataclass(frozen=True)
class StageTime:
    """When a stage was measured.

    Args:
        stage: Its name.
        began: The moment, UTC.
        run: When the run of the command began that measured it.
    """

    stage: str
    began: str
    run: str


def open_stages(folder: Path, maker: Maker, *, overwrite: bool) -> None:
    """Make a folder this measurement's own, or go on with what it holds.

    Args:
        folder: Of the stages.
        maker: What is measured, and on which machine.
        overwrite: Whether to delete what it holds.

    Raises:
        InputError: It holds stages of something else or of another machine; the message names what differs first.
    """
    if overwrite and (folder / _SETTINGS).is_file():  # else it is somebody else's
        close_stages(folder)
    check_maker(folder, maker, "measurements")
    claim(folder, maker, overwrite=False)


def close_stages(folder: Path) -> None:
    """Delete the stages; a file that is none of theirs stays, and so does the folder then."""
    for path in [*folder.glob("*.json"), folder / _SETTINGS]:
        path.unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def measured_once(
    folder: Path, run: str, stage: str, read: Callable[[Any], Measured], measure: Callable[[], Measured]
) -> Measured:
    """Return what a stage found in this run or an earlier one; what is damaged is measured anew.

    Args:
        folder: Of the stages.
        run: When this run of the command began.
        stage: A name that is good for a file.
        read: Makes what it finds of plain values; what cannot be read is a `ValueError` or a `TypeError`.
        measure: Measures it.
    """
    path = folder / f"{stage}.json"
    kept = _kept(path, read)
    if kept is not None:
        return kept
    began = now()
    found = measure()
    record = {"began": began, "run": run, "found": to_plain(found)}
    write_text(path, json.dumps(record, indent=1) + "\n")
    return found


def stage_times(folder: Path, stages: Sequence[str]) -> tuple[StageTime, ...]:
    """Return when each of these stages was measured, the earliest first."""
    records = {stage: _record(folder / f"{stage}.json") for stage in stages}
    times = [StageTime(stage, str(record["began"]), str(record["run"])) for stage, record in records.items()]
    return tuple(sorted(times, key=lambda one: one.began))


def now() -> str:
    """Return the moment, UTC, such that earlier ones sort first."""
    return datetime.now(UTC).isoformat(sep=" ", timespec="milliseconds")


def _kept(path: Path, read: Callable[[Any], Measured]) -> Measured | None:
    """Return what a file holds; None where there is none, or where it is damaged."""
    try:
        record = _record(path)
        StageTime(path.stem, record["began"], record["run"])
        return read(record["found"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _record(path: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return record
