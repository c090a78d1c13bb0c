"""Patches as batches of tensors."""

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float32, Int64, UInt8
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from severstal_xai.errors import InputError
from severstal_xai.imaging import PATCH_SHAPE, model_input
from severstal_xai.manifest import Manifest, Patch, Split
from training.augment import Augmenter
from training.compute import Compute
from training.schedule import Draw, EpochSampler, Share
from training.settings import Settings

Sample = tuple[Tensor, int]
Batch = tuple[Float32[Tensor, "_batch 3 _height _width"], Int64[Tensor, " _batch"]]
Change = Callable[[UInt8[np.ndarray, "height width"], Draw], UInt8[np.ndarray, "height width"]]

_MOST_WORKERS = 8


@dataclass(frozen=True)
class Held:
    """All patches, decoded once and kept in memory; processes that load share it where the system forks them.

    Args:
        greys: Their grey values.
        places: The place of each, by its name.
    """

    greys: UInt8[Tensor, "patches height width"]
    places: Mapping[str, int]

    def of(self, patch: Patch) -> UInt8[np.ndarray, "height width"]:
        """Return a patch's grey values."""
        grey: np.ndarray = self.greys[self.places[patch.patch]].numpy()
        return grey


def read_patches(manifest: Manifest, memory: int, watch: Callable[[int], object]) -> Held | None:
    """Read every image once: a damaged one is named now, not after hours of training; keep them where they fit.

    Args:
        manifest: The data.
        memory: Bytes that may be filled.
        watch: Told of each image.

    Returns:
        The images; None where they do not fit, so that they have to be read again when they are needed.

    Raises:
        InputError: An image cannot be read or is not the one that was prepared.
    """
    shape = (len(manifest.patches), *PATCH_SHAPE)
    greys = torch.empty(shape, dtype=torch.uint8) if math.prod(shape) <= memory else None
    for place, patch in enumerate(manifest.patches):
        grey = manifest.read_image(patch)
        if greys is not None:
            greys[place].numpy()[:] = grey
        watch(1)
    if greys is None:
        return None
    return Held(greys, {patch.patch: place for place, patch in enumerate(manifest.patches)})


class PatchDataset(Dataset[Sample | InputError]):
    """The patches of a split, model-ready, each with its label.

    A patch that cannot be read is returned as its `InputError`: raised in a worker process, its message would
    come back wrapped in a traceback. `Batches` raises it.
    """

    def __init__(
        self, manifest: Manifest, patches: Sequence[Patch], change: Change, held: "Held | None" = None
    ) -> None:
        self._manifest = manifest
        self._patches = patches
        self._change = change
        self._held = held

    def __len__(self) -> int:
        return len(self._patches)

    def __getitem__(self, draw: Draw) -> Sample | InputError:
        patch = self._patches[draw.place]
        try:
            grey = self._held.of(patch) if self._held else self._manifest.read_image(patch)
        except InputError as error:
            return error
        return torch.from_numpy(model_input(self._change(grey, draw))), patch.label


class Batches:
    """A loader's batches, as often as one likes; the first patch that cannot be read ends them.

    Its length is in patches.
    """

    def __init__(self, loader: Iterable[Batch | InputError], patches: int) -> None:
        self._loader = loader
        self._patches = patches

    def __len__(self) -> int:
        return self._patches

    def __iter__(self) -> Iterator[Batch]:
        for batch in self._loader:
            if isinstance(batch, InputError):
                raise batch
            yield batch


class TrainingBatches:
    """The batches of an epoch, for its number. Its length is an epoch's, in patches."""

    def __init__(self, batches: Batches, sampler: EpochSampler) -> None:
        self._batches = batches
        self._sampler = sampler

    def __len__(self) -> int:
        return len(self._batches)

    def __call__(self, epoch: int, steps: int = 0) -> Batches:
        """Return the epoch's batches without its first `steps`; take them before asking for another epoch's."""
        self._sampler.set_epoch(epoch, steps)
        return self._batches


def training_batches(
    settings: Settings, manifest: Manifest, compute: Compute, held: Held | None = None
) -> TrainingBatches:
    """Return the training split's batches, shuffled and augmented; of several processes, each has its part of each.

    What does not fill a batch is left for another epoch: statistics of a last batch of one or two patches
    would spoil those that batch normalisation keeps for evaluation. A split that fills none is one batch.

    Raises:
        InputError: Several processes cannot share the batches.
    """
    patches = manifest.of_split(Split.TRAIN)
    share = Share(compute.index, compute.processes)
    sampler = EpochSampler([patch.label for patch in patches], settings, share)
    check_shares(settings.batch_size, sampler.patches, share)
    change = Augmenter(settings.augmentation, settings.seed)
    dataset = PatchDataset(manifest, patches, change, held)
    full = sampler.patches - sampler.patches % settings.batch_size
    loader = _loader(dataset, sampler, settings, compute, drop_last=full > 0)
    return TrainingBatches(Batches(loader, full or sampler.patches), sampler)


def check_shares(batch_size: int, patches: int, share: Share) -> None:
    """Refuse batches that the processes cannot share: each must have the same part, or a mean of means is no mean."""
    if batch_size % share.count:
        raise InputError(
            f"batch_size is {batch_size}, expected a multiple of the {share.count} processes that share a batch"
        )
    if share.count > 1 and patches < batch_size:
        raise InputError(
            f"batch_size is {batch_size}, expected at most the {patches} training patches, for {share.count} processes"
        )


def evaluation_batches(
    settings: Settings, manifest: Manifest, split: Split, compute: Compute, held: Held | None = None
) -> Batches:
    """Return a split's batches: every patch once, as it is, in the manifest's order.

    Of several processes each has every n-th patch.

    Raises:
        InputError: There are fewer patches than processes.
    """
    patches = manifest.of_split(split)
    if len(patches) < compute.processes:
        raise InputError(
            f"{len(patches)} patches in the {split} split, expected one at least for each process"
        )
    dataset = PatchDataset(manifest, patches, unchanged, held)
    own = range(compute.index, len(patches), compute.processes)
    in_order = [Draw(epoch=0, place=place) for place in own]
    return Batches(_loader(dataset, in_order, settings, compute, drop_last=False), len(dataset))


def unchanged(grey: UInt8[np.ndarray, "height width"], _: Draw) -> UInt8[np.ndarray, "height width"]:
    """Return the patch as it is."""
    return grey


def workers(wanted: int | Literal["auto"], device: torch.device) -> int:
    """Return how many processes load patches; beside a CPU that trains they would only take its cores."""
    if wanted != "auto":
        return wanted
    return min(_MOST_WORKERS, os.cpu_count() or 1) if device.type == "cuda" else 0


def _loader(
    dataset: PatchDataset,
    order: Iterable[Draw],
    settings: Settings,
    compute: Compute,
    *,
    drop_last: bool,
) -> "DataLoader[Sample | InputError]":
    processes = workers(settings.workers, compute.device)
    return DataLoader(
        dataset,
        batch_size=settings.batch_size // compute.processes,
        sampler=order,
        num_workers=processes,
        collate_fn=_collate,
        pin_memory=compute.device.type == "cuda",
        drop_last=drop_last,
        persistent_workers=processes > 0,
        generator=torch.Generator().manual_seed(settings.seed),  # else torch draws from the global one
    )


def _collate(samples: list[Sample | InputError]) -> Batch | InputError:
    for sample in samples:
        if isinstance(sample, InputError):
            return sample
    batch: list[Tensor] = default_collate(samples)
    return batch[0], batch[1]
