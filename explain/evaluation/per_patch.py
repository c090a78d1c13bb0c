"""The table `per_patch.parquet` of an evaluation, read back."""

from pathlib import Path

import pandas as pd

from explain.evaluation.checked import Form, read_table
from severstal_xai.classes import CLASSES
from severstal_xai.errors import InputError, about

ROWS_FILE = "per_patch.parquet"
CHECKSUMS = ("image_sha256", "mask_sha256")
"""The columns that say of which image and mask a row is."""
_FORM = Form("patch", "strip", [known.id for known in CLASSES], "python -m explain.evaluate")


def read_rows(folder: Path) -> tuple[Path, pd.DataFrame]:
    """Return an evaluation's folder and rows, of the folder itself or of the run that holds it.

    Raises:
        InputError: There is none, or it is damaged, or says what no evaluation says; the message names the first such row.
    """
    for place in (folder, folder / "evaluation"):
        path = place / ROWS_FILE
        if path.is_file():
            with about(path):
                return place, read_table(path, _FORM)
    raise InputError(f"{folder}: no evaluation, expected a folder that `{_FORM.command}` wrote, or its run's")
