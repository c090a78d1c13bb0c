"""Small made trees in the layouts of PASCAL VOC 2007 and MS COCO 2014, and files of weights of TorchRay's form."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from severstal_xai.model import build_classifier

UNUSED_IDS = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}
"""Of 1 to 90, those that COCO's annotations leave out."""


MEAN = torch.tensor([123.68, 116.779, 103.939]).reshape(3, 1, 1)


def as_caffe_sees_it(pixels: np.ndarray) -> Tensor:
    """Blue, green, red, in grey levels less the mean, float64."""
    return (torch.tensor(pixels).permute(2, 0, 1).double() - MEAN)[[2, 1, 0]][None]


def caffe_resnet50(classes: int) -> Any:
    """torchvision's network as Caffe's is."""
    network: Any = build_classifier("resnet50", classes, seed=0)
    network.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3)
    network.maxpool = nn.MaxPool2d(3, 2, ceil_mode=True)
    for layer in (network.layer2, network.layer3, network.layer4):
        layer[0].conv1.stride, layer[0].conv2.stride = (2, 2), (1, 1)
    return network


def save_resnet50(path: Path, classes: int, seed: int) -> Any:
    """Save random weights in TorchRay's form; return the network that has them, float64, which takes BGR grey levels."""
    network = caffe_resnet50(classes)
    chance = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if name == "conv1.weight":
                value.copy_(torch.randn(value.shape, generator=chance) / 64 / 12)
            elif name in {"conv1.bias", "fc.bias"} or name.endswith("running_mean"):
                value.copy_(0.1 * torch.randn(value.shape, generator=chance))
            elif name.endswith("running_var"):
                value.copy_(0.5 + torch.rand(value.shape, generator=chance))
            elif ".bn3." in name and name.endswith("weight"):
                value.copy_(0.3 * torch.rand(value.shape, generator=chance))
            elif ("bn" in name and name.endswith("bias")) or name == "fc.weight":
                value.copy_(0.1 * torch.randn(value.shape, generator=chance))
    torch.save(dict(_resnet50_of_caffe(network.state_dict())), path)
    return network.double().eval()


def _resnet50_of_caffe(tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    for name, value in tensors.items():
        module, _, kind = name.rpartition(".")
        normalises = "bn" in module or module.endswith("downsample.1")
        if normalises and kind in {"running_mean", "running_var"}:
            yield f"{module}.0.{kind}", value
        elif normalises and kind in {"weight", "bias"}:
            yield f"{module}.1.{kind}", value
        elif name == "fc.weight":
            yield name, value[:, :, None, None]
        elif kind != "num_batches_tracked":
            yield name, value


def save_vgg16(path: Path, classes: int, seed: int) -> Any:
    """Save random weights in TorchRay's form; return the network that has them, float64, which takes BGR grey levels."""
    with torch.device("meta"):
        network: Any = build_classifier("vgg16", classes, seed=0)
    network.to_empty(device="cpu")
    chance = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in network.parameters():  # as large at the end as at the beginning (He et al., 2015)
            bound = (6 / value[0].numel()) ** 0.5 if value.ndim > 1 else 0.1
            value.uniform_(-bound, bound, generator=chance)
        network.features[0].weight /= 64
        for module in network.features:
            if isinstance(module, nn.MaxPool2d):
                module.ceil_mode = True
    numbers = {"0": "0", "3": "2", "6": "4"}
    shapes = {"classifier.0.weight": (-1, 512, 7, 7), "classifier.3.weight": (-1, 4096, 1, 1)}
    tensors = {}
    for name, value in network.state_dict().items():
        room, number, kind = name.split(".")
        named = f"{room}.{numbers[number]}.{kind}" if room == "classifier" else name
        tensors[named] = value.reshape(shapes.get(name, value.shape))
    torch.save(tensors, path)
    return network.double().eval()


def write_photo(path: Path, height: int, width: int, boxes: list[tuple[int, int, int, int]]) -> None:
    """Write a JPEG whose boxes (left, top, right, bottom; the last ones not in it) are bright."""
    chance = np.random.default_rng(height * width)
    pixels = chance.integers(40, 110, (height, width, 3)).astype(np.uint8)
    for place, (left, top, right, bottom) in enumerate(boxes):
        pixels[top:bottom, left:right, place % 3] = 240
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, quality=95)


