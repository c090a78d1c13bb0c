"""A new data folder grows beside the old one, inside it, and takes its place when it is whole.

`.building/` holds the journal and, bit by bit, all that the data folder will: its patches, what describes them,
last the manifest. Until then the old patches and their manifest stand untouched. To publish is to rename, file
by file and folder by folder, the manifest last; killed in the midst, the next run goes on with it.
"""

import shutil
from pathlib import Path

from data_prep.report import REPORTS
from data_prep.strip_work import IMAGES, MASKS
from severstal_xai.errors import InputError
from severstal_xai.files import inside
from severstal_xai.manifest import MANIFEST_FILE, read_manifest

STAGING = ".building"


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


def check_nothing_else_is_lost(folder: Path) -> None:
    """Refuse to replace a data folder that holds what its manifest does not name.

    Raises:
        InputError: Someone put a file among the patches or the report's pictures.
    """
    try:
        patches = read_manifest(folder).patches
    except InputError:
        return  # begun, or damaged: nothing tells what belongs to it
    ours = {name for patch in patches for name in (patch.image, patch.mask)} | set(REPORTS)
    ours = {str(inside(folder, name)) for name in ours if name}
    for kind in sorted({IMAGES, MASKS, *(Path(name).parent.name for name in REPORTS)} - {""}):
        for path in sorted((folder / kind).rglob("*")):
            if str(path) not in ours:
                raise InputError(
                    f"--output {folder}: holds {path.relative_to(folder).as_posix()!r}, which is none of its patches "
                    "and would be lost when they are replaced; expected it to be moved away"
                )
