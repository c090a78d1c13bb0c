"""TensorBoard events: the epochs' rows once more, for who watches runs with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tensorboardX import SummaryWriter

from training.history import Epoch

_TAGS = {
    "loss/training": "train_loss",
    "loss/validation": "validation_loss",
    "top-1/training": "train_top1",
    "top-1/validation": "validation_top1",
    "learning_rate": "learning_rate",
    "images_per_second": "images_per_second",
}


class Events:
    """Writes a folder's events; the file is made with the first epoch.

    Args:
        folder: Where TensorBoard is to look.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: SummaryWriter | None = None

    def add(self, epoch: Epoch) -> None:
        """Write an epoch's row; the first of a process replaces what an earlier one wrote from this epoch on."""
        if self._writer is None:
            self._writer = SummaryWriter(str(self._folder), purge_step=epoch.epoch)
        for tag, name in _TAGS.items():
            self._writer.add_scalar(tag, getattr(epoch, name), epoch.epoch)
        self._writer.flush()

    def close(self) -> None:
        """End the writing."""
        if self._writer:
            self._writer.close()


@contextmanager
def open_events(folder: Path) -> Iterator[Events]:
    """Give what writes events, and end it, whatever happens."""
    events = Events(folder)
    try:
        yield events
    finally:
        events.close()
