"""What an epoch is made of, as a function of the settings and the epoch's number alone.

Nothing here remembers the epochs before: an epoch can be had again without them. Each purpose draws from its own
stream of chance.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64
from torch.utils.data import Sampler

from training.settings import Settings


class Draw(NamedTuple):
    """A training patch's turn: the epoch, from 1, and the patch's place in its split, from 0."""

    epoch: int
    place: int


class Stream(IntEnum):
    """What chance is drawn for."""

    ORDER = 0
    AUGMENTATION = 1
    NETWORK = 2


def chance(seed: int, stream: Stream, *turn: int) -> np.random.SeedSequence:
    """Return the source of chance for one turn of a stream."""
    return np.random.SeedSequence((seed, int(stream), *turn))


def learning_rate(first: float, halve_every: int, epoch: int) -> float:
    """Return an epoch's learning rate: "dropped by half every 5 epochs" (SISE paper, appendix "ResNet-101").

    Example:
        >>> [learning_rate(0.1, 5, epoch) for epoch in (1, 5, 6, 11, 40)]
        [0.1, 0.1, 0.05, 0.025, 0.00078125]
    """
    return first * 0.5 ** ((epoch - 1) // halve_every)


def epoch_order(
    labels: Int64[np.ndarray, " patches"],
    per_class: int | None,
    seed: int,
    epoch: int,
    *,
    balanced: bool = False,
) -> Int64[np.ndarray, " drawn"]:
    """Return the patches of an epoch in the order in which they are trained on.

    Args:
        labels: The class of each training patch.
        per_class: At most so many patches of a class; None for all.
        seed: The run's seed.
        epoch: The epoch, from 1.
        balanced: Whether each class is drawn as often as another.

    Returns:
        Places in `labels`, the classes well mixed; each at most once, or, balanced, as often as its class needs it.
    """
    generator = np.random.default_rng(chance(seed, Stream.ORDER, epoch))
    order = generator.permutation(len(labels))
    if per_class is None and not balanced:
        return order
    by_class = [order[labels[order] == label] for label in np.unique(labels)]
    if balanced:
        drawn = [np.resize(places, _draws_of_each(labels, per_class)) for places in by_class]
    else:
        drawn = [places[:per_class] for places in by_class]
    # Shuffled once more: in `order` a frequent class fills its limit early, and would come first.
    return generator.permutation(np.concatenate(drawn))


def _draws_of_each(labels: Int64[np.ndarray, " patches"], per_class: int | None) -> int:
    """Return how often each class is drawn where all are drawn alike: an epoch is as long as without, rounded up."""
    return per_class or -(-len(labels) // len(np.unique(labels)))


def epoch_length(labels: Int64[np.ndarray, " patches"], per_class: int | None, *, balanced: bool) -> int:
    """Return how many patches `epoch_order` gives.

    Example:
        >>> labels = np.array([0, 0, 0, 0, 1])
        >>> [epoch_length(labels, limit, balanced=balanced) for limit in (None, 2) for balanced in (False, True)]
        [5, 6, 3, 4]
    """
    if balanced:
        return _draws_of_each(labels, per_class) * len(np.unique(labels))
    counts = np.bincount(labels)
    return int((counts if per_class is None else counts.clip(max=per_class)).sum())


@dataclass(frozen=True)
class Share:
    """A process's part of the work: its place among the processes, from 0, and how many they are."""

    index: int
    count: int


ALONE = Share(0, 1)


def part_of_batches(
    order: Int64[np.ndarray, " patches"], batch_size: int, share: Share
) -> Int64[np.ndarray, " part"]:
    """Return a process's part of each batch; what fills no batch is left out where there are several processes.

    Example:
        >>> part_of_batches(np.arange(9), 4, Share(1, 2))
        array([2, 3, 6, 7])
    """
    if share.count == 1:
        return order
    part = batch_size // share.count
    batches = order[: len(order) // batch_size * batch_size].reshape(-1, batch_size)
    return batches[:, share.index * part : (share.index + 1) * part].ravel()


class EpochSampler(Sampler[Draw]):
    """The order of an epoch, for a data loader; `set_epoch` says which, as torch's own samplers do.

    The epoch travels with each draw, so that worker processes that live through all epochs know it.
    """

    def __init__(self, labels: Sequence[int], settings: Settings, share: Share = ALONE) -> None:
        self._labels = np.array(labels, dtype=np.int64)
        self._settings, self._share = settings, share
        self._balanced = settings.sampling == "balanced"
        self._epoch, self._steps = 1, 0

    def set_epoch(self, epoch: int, steps: int = 0) -> None:
        """Say which epoch, from 1, is drawn next, and how many of its batches are left out."""
        self._epoch, self._steps = epoch, steps

    def __iter__(self) -> Iterator[Draw]:
        settings = self._settings
        order = epoch_order(
            self._labels, settings.patches_per_class, settings.seed, self._epoch, balanced=self._balanced
        )
        left = order[self._steps * settings.batch_size :]
        part = part_of_batches(left, settings.batch_size, self._share)
        return (Draw(self._epoch, int(index)) for index in part)

    @property
    def patches(self) -> int:
        """The patches of an epoch, of all processes."""
        return epoch_length(self._labels, self._settings.patches_per_class, balanced=self._balanced)

    def __len__(self) -> int:
        return len(part_of_batches(np.arange(self.patches), self._settings.batch_size, self._share))
