"""What a run's model says of each validation and test patch, as a table and in the file that keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from pyarrow import ArrowException

from severstal_xai.classes import CLASSES
from severstal_xai.errors import InputError
from severstal_xai.files import whole_file
from severstal_xai.manifest import Manifest, Split
from training.loop import Judged
from training.measures import Labels, Probabilities

_WEIGHTS = "weights_sha256"
_SHARES = [f"p{steel.id}" for steel in CLASSES]
_TOLERANCE = 1e-3
"""Of the sum of a patch's probabilities; they may have been written by other hands, rounded."""


@dataclass(frozen=True)
class Answers:
    """What a model says of the patches of a split, and what they are.

    Args:
        probabilities: Softmax probabilities.
        labels: The actual classes.
        strips: The strip that each patch is from.
    """

    probabilities: Probabilities
    labels: Labels
    strips: tuple[str, ...]


def answers_of(manifest: Manifest, split: Split, judged: Judged) -> Answers:
    """Return what was judged of a split."""
    strips = tuple(patch.strip for patch in manifest.of_split(split))
    return Answers(judged.shares(), judged.labels.numpy(), strips)


def table_of(manifest: Manifest, split: Split, answers: Answers) -> pd.DataFrame:
    """Return a row a patch: name, strip, split, label, predicted class, and the probability of each class."""
    table = pd.DataFrame(
        {
            "patch": [patch.patch for patch in manifest.of_split(split)],
            "strip": answers.strips,
            "split": str(split),
            "label": answers.labels,
            "predicted": answers.probabilities.argmax(axis=1),
        }
    )
    return table.assign(**dict(zip(_SHARES, answers.probabilities.T, strict=True)))


def write_predictions(
    path: Path, manifest: Manifest, answers: Mapping[Split, Answers], weights_sha256: str
) -> None:
    """Write the file, with the checksum of the weights whose answers they are."""
    table = pd.concat([table_of(manifest, split, answers[split]) for split in answers])
    table.attrs[_WEIGHTS] = weights_sha256
    with whole_file(path) as temporary:
        table.to_parquet(temporary, index=False)


def read_predictions(path: Path, weights_sha256: str) -> dict[Split, Answers]:
    """Read the file.

    Raises:
        InputError: It is missing, damaged, of other weights, or a split has no patch; the message names what.
    """
    if not path.is_file():
        raise InputError(
            f"{path}: no such file, expected what `python -m training` writes at the end of a run"
        )
    try:
        table = pd.read_parquet(path, columns=["strip", "split", "label", *_SHARES])
    except (ArrowException, OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable table of predictions, expected one of training") from error
    if table.attrs.get(_WEIGHTS) != weights_sha256:
        raise InputError(
            f"{path}: of other weights than the model's, expected those that the run ended with; "
            "--resume true ends an unfinished run"
        )
    return {split: _read_split(path, table, split) for split in (Split.VALIDATION, Split.TEST)}


def _read_split(path: Path, table: pd.DataFrame, split: Split) -> Answers:
    rows = table[table["split"] == str(split)]
    if rows.empty:
        raise InputError(f"{path}: no patch of the {split} split, expected at least one")
    labels = rows["label"].to_numpy()
    if (
        not np.issubdtype(labels.dtype, np.integer)
        or not np.isin(labels, [steel.id for steel in CLASSES]).all()
    ):
        raise InputError(f"{path}: a label is no class, expected 0 to {len(CLASSES) - 1}")
    try:
        probabilities = rows[_SHARES].to_numpy(np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: a probability is no number ({error})") from error
    whole = np.abs(probabilities.sum(axis=1) - 1) < _TOLERANCE
    if not np.all(whole & (probabilities >= 0).all(axis=1)):
        raise InputError(f"{path}: the probabilities of a patch do not add up to 1")
    if rows["strip"].isna().any():
        raise InputError(f"{path}: a patch has no strip")
    return Answers(probabilities.clip(0, 1), labels.astype(np.int64), tuple(rows["strip"].astype(str)))
