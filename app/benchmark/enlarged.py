"""A data folder as large as the whole of Severstal's, and a run that has answers for it: what there is, repeated.

Each copy is an image of its own, the patch shifted a little further: the inspector keeps maps by the image's checksum, and would show the
same few maps again and again.
"""

import dataclasses
import math
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Shaped

from severstal_xai.checkpoint import load_checkpoint, save_checkpoint
from severstal_xai.files import sha256
from severstal_xai.imaging import encode_mask, encode_png
from severstal_xai.manifest import Manifest, Patch, read_manifest, write_manifest
from severstal_xai.predictions import PREDICTIONS_FILE, read_predictions, write_predictions
from severstal_xai.strips import PATCH_SIZE

_STRIDE = 37
"""Pixels from copy to copy: more than a cell of the network's coarsest features, and so a map of its own; odd, and so no place comes twice."""


def enlarged(data: Path, run: Path, rows: int, folder: Path) -> tuple[Manifest, Path]:
    """Write a data folder of so many patches, and a run that was trained on it.

    Args:
        data: The data folder that is repeated.
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
        (large_data / kind).mkdir(parents=True)
    known = len(manifest.patches)
    copies = math.ceil(rows / known)
    patches = [
        copy
        for place, patch in enumerate(manifest.patches)
        for copy in _copies(manifest, patch, large_data, len(range(place, rows, known)))
    ]
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


def shifted(pixels: Shaped[np.ndarray, "height width"], number: int) -> Shaped[np.ndarray, "height width"]:
    """Return what a patch's copy of that number shows: the patch shifted; what leaves it at one edge comes in at the other.

    To the right by 37 pixels a copy, and down by one when the places in a row have all been taken: 65,536 places of a patch.

    Example:
        >>> line = np.arange(256)[None]
        >>> int(shifted(line, 0)[0, 0]), int(shifted(line, 1)[0, 37]), int(shifted(line, 7)[0, 3])
        (0, 0, 0)
    """
    return np.roll(pixels, (number // PATCH_SIZE, _STRIDE * number % PATCH_SIZE), axis=(0, 1))


def _copies(manifest: Manifest, patch: Patch, folder: Path, count: int) -> list[Patch]:
    """Write so many copies of a patch into a data folder; return their records."""
    grey, mask = manifest.read_image(patch), manifest.read_mask(patch)
    copies = []
    for number in range(count):
        name = copy_name(patch.patch, number)
        image = encode_png(shifted(grey, number))
        copy = dataclasses.replace(
            patch,
            patch=name,
            strip=f"{patch.strip}x{number}",
            image=f"images/{name}.png",
            image_sha256=sha256(image),
        )
        (folder / copy.image).write_bytes(image)
        if patch.mask:
            truth = encode_mask(shifted(mask, number))
            copy = dataclasses.replace(copy, mask=f"masks/{name}.png", mask_sha256=sha256(truth))
            (folder / copy.mask).write_bytes(truth)
        copies.append(copy)
    return copies
