"""MS COCO's validation set of 2014, by torchvision's reader.

The ground truth is the annotated instances, and crowds ("iscrowd") too, which are many of a class at once: a map that points
there points at the class. A mask is all of a class's segments, or their boxes. Photographs without an object are left out
and counted.
"""

import contextlib
import io
import json
import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from jaxtyping import Bool
from torchvision.datasets import CocoDetection

from explain.natural.photos import Collection, Photo, Reject, Seen, boxes_as_masks, read_pixels
from severstal_xai.errors import InputError, about
from severstal_xai.files import check_name, sha256

COCO_IDS = tuple(sorted({*range(1, 91)} - {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}))
"""The categories that are in use, in the order of the networks' outputs."""


def coco_segments(root: Path) -> Collection:
    """List COCO's validation set of 2014, with segments for masks.

    Args:
        root: The folder that holds `val2014` and `annotations`.

    Raises:
        InputError: It does not, or the annotations are damaged or others than those of 2014.
    """
    return _collect_coco(_open_coco(root), _coco_segments)


def coco_boxes(root: Path) -> Collection:
    """List COCO's validation set of 2014, with boxes for masks; else as `coco_segments`."""
    return _collect_coco(_open_coco(root), _coco_boxes)


def _open_coco(root: Path) -> CocoDetection:
    path, folder = root / "annotations" / "instances_val2014.json", root / "val2014"
    if not path.is_file():
        raise InputError(
            f"images {root}: no annotations/{path.name} in it, expected the folder where annotations_trainval2014.zip "
            "and val2014.zip were unpacked"
        )
    if not folder.is_dir():
        raise InputError(f"images {root}: no folder val2014 in it, expected that of val2014.zip")
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # the reader tells what it does
            dataset = CocoDetection(str(folder), str(path))
        ids = tuple(sorted(dataset.coco.cats))
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError, RecursionError) as error:
        raise InputError(
            f"{path}: not readable ({error!r}), expected COCO's annotations of instances"
        ) from error
    if ids != COCO_IDS:
        raise InputError(
            f"{path}: {len(ids)} categories, {ids[:5]} …, expected COCO's {len(COCO_IDS)}: {COCO_IDS}"
        )
    return dataset


DrawCoco = Callable[[Any, Mapping[str, Any]], Bool[np.ndarray, "height width"]]
"""From COCO's reader and an annotation to its mask."""


def _collect_coco(dataset: CocoDetection, draw: DrawCoco) -> Collection:
    photos: dict[str, Photo] = {}
    rejects, empty = [], 0
    for number in dataset.ids:
        annotations = dataset.coco.imgToAnns[number]
        try:
            name = _coco_name(dataset.coco.imgs[number], photos)
            targets = tuple(sorted({_coco_target(one) for one in annotations}))
        except InputError as error:
            rejects.append(Reject(f"image {number}", str(error)))
            continue
        empty += not targets
        if targets:
            marked = sha256(json.dumps(annotations, sort_keys=True).encode())
            path = Path(dataset.root) / dataset.coco.imgs[number]["file_name"]
            photos[name] = Photo(
                name, path, targets, marked, partial(_read_coco, path, dataset.coco, number, draw)
            )
    classes = tuple(str(dataset.coco.cats[number].get("name", number)) for number in COCO_IDS)
    return Collection(classes, tuple(photos[name] for name in sorted(photos)), tuple(rejects), empty)


def _coco_name(image: Mapping[str, Any], others: Mapping[str, Photo]) -> str:
    file_name, size = image.get("file_name"), (image.get("height"), image.get("width"))
    if not isinstance(file_name, str):
        raise InputError(f"file_name {file_name!r}, expected an image's")
    check_name(file_name)
    if not all(isinstance(side, int) and side > 0 for side in size):
        raise InputError(f"height and width {size}, expected whole numbers")
    name = Path(file_name).stem
    if name in others:
        raise InputError(f"file_name {file_name!r} is another image's, too, expected each once")
    return name


def _coco_target(annotation: Mapping[str, Any]) -> int:
    category = annotation.get("category_id")
    if category not in COCO_IDS:
        raise InputError(f"annotation {annotation.get('id')}: category {category!r}, expected one of COCO's")
    return COCO_IDS.index(category)


def _read_coco(path: Path, coco: Any, number: int, draw: DrawCoco) -> Seen:
    pixels = read_pixels(path)
    size = (coco.imgs[number]["height"], coco.imgs[number]["width"])
    if pixels.shape[:2] != size:
        raise InputError(f"image of {pixels.shape[:2]} pixels (height, width), expected {size} as annotated")
    masks: dict[int, np.ndarray] = {}
    for one in coco.imgToAnns[number]:
        target = _coco_target(one)
        with about(f"annotation {one.get('id')}"):
            mask = draw(coco, one)
        masks[target] = masks.get(target, np.zeros(size, dtype=bool)) | mask
    return Seen(pixels, masks)


def _size_of(coco: Any, annotation: Mapping[str, Any]) -> tuple[int, int]:
    image = coco.imgs[annotation["image_id"]]
    return image["height"], image["width"]


def _coco_segments(coco: Any, annotation: Mapping[str, Any]) -> Bool[np.ndarray, "height width"]:
    _check_segmentation(annotation.get("segmentation"), _size_of(coco, annotation))
    mask: np.ndarray = coco.annToMask(annotation).astype(bool)
    return mask


def _check_segmentation(segmentation: Any, size: tuple[int, int]) -> None:
    """Refuse what is neither polygons nor a run-length encoding of the image: the reader, in C, would not ask."""
    if isinstance(segmentation, dict):
        counts = segmentation.get("counts")
        covers = isinstance(counts, str) or (_are_numbers(counts) and sum(counts) == size[0] * size[1])
        fits = covers and segmentation.get("size") == list(size)
    else:
        fits = isinstance(segmentation, list) and bool(segmentation)
        fits = fits and all(_are_numbers(one) and len(one) >= 6 and len(one) % 2 == 0 for one in segmentation)
    if not fits:
        raise InputError(
            f"segmentation {str(segmentation)[:60]}, expected polygons, or runs over {size} pixels"
        )


def _are_numbers(values: Any) -> TypeGuard[list[float]]:
    return isinstance(values, list) and all(
        isinstance(one, int | float) and math.isfinite(one) for one in values
    )


def _coco_boxes(coco: Any, annotation: Mapping[str, Any]) -> Bool[np.ndarray, "height width"]:
    """Return the pixels that the box touches."""
    box = annotation.get("bbox")
    if not _are_numbers(box) or len(box) != 4:
        raise InputError(f"bbox {box!r}, expected left, top, width and height")
    left, top, width, height = box
    sides = (math.floor(left), math.floor(top), math.ceil(left + width), math.ceil(top + height))
    mask: np.ndarray = boxes_as_masks(_size_of(coco, annotation), [(0, sides)])[0]
    return mask
