"""VOC and COCO by torchvision's readers: which classes, which masks, and what becomes of what cannot be read."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from explain.natural.coco import COCO_IDS, coco_boxes, coco_segments
from explain.natural.pairs import draw_lot, make_ready, nearest, source_of
from explain.natural.photos import Collection, Seen
from explain.natural.voc import VOC_CLASSES, read_voc_marks, voc_boxes, voc_segments
from severstal_xai.errors import InputError
from tests.explain.natural_trees import coco_content, voc_xml, write_coco, write_list, write_voc

CAR, CAT, DOG, PERSON = (VOC_CLASSES.index(name) for name in ("car", "cat", "dog", "person"))


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    write_voc(tmp_path)
    return tmp_path


def mask_of(size: tuple[int, int], *boxes: tuple[int, int, int, int]) -> np.ndarray:
    """A mask that is True in the rows and columns given as (top, bottom, left, right)."""
    mask = np.zeros(size, dtype=bool)
    for top, bottom, left, right in boxes:
        mask[top:bottom, left:right] = True
    return mask


def read(collection: Collection, name: str) -> Seen:
    (photo,) = [photo for photo in collection.photos if photo.name == name]
    seen = photo.read()
    assert tuple(sorted(seen.masks)) == photo.targets
    return seen


def test_the_boxes_of_a_class_are_one_mask(voc: Path) -> None:
    collection = voc_boxes(voc)
    assert [(photo.name, photo.targets) for photo in collection.photos] == [
        ("000001", (CAR, DOG)),
        ("000002", (PERSON,)),
        ("000004", (CAT,)),
        ("000006", (DOG,)),
    ]
    assert (collection.rejects, collection.empty, len(collection.classes)) == ((), 0, 20)
    seen = read(collection, "000001")
    assert seen.pixels.shape == (100, 80, 3)
    np.testing.assert_array_equal(seen.masks[DOG], mask_of((100, 80), (0, 50, 0, 40), (10, 20, 60, 70)))
    np.testing.assert_array_equal(seen.masks[CAR], mask_of((100, 80), (60, 100, 40, 80)))
    assert seen.pixels[20, 20, 0] > 200  # red where the first box was painted
    assert read(collection, "000002").masks[PERSON].all()  # and its head is no object
    np.testing.assert_array_equal(read(collection, "000004").masks[CAT], mask_of((90, 120), (87, 88, 7, 8)))


def test_the_segments_are_the_classs_pixels_and_void_is_none(voc: Path) -> None:
    collection = voc_segments(voc)
    assert [photo.name for photo in collection.photos] == ["000001", "000002", "000004"]
    seen = read(collection, "000001")
    np.testing.assert_array_equal(seen.masks[DOG], mask_of((100, 80), (0, 30, 0, 20)))
    np.testing.assert_array_equal(seen.masks[CAR], mask_of((100, 80), (70, 90, 50, 60)))
    assert not read(collection, "000004").masks[CAT].any()  # marked, but not in the segmentation


def test_what_is_marked_is_known_by_its_checksum(voc: Path) -> None:
    before = {photo.name: photo.marked for photo in voc_segments(voc).photos}
    segments = voc / "VOCdevkit/VOC2007/SegmentationClass/000002.png"
    with Image.open(segments) as image:
        image.transpose(Image.Transpose.FLIP_TOP_BOTTOM).rotate(90).save(segments)
    after = {photo.name: photo.marked for photo in voc_segments(voc).photos}
    assert {name for name, marked in before.items() if after[name] != marked} == {"000002"}


def test_polygons_crowds_and_boxes_of_coco(tmp_path: Path) -> None:
    write_coco(tmp_path)
    collection = coco_segments(tmp_path)
    cat, light, person = (COCO_IDS.index(number) for number in (17, 10, 1))
    assert (cat, light, person) == (15, 9, 0)  # 12 is no category
    assert [photo.targets for photo in collection.photos] == [(person, cat), (person, light)]
    assert (collection.empty, collection.rejects) == (1, ())
    assert collection.classes[light] == "traffic light"
    first, second = (read(collection, f"COCO_val2014_{number:012d}") for number in (1, 2))
    np.testing.assert_array_equal(first.masks[cat], mask_of((60, 80), (20, 40, 10, 30), (5, 15, 50, 60)))
    np.testing.assert_array_equal(second.masks[person], mask_of((50, 50), (0, 50, 0, 10)))
    boxes = read(coco_boxes(tmp_path), "COCO_val2014_000000000001")
    np.testing.assert_array_equal(
        boxes.masks[person], mask_of((60, 80), (49, 59, 69, 79))
    )  # what the box touches


def test_an_image_and_its_masks_are_resized_alike() -> None:
    pixels = np.zeros((40, 80, 3), dtype=np.uint8)
    mask = mask_of((40, 80), (10, 30, 20, 60))
    pixels[mask] = 255
    ready = make_ready(Seen(pixels, {3: mask, 5: mask_of((40, 80), (0, 1, 0, 1))}), 20)
    np.testing.assert_array_equal(ready.masks[3], mask_of((20, 20), (5, 15, 5, 15)))
    np.testing.assert_array_equal(ready.pixels[..., 1] > 127, ready.masks[3])
    assert not ready.masks[5].any()  # one pixel of 40 x 80 is none of 20 x 20


@pytest.mark.parametrize("shape", [(7, 5), (5, 7), (1, 1), (100, 33)])
def test_nearest_is_pillows(shape: tuple[int, int]) -> None:
    mask = np.random.default_rng(0).random(shape) < 0.5
    expected = Image.fromarray(mask.astype(np.uint8)).resize((16, 16), Image.Resampling.NEAREST)
    np.testing.assert_array_equal(nearest(mask, 16), np.asarray(expected).astype(bool))


def test_fewer_images_are_the_first_of_more_and_the_seed_decides(voc: Path) -> None:
    photos = voc_boxes(voc).photos
    assert draw_lot(photos, 2, seed=0) == draw_lot(photos[::-1], None, seed=0)[:2]
    orders = {tuple(photo.name for photo in draw_lot(photos, None, seed)) for seed in range(10)}
    assert len(orders) > 3


def test_a_pairs_row_depends_on_the_image_and_on_what_is_marked(voc: Path) -> None:
    collection = voc_boxes(voc)
    source = source_of(collection.photos[0], collection.classes, b"content")
    assert [pair.name for pair in source.pairs] == ["000001_car", "000001_dog"]
    assert source.pairs[0].of["marked_sha256"] == collection.photos[0].marked


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("<annotation><object>", "annotations not readable"),
        ("<other/>", "annotations not readable"),
        ("<annotation><object><name>dog</name></object></annotation>", "annotations not readable"),
        (voc_xml("a", 9, 9, [("unicorn", (1, 1, 5, 5), 0)]), "class 'unicorn', expected one of aeroplane, "),
        (
            voc_xml("a", 9, 9, [("dog", (5, 1, 3, 5), 0)]),
            r"box \(5, 1, 3, 5\) of a dog, expected sides from 1",
        ),
        (voc_xml("a", 9, 9, [("dog", (0, 1, 3, 5), 0)]), r"box \(0, 1, 3, 5\)"),
    ],
)
def test_wrong_annotations_reject_their_image_alone(voc: Path, content: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_voc_marks(content.encode())
    (voc / "VOCdevkit/VOC2007/Annotations/000002.xml").write_text(content)
    collection = voc_boxes(voc)
    assert [photo.name for photo in collection.photos] == ["000001", "000004", "000006"]
    (reject,) = collection.rejects
    assert reject.image == "000002"


def test_annotations_without_an_object_are_left_out_and_counted(voc: Path) -> None:
    (voc / "VOCdevkit/VOC2007/Annotations/000002.xml").write_text(voc_xml("000002", 60, 60, []))
    collection = voc_boxes(voc)
    assert (len(collection.photos), collection.empty) == (3, 1)


def test_missing_and_damaged_files_are_told(voc: Path) -> None:
    folder = voc / "VOCdevkit/VOC2007"
    (folder / "Annotations/000001.xml").unlink()
    (folder / "SegmentationClass/000002.png").write_bytes(b"\x89PNG")
    (folder / "JPEGImages/000004.jpg").write_bytes((folder / "JPEGImages/000004.jpg").read_bytes()[:700])
    collection = voc_segments(voc)
    assert [one.reason for one in collection.rejects] == [
        "Annotations/000001.xml cannot be read (No such file or directory), expected what is marked in the image"
    ]
    with pytest.raises(InputError, match=r"SegmentationClass/000002\.png cannot be read .*expected a PNG"):
        read(collection, "000002")
    with pytest.raises(InputError, match=r"damaged image file: .*expected a whole JPEG"):
        read(collection, "000004")


@pytest.mark.parametrize(
    ("reader", "words"),
    [
        (
            voc_boxes,
            r"no VOCdevkit/VOC2007/ImageSets/Main/test\.txt in it, expected the folder where VOCtest",
        ),
        (voc_segments, r"no VOCdevkit/VOC2007/ImageSets/Main/test\.txt"),
        (
            coco_segments,
            r"no annotations/instances_val2014\.json in it, expected the folder where annotations_",
        ),
        (coco_boxes, r"no annotations/instances_val2014\.json in it"),
    ],
)
def test_a_wrong_root_names_the_file_expected(
    tmp_path: Path, reader: Callable[[Path], Collection], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        reader(tmp_path)


def test_a_list_that_is_no_list_of_names(voc: Path) -> None:
    path = voc / "VOCdevkit/VOC2007/ImageSets/Main/test.txt"
    write_list(path, ["../../secret"])
    with pytest.raises(InputError, match=r"test\.txt: '\.\./\.\./secret': expected a plain file name"):
        voc_boxes(voc)
    write_list(path, [])
    with pytest.raises(InputError, match=r"test\.txt: empty"):
        voc_boxes(voc)


@pytest.mark.parametrize("content", ["", "{", "[]", "3", '{"images": 3, "annotations": [{}]}'])
def test_damaged_annotations_of_coco_are_one_line(tmp_path: Path, content: str) -> None:
    write_coco(tmp_path).write_text(content)
    with pytest.raises(InputError, match=r"instances_val2014\.json: .*expected COCO's"):
        coco_segments(tmp_path)


def test_other_categories_are_refused(tmp_path: Path) -> None:
    content = coco_content()
    content["categories"] = content["categories"][:-1]
    write_coco(tmp_path, content)
    with pytest.raises(InputError, match=r"79 categories, \(1, 2, 3, 4, 5\) …, expected COCO's 80"):
        coco_segments(tmp_path)


@pytest.mark.parametrize(
    "segmentation",
    [
        None,
        [],
        [[1, 2, 3, 4]],
        [["a"] * 6],
        {"counts": [10], "size": [60, 80]},
        {"counts": [4800], "size": [80, 60]},
    ],
)
def test_a_wrong_segmentation_rejects_its_image(tmp_path: Path, segmentation: Any) -> None:
    content = coco_content()
    content["annotations"][1]["segmentation"] = segmentation
    write_coco(tmp_path, content)
    with pytest.raises(InputError, match=r"annotation 2: segmentation .*expected polygons, or runs"):
        read(coco_segments(tmp_path), "COCO_val2014_000000000001")


def test_an_image_of_another_size_or_an_unsafe_name_or_an_unknown_category(tmp_path: Path) -> None:
    content = coco_content()
    content["images"][1]["file_name"] = "../x.jpg"
    content["annotations"].append(content["annotations"][0] | {"id": 9, "image_id": 3, "category_id": 12})
    path = write_coco(tmp_path)
    path.write_text(json.dumps(content))
    Image.new("RGB", (8, 8)).save(tmp_path / "val2014/COCO_val2014_000000000001.jpg")
    collection = coco_segments(tmp_path)
    assert [one.reason.split(":")[0] for one in collection.rejects] == ["'../x.jpg'", "annotation 9"]
    with pytest.raises(InputError, match=r"image of \(8, 8\) pixels .*expected \(60, 80\)"):
        read(collection, "COCO_val2014_000000000001")
