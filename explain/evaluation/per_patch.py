"""The table `per_patch.parquet` of an evaluation, read by who was not there when it was written: strictly."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
from pyarrow import ArrowException

from explain.evaluation.summary import METRICS
from severstal_xai.classes import CLASSES
from severstal_xai.errors import InputError, about

ROWS_FILE = "per_patch.parquet"
_TEXTS, _CLASSES = ("patch", "strip", "method"), ("label", "prediction")
_COLUMNS = (*_TEXTS, *_CLASSES, "whole")
_LONGEST = 80
"""Signs of a cell that a message shows."""


def read_rows(folder: Path) -> tuple[Path, pd.DataFrame]:
    """Return an evaluation's folder and rows, of the folder itself or of the run that holds it.

    Raises:
        InputError: There is none, or it is damaged, or says what no evaluation says; the message names the first such row.
    """
    for place in (folder, folder / "evaluation"):
        path = place / ROWS_FILE
        if path.is_file():
            try:
                rows = pd.read_parquet(path)
            except (ArrowException, OSError, ValueError) as error:
                raise InputError(
                    f"{path}: not a readable table, expected one of `python -m explain.evaluate`"
                ) from error
            missing = {*_COLUMNS, *(metric.column for metric in METRICS)} - set(rows.columns)
            if missing:
                raise InputError(
                    f"{path}: no column {min(missing)}, expected a table of `python -m explain.evaluate`"
                )
            with about(path):
                return place, _checked(rows)
    raise InputError(
        f"{folder}: no evaluation, expected a folder that `python -m explain.evaluate` wrote, or its run's"
    )


def _checked(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with integers for classes and float for measures.

    Raises:
        InputError: A cell is not of its kind, a patch has two rows of a method, or two strips or classes.
    """
    classes = {known.id for known in CLASSES}
    for column in _TEXTS:
        _refuse(rows, column, rows[column].map(lambda cell: not isinstance(cell, str)), "text")
    for column in _CLASSES:
        wrong = rows[column].map(lambda cell: not _is_number(cell) or cell not in classes)
        _refuse(rows, column, wrong, f"a class, {min(classes)} to {max(classes)}")
    for column in ("whole", *(metric.column for metric in METRICS)):
        nothing = rows[column].isna() if column != "whole" else False
        wrong = ~(nothing | rows[column].map(lambda cell: _is_number(cell) and math.isfinite(cell)))
        _refuse(rows, column, wrong, "a finite number" + " or null" * (column != "whole"))
    _refuse(rows, "method", rows.duplicated(["patch", "method"]), "one row a patch and method")
    for column in ("strip", "label"):
        first = rows.groupby("patch")[column].transform("first")
        _refuse(rows, column, rows[column] != first, "the same in all rows of a patch")
    kinds = dict.fromkeys(_CLASSES, int) | dict.fromkeys(
        ("whole", *(metric.column for metric in METRICS)), float
    )
    return rows.astype(kinds)


def _is_number(cell: object) -> bool:
    return isinstance(cell, int | float | np.integer | np.floating) and not isinstance(cell, bool)


def _refuse(rows: pd.DataFrame, column: str, wrong: "pd.Series[bool]", expected: str) -> None:
    """Refuse the table for the first row that is wrong."""
    places = np.flatnonzero(wrong.to_numpy(dtype=bool))
    if len(places):
        place = int(places[0])
        cell = repr(rows[column].tolist()[place])[:_LONGEST]
        raise InputError(f"row {place + 1}, {column} {cell}, expected {expected}")
