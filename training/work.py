"""What a run works with, from its first batch to its scores."""

import os
from dataclasses import dataclass

import psutil

from severstal_xai.manifest import Manifest, Split
from training.compute import Compute
from training.dataset import Batches, Held, TrainingBatches, evaluation_batches, training_batches
from training.settings import Settings


@dataclass(frozen=True)
class Work:
    """What a run works with.

    Args:
        settings: Its settings.
        manifest: Its data.
        compute: Where and how it computes.
        held: The patches in memory, where they fit.
    """

    settings: Settings
    manifest: Manifest
    compute: Compute
    held: Held | None

    def training(self) -> TrainingBatches:
        """Return the batches to train on."""
        return training_batches(self.settings, self.manifest, self.compute, self.held)

    def evaluation(self, split: Split) -> Batches:
        """Return the batches of a split to judge."""
        return evaluation_batches(self.settings, self.manifest, split, self.compute, self.held)


def memory_for_patches() -> int:
    """Return the bytes that a process may fill with patches: of half of what is free its share on this machine."""
    return int(psutil.virtual_memory().available // (2 * int(os.environ.get("LOCAL_WORLD_SIZE", "1"))))
