"""A run's folder: what lies in it, and that nothing of an earlier run is lost by accident."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from filelock import FileLock, Timeout

from severstal_xai.checkpoint import MODEL_FILE, WEIGHTS_FILE, ModelCard
from severstal_xai.errors import InputError
from severstal_xai.files import check_elsewhere, delete_leftovers, is_temporary
from severstal_xai.operating_point import STEM
from severstal_xai.predictions import PREDICTIONS_FILE
from severstal_xai.scores import SCORES_FILE
from training.settings import Settings

BEST, LAST = "model", "last"
"""Names of the two checkpoints: the one to use, and the one of the last epoch."""

HISTORY_FILE = "history.csv"
SETTINGS_FILE = "settings.yaml"
CONFUSION_FILE = "confusion.png"
CURVES_FILE = "curves.png"
RELIABILITY_FILE = "reliability.png"
AUGMENTATION_FILE = "augmentation.png"
OPERATING_POINT_FILES = tuple(f"{STEM}.{ending}" for ending in ("json", "md", "png"))
CARD_FILE = "README.md"

FILES = (
    MODEL_FILE,
    WEIGHTS_FILE,
    f"{LAST}.json",
    f"{LAST}.safetensors",
    HISTORY_FILE,
    SETTINGS_FILE,
    SCORES_FILE,
    PREDICTIONS_FILE,
    CONFUSION_FILE,
    CURVES_FILE,
    RELIABILITY_FILE,
    AUGMENTATION_FILE,
    *OPERATING_POINT_FILES,
    CARD_FILE,
)
"""All that a run writes, but for its state."""
STATE = "state"
"""The folder of what a run needs to go on: the state itself, and the lock of who writes the run."""
STATE_FILE = f"{STATE}/state.safetensors"
_LOCK_FILE = f"{STATE}/lock"
EVENTS = "tensorboard"
"""The folder of the run's events for TensorBoard."""
_EVENTS_BEGIN = "events.out.tfevents."
EXPORT = "export"
"""The folder in a run's that `python -m training.export` writes to, where it is told no other."""
EXPORTED = {
    "onnx": ("model.onnx", "onnx.json"),
    "openvino": ("model.bin", "model.xml", "openvino.json"),
}
"""What it writes, by its format; the description last."""
_EXPORTED = frozenset(name for names in EXPORTED.values() for name in names)
MAPS = "maps"
"""The folder in a run's that `python -m explain` writes to, where it is told no other."""


def check_output(folder: Path, *, data: Path, overwrite: bool, resume: bool = False) -> None:
    """Refuse an output folder in which something would be lost that is not an earlier run, given up for this one.

    Raises:
        InputError: The folder is a file or lies in the data folder; or it holds a file that a run writes, and is
            not to be gone on with; or, to be overwritten, what no run writes, or such files and no sign that a run
            wrote them.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"output {folder}: a file, expected a folder")
    check_elsewhere(folder, data, "data folder")
    found = {path.name: path for path in folder.iterdir()} if folder.is_dir() else {}
    if resume and (folder / STATE_FILE).is_file():
        return
    present = [name for name in FILES if name in found]
    if (folder / STATE_FILE).is_file() and not overwrite:
        raise InputError(
            f"output {folder}: holds a run; expected another folder, --resume true to go on with that run, or "
            "--overwrite true to replace it"
        )
    if present and not overwrite:
        raise InputError(
            f"output {folder}: holds {', '.join(present)} already; expected another folder, "
            "or --overwrite true to replace that run"
            + f"; without {STATE_FILE} it cannot be resumed"
            * resume
        )
    if overwrite:
        strangers = sorted(name for name, path in found.items() if not _may_be_of_a_run(path))
        if strangers:
            raise InputError(
                f"output {folder}: holds {strangers[0]!r}, which no run writes; expected an earlier run alone to "
                "overwrite"
            )
        if present and not _is_a_run(folder):
            raise InputError(
                f"output {folder}: holds {', '.join(present)}, but neither a {SETTINGS_FILE} nor a {MODEL_FILE} as "
                "a run writes it; expected an earlier run to overwrite"
            )


def _may_be_of_a_run(path: Path) -> bool:
    if path.name == STATE:
        return path.is_dir() and all(
            is_temporary(inner) or inner.name in {Path(STATE_FILE).name, Path(_LOCK_FILE).name}
            for inner in path.iterdir()
        )
    if path.name == EVENTS:
        return path.is_dir() and all(inner.name.startswith(_EVENTS_BEGIN) for inner in path.iterdir())
    if path.name == EXPORT:
        return path.is_dir() and _is_of_exports(path)
    return (
        path.is_dir() if path.name == MAPS else is_temporary(path) or (path.name in FILES and path.is_file())
    )


def _is_of_exports(folder: Path) -> bool:
    """Tell whether exports wrote all that the folder holds: their files, each with its format's description."""
    names = {inner.name for inner in folder.iterdir() if not is_temporary(inner)}
    described = {name for files in EXPORTED.values() if files[-1] in names for name in files}
    return names <= described


def _is_a_run(folder: Path) -> bool:
    """Tell whether a run wrote the folder, by what it writes first or by what it is for."""
    return any(
        _keys_of(folder / name) >= {field.name for field in dataclasses.fields(schema)}
        for name, schema in ((SETTINGS_FILE, Settings), (MODEL_FILE, ModelCard))
    )


def _keys_of(path: Path) -> set[object]:
    """Return the names on a file's outermost level; none where it is no YAML, of which JSON is a part."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return set()
    return set(content) if isinstance(content, dict) else set()


@contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Let this process alone write the run's folder.

    Raises:
        InputError: Another process is writing it.
    """
    (folder / STATE).mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / _LOCK_FILE, timeout=0):
            yield
    except Timeout as error:
        raise InputError(f"output {folder}: another process is writing it, expected to be alone") from error


def clear_exports(folder: Path) -> None:
    """Delete what was exported of weights that the run no longer has."""
    if (folder / EXPORT).is_dir() and _is_of_exports(folder / EXPORT):
        for name in _EXPORTED:
            (folder / EXPORT / name).unlink(missing_ok=True)


def clear(folder: Path) -> None:
    """Delete what an earlier run wrote but its state: its scores must not stand beside another run's weights.

    The settings go last: whoever is killed in the midst leaves a folder that is still known for a run's.
    """
    for name in (*(name for name in FILES if name != SETTINGS_FILE), SETTINGS_FILE):
        (folder / name).unlink(missing_ok=True)
    clear_exports(folder)
    for events in (folder / EVENTS).glob(f"{_EVENTS_BEGIN}*"):
        events.unlink()
    if folder.is_dir():
        delete_leftovers(folder)
