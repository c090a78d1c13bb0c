"""The windows of a data folder's strips that became no patch, and why: the file `left_out.csv`, beside the manifest."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from severstal_xai.errors import InputError

LEFT_OUT_FILE = "left_out.csv"


def read_left_out(root: Path) -> Mapping[str, str]:
    """Return why windows became no patch, by the name that the patch would have.

    Raises:
        InputError: The file is missing or damaged.
    """
    path = root / LEFT_OUT_FILE
    try:
        table = pd.read_csv(path, usecols=["patch", "reason"], dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:  # pandas' parser errors are ValueErrors
        raise InputError(
            f"{path}: not readable, expected the table that `python -m data_prep` writes"
        ) from error
    return dict(zip(table["patch"], table["reason"], strict=True))
