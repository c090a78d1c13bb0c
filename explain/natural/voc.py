"""PASCAL VOC 2007's test set, by torchvision's readers.

The ground truth is the objects of `Annotations`, those marked "difficult" too, for the paper counts all labels of an image;
their parts are none. A mask is all of a class's boxes; or its pixels in `SegmentationClass`, which a part of the test set
has, and where void pixels (255: borders and difficult objects) belong to no class.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from PIL import Image
from torchvision.datasets import VOCDetection, VOCSegmentation

from explain.natural.photos import (
    DAMAGED,
    Collection,
    Marks,
    Masks,
    Photo,
    Reject,
    Seen,
    boxes_as_masks,
    read_pixels,
)
from severstal_xai.errors import InputError, about
from severstal_xai.files import check_name, sha256

VOC_CLASSES = (
    *(
        "aeroplane",
        "bicycle",
        "bird",
        "boat",
        "bottle",
        "bus",
        "car",
        "cat",
        "chair",
        "cow",
        "diningtable",
        "dog",
    ),
    *("horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
"""In the order of the networks' outputs; in `SegmentationClass` they are 1 to 20."""


def voc_boxes(root: Path) -> Collection:
    """List VOC 2007's test set, with boxes for masks.

    Args:
        root: The folder that holds `VOCdevkit`.

    Raises:
        InputError: It does not, or the list of the test set is empty or holds what is no name.
    """
    _check_voc(root, "Main")
    dataset = VOCDetection(str(root), year="2007", image_set="test")
    return _collect_voc(dataset, _names(dataset), _voc_boxes, {})


def voc_segments(root: Path) -> Collection:
    """List that part of VOC 2007's test set which is segmented, with segments for masks; else as `voc_boxes`."""
    _check_voc(root, "Main")
    _check_voc(root, "Segmentation")
    detection = VOCDetection(str(root), year="2007", image_set="test")
    segmentation = VOCSegmentation(str(root), year="2007", image_set="test")
    masks = {Path(mask).stem: Path(mask) for mask in segmentation.masks}
    return _collect_voc(detection, _names(segmentation), partial(_voc_segments, masks), masks)


def _names(dataset: VOCDetection | VOCSegmentation) -> list[str]:
    return [Path(image).stem for image in dataset.images]


def _check_voc(root: Path, task: str) -> None:
    path = Path("VOCdevkit", "VOC2007", "ImageSets", task, "test.txt")
    if not (root / path).is_file():
        raise InputError(
            f"images {root}: no {path.as_posix()} in it, expected the folder where VOCtest_06-Nov-2007.tar was unpacked"
        )
    with about(root / path):
        names = (root / path).read_text(encoding="utf-8", errors="replace").split()
        for name in names:
            check_name(name)
        if not names:
            raise InputError("empty, expected the names of the test set's images")


DrawVoc = Callable[[str, Marks, tuple[int, int]], Masks]
"""From a photograph's name, the marked boxes and the size (height, width) to the masks."""


def _collect_voc(
    dataset: VOCDetection, names: Iterable[str], draw: DrawVoc, segments: Mapping[str, Path]
) -> Collection:
    places = {Path(image).stem: place for place, image in enumerate(dataset.images)}
    photos, rejects, empty = [], [], 0
    for name in sorted(names):
        try:
            place = _place_of(name, places)
            content = _content(Path(dataset.annotations[place]))
            marks = read_voc_marks(content)
            content += _content(segments[name]) if segments else b""
        except InputError as error:
            rejects.append(Reject(name, str(error)))
            continue
        targets = tuple(sorted({label for label, _ in marks}))
        path = Path(dataset.images[place])
        read = partial(_read_voc, path, partial(draw, name, marks))
        empty += not targets
        if targets:
            photos.append(Photo(name, path, targets, sha256(content), read))
    return Collection(VOC_CLASSES, tuple(photos), tuple(rejects), empty)


def _place_of(name: str, places: Mapping[str, int]) -> int:
    if name not in places:
        raise InputError("not in ImageSets/Main/test.txt, expected one of the test set")
    return places[name]


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path.parent.name}/{path.name} cannot be read ({error.strerror}), expected what is marked in the image"
        ) from error


def read_voc_marks(content: bytes) -> Marks:
    """Return the objects of an XML file: their classes and boxes.

    Raises:
        InputError: It is none of VOC's, or a class is none of VOC's.
    """
    try:
        tree = ElementTree.fromstring(content)  # noqa: S314 -- Python's expat refuses bombs of entities
        parsed = VOCDetection.parse_voc_xml(tree)["annotation"]["object"]
        named = [(str(one["name"]), [int(float(one["bndbox"][side])) for side in _SIDES]) for one in parsed]
    except (ElementTree.ParseError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(
            f"annotations not readable ({error!r}), expected VOC's XML of objects with boxes"
        ) from error
    marks = []
    for name, (left, top, right, bottom) in named:
        if name not in VOC_CLASSES:
            raise InputError(f"object of class {name!r}, expected one of {', '.join(VOC_CLASSES)}")
        if not (1 <= left <= right and 1 <= top <= bottom):
            raise InputError(f"box {(left, top, right, bottom)} of a {name}, expected sides from 1, in order")
        marks.append((VOC_CLASSES.index(name), (left - 1, top - 1, right, bottom)))
    return marks


_SIDES = ("xmin", "ymin", "xmax", "ymax")


def _read_voc(path: Path, draw: Callable[[tuple[int, int]], Masks]) -> Seen:
    pixels = read_pixels(path)
    return Seen(pixels, draw((pixels.shape[0], pixels.shape[1])))


def _voc_boxes(_name: str, marks: Marks, size: tuple[int, int]) -> Masks:
    return boxes_as_masks(size, marks)


def _voc_segments(paths: Mapping[str, Path], name: str, marks: Marks, size: tuple[int, int]) -> Masks:
    """Return the classes' pixels; of a class whose objects are void, none."""
    try:
        with Image.open(paths[name]) as image:
            labels = np.asarray(image)
    except DAMAGED as error:
        raise InputError(f"SegmentationClass/{name}.png cannot be read ({error}), expected a PNG") from error
    if labels.shape != size:
        raise InputError(
            f"SegmentationClass/{name}.png is of shape {labels.shape}, expected {size} and a palette's numbers"
        )
    return {label: labels == label + 1 for label, _ in marks}
