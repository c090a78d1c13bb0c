"""The data sets, each with either kind of masks."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from explain.natural.coco import coco_boxes, coco_segments
from explain.natural.photos import Collection
from explain.natural.torchray import Dataset
from explain.natural.voc import voc_boxes, voc_segments

MaskKind = Literal["boxes", "segments"]

READERS: Mapping[tuple[Dataset, MaskKind], Callable[[Path], Collection]] = {
    ("voc2007", "boxes"): voc_boxes,
    ("voc2007", "segments"): voc_segments,
    ("coco2014", "boxes"): coco_boxes,
    ("coco2014", "segments"): coco_segments,
}
"""By data set and kind of masks."""