def write_voc(root: Path) -> Path:
    """Make a tree of four images of VOC 2007's test set, three of them in its segmentation's; return VOC2007's folder.

    - 000001, 100 x 80: a dog in two boxes, one of them difficult; a car.
    - 000002, 60 x 60: a person in all of it, with a part (a head), which is no object.
    - 000004, 90 x 120: a cat of one pixel, which no smaller image has.
    - 000006, 80 x 80: a dog; not in the segmentation.
    """
    voc = root / "VOCdevkit" / "VOC2007"
    objects: dict[str, tuple[tuple[int, int], list[tuple[str, tuple[int, int, int, int], int]]]] = {
        "000001": (
            (100, 80),
            [("dog", (1, 1, 40, 50), 0), ("car", (41, 61, 80, 100), 0), ("dog", (61, 11, 70, 20), 1)],
        ),
        "000002": ((60, 60), [("person", (1, 1, 60, 60), 0)]),
        "000004": ((90, 120), [("cat", (8, 88, 8, 88), 0)]),
        "000006": ((80, 80), [("dog", (21, 21, 60, 60), 0)]),
    }
    for name, ((height, width), marks) in objects.items():
        write_photo(
            voc / "JPEGImages" / f"{name}.jpg",
            height,
            width,
            [(left - 1, top - 1, right, bottom) for _, (left, top, right, bottom), _ in marks],
        )
        written = voc / "Annotations" / f"{name}.xml"
        written.parent.mkdir(exist_ok=True)
        written.write_text(voc_xml(name, height, width, marks))
    write_list(voc / "ImageSets" / "Main" / "test.txt", list(objects))
    write_list(voc / "ImageSets" / "Segmentation" / "test.txt", ["000001", "000002", "000004"])
    for name in ("000001", "000002", "000004"):
        height, width = objects[name][0]
        labels = np.zeros((height, width), dtype=np.uint8)
        if name == "000001":  # the difficult dog is void, as in the true ones
            labels[0:30, 0:20], labels[70:90, 50:60], labels[10:20, 60:70] = 12, 7, 255
        if name == "000002":
            labels[10:50, 20:40] = 15
        segments = Image.fromarray(labels).convert("P")
        segments.putpalette([value for colour in range(256) for value in (colour, 255 - colour, 128)])
        segments.putdata(labels.ravel().tolist())
        (voc / "SegmentationClass").mkdir(exist_ok=True)
        segments.save(voc / "SegmentationClass" / f"{name}.png")
    return voc


def write_list(path: Path, names: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{name}\n" for name in names))


def voc_xml(
    name: str, height: int, width: int, marks: list[tuple[str, tuple[int, int, int, int], int]]
) -> str:
    lines = [
        f"<annotation><filename>{name}.jpg</filename><size><width>{width}</width><height>{height}</height>"
    ]
    lines.append("<depth>3</depth></size>")
    for label, box, difficult in marks:
        sides = "".join(
            f"<{side}>{value}</{side}>"
            for side, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
        )
        part = "<part><name>head</name><bndbox><xmin>2</xmin><ymin>2</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></part>"
        lines.append(
            f"<object><name>{label}</name><difficult>{difficult}</difficult><bndbox>{sides}</bndbox>"
            f"{part * (label == 'person')}</object>"
        )
    return "".join(lines) + "</annotation>"


def coco_content() -> dict[str, Any]:
    """Return annotations of four images: two categories; a crowd; none; one whose file is missing.

    - 1, 60 x 80: a cat (17) in a polygon of the columns 10 to 29 and the rows 20 to 39, and in another one; a person (1).
    - 2, 50 x 50: a crowd of persons, its first ten columns; a traffic light (10).
    - 3, 40 x 40: nothing.
    """
    crowd = {"counts": [0, 50 * 10, 50 * 40], "size": [50, 50]}
    return {
        "images": [
            {"id": number, "file_name": f"COCO_val2014_{number:012d}.jpg", "height": height, "width": width}
            for number, height, width in ((1, 60, 80), (2, 50, 50), (3, 40, 40))
        ],
        "categories": [
            {
                "id": number,
                "name": {1: "person", 10: "traffic light", 17: "cat"}.get(number, f"thing {number}"),
            }
            for number in range(1, 91)
            if number not in UNUSED_IDS
        ],
        "annotations": [
            annotation(1, 1, 17, [[10, 20, 30, 20, 30, 40, 10, 40]], [10, 20, 20, 20]),
            annotation(2, 1, 17, [[50, 5, 60, 5, 60, 15, 50, 15]], [50, 5, 10, 10]),
            annotation(3, 1, 1, [[70, 50, 78, 50, 78, 58, 70, 58]], [69.5, 49.5, 8.7, 8.7]),
            annotation(4, 2, 1, crowd, [0, 0, 10, 50], crowd=1),
            annotation(5, 2, 10, [[20, 20, 40, 20, 40, 40, 20, 40]], [20, 20, 20, 20]),
        ],
    }


def annotation(
    number: int, image: int, category: int, segmentation: Any, box: list[float], *, crowd: int = 0
) -> dict[str, Any]:
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "segmentation": segmentation,
        "bbox": box,
        "iscrowd": crowd,
        "area": box[2] * box[3],
    }


def write_coco(root: Path, content: dict[str, Any] | None = None) -> Path:
    """Make the tree of `coco_content`; return the file of annotations."""
    content = content or coco_content()
    for image in content["images"]:
        boxes = [
            tuple(int(side) for side in (box[0], box[1], box[0] + box[2], box[1] + box[3]))
            for box in (one["bbox"] for one in content["annotations"] if one["image_id"] == image["id"])
        ]
        write_photo(root / "val2014" / image["file_name"], image["height"], image["width"], boxes)  # type: ignore[arg-type]
    path = root / "annotations" / "instances_val2014.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))
    return path
