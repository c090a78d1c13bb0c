"""One strip's work: read it, check it, cut it, write its patches; a record of all that came of it."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
import numpy as np

from data_prep.patches import count_defect_pixels, drop_black, judge
from data_prep.rejects import Reject, reject
from data_prep.settings import LabelRules
from data_prep.source import Source, image_path
from severstal_xai.errors import InputError
from severstal_xai.files import sha256
from severstal_xai.imaging import STRIP_SHAPE, encode_mask, encode_png, read_grey
from severstal_xai.left_out import LeftOutWindow
from severstal_xai.rle import decode_rle, encode_rle
from severstal_xai.strips import Window, cut, patch_name

IMAGES = "images"
MASKS = "masks"


def fields_of(record: Any) -> dict[str, Any]:
    """Return a record's fields by name, as they are: `dataclasses.asdict` copies all that is in them, slowly."""
    return {one.name: getattr(record, one.name) for one in dataclasses.fields(record)}


@dataclass(frozen=True)
class StripTask:
    """A strip to work on: its file's name, and its run-length encoded masks by class."""

    image: str
    runs: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class KeptPatch:
    """A patch that was written; the fields are the manifest's."""

    patch: str
    strip: str
    index: int
    x: int
    label: int
    defect_pixels: int
    mean_grey: float
    image: str
    mask: str
    image_sha256: str
    mask_sha256: str


@dataclass(frozen=True)
class StripRecord:
    """What came of a strip.

    Args:
        image: The strip's file name.
        patches: What was written.
        left_out: What was not.
        rejects: The strip itself, where it could not be used.
    """

    image: str
    patches: tuple[KeptPatch, ...] = field(default=())
    left_out: tuple[LeftOutWindow, ...] = field(default=())
    rejects: tuple[Reject, ...] = field(default=())

    def to_json(self) -> str:
        """Return the record as one line of JSON."""
        return json.dumps(self, default=fields_of)

    @staticmethod
    def from_json(line: str) -> "StripRecord":
        """Read a record; ValueError, KeyError or TypeError where the line is none."""
        content: dict[str, Any] = json.loads(line)
        return StripRecord(
            image=content["image"],
            patches=tuple(KeptPatch(**patch) for patch in content["patches"]),
            left_out=tuple(
                LeftOutWindow(
                    **{**window, "runs": {int(label): runs for label, runs in dict(window["runs"]).items()}}
                )
                for window in content["left_out"]
            ),
            rejects=tuple(Reject(**one) for one in content["rejects"]),
        )


def work_on_strip(
    source: Source, task: StripTask, windows: tuple[Window, ...], rules: LabelRules, output: Path
) -> StripRecord:
    """Cut a strip into patches and write those that the rules keep, each file whole.

    A strip that is no usable image gives a record that says so.
    """
    try:
        grey = read_grey(source.read_image(task.image), STRIP_SHAPE)
    except InputError as error:
        return StripRecord(task.image, rejects=(reject(image_path(task.image), 0, task.image, error),))
    masks = {label: decode_rle(runs, *STRIP_SHAPE) for label, runs in task.runs.items()}
    strip = PurePosixPath(task.image).stem
    kept, left_out = [], []
    for window, pixels in zip(windows, count_defect_pixels(masks, windows), strict=True):
        image = np.ascontiguousarray(cut(grey, window))
        mean_grey = cv2.mean(image)[0]
        verdict = drop_black(judge(pixels, len(masks), rules), mean_grey, rules)
        name = patch_name(strip, window.index)
        if verdict.left_out is not None:
            runs = {label: encode_rle(cut(masks[label], window)) for label, count in pixels.items() if count}
            left_out.append(LeftOutWindow(name, verdict.label, mean_grey, verdict.left_out, runs))
            continue
        defect = cut(masks[verdict.label], window) if verdict.label else None
        image_file, image_sha256 = _write(output, IMAGES, name, encode_png(image))
        mask_file, mask_sha256 = (
            ("", "") if defect is None else _write(output, MASKS, name, encode_mask(defect))
        )
        kept.append(
            KeptPatch(
                patch=name,
                strip=strip,
                index=window.index,
                x=window.x,
                label=verdict.label,
                defect_pixels=pixels.get(verdict.label, 0),
                mean_grey=mean_grey,
                image=image_file,
                mask=mask_file,
                image_sha256=image_sha256,
                mask_sha256=mask_sha256,
            )
        )
    return StripRecord(task.image, tuple(kept), tuple(left_out))


def _write(output: Path, kind: str, name: str, content: bytes) -> tuple[str, str]:
    """Write a picture of the patch; return its path below the output, and its checksum."""
    file = f"{kind}/{name}.png"
    (output / file).write_bytes(content)
    return file, sha256(content)
