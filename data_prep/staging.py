"""A new data folder grows beside the old one, inside it, and takes its place when it is whole.

`.building/` holds the journal and, bit by bit, all that the data folder will: its patches, what describes them,
last the manifest. Until then the old patches and their manifest stand untouched. To publish is to rename, file
by file and folder by folder, the manifest last; killed in the midst, the next run goes on with it.
"""

import re
import shutil
from collections.abc import Collection
from functools import cache
from pathlib import Path

import numpy as np

from data_prep.journal import JOURNAL_FILE
from data_prep.report import REPORTS
from data_prep.strip_work import IMAGES, MASKS
from severstal_xai.errors import InputError
from severstal_xai.files import is_temporary
from severstal_xai.imaging import PATCH_SHAPE, encode_mask, encode_png
from severstal_xai.manifest import MANIFEST_FILE, read_manifest

STAGING = ".building"
REPORT_FOLDERS = {Path(name).parent.name for name in REPORTS} - {""}
_PATCH_FILE = re.compile(r".+_[0-5]\.png", re.DOTALL)
_HEADER_BYTES = 29
"""A PNG's signature and first chunk: its size, depth and kind."""


def publish(staging: Path, folder: Path) -> None:
    """Move a whole data folder from its staging folder into place, over what stands there.

    Args:
        staging: Holds what has not been moved yet; the manifest, at least.
        folder: Has no manifest from the first step to the last: nobody reads what is half old and half new.
    """
    (folder / MANIFEST_FILE).unlink(missing_ok=True)
    for path in sorted(staging.iterdir()):
        if not path.name.startswith(".") and path.name != MANIFEST_FILE:
            place = folder / path.name
            if place.is_dir():
                shutil.rmtree(place)
            path.replace(place)
    (staging / MANIFEST_FILE).replace(folder / MANIFEST_FILE)
    discard(staging)


def discard(staging: Path) -> None:
    """Delete a staging folder, where there is one."""
    if staging.exists():
        shutil.rmtree(staging)


def check_kinds(folder: Path, files: Collection[str]) -> None:
    """Refuse a data folder where a folder lies in the place of a file of ours, or anything else in a folder's.

    The staging folder, which is deleted whole, must hold what a build makes and nothing else.

    Args:
        folder: The data folder.
        files: The names that files of ours have in it.

    Raises:
        InputError: To publish would delete a folder that is not ours, or reach through a link.
    """
    for name in files:
        if (folder / name).is_dir():
            raise InputError(
                f"--output {folder}: {name!r} is a folder, expected a file or nothing of that name"
            )
    for name in sorted({IMAGES, MASKS, STAGING, *REPORT_FOLDERS}):
        place = folder / name
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            found = "a link" if place.is_symlink() else "a file"
            raise InputError(
                f"--output {folder}: {name!r} is {found}, expected a folder or nothing of that name"
            )
    known = {JOURNAL_FILE, IMAGES, MASKS, *REPORT_FOLDERS, *files}
    for path in sorted((folder / STAGING).glob("*")):
        if path.name not in known and not is_temporary(path):
            raise InputError(
                f"--output {folder}: holds '{STAGING}/{path.name}', which no build makes and which would be lost; "
                "expected it to be moved away"
            )


def check_nothing_else_is_lost(folder: Path) -> None:
    """Refuse to replace a data folder that holds what its manifest does not name.

    Where there is no manifest that can be read, what looks as we write it passes: a build killed while it was
    published leaves such patches, and so does who deletes the manifest to have it made anew.

    Raises:
        InputError: Someone put a file among the patches or the report's pictures.
    """
    named = _named_by_manifest(folder)
    for kind in sorted({IMAGES, MASKS, *REPORT_FOLDERS}):
        for path in sorted((folder / kind).rglob("*")):
            name = path.relative_to(folder).as_posix()
            ours = name in REPORTS or (_looks_like_ours(path, kind) if named is None else name in named)
            if not ours:
                raise InputError(
                    f"--output {folder}: holds {name!r}, which is none of its patches "
                    "and would be lost when they are replaced; expected it to be moved away"
                )


def _named_by_manifest(folder: Path) -> set[str] | None:
    """Return the files that the manifest names; None where none can be read: begun, or damaged."""
    try:
        patches = read_manifest(folder).patches
    except InputError:
        return None
    return {name for patch in patches for name in (patch.image, patch.mask)}


def _looks_like_ours(path: Path, kind: str) -> bool:
    """Tell whether a file has the name and the header of a patch's picture; a torn one has the header's beginning."""
    if not _PATCH_FILE.fullmatch(path.name) or path.parent.name != kind or not path.is_file():
        return False
    with path.open("rb") as stream:
        return _header_of(kind).startswith(stream.read(_HEADER_BYTES))


@cache
def _header_of(kind: str) -> bytes:
    encoded = (
        encode_mask(np.zeros(PATCH_SHAPE, bool))
        if kind == MASKS
        else encode_png(np.zeros(PATCH_SHAPE, np.uint8))
    )
    return encoded[:_HEADER_BYTES]
