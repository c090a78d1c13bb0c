"""A table of an evaluation's rows, read by who was not there when it was written: strictly."""

import math
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from pyarrow import ArrowException

from explain.evaluation.summary import METRICS
from severstal_xai.errors import InputError

_LONGEST = 80
"""Signs of a cell that a message shows."""
_CLASSES = ("label", "prediction")


@dataclass(frozen=True)
class Form:
    """What a table of rows must be like.

    Args:
        unit: The column that names what each method was asked about.
        group: The column that names what units are alike in.
        classes: The classes' numbers.
        command: The command that writes such a table.
    """

    unit: str
    group: str
    classes: Collection[int]
    command: str


def read_table(path: Path, form: Form) -> pd.DataFrame:
    """Return the rows, with integers for classes and float for measures.

    Raises:
        InputError: The file is no such table, or a cell is not of its kind, or a unit has two rows of a method, or two groups or
            classes; the message names the first such row.
    """
    try:
        rows = pd.read_parquet(path)
    except (ArrowException, OSError, ValueError) as error:
        raise InputError(f"not a readable table, expected one of `{form.command}`") from error
    texts, measures = (form.unit, form.group, "method"), ("whole", *(metric.column for metric in METRICS))
    missing = {*texts, *_CLASSES, *measures, "empty"} - set(rows.columns)
    if missing:
        raise InputError(f"no column {min(missing)}, expected a table of `{form.command}`")
    for column in texts:
        _refuse(rows, column, rows[column].map(lambda cell: not isinstance(cell, str)), "text")
    for column in _CLASSES:
        wrong = rows[column].map(lambda cell: not _is_number(cell) or cell not in form.classes)
        _refuse(rows, column, wrong, f"a class, {min(form.classes)} to {max(form.classes)}")
    for column in measures:
        nothing = rows[column].isna() if column != "whole" else False
        wrong = ~(nothing | rows[column].map(lambda cell: _is_number(cell) and math.isfinite(cell)))
        _refuse(rows, column, wrong, "a finite number" + " or null" * (column != "whole"))
    no_truth = rows["empty"].map(lambda cell: not isinstance(cell, bool | np.bool_))
    _refuse(rows, "empty", no_truth, "true or false")
    _refuse(rows, "method", rows.duplicated([form.unit, "method"]), f"one row a {form.unit} and method")
    for column in (form.group, "label"):
        first = rows.groupby(form.unit)[column].transform("first")
        _refuse(rows, column, rows[column] != first, f"the same in all rows of a {form.unit}")
    return rows.astype(dict.fromkeys(_CLASSES, int) | {"empty": bool} | dict.fromkeys(measures, float))


def _is_number(cell: object) -> bool:
    return isinstance(cell, int | float | np.integer | np.floating) and not isinstance(cell, bool)


def _refuse(rows: pd.DataFrame, column: str, wrong: "pd.Series[bool]", expected: str) -> None:
    """Refuse the table for the first row that is wrong."""
    places = np.flatnonzero(wrong.to_numpy(dtype=bool))
    if len(places):
        place = int(places[0])
        cell = repr(rows[column].tolist()[place])[:_LONGEST]
        raise InputError(f"row {place + 1}, {column} {cell}, expected {expected}")
