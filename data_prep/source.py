"""Where strips come from: Kaggle's folder or Kaggle's zip, read in place.

Both hold `train.csv` and `train_images/`. Nothing is ever unpacked, and a name that would lead out of the
folder is a reject.
"""

import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol, runtime_checkable

from data_prep.rejects import Reject, reject
from severstal_xai.annotation_file import ANNOTATIONS
from severstal_xai.errors import InputError
from severstal_xai.files import check_name

IMAGES = "train_images"
_ENDINGS = {".jpg", ".jpeg", ".png"}
_LARGEST_CSV = 512 * 2**20
_LARGEST_IMAGE = 16 * 2**20

WHERE_TO_GET_IT = (
    "no source: download 'severstal-steel-defect-detection' from Kaggle and give its zip, or the folder with "
    "train_images/ and train.csv, as --source; or make strips with "
    "`python -m data_prep.synthesize --output strips --strips 120 --seed 0`"
)


@runtime_checkable  # so that tests check it as a type
class Source(Protocol):
    """A place that holds strips."""

    def read_annotations(self) -> bytes:
        """Read `train.csv`."""
        ...

    def list_images(self) -> tuple[dict[str, int], list[Reject]]:
        """Return the strips' file names with their checksums (CRC-32), and what is no strip's file."""
        ...

    def read_image(self, name: str) -> bytes:
        """Read a strip's file, from any thread; InputError where that fails."""
        ...


def open_source(path: Path | None) -> Source:
    """Open Kaggle's folder or zip.

    Raises:
        InputError: There is none, or it does not hold `train.csv` and `train_images/`.
    """
    if path is None:
        raise InputError(WHERE_TO_GET_IT)
    if path.is_dir():
        return _open_folder(path)
    if path.is_file():
        return _open_zip(path)
    raise InputError(
        f"--source {path}: no such folder or file; {WHERE_TO_GET_IT.removeprefix('no source: ')}"
    )


def image_path(name: str) -> str:
    """Return how a strip's file is called in the list of rejects."""
    return f"{IMAGES}/{name}"


def _sort_out(names: Iterable[tuple[str, int]]) -> tuple[dict[str, int], list[Reject]]:
    """Keep the names that can be strips; refuse unsafe ones, other files, and those that would make one patch.

    Of such files none is kept: nobody knows which one was annotated, least of all where `train.csv`, which lists
    defects alone, names neither.
    """
    images: dict[str, int] = {}
    rejects: list[Reject] = []
    for name, checksum in sorted(names):
        try:
            check_name(name)
            _check_ending(name)
        except InputError as error:
            rejects.append(reject(image_path(name), 0, name, error))
        else:
            images[name] = checksum
    same: dict[str, list[str]] = {}
    for name in images:
        same.setdefault(PurePosixPath(name).stem.casefold(), []).append(name)
    for together in same.values():
        for name in together if len(together) > 1 else ():
            reason = (
                f"{' and '.join(together)} would have the same patches, expected strips of distinct names"
            )
            rejects.append(reject(image_path(name), 0, name, reason))
            del images[name]
    return images, rejects


def _check_ending(name: str) -> None:
    ending = PurePosixPath(name).suffix
    if ending.lower() not in _ENDINGS:
        raise InputError(f"ends in {ending!r}, expected one of {', '.join(sorted(_ENDINGS))}")


@dataclass(frozen=True)
class FolderSource:
    """Kaggle's folder."""

    root: Path

    def read_annotations(self) -> bytes:
        """Read `train.csv`."""
        return (self.root / ANNOTATIONS).read_bytes()

    def list_images(self) -> tuple[dict[str, int], list[Reject]]:
        """Return the strips' files; reads each once, for its checksum."""
        images, rejects = _sort_out((path.name, 0) for path in (self.root / IMAGES).iterdir())
        return {name: self._checksum(name) for name in images}, rejects

    def _checksum(self, name: str) -> int:
        try:
            return zlib.crc32(self.read_image(name))
        except InputError:
            return 0  # reading it again tells why, and makes it a reject

    def read_image(self, name: str) -> bytes:
        """Read a strip's file."""
        path = self.root / IMAGES / name
        try:
            if path.exists() and not path.is_file():
                raise InputError("not a file, expected an image file")
            if path.stat().st_size > _LARGEST_IMAGE:
                raise InputError(f"file of {path.stat().st_size} bytes, expected at most {_LARGEST_IMAGE}")
            return path.read_bytes()
        except OSError as error:
            raise InputError(f"cannot be read ({error.strerror}), expected an image file") from error


