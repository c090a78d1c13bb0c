"""A run's folder: what lies in it, and that nothing of an earlier run is lost by accident."""

from pathlib import Path

from severstal_xai.checkpoint import MODEL_FILE, WEIGHTS_FILE
from severstal_xai.errors import InputError
from severstal_xai.files import delete_leftovers

BEST, LAST = "model", "last"
"""Names of the two checkpoints: the one to use, and the one of the last epoch."""

HISTORY_FILE = "history.csv"
SETTINGS_FILE = "settings.yaml"
SCORES_FILE = "scores.json"
PREDICTIONS_FILE = "predictions.parquet"
CONFUSION_FILE = "confusion.png"
CURVES_FILE = "curves.png"
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
    CARD_FILE,
)
"""All that a run writes."""


def check_output(folder: Path, *, overwrite: bool) -> None:
    """Refuse an output folder in which a run would overwrite something, unless that is wanted.

    Raises:
        InputError: The folder is a file, or holds a file that a run writes.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"output {folder}: a file, expected a folder")
    present = [name for name in FILES if (folder / name).exists()]
    if present and not overwrite:
        raise InputError(
            f"output {folder}: holds {', '.join(present)} already; expected another folder, "
            "or --overwrite true to replace that run"
        )


def clear(folder: Path) -> None:
    """Delete what an earlier run wrote: its scores must not stand beside another run's weights."""
    for name in FILES:
        (folder / name).unlink(missing_ok=True)
    if folder.is_dir():
        delete_leftovers(folder)
