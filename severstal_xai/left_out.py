"""The windows of a data folder's strips that became no patch, why, and what people marked on them: the file `left_out.csv`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool

from severstal_xai.classes import CLASSES, DEFECTS, SOUND
from severstal_xai.errors import InputError, about
from severstal_xai.files import write_text
from severstal_xai.imaging import PATCH_SHAPE
from severstal_xai.rle import check_rle, decode_rle

LEFT_OUT_FILE = "left_out.csv"
_FIELDS = ("patch", "label", "mean_grey", "reason")
_RUNS = {defect.id: f"mask_{defect.id}" for defect in DEFECTS}
"""The columns of the masks, by class."""


@dataclass(frozen=True, slots=True)
class LeftOutWindow:
    """A window that became no patch.

    Args:
        patch: The name that its patch would have.
        label: The class it shows, 0 where people marked nothing on it; of several the one with the most pixels.
        mean_grey: Mean grey value, 0 to 255.
        reason: Why it became none.
        runs: What people marked on it, by class: run-length encoded, in the window's pixels. None where the data folder
            does not keep it: one of an earlier version.
    """

    patch: str
    label: int
    mean_grey: float
    reason: str
    runs: Mapping[int, str] | None

    @property
    def classes(self) -> tuple[int, ...]:
        """The classes that people marked on it; of an earlier version's folder the one with the most pixels alone."""
        if self.runs is None:
            return (self.label,) if self.label != SOUND.id else ()
        return tuple(sorted(self.runs))

    def masks(self) -> dict[int, Bool[np.ndarray, "256 256"]]:
        """Return what people marked on it, by class; nothing where the data folder does not keep it."""
        return {label: decode_rle(runs, *PATCH_SHAPE) for label, runs in (self.runs or {}).items()}


def write_left_out(folder: Path, windows: Iterable[LeftOutWindow]) -> None:
    """Write `left_out.csv`, sorted by the names; the same windows, the same bytes."""
    rows = [
        [*(getattr(one, name) for name in _FIELDS), *((one.runs or {}).get(label, "") for label in _RUNS)]
        for one in sorted(windows, key=lambda one: one.patch)
    ]
    table = pd.DataFrame(rows, columns=[*_FIELDS, *_RUNS.values()])
    write_text(folder / LEFT_OUT_FILE, table.to_csv(index=False, lineterminator="\n"))


def read_left_out(root: Path) -> Mapping[str, LeftOutWindow]:
    """Return the windows that became no patch, by the name that the patch would have.

    Raises:
        InputError: The file is missing or damaged.
    """
    path = root / LEFT_OUT_FILE
    types = {"label": int, "mean_grey": float}
    try:
        table = pd.read_csv(
            path,
            dtype={**dict.fromkeys(["patch", "reason", *_RUNS.values()], str), **types},
            keep_default_na=False,
        )
    except (OSError, ValueError) as error:  # pandas' parser errors are ValueErrors
        raise _not_readable(path) from error
    if not {*_FIELDS} <= {*table.columns}:
        raise _not_readable(path)
    keeps_masks = {*_RUNS.values()} <= {*table.columns}
    with about(path):
        windows = [_window(record, keeps_masks=keeps_masks) for record in table.to_dict("records")]
    return {one.patch: one for one in windows}


def _not_readable(path: Path) -> InputError:
    return InputError(f"{path}: not readable, expected the table that `python -m data_prep` writes")


def _window(record: Mapping[Any, Any], *, keeps_masks: bool) -> LeftOutWindow:
    with about(f"patch {record['patch']!r}"):
        if record["label"] not in range(len(CLASSES)):
            raise InputError(f"label {record['label']}, expected one of 0 to {len(CLASSES) - 1}")
        runs = {label: record[column] for label, column in _RUNS.items() if keeps_masks and record[column]}
        for one in runs.values():
            check_rle(one, *PATCH_SHAPE)
        values = {name: record[name] for name in _FIELDS}
        return LeftOutWindow(**values, runs=runs if keeps_masks else None)