def _open_folder(path: Path) -> FolderSource:
    for part, found in (
        (ANNOTATIONS, (path / ANNOTATIONS).is_file()),
        (f"{IMAGES}/", (path / IMAGES).is_dir()),
    ):
        if not found:
            raise InputError(
                f"--source {path}: {part} is missing, expected Kaggle's folder with {ANNOTATIONS} and {IMAGES}/"
            )
    return FolderSource(path)


@dataclass(frozen=True)
class ZipSource:
    """Kaggle's zip; its entries may lie in a folder of their own.

    Args:
        archive: The opened zip.
        root: The folder inside it that holds `train.csv`; empty, or with a closing slash.
    """

    archive: zipfile.ZipFile
    root: str

    def read_annotations(self) -> bytes:
        """Read `train.csv`."""
        try:
            return _read_entry(self.archive, self.root + ANNOTATIONS, _LARGEST_CSV)
        except InputError as error:
            raise InputError(f"{self.archive.filename}, {ANNOTATIONS}: {error}") from error

    def list_images(self) -> tuple[dict[str, int], list[Reject]]:
        """Return the strips' entries; their checksums are in the zip's table of contents."""
        entries = [entry for entry in self.archive.infolist() if not entry.is_dir()]
        inside, rejects = self._sort_out_paths(entries)
        images, refused = _sort_out(inside)
        return images, rejects + refused

    def _sort_out_paths(
        self, entries: Sequence[zipfile.ZipInfo]
    ) -> tuple[list[tuple[str, int]], list[Reject]]:
        prefix = f"{self.root}{IMAGES}/"
        times = Counter(entry.orig_filename for entry in entries)
        inside, rejects = [], []
        for entry in entries:
            path = entry.orig_filename
            if _is_unsafe(path):
                rejects.append(
                    reject(
                        path,
                        0,
                        path,
                        "zip entry that would leave the folder or holds NUL, expected a path inside it",
                    )
                )
            elif path.startswith(prefix) and times[path] > 1:
                rejects.append(reject(path, 0, path, f"{times[path]} zip entries of this name, expected one"))
            elif path.startswith(prefix):
                inside.append((path.removeprefix(prefix), entry.CRC))
        return inside, rejects

    def read_image(self, name: str) -> bytes:
        """Read a strip's entry; the zip's own checksum is checked."""
        return _read_entry(self.archive, f"{self.root}{IMAGES}/{name}", _LARGEST_IMAGE)


def _is_unsafe(path: str) -> bool:
    return path.startswith("/") or ".." in PurePosixPath(path).parts or any(sign in path for sign in "\\:\0")


def _read_entry(archive: zipfile.ZipFile, path: str, largest: int) -> bytes:
    entry = archive.getinfo(path)
    if (
        entry.orig_filename != path
    ):  # Python cuts a name at its first NUL, and this entry took another's place
        raise InputError(f"zip entry {entry.orig_filename!r} takes its place, expected a name without NUL")
    if entry.file_size > largest:
        raise InputError(f"zip entry of {entry.file_size} bytes, expected at most {largest}")
    if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise InputError(f"zip entry packed in way {entry.compress_type}, expected stored or deflated")
    try:
        with archive.open(entry) as stream:
            # To the size that it claims and no further: `archive.read` would unpack first and measure then.
            return stream.read(entry.file_size)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, OSError) as error:
        raise InputError(f"zip entry cannot be read ({error})") from error


def _open_zip(path: Path) -> ZipSource:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise InputError(f"--source {path}: not a folder and not a readable zip ({error})") from error
    found = [
        entry.orig_filename
        for entry in archive.infolist()
        if PurePosixPath(entry.orig_filename).name == ANNOTATIONS
    ]
    safe = sorted((name for name in found if not _is_unsafe(name)), key=lambda name: (name.count("/"), name))
    if found and not safe:
        raise InputError(f"--source {path}: {found[0]!r}, expected {ANNOTATIONS} in a folder of a plain name")
    if not safe:
        raise InputError(
            f"--source {path}: {ANNOTATIONS} is missing, expected Kaggle's zip with {ANNOTATIONS} and {IMAGES}/"
        )
    if safe.count(safe[0]) > 1:
        raise InputError(f"--source {path}: {safe[0]} is there {safe.count(safe[0])} times, expected once")
    return ZipSource(archive, safe[0].removesuffix(ANNOTATIONS))
