"""What a run's model says of the patches of a split, as arrays and as rows of the file that keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from severstal_xai.errors import InputError
from severstal_xai.manifest import Manifest, Split
from severstal_xai.predictions import SHARES, read_predictions
from training.loop import Judged
from training.measures import Labels, Probabilities


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


def table_of(manifest: Manifest, answers: Mapping[Split, Answers]) -> pd.DataFrame:
    """Return a row a patch: name, strip, split, label, predicted class, and the probability of each class."""
    return pd.concat([_rows(manifest, split, answers[split]) for split in answers])


def _rows(manifest: Manifest, split: Split, answers: Answers) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "patch": [patch.patch for patch in manifest.of_split(split)],
            "strip": answers.strips,
            "split": str(split),
            "label": answers.labels,
            "predicted": answers.probabilities.argmax(axis=1),
        }
    )
    return table.assign(**dict(zip(SHARES, answers.probabilities.T, strict=True)))


def read_answers(path: Path, weights_sha256: str) -> dict[Split, Answers]:
    """Read the file of predictions.

    Raises:
        InputError: It is missing, damaged, of other weights, or a split has no patch; the message names what.
    """
    table = read_predictions(path, weights_sha256)
    return {split: _of_split(path, table, split) for split in (Split.VALIDATION, Split.TEST)}


def _of_split(path: Path, table: pd.DataFrame, split: Split) -> Answers:
    rows = table[table["split"] == str(split)]
    if rows.empty:
        raise InputError(f"{path}: no patch of the {split} split, expected at least one")
    return Answers(rows[SHARES].to_numpy(), rows["label"].to_numpy(np.int64), tuple(rows["strip"]))
