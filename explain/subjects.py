"""What is explained: a patch of a data folder, a patch's image file, or a strip with its six windows."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8

from severstal_xai.errors import InputError, about
from severstal_xai.imaging import PATCH_SHAPE, STRIP_SHAPE, read_grey
from severstal_xai.manifest import Manifest, Patch, Split
from severstal_xai.strips import cut, stitch, windows

_ENDINGS = (".jpg", ".jpeg", ".png")
WHOLE = -1
"""The window of a subject that is one patch itself."""
DARK = 10
"""Grey values below show no steel but the dark beside the strip."""


@dataclass(frozen=True)
class Subject:
    """An image to explain.

    Args:
        name: What its files are called.
        grey: Its grey values: a strip or a patch.
        label: Its class, where that is known.
        mask: Its ground truth, where there is any.
    """

    name: str
    grey: UInt8[np.ndarray, "height width"]
    label: int | None = None
    mask: Bool[np.ndarray, "height width"] | None = None

    def patches(self) -> dict[int, UInt8[np.ndarray, "256 256"]]:
        """Return its patches by the index of their window; a patch itself has the index `WHOLE`."""
        if self.grey.shape == PATCH_SHAPE:
            return {WHOLE: self.grey}
        return {window.index: cut(self.grey, window) for window in windows()}

    def assemble(self, maps: dict[int, np.ndarray]) -> np.ndarray:
        """Return the maps of its patches as one of its own size; NaN where no window lies."""
        return maps[WHOLE] if WHOLE in maps else stitch(maps)


def choose_patches(manifest: Manifest, split: Split, per_class: int | None) -> list[Patch]:
    """Return a split's patches, at most `per_class` of each class, drawn by lot, in the order of their names."""
    taken: Counter[int] = Counter()
    chosen = []
    for patch in sorted(
        manifest.of_split(split), key=lambda patch: hashlib.sha256(patch.patch.encode()).digest()
    ):
        if per_class is None or taken[patch.label] < per_class:
            taken[patch.label] += 1
            chosen.append(patch)
    return sorted(chosen, key=lambda patch: patch.patch)


def read_patch(manifest: Manifest, patch: Patch) -> Subject:
    """Read a patch of a data folder with its ground truth.

    Raises:
        InputError: Its files are not as the manifest says.
    """
    mask = manifest.read_mask(patch) if patch.mask else None
    return Subject(patch.patch, manifest.read_image(patch), patch.label, mask)


def find_images(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield the image files among the paths, and in those that are folders, sorted; a folder without any, itself."""
    for path in paths:
        inside = path.iterdir() if path.is_dir() else ()
        images = sorted(inner for inner in inside if inner.suffix.lower() in _ENDINGS)
        yield from images or [path]


def read_image(path: Path) -> Subject:
    """Read an image file, a strip or a patch.

    Raises:
        InputError: It cannot be read or is neither.
    """
    with about(path):
        if path.is_dir():
            raise InputError(f"no image in this folder, expected files ending in {', '.join(_ENDINGS)}")
        try:
            content = path.read_bytes()
        except OSError as error:
            raise InputError(f"cannot be read ({error.strerror}), expected an image file") from error
        return Subject(path.stem, read_grey(content, STRIP_SHAPE, PATCH_SHAPE))
