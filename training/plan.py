"""What is checked and said before a run begins."""

from collections import Counter

from severstal_xai.classes import CLASSES
from severstal_xai.errors import InputError
from severstal_xai.manifest import Manifest, Split
from training.compute import Compute
from training.settings import Settings


def check_splits(manifest: Manifest) -> None:
    """Refuse data that cannot be trained on, validated on or tested on.

    Raises:
        InputError: A split is empty, or training has one class only.
    """
    counts = counts_of(manifest)
    for split in Split:
        if not sum(counts[split].values()):
            raise InputError(f"{manifest.root}: no patch in the {split} split, expected at least one")
    if len(counts[Split.TRAIN]) == 1:
        only = next(iter(counts[Split.TRAIN]))
        raise InputError(
            f"{manifest.root}: all training patches are of class {only}, expected at least two classes"
        )


def counts_of(manifest: Manifest) -> dict[Split, Counter[int]]:
    """Count the patches of each class in each split."""
    return {split: Counter(patch.label for patch in manifest.of_split(split)) for split in Split}


def plan(settings: Settings, manifest: Manifest, compute: Compute, workers: int) -> list[str]:
    """Say, in lines for the console, what the run is going to do."""
    counts = counts_of(manifest)
    lines = [
        f"Train {settings.architecture} for {settings.epochs} epochs on {settings.data}; "
        f"the run goes to {settings.output}",
        f"Device {compute.device.type}, precision {compute.precision}: {compute.reason}; "
        f"{workers or 'no'} processes load patches",
        f"{'patches':<26}" + "".join(f"{split:>12}" for split in Split),
    ]
    lines += [
        f"  {steel.id} {steel.name:<22}" + "".join(f"{counts[split][steel.id]:>12}" for split in Split)
        for steel in CLASSES
    ]
    lines += [
        f"Note: class {steel.id} ({steel.name}) has no training patch; the model cannot learn it"
        for steel in CLASSES
        if not counts[Split.TRAIN][steel.id]
    ]
    return lines
