"""Conversions on disk: what an engine made of a network once, it need not make again when the program starts anew.

They lie in the user's folder for caches, or in that which the variable `SEVERSTAL_XAI_CACHE` names: the few that were
used last. What is damaged is made anew; where nothing can be written, nothing is kept.
"""

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import platformdirs

from severstal_xai.files import sha256, whole_file

FOLDER_VARIABLE = "SEVERSTAL_XAI_CACHE"
_KEPT = 4
_ENDING = ".conversion.zip"


def find(key: str) -> dict[str, bytes] | None:
    """Return the parts of a conversion, or None where there is none that is whole.

    Args:
        key: What it was made of and by what: equal keys, equal conversions.
    """
    path = _path(key)
    try:
        with zipfile.ZipFile(path) as archive:  # each part is held against its checksum
            parts = {name: archive.read(name) for name in archive.namelist()}
        os.utime(path)
    except (OSError, zipfile.BadZipFile, NotImplementedError, EOFError):
        return None
    return parts


def keep(key: str, parts: Mapping[str, bytes]) -> None:
    """Keep a conversion, and of all the few that were used last; without a place to write do nothing."""
    path = _path(key)
    try:
        with whole_file(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            for name, content in parts.items():
                archive.writestr(name, content)
        kept = sorted(path.parent.glob(f"*{_ENDING}"), key=lambda one: one.stat().st_mtime, reverse=True)
        for old in kept[_KEPT:]:
            old.unlink(missing_ok=True)
    except OSError:
        return


def _path(key: str) -> Path:
    named = os.environ.get(FOLDER_VARIABLE)
    folder = Path(named) if named else platformdirs.user_cache_path("severstal_xai", appauthor=False)
    return folder / "conversions" / f"{sha256(key.encode())}{_ENDING}"
