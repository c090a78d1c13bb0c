"""The manifest of a data folder: one record a patch, and what must be true of it.

`manifest.parquet` is written last and read first: where it lies, the data folder is complete.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Bool, UInt8

from severstal_xai.classes import CLASSES, SOUND
from severstal_xai.errors import InputError, about
from severstal_xai.files import check_name, inside, sha256, sha256_of, sync, whole_file
from severstal_xai.imaging import PATCH_SHAPE, read_grey, read_mask
from severstal_xai.strips import PATCH_SIZE, STRIP_WIDTH, WINDOW_COUNT, patch_name

MANIFEST_FILE = "manifest.parquet"


class Split(StrEnum):
    """What a patch is for."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Patch:
    """A patch of 256 x 256 pixels and what is known of it.

    Args:
        patch: Its name, `STRIP_i`.
        strip: The strip's name, without the file's ending.
        index: Its window on the strip, 0 to 5 from the left.
        x: The window's left edge on the strip, in pixels.
        label: The class, 0 (sound) or 1 to 4.
        split: What the patch is for.
        evaluation: Whether it belongs to the paper's evaluation subset.
        defect_pixels: Pixels of the ground-truth mask.
        mean_grey: Mean grey value, 0 to 255.
        image: The image file, a path relative to the manifest.
        mask: The mask file likewise; empty for class 0.
        image_sha256: The image file's checksum.
        mask_sha256: The mask file's checksum; empty for class 0.
    """

    patch: str
    strip: str
    index: int
    x: int
    label: int
    split: Split
    evaluation: bool
    defect_pixels: int
    mean_grey: float
    image: str
    mask: str
    image_sha256: str
    mask_sha256: str


_SCHEMA = pa.schema(
    [
        ("patch", pa.string()),
        ("strip", pa.string()),
        ("index", pa.int64()),
        ("x", pa.int64()),
        ("label", pa.int64()),
        ("split", pa.string()),
        ("evaluation", pa.bool_()),
        ("defect_pixels", pa.int64()),
        ("mean_grey", pa.float64()),
        ("image", pa.string()),
        ("mask", pa.string()),
        ("image_sha256", pa.string()),
        ("mask_sha256", pa.string()),
    ]
)


@dataclass(frozen=True)
class Manifest:
    """A data folder's patches, in the order of their names.

    Args:
        root: The data folder.
        checksum: SHA-256 of the manifest's file: names this state of the data.
        patches: The records.
    """

    root: Path
    checksum: str
    patches: tuple[Patch, ...]

    def of_split(self, split: Split) -> tuple[Patch, ...]:
        """Return the patches of one split."""
        return tuple(patch for patch in self.patches if patch.split == split)

    def find(self, name: str) -> Patch:
        """Return the patch of that name.

        Raises:
            InputError: There is none.
        """
        try:
            return self._by_name[name]
        except KeyError as error:
            raise InputError(f"{self.root}: no patch {name!r} among its {len(self.patches)}") from error

    @cached_property
    def _by_name(self) -> dict[str, Patch]:
        return {patch.patch: patch for patch in self.patches}

    def table(self) -> pd.DataFrame:
        """Return the records as a table, one row a patch, columns named as in `Patch`."""
        return pd.DataFrame([dataclasses.asdict(patch) for patch in self.patches], columns=_SCHEMA.names)

    def read_image(self, patch: Patch) -> UInt8[np.ndarray, "256 256"]:
        """Read a patch's grey values, checked.

        Raises:
            InputError: The file is missing, is not such an image, or is not the one that was prepared.
        """
        with about(self.root / patch.image):
            return read_grey(self._read(patch.image, patch.image_sha256), PATCH_SHAPE)

    def read_mask(self, patch: Patch) -> Bool[np.ndarray, "256 256"]:
        """Read a patch's ground-truth mask, checked; all False for class 0.

        Raises:
            InputError: The file is missing, is not such a mask, or is not the one that was prepared.
        """
        if not patch.mask:
            return np.zeros(PATCH_SHAPE, dtype=bool)
        with about(self.root / patch.mask):
            return read_mask(self._read(patch.mask, patch.mask_sha256))

    def _read(self, relative: str, checksum: str) -> bytes:
        try:
            content = inside(self.root, relative).read_bytes()
        except OSError as error:
            raise InputError(
                f"cannot be read ({error.strerror}), expected the file that the manifest names"
            ) from error
        if sha256(content) != checksum:
            raise InputError("not the file that was prepared: its SHA-256 differs from the manifest's")
        return content


