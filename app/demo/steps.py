"""The demo's steps: the project's own commands in a row, from nothing to a trained model and its maps."""

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from severstal_xai.command import DONE
from severstal_xai.errors import InputError

DEMO = Path("demo")
PATCHES, STRIPS = DEMO / "patches", DEMO / "strips/train_images"
"""The demo's data folder, and the images that it was made from."""
_SETTINGS = "configs/demo"
_OVERWRITE = ("--overwrite", "true")


@dataclass(frozen=True)
class Step:
    """A step of the demo.

    Args:
        words: What it does, for the reader.
        command: The module and its flags.
        result: The file that it writes last.
        seconds: How long it takes on two cores, about.
        begun: What tells that it was begun before.
        goes_on: The flags that go on with what was begun.
        afresh: The flags that take the place of what was begun, or of nothing.
    """

    words: str
    command: tuple[str, ...]
    result: Path
    seconds: float
    begun: Path | None = None
    goes_on: tuple[str, ...] = ()
    afresh: tuple[str, ...] = ()


STEPS = (
    Step(
        "make synthetic strips",
        ("data_prep.synthesize", "--config", f"{_SETTINGS}/synthesize.yaml"),
        DEMO / "strips/train.csv",
        13,
    ),
    Step(
        "cut them into patches",
        ("data_prep", "--config", f"{_SETTINGS}/data_prep.yaml"),
        PATCHES / "manifest.parquet",
        8,
    ),
    Step(
        "train a small network and score it",
        ("training", "--config", f"{_SETTINGS}/training.yaml"),
        DEMO / "run/README.md",
        150,
        begun=DEMO / "run/state/state.safetensors",
        goes_on=("--resume", "true"),
        afresh=_OVERWRITE,
    ),
    Step(
        "explain test patches",
        ("explain", "--config", f"{_SETTINGS}/explain.yaml"),
        DEMO / "run/maps/rejected.csv",
        40,
        begun=DEMO / "run/maps",
        afresh=_OVERWRITE,
    ),
)


def is_done(step: Step, home: Path) -> bool:
    """Tell whether a step's result is there."""
    return (home / step.result).is_file()


def is_whole(home: Path) -> bool:
    """Tell whether the demo lies in the project's folder, all of it: a run that is still trained has a model, too."""
    return all(is_done(step, home) for step in STEPS)


def command_of(step: Step, home: Path, *, anew: bool) -> tuple[str, ...]:
    """Return the module and flags by which a step is done now.

    Args:
        step: The step.
        home: The project's folder.
        anew: Whether what a step before it made is new, so that nothing of before can be gone on with.

    Example:
        >>> command_of(STEPS[2], Path("nowhere"), anew=False)[-2:]
        ('--overwrite', 'true')
    """
    goes_on = not anew and step.begun is not None and (home / step.begun).exists()
    return step.command + (step.goes_on if goes_on else step.afresh)


def do_step(step: Step, home: Path, *, anew: bool = False) -> float | None:
    """Do a step and return the seconds that it took; None where its result is there already.

    Args:
        step: The step.
        home: The project's folder.
        anew: Whether a step before it was done just now, so that its result is of something else.

    Raises:
        InputError: The step's command failed; it has said why.
    """
    if is_done(step, home) and not anew:
        return None
    began = time.perf_counter()
    command = command_of(step, home, anew=anew)
    status = subprocess.run([sys.executable, "-m", *command], cwd=home, check=False).returncode
    if status != DONE:
        raise InputError(
            f"demo: could not {step.words} (python -m {' '.join(command)} ended with status {status})"
        )
    return time.perf_counter() - began


def announcement(number: int) -> str:
    """Return the line that says which step is begun, from 1.

    Example:
        >>> announcement(1)
        '[1/4] make synthetic strips: demo/strips'
    """
    step = STEPS[number - 1]
    return f"[{number}/{len(STEPS)}] {step.words}: {step.result.parent.as_posix()}"
