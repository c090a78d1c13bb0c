"""What each epoch came to, and which epoch was the best."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Epoch:
    """A row of `history.csv`.

    Args:
        epoch: Its number, from 1.
        learning_rate: The learning rate of its steps.
        train_loss: Mean of what it made small over its training patches as they came, in nats.
        train_top1: Share of them, 0 to 1, that were classified right.
        validation_loss: Mean cross-entropy over the validation patches after it.
        validation_top1: Share of them that were classified right.
        seconds: What training and validation took.
        images_per_second: Training patches a second, validation left out.
    """

    epoch: int
    learning_rate: float
    train_loss: float
    train_top1: float
    validation_loss: float
    validation_top1: float
    seconds: float
    images_per_second: float


def best_of(epochs: Sequence[Epoch]) -> Epoch:
    """Return the epoch of the highest validation top-1; of equals the lowest loss, then the earliest."""
    return max(epochs, key=lambda epoch: (epoch.validation_top1, -epoch.validation_loss))


def table_of(epochs: Sequence[Epoch]) -> pd.DataFrame:
    """Return the epochs as a table, columns named as in `Epoch`."""
    return pd.DataFrame(
        [dataclasses.asdict(epoch) for epoch in epochs],
        columns=[field.name for field in dataclasses.fields(Epoch)],
    )
