"""A data folder as large as the whole of Severstal's, and a run that has answers for it: what there is, repeated."""

import dataclasses
import math
import shutil
from pathlib import Path

import pandas as pd

from severstal_xai.checkpoint import load_checkpoint, save_checkpoint
from severstal_xai.manifest import Manifest, Patch, read_manifest, write_manifest
from severstal_xai.predictions import PREDICTIONS_FILE, read_predictions, write_predictions


def enlarged(data: Path, run: Path, rows: int, folder: Path) -> tuple[Manifest, Path]:
    """Write a data folder of so many patches, and a run that was trained on it.

    Args:
        data: The data folder that is repeated; its pictures are copied once.
        run: The run folder; its answers are repeated, where it has any.
        rows: The number of patches.
        folder: Where to write.

    Returns:
        The data, and the run's folder.

    Raises:
        InputError: The data or the run is missing or damaged.
    """
    manifest, checkpoint = read_manifest(data), load_checkpoint(run)
    large_data, large_run = folder / "patches", folder / "run"
    for kind in ("images", "masks"):
        if (data / kind).is_dir():
            shutil.copytree(data / kind, large_data / kind)
    copies = math.ceil(rows / len(manifest.patches))
    patches = [_copy(patch, number) for number in range(copies) for patch in manifest.patches][:rows]
    large = write_manifest(large_data, patches)
    large_run.mkdir()
    save_checkpoint(
        large_run, checkpoint.model, dataclasses.replace(checkpoint.card, data_checksum=large.checksum)
    )
    if (run / PREDICTIONS_FILE).is_file():
        answers = read_predictions(run / PREDICTIONS_FILE, checkpoint.card.weights_sha256)
        repeated = [
            answers.assign(patch=[copy_name(name, number) for name in answers["patch"]])
            for number in range(copies)
        ]
        weights = load_checkpoint(large_run).card.weights_sha256
        write_predictions(large_run / PREDICTIONS_FILE, pd.concat(repeated, ignore_index=True), weights)
    return large, large_run


def copy_name(patch: str, number: int) -> str:
    """Return the name of a patch's copy: the copy's number stands before the window's.

    Example:
        >>> copy_name("a_b_3", 7)
        'a_bx7_3'
    """
    strip, _, index = patch.rpartition("_")
    return f"{strip}x{number}_{index}"


def _copy(patch: Patch, number: int) -> Patch:
    return dataclasses.replace(patch, patch=copy_name(patch.patch, number), strip=f"{patch.strip}x{number}")
