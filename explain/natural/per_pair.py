"""A run on photographs, its table `per_pair.parquet` and its settings, read back."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from explain.evaluation.checked import Form, read_table
from explain.evaluation.controls import CONTROLS
from explain.natural.torchray import CLASSES, Architecture, Dataset
from severstal_xai.errors import InputError, about

ROWS_FILE, SETTINGS_FILE = "per_pair.parquet", "settings.yaml"
_COMMAND = "python -m explain.natural"


@dataclass(frozen=True)
class Run:
    """What came of a run.

    Args:
        architecture: Its network.
        settings: What it was made with, as plain values by the settings' names.
        rows: `explain.evaluation.rows.Row`s of all seeds, with `pair` and `image`.
    """

    architecture: Architecture
    settings: Mapping[str, Any]
    rows: pd.DataFrame


def read_run(folder: Path, dataset: Dataset, architecture: Architecture) -> Run:
    """Read what a run left in its folder.

    Raises:
        InputError: There is none, or one of another data set or network, or it is damaged; the message names the file in its
            folder, not where that lies.
    """
    if not (folder / ROWS_FILE).is_file():
        raise InputError(f"{folder.name}/{ROWS_FILE}: no such file, expected one of `{_COMMAND}`")
    with about(f"{folder.name}/{SETTINGS_FILE}"):
        settings = _read_settings(folder / SETTINGS_FILE)
        for name, wanted in (("dataset", dataset), ("architecture", architecture)):
            if settings.get(name) != wanted:
                raise InputError(f"{name} {settings.get(name)}, expected {wanted}")
    with about(f"{folder.name}/{ROWS_FILE}"):
        rows = read_table(folder / ROWS_FILE, Form("pair", "image", range(CLASSES[dataset]), _COMMAND))
        for control in CONTROLS:
            if not (rows["method"] == control).any():
                raise InputError(f"no row of {control}, expected those of every control")
    return Run(architecture, settings, rows)


def _read_settings(path: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InputError(f"not readable, expected the settings of `{_COMMAND}`") from error
    if not isinstance(content, dict):
        raise InputError(f"holds a {type(content).__name__}, expected the settings of `{_COMMAND}`")
    return content
