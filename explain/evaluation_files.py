"""The files of an evaluation: a row each, the maps of the few that the report shows, and whose folder it is."""

import dataclasses
import io
import json
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from explain.company import Company
from explain.evaluation import Row, names_of
from explain.explainer import Explainer
from explain.methods import METHODS
from explain.records import Maker, check_maker, claim, maker_of
from severstal_xai.errors import InputError
from severstal_xai.files import write_bytes, write_text


def makers_of(
    explainers: Mapping[str, Explainer | None], weights: str, target: str, made: Mapping[str, Any]
) -> dict[str, Maker]:
    """Return what makes each method's rows what they are, by the rows' names.

    Args:
        explainers: The methods by their names; a control's is None.
        weights: SHA-256 of the model's weights.
        target: How the class to explain is chosen.
        made: What the rows of all methods depend on, such as the steps of the curves.
    """
    makers = {}
    for name, explainer in explainers.items():
        own = {} if explainer is None else maker_of(explainer, weights, target).settings
        for row_name in names_of(name, explainer):
            makers[row_name] = Maker(weights, target, {**made, **own})
    return makers


def open_folders(
    folder: Path, makers: Mapping[str, Maker], others: Set[str], company: Company, *, overwrite: bool
) -> None:
    """Make sure that an evaluation's folder holds no other rows of the methods asked for, or delete those.

    Args:
        folder: The evaluation's.
        makers: By the names of their folders in it.
        others: What else the evaluation writes there.
        company: Its processes; all of them come here.
        overwrite: Whether to delete rows that were made with other settings.

    Raises:
        InputError: The folder is a file or holds what is no evaluation's, or such rows, which are not to be deleted.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"output {folder}: a file, expected a folder to make")
    known = {*others, *makers, *(row for name in METHODS for row in names_of(name, METHODS[name]()))}
    foreign = {path.name for path in folder.glob("*")} - known
    if foreign:
        raise InputError(
            f"output {folder}: holds {min(foreign)!r}, expected an empty folder or an evaluation's"
        )
    for name, maker in makers.items():
        if not overwrite:
            check_maker(folder / name, maker)
    company.wait()
    if company.leads:
        for name, maker in makers.items():
            claim(folder / name, maker, overwrite=overwrite)
    company.wait()


def write_map(path: Path, saliency: Float[Tensor, "height width"]) -> None:
    """Write a map as float16."""
    content = io.BytesIO()
    np.save(content, saliency.numpy().astype(np.float16), allow_pickle=False)
    write_bytes(path, content.getvalue())


def write_row(folder: Path, of: Mapping[str, Any], row: Row) -> None:
    """Write a row, and what it depends on of its image and mask."""
    content = json.dumps({"of": of, "row": dataclasses.asdict(row)})
    write_text(folder / f"{row.patch}.json", content + "\n")


def read_row(folder: Path, of: Mapping[str, Any], name: str) -> Row | None:
    """Return a row; None where there is none, or of another image or mask, or it is damaged: then it is made anew."""
    try:
        content = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        return Row(**content["row"]) if content["of"] == of else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
