"""A patch's record of a study: one small JSON file, so that what was killed goes on."""

import dataclasses
import io
import json
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float

from severstal_xai.files import write_bytes, write_text
from severstal_xai.manifest import Patch

Record = TypeVar("Record")


def write_record(folder: Path, patch: Patch, record: Any) -> None:
    """Note a patch's record, a dataclass of plain values."""
    content = json.dumps({"of": _of(patch), "row": dataclasses.asdict(record)})
    write_text(folder / f"{patch.patch}.json", content + "\n")


def read_record(folder: Path, patch: Patch, kind: type[Record]) -> Record | None:
    """Return a patch's record; None where there is none, or of another image or mask, or it is damaged: then it is made anew."""
    try:
        content = json.loads((folder / f"{patch.patch}.json").read_text(encoding="utf-8"))
        return kind(**content["row"]) if content["of"] == _of(patch) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _of(patch: Patch) -> dict[str, Any]:
    """Return what a record depends on of a patch."""
    return {"image_sha256": patch.image_sha256, "mask_sha256": patch.mask_sha256, "label": patch.label}


def write_maps(folder: Path, patch: Patch, maps: Float[np.ndarray, "*maps height width"]) -> None:
    """Keep a patch's map, or several, for the report's pictures, in half precision."""
    content = io.BytesIO()
    np.save(content, maps.astype(np.float16), allow_pickle=False)
    write_bytes(folder / f"{patch.patch}.npy", content.getvalue())


def read_maps(folder: Path, patch: Patch) -> Float[np.ndarray, "*maps height width"] | None:
    """Return a patch's map, or several; None where none is kept."""
    path = folder / f"{patch.patch}.npy"
    return np.load(path, allow_pickle=False).astype(np.float32) if path.is_file() else None
