"""The files of an evaluation: a record each, where the evidence lies, the maps of the few that the report shows, and whose folder it is."""

import dataclasses
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from explain.company import Company
from explain.evaluation.controls import CONTROLS
from explain.evaluation.evidence import Group
from explain.evaluation.rows import names_of
from explain.evaluation.variants import is_variant
from explain.explainer import Explainer
from explain.methods import METHODS
from explain.records import Maker, Record, check_maker, claim, maker_of, parse_record
from severstal_xai.errors import InputError
from severstal_xai.files import is_nobodys, write_bytes, write_text
from severstal_xai.manifest import Patch

EVIDENCE_FILE = "evidence.csv"
"""Each patch with a mask, and its group of evidence."""


def write_record(folder: Path, name: str, of: Mapping[str, Any], record: Any) -> None:
    """Note a record.

    Args:
        folder: Of the method or study.
        name: What the record is called.
        of: What it depends on of its image and mask.
        record: A dataclass of plain values.
    """
    content = json.dumps({"of": dict(of), "row": dataclasses.asdict(record)})
    write_text(folder / f"{name}.json", content + "\n")


def read_record(
    folder: Path, name: str, of: Mapping[str, Any], kind: type[Record], **told: Any
) -> Record | None:
    """Return a record; None where there is none, or of another image or mask, or it is damaged: then it is made anew.

    Args:
        folder: Of the method or study.
        name: What the record is called; it is its patch, too.
        of: What it depends on of its image and mask.
        kind: The dataclass that it is of.
        told: What it must say, by its fields' names; a field that the kind lacks says nothing.
    """
    try:
        content = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        if content["of"] != of:
            return None
        record = parse_record(kind, content["row"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    expected = {"patch": name, **told}
    return record if all(getattr(record, key, value) == value for key, value in expected.items()) else None


def of_patch(patch: Patch) -> dict[str, Any]:
    """Return what a record depends on of a patch."""
    return {"image_sha256": patch.image_sha256, "mask_sha256": patch.mask_sha256, "label": patch.label}


def write_maps(folder: Path, name: str, maps: Float[np.ndarray, "*maps height width"]) -> None:
    """Keep a map, or several, for the report's pictures, in half precision."""
    content = io.BytesIO()
    np.save(content, maps.astype(np.float16), allow_pickle=False)
    write_bytes(folder / f"{name}.npy", content.getvalue())


def read_maps(
    folder: Path, name: str, shape: Sequence[int]
) -> Float[np.ndarray, "*maps height width"] | None:
    """Return a map, or several; None where none of this shape is kept, or it is damaged: then it is made anew."""
    try:
        kept = np.lib.format.read_array(io.BytesIO((folder / f"{name}.npy").read_bytes()), allow_pickle=False)
    except Exception:  # whatever a damaged file makes of NumPy's reader
        return None
    return kept.astype(np.float32) if kept.dtype == np.float16 and kept.shape == tuple(shape) else None


def write_evidence(path: Path, groups: pd.DataFrame, method: str, weights_sha256: str) -> None:
    """Write what `groups_of` gave, with the method whose maps tell, and the weights that they explain."""
    table = groups.assign(method=method, weights_sha256=weights_sha256)
    write_text(path, table.to_csv(index=False, lineterminator="\n"))


def read_evidence(path: Path, weights_sha256: str) -> dict[str, Group]:
    """Return the group of evidence of each patch that was evaluated, by the patch's name.

    Raises:
        InputError: The file cannot be read, is not such a file, or tells of other weights; the message names what.
    """
    try:
        table = pd.read_csv(
            path, usecols=["patch", "group", "weights_sha256"], dtype=str, keep_default_na=False
        )
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: not a readable table of evidence, expected one of `python -m explain.evaluate`"
        ) from error
    if not (table["weights_sha256"] == weights_sha256).all():
        raise InputError(
            f"{path}: of other weights than the model's; `python -m explain.evaluate` makes it anew"
        )
    unknown = sorted(set(table["group"]) - set(Group))
    if unknown:
        raise InputError(f"{path}: group {unknown[0]!r}, expected one of {', '.join(map(repr, Group))}")
    return {name: Group(group) for name, group in zip(table["patch"], table["group"], strict=True)}


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


def holds_rows(name: str) -> bool:
    """Whether a folder of this name may hold rows, of these settings or others: a method's, a variant's or a control's."""
    methods = {row for method in METHODS for row in names_of(method, METHODS[method]())}
    of_variant = is_variant(name) and any(name.startswith(f"{method}_") for method in METHODS)
    return name in methods | set(CONTROLS) or of_variant


def open_folders(
    folder: Path,
    makers: Mapping[str, Maker],
    is_ours: Callable[[str], bool],
    company: Company,
    *,
    overwrite: bool,
) -> None:
    """Make sure that an evaluation's folder holds no other records of what is asked for, or delete those.

    Args:
        folder: The evaluation's.
        makers: By the names of their folders in it.
        is_ours: Whether a name in it may be an evaluation's, of these settings or others.
        company: Its processes; all of them come here.
        overwrite: Whether to delete records that were made with other settings.

    Raises:
        InputError: The folder is a file or holds what is no evaluation's, or such records, which are not to be deleted.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"output {folder}: a file, expected a folder to make")
    foreign = {
        path.name
        for path in folder.glob("*")
        if path.name not in makers and not is_ours(path.name) and not is_nobodys(path)
    }
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
