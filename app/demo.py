"""The command `python -m app.demo`: from nothing to a trained model and its maps, on synthetic strips.

Each step is one of the project's own commands, with the settings in `configs/demo/`; one whose result is there
is not done again.
"""

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from severstal_xai.command import CONFIGS, DONE, run
from severstal_xai.errors import InputError

ROOT = CONFIGS.parent
DEMO = Path("demo")
_SETTINGS = "configs/demo"


@dataclass(frozen=True)
class Step:
    """A step of the demo.

    Args:
        words: What it does, for the reader.
        command: The module and its flags.
        result: The file that it writes last.
    """

    words: str
    command: tuple[str, ...]
    result: Path


STEPS = (
    Step(
        "make synthetic strips",
        ("data_prep.synthesize", "--config", f"{_SETTINGS}/synthesize.yaml"),
        DEMO / "strips/train.csv",
    ),
    Step(
        "cut them into patches",
        ("data_prep", "--config", f"{_SETTINGS}/data_prep.yaml"),
        DEMO / "patches/manifest.parquet",
    ),
    Step(
        "train a small network and score it",
        ("training", "--config", f"{_SETTINGS}/training.yaml", "--overwrite", "true"),
        DEMO / "run/README.md",
    ),
    Step(
        "explain test patches",
        ("explain", "--config", f"{_SETTINGS}/explain.yaml"),
        DEMO / "run/maps/rejected.csv",
    ),
)


def do_step(step: Step) -> float | None:
    """Do a step and return the seconds that it took; None where its result is there already.

    Raises:
        InputError: The step's command failed; it has said why.
    """
    if (ROOT / step.result).is_file():
        return None
    began = time.perf_counter()
    status = subprocess.run([sys.executable, "-m", *step.command], cwd=ROOT, check=False).returncode
    if status != DONE:
        raise InputError(
            f"demo: could not {step.words} (python -m {' '.join(step.command)} ended with status {status})"
        )
    return time.perf_counter() - began


def main() -> int:
    """Do all steps, then say where to look and how long each took."""
    lines = []
    for number, step in enumerate(STEPS, start=1):
        print(f"[{number}/{len(STEPS)}] {step.words}: {step.result.parent}", flush=True)
        seconds = do_step(step)
        lines.append(f"  {'done before' if seconds is None else f'{seconds:6.0f} s    '}  {step.words}")
    print("\n".join(["", "The demo is ready:", *lines, "", *_WHERE_TO_LOOK]))
    return DONE


_WHERE_TO_LOOK = (
    f"  {DEMO}/patches/report.md     what became of the strips",
    f"  {DEMO}/run/README.md         the model and its scores",
    f"  {DEMO}/run/maps              why it answers as it does, patch by patch",
    "  `make demo` serves the inspector on localhost: the address is printed below, when it runs",
)

if __name__ == "__main__":
    run(main)