def count_shared_strips(placed: Iterable[tuple[str, Split]]) -> int:
    """Return how many test patches share a strip with a patch of training or validation.

    Neighbours on one strip look alike, so such patches flatter a model.

    Args:
        placed: Each patch's strip and split.

    Example:
        >>> count_shared_strips([("a", Split.TRAIN), ("a", Split.TEST), ("b", Split.TEST)])
        1
    """
    known = list(placed)
    seen_before = {strip for strip, split in known if split != Split.TEST}
    return sum(split == Split.TEST and strip in seen_before for strip, split in known)


def write_manifest(folder: Path, patches: Iterable[Patch]) -> Manifest:
    """Write the manifest of a data folder, whole, its records sorted by name; the same records, the same bytes."""
    ordered = tuple(sorted(patches, key=lambda patch: patch.patch))
    columns = {name: [getattr(patch, name) for patch in ordered] for name in _SCHEMA.names}
    table = pa.Table.from_pydict(columns, schema=_SCHEMA)
    path = folder / MANIFEST_FILE
    with whole_file(path) as temporary:
        pq.write_table(table, temporary)
        sync(temporary)
    return Manifest(folder, sha256_of(path), ordered)


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest of a data folder.

    Raises:
        InputError: There is none, it is not such a file, or a record cannot be true.
    """
    path = folder / MANIFEST_FILE
    if path.is_dir():
        raise InputError(f"{path}: a folder, expected the file that `python -m data_prep` writes")
    if not path.is_file():
        raise InputError(
            f"{path}: no such file, expected a data folder as `python -m data_prep --output {folder}` makes it"
        )
    try:
        table = pq.read_table(path)
        table.validate(full=True)  # text that is no UTF-8
        columns = _in_words(table.schema)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a readable manifest ({str(error).splitlines()[0]})") from error
    if not table.schema.equals(_SCHEMA):
        raise InputError(f"{path}: columns {columns}; expected {_in_words(_SCHEMA)}")
    with about(path):
        records = tuple(_patch(record) for record in table.to_pylist())
        _check_names(records)
    return Manifest(folder, sha256_of(path), records)


def _in_words(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name} ({field.type})" for field in schema)


def _patch(record: dict[str, Any]) -> Patch:
    with about(f"patch {record['patch']!r}"):
        for column, value in record.items():
            if value is None:
                raise InputError(f"{column} is empty, expected a value")
        for column, value, allowed in (
            ("label", record["label"], range(len(CLASSES))),
            ("index", record["index"], range(WINDOW_COUNT)),
            ("x", record["x"], range(STRIP_WIDTH - PATCH_SIZE + 1)),
            ("split", record["split"], tuple(Split)),
        ):
            if value not in allowed:
                raise InputError(f"{column} {value!r}, expected one of {', '.join(map(str, allowed))}")
        check_name(record["patch"])
        if record["patch"] != patch_name(record["strip"], record["index"]):
            raise InputError(
                f"strip {record['strip']!r} and index {record['index']}, expected those of its name"
            )
        if bool(record["mask"]) != (record["label"] != SOUND.id):
            raise InputError(
                f"label {record['label']} with mask {record['mask']!r}, expected a mask for defects alone"
            )
        return Patch(**{**record, "split": Split(record["split"])})


def _check_names(records: Sequence[Patch]) -> None:
    names = [record.patch for record in records]
    if names != sorted(set(names)):
        raise InputError("patches are out of order or named twice, expected each once, sorted by name")
