"""The recast held against Table 3 of the SISE paper, on all 7,095 real annotation rows.

The rows are known here by the boxes of their connected components. A component touches every column that its
box spans, so for "does this window hold a pixel of the class?" a mask of whole columns gives the true answer.
"""

import csv
import json
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from data_prep.patches import Verdict, count_defect_pixels, judge
from data_prep.settings import LabelRules, NormalFrom, SplitSettings
from data_prep.split import choose_evaluation, split_by_patch, split_by_strip
from severstal_xai.manifest import Split, count_shared_strips
from severstal_xai.strips import STRIP_HEIGHT, STRIP_WIDTH, patch_name, windows

PAPER = SplitSettings("patch", train_share=0.7, validation_share=0.2, seed=0)
DEFECT_PATCHES = {1: 1336, 2: 210, 3: 11666, 4: 1388}

Columns = dict[str, dict[int, np.ndarray]]


def rules(normal_from: NormalFrom) -> LabelRules:
    return LabelRules(1, "leave_out_strip", normal_from, black_level=0.5)


def read_columns(folder: Path) -> Columns:
    """By strip and class, which of its 1,600 columns hold a defect; all 12,568 strips."""
    columns: Columns = {name: {} for name in (folder / "strip_names.txt").read_text().split()}
    with (folder / "annotation_boxes.csv").open(newline="") as stream:
        for row in csv.DictReader(stream):
            held = columns[row["ImageId"]].setdefault(int(row["ClassId"]), np.zeros(STRIP_WIDTH, dtype=bool))
            for _, left, _, right in json.loads(row["Boxes"]):
                held[left : right + 1] = True
    return columns


@pytest.fixture(scope="module")
def columns(real_sample: Path) -> Columns:
    for name in ("annotation_boxes.csv", "strip_names.txt"):
        if not (real_sample.parent / name).is_file():
            pytest.skip(f"no {name} beside the real strips")
    return read_columns(real_sample.parent)


def count_columns(held: dict[int, np.ndarray]) -> list[dict[int, int]]:
    return [
        {label: int(mask[window.x : window.x + 256].sum()) for label, mask in held.items()}
        for window in windows()
    ]


@cache
def judge_once(pixels: frozenset[tuple[int, int]], strip_classes: int, normal_from: NormalFrom) -> Verdict:
    """`judge`, a pure function, asked once for all windows that hold the same."""
    return judge(dict(pixels), strip_classes, rules(normal_from))


def label_all(columns: Columns, normal_from: NormalFrom) -> dict[str, int]:
    """Every patch that the rules keep, before the black ones are dropped, and its class."""
    labels = {}
    for name, held in columns.items():
        for window, pixels in zip(windows(), count_columns(held), strict=True):
            verdict = judge_once(frozenset(pixels.items()), len(held), normal_from)
            if verdict.left_out is None:
                labels[patch_name(name.removesuffix(".jpg"), window.index)] = verdict.label
    return labels


@pytest.fixture(scope="module")
def labels(columns: Columns) -> dict[str, int]:
    return label_all(columns, "annotated")


@pytest.fixture(scope="module")
def strips(labels: dict[str, int]) -> dict[str, str]:
    return {name: name.rpartition("_")[0] for name in labels}


def test_the_annotations_are_those_that_kaggle_published(columns: Columns) -> None:
    rows = Counter(label for held in columns.values() for label in held)
    assert rows == {1: 897, 2: 247, 3: 5150, 4: 801}
    assert Counter(len(held) for held in columns.values()) == {0: 5902, 1: 6239, 2: 425, 3: 2}


def test_whole_strips_are_counted_as_their_columns_are(columns: Columns) -> None:
    """`count_defect_pixels` sees masks; one of whole columns holds 256 pixels for each of them."""
    several = [name for name, held in columns.items() if len(held) > 1][:20]
    single = [name for name, held in columns.items() if len(held) == 1][:40]
    for name in (*several, *single):
        held = columns[name]
        masks = {label: np.tile(mask, (STRIP_HEIGHT, 1)) for label, mask in held.items()}
        by_columns = [
            {label: STRIP_HEIGHT * count for label, count in pixels.items()} for pixels in count_columns(held)
        ]
        assert count_defect_pixels(masks, windows()) == by_columns, name


@pytest.mark.parametrize(
    ("normal_from", "sound"), [("annotated", 23873), ("one_class", 22834), ("all", 59285)]
)
def test_the_recast_gives_table_3_to_the_patch(columns: Columns, normal_from: NormalFrom, sound: int) -> None:
    assert Counter(label_all(columns, normal_from).values()) == DEFECT_PATCHES | {0: sound}


def test_the_split_is_table_3_s(labels: dict[str, int]) -> None:
    splits = split_by_patch(labels, PAPER)
    training = Counter(labels[name] for name, split in splits.items() if split != Split.TEST)
    test = Counter(labels[name] for name, split in splits.items() if split == Split.TEST)
    assert {label: (training[label], test[label]) for label in DEFECT_PATCHES} == {
        1: (935, 401),
        2: (147, 63),
        3: (8166, 3500),
        4: (971, 417),
    }


def test_the_evaluation_subset_is_the_paper_s(labels: dict[str, int]) -> None:
    splits = split_by_patch(labels, PAPER)
    test_labels = {name: label for name, label in labels.items() if splits[name] == Split.TEST}
    chosen = choose_evaluation(test_labels, {3: 500}, seed=0)
    assert Counter(labels[name] for name in chosen) == {1: 401, 2: 63, 3: 500, 4: 417}
    assert len(chosen) == 1381


def test_split_by_strip_no_strip_is_on_two_sides_and_the_shares_hold(
    labels: dict[str, int], strips: dict[str, str]
) -> None:
    """Strips are placed whole, where most of the quota of the class they count for is open.

    So the last strip of a class can miss the quota by the six patches that it may hold. What strips of rarer
    classes brought along before them is made up for, where there are strips enough: in the real set there are.
    """
    splits = split_by_strip(labels, strips, PAPER)
    assert set(splits) == set(labels)
    sides: dict[str, set[Split]] = {}
    for name, split in splits.items():
        sides.setdefault(strips[name], set()).add(split)
    assert all(len(found) == 1 for found in sides.values())
    assert count_shared_strips((strips[name], split) for name, split in splits.items()) == 0
    for label in range(5):
        mine = [name for name, its in labels.items() if its == label]
        test = sum(splits[name] == Split.TEST for name in mine)
        assert abs(test - 0.3 * len(mine)) <= 6, (label, test, len(mine))


def test_split_by_patch_most_test_patches_have_a_neighbour_in_training(
    labels: dict[str, int], strips: dict[str, str]
) -> None:
    """Why there is a split by strip: of six windows with 70 % in training, rarely none is there."""
    splits = split_by_patch(labels, PAPER)
    test = sum(split == Split.TEST for split in splits.values())
    assert count_shared_strips((strips[name], split) for name, split in splits.items()) > test / 2
