"""Strips as the data folder has them: what is kept of each, as patches, and the picture of the whole."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from severstal_xai.errors import InputError, about
from severstal_xai.files import inside
from severstal_xai.imaging import STRIP_SHAPE, read_grey
from severstal_xai.manifest import Manifest, Patch
from severstal_xai.strips import PATCH_SIZE, Window, cut, windows

Grey = UInt8[np.ndarray, "256 256"]
_ENDINGS = (".jpg", ".png", ".jpeg")


@dataclass(frozen=True)
class Strip:
    """What a data folder keeps of a strip.

    Args:
        name: Its name.
        patches: Its patches by the index of their window; windows may be absent.
    """

    name: str
    patches: Mapping[int, Patch]

    @property
    def windows(self) -> tuple[Window, ...]:
        """Its six windows, where the patches were cut."""
        first = next(iter(self.patches.values()))
        return windows(first.x - PATCH_SIZE * first.index)


def strips_of(manifest: Manifest) -> dict[str, Strip]:
    """Return the strips of a data folder by their names, in the manifest's order."""
    found: defaultdict[str, dict[int, Patch]] = defaultdict(dict)
    for patch in manifest.patches:
        found[patch.strip][patch.index] = patch
    return {name: Strip(name, patches) for name, patches in found.items()}


def composed(strip: Strip, greys: Mapping[int, Grey]) -> UInt8[np.ndarray, "256 1600"]:
    """Return a strip put together from its patches, black where there is none."""
    whole = np.zeros(STRIP_SHAPE, dtype=np.uint8)
    for index, grey in greys.items():
        cut(whole, strip.windows[index])[:] = grey
    return whole


def read_whole(folder: Path, strip: Strip, greys: Mapping[int, Grey]) -> UInt8[np.ndarray, "256 1600"]:
    """Read the picture of a whole strip.

    Args:
        folder: Where the strips' images lie, as `python -m data_prep` took them.
        strip: Whose.
        greys: The patches' images by their windows: what the picture must hold.

    Raises:
        InputError: There is none, it is damaged, or its windows are not the patches.
    """
    path = next(
        (path for ending in _ENDINGS if (path := inside(folder, strip.name + ending)).is_file()), None
    )
    if path is None:
        raise InputError(
            f"no image of strip {strip.name!r} among the strips, expected {strip.name}{_ENDINGS[0]}"
        )
    with about(Path(path.name)):
        try:
            whole = read_grey(path.read_bytes(), STRIP_SHAPE)
        except OSError as error:
            raise InputError(f"cannot be read ({error.strerror})") from error
        for index, grey in greys.items():
            if not np.array_equal(cut(whole, strip.windows[index]), grey):
                raise InputError(
                    f"window {index + 1} differs from patch {strip.patches[index].patch}, expected the image it was cut from"
                )
    return whole
