"""What a run's model says of each validation and test patch: the file `predictions.parquet`, written and read.

One row a patch: `patch`, `strip`, `split`, `label`, `predicted` (class) and `p0` to `p4` (softmax probabilities). The file also
holds the checksum of the weights whose answers they are.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from pyarrow import ArrowException

from severstal_xai.classes import CLASSES
from severstal_xai.errors import InputError
from severstal_xai.files import whole_file

PREDICTIONS_FILE = "predictions.parquet"
SHARES = [f"p{steel.id}" for steel in CLASSES]
"""The columns of the probabilities, in the order of the classes."""

_WEIGHTS = "weights_sha256"
_COLUMNS = ["patch", "strip", "split", "label", "predicted", *SHARES]
_TOLERANCE = 1e-3
"""Of the sum of a patch's probabilities; they may have been written by other hands, rounded."""


def write_predictions(path: Path, table: pd.DataFrame, weights_sha256: str) -> None:
    """Write the file, with the checksum of the weights whose answers they are."""
    table = table[_COLUMNS]
    table.attrs = {_WEIGHTS: weights_sha256}
    with whole_file(path) as temporary:
        table.to_parquet(temporary, index=False)


def read_predictions(path: Path, weights_sha256: str) -> pd.DataFrame:
    """Read the file.

    Returns:
        Its rows, checked; the probabilities as float64, the classes as int64.

    Raises:
        InputError: It is missing, damaged or of other weights; the message names what.
    """
    if not path.is_file():
        raise InputError(
            f"{path}: no such file, expected what `python -m training` writes at the end of a run"
        )
    try:
        table = pd.read_parquet(path, columns=_COLUMNS)
    except (ArrowException, OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable table of predictions, expected one of training") from error
    if table.attrs.get(_WEIGHTS) != weights_sha256:
        raise InputError(
            f"{path}: of other weights than the model's, expected those that the run ended with; "
            "--resume true ends an unfinished run"
        )
    for name in ("label", "predicted"):
        _check_classes(path, table[name])
    table[SHARES] = _probabilities(path, table)
    for name in ("patch", "strip"):
        if table[name].isna().any():
            raise InputError(f"{path}: a row has no {name}")
        table[name] = table[name].astype(str)
    return table


def _check_classes(path: Path, column: "pd.Series[int]") -> None:
    known = [steel.id for steel in CLASSES]
    if not pd.api.types.is_integer_dtype(column) or not column.isin(known).all():
        raise InputError(f"{path}: a {column.name} is no class, expected 0 to {len(CLASSES) - 1}")


def _probabilities(path: Path, table: pd.DataFrame) -> np.ndarray:
    try:
        shares = table[SHARES].to_numpy(np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: a probability is no number ({error})") from error
    whole = np.abs(shares.sum(axis=1) - 1) < _TOLERANCE
    if not np.all(whole & (shares >= 0).all(axis=1)):
        raise InputError(f"{path}: the probabilities of a patch do not add up to 1")
    return shares.clip(0, 1)
