"""The manifest: what is written is read back, and what cannot be true is refused by name."""

import dataclasses
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from severstal_xai.errors import InputError
from severstal_xai.manifest import (
    MANIFEST_FILE,
    Manifest,
    Patch,
    Split,
    count_shared_strips,
    read_manifest,
    write_manifest,
)
from severstal_xai.strips import patch_name


def sample_patch(strip: str = "a", index: int = 0, label: int = 3, **changes: Any) -> Patch:
    name = patch_name(strip, index)
    patch = Patch(
        patch=name,
        strip=strip,
        index=index,
        x=32 + 256 * index,
        label=label,
        split=Split.TEST,
        evaluation=False,
        defect_pixels=10 if label else 0,
        mean_grey=88.25,
        image=f"images/{name}.png",
        mask=f"masks/{name}.png" if label else "",
        image_sha256="0" * 64,
        mask_sha256="1" * 64 if label else "",
    )
    return dataclasses.replace(patch, **changes)


@st.composite
def patches(draw: st.DrawFn) -> Patch:
    return sample_patch(
        strip=draw(st.text("abcé0_-", min_size=1, max_size=6)),
        index=draw(st.integers(0, 5)),
        label=draw(st.integers(0, 4)),
        split=draw(st.sampled_from(Split)),
        evaluation=draw(st.booleans()),
        mean_grey=draw(st.floats(0, 255)),
        defect_pixels=draw(st.integers(0, 65536)),
    )


def test_a_manifest_that_is_written_is_read_back_equal(made_data: Manifest) -> None:
    assert read_manifest(made_data.root) == made_data


@settings(deadline=None, max_examples=40)
@given(st.lists(patches(), max_size=8, unique_by=lambda patch: patch.patch))
def test_any_patches_come_back_equal_and_sorted(
    tmp_path_factory: pytest.TempPathFactory, records: list[Patch]
) -> None:
    folder = tmp_path_factory.mktemp("manifest")
    written = write_manifest(folder, records)
    found = read_manifest(folder)
    assert found == written
    assert list(found.patches) == sorted(records, key=lambda patch: patch.patch)


def test_the_order_of_writing_changes_no_byte(tmp_path: Path) -> None:
    records = [sample_patch(strip, index) for strip in "abc" for index in range(6)]
    checksums = set()
    for seed in range(3):
        random.Random(seed).shuffle(records)
        checksums.add(write_manifest(tmp_path, records).checksum)
    assert len(checksums) == 1


def test_the_columns_are_those_that_the_rooms_agreed_on(made_data: Manifest) -> None:
    schema = pq.read_schema(made_data.root / MANIFEST_FILE)
    assert {field.name: str(field.type) for field in schema} == {
        "patch": "string",
        "strip": "string",
        "index": "int64",
        "x": "int64",
        "label": "int64",
        "split": "string",
        "evaluation": "bool",
        "defect_pixels": "int64",
        "mean_grey": "double",
        "image": "string",
        "mask": "string",
        "image_sha256": "string",
        "mask_sha256": "string",
    }
    assert list(made_data.table().columns) == schema.names


def test_a_patch_is_found_by_its_name_and_a_stranger_is_not(made_data: Manifest) -> None:
    assert made_data.find("strip30_0").label == 3
    with pytest.raises(InputError, match="no patch 'nobody_0' among its 20"):
        made_data.find("nobody_0")


def test_the_splits_share_out_all_patches(made_data: Manifest) -> None:
    parts = [patch for split in Split for patch in made_data.of_split(split)]
    assert sorted(parts, key=lambda patch: patch.patch) == list(made_data.patches)


def test_image_and_mask_are_read_as_they_were_prepared(made_data: Manifest) -> None:
    patch = made_data.find("strip20_0")
    mask = made_data.read_mask(patch)
    expected = np.zeros((256, 256), dtype=bool)
    expected[60:120, 60:120] = True  # the place that `made_data` promises for class 2
    assert np.array_equal(mask, expected)
    assert made_data.read_image(patch).mean() == pytest.approx(patch.mean_grey, abs=1e-12)
    assert not made_data.read_mask(made_data.find("strip00_0")).any()


def write_table(folder: Path, change: Callable[[dict[str, list[Any]]], None]) -> None:
    columns: dict[str, list[Any]] = {
        name: list(values) for name, values in pq.read_table(good_manifest(folder)).to_pydict().items()
    }
    schema = pq.read_schema(folder / MANIFEST_FILE)
    change(columns)
    pq.write_table(pa.table(columns, schema=schema), folder / MANIFEST_FILE)


def good_manifest(folder: Path) -> Path:
    write_manifest(folder, [sample_patch("a"), sample_patch("b"), sample_patch("c", label=0)])
    return folder / MANIFEST_FILE


def put(column: str, value: Any) -> Callable[[dict[str, list[Any]]], None]:
    def change(columns: dict[str, list[Any]]) -> None:
        columns[column][1] = value

    return change


def turn_round(columns: dict[str, list[Any]]) -> None:
    for values in columns.values():
        values.reverse()


def name_twice(columns: dict[str, list[Any]]) -> None:
    for values in columns.values():
        values[1] = values[0]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (put("label", 9), "patch 'b_0': label 9, expected one of 0, 1, 2, 3, 4"),
        (put("label", -1), "patch 'b_0': label -1"),
        (put("split", "holdout"), "split 'holdout', expected one of train, validation, test"),
        (put("index", 6), "index 6, expected one of 0, 1, 2, 3, 4, 5"),
        (put("index", 1), "patch 'b_0': strip 'b' and index 1, expected those of its name"),
        (put("strip", "../b"), "patch 'b_0': strip '../b' and index 0, expected those of its name"),
        (put("x", 1345), "x 1345"),
        (put("x", -1), "x -1"),
        (put("patch", "../../b_0"), "expected a plain file name"),
        (put("mask", ""), "label 3 with mask '', expected a mask for defects alone"),
        (put("label", 0), "label 0 with mask 'masks/b_0.png'"),
        (turn_round, "out of order or named twice"),
        (name_twice, "out of order or named twice"),
        *(
            (put(column, None), f"{column} is empty")
            for column in ("label", "split", "image", "mean_grey", "mask")
        ),
    ],
)
def test_a_record_that_cannot_be_true_is_refused_and_named(
    tmp_path: Path, change: Callable[[dict[str, list[Any]]], None], reason: str
) -> None:
    write_table(tmp_path, change)
    with pytest.raises(InputError, match=MANIFEST_FILE) as caught:
        read_manifest(tmp_path)
    assert reason in str(caught.value)


def test_a_missing_column_is_refused(tmp_path: Path) -> None:
    table = pq.read_table(good_manifest(tmp_path))
    pq.write_table(table.drop_columns(["mask"]), tmp_path / MANIFEST_FILE)
    with pytest.raises(InputError, match=r"expected .*mask \(string\)"):
        read_manifest(tmp_path)


def test_a_column_of_another_type_is_refused(tmp_path: Path) -> None:
    table = pq.read_table(good_manifest(tmp_path))
    at = table.schema.get_field_index("label")
    changed = table.set_column(at, "label", table.column("label").cast(pa.string()))
    pq.write_table(changed, tmp_path / MANIFEST_FILE)
    with pytest.raises(InputError, match=r"label \(string\).*expected .*label \(int64\)"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"patch,strip\n", b"\x89PNG\r\n\x1a\n" * 50])
def test_a_file_that_is_no_parquet_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / MANIFEST_FILE).write_bytes(content)
    with pytest.raises(InputError, match="not a readable manifest") as caught:
        read_manifest(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_missing_manifest_is_named_with_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"manifest\.parquet: no such file, expected .*python -m data_prep"):
        read_manifest(tmp_path)


def test_a_folder_in_the_manifest_s_place_is_called_a_folder(tmp_path: Path) -> None:
    (tmp_path / "manifest.parquet").mkdir()
    with pytest.raises(InputError, match=r"manifest\.parquet: a folder, expected the file"):
        read_manifest(tmp_path)


def test_whatever_bytes_are_damaged_the_answer_is_a_manifest_or_an_input_error(tmp_path: Path) -> None:
    content = good_manifest(tmp_path).read_bytes()
    chance = random.Random(3)
    refused = 0
    for _ in range(400):
        damaged = bytearray(content)
        for _ in range(chance.randint(1, 3)):
            damaged[chance.randrange(len(content))] = chance.randrange(256)
        (tmp_path / MANIFEST_FILE).write_bytes(damaged)
        try:
            read_manifest(tmp_path)
        except InputError:
            refused += 1
    assert refused > 0


@pytest.mark.parametrize(
    "path", ["../secret.png", "/etc/passwd", "images/../../secret.png", "..\\secret.png"]
)
def test_a_path_that_escapes_the_data_folder_is_refused_where_it_is_read(tmp_path: Path, path: str) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (tmp_path / "secret.png").write_bytes(b"secret")
    write_manifest(folder, [sample_patch(image=path, mask=path)])
    manifest = read_manifest(folder)
    for read in (manifest.read_image, manifest.read_mask):
        with pytest.raises(InputError, match="expected a path inside the folder"):
            read(manifest.patches[0])


def test_a_file_that_is_not_the_prepared_one_is_refused(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path, [sample_patch()])
    with pytest.raises(InputError, match=r"images/a_0\.png: cannot be read"):
        manifest.read_image(manifest.patches[0])
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a_0.png").write_bytes(b"another")
    with pytest.raises(InputError, match=r"images/a_0\.png: not the file that was prepared"):
        manifest.read_image(manifest.patches[0])


def test_a_folder_whose_name_looks_like_a_partition_adds_no_column(tmp_path: Path) -> None:
    folder = tmp_path / "split=train"
    folder.mkdir()
    good_manifest(folder)
    assert len(read_manifest(folder).patches) == 3


def test_a_test_patch_shares_a_strip_with_training_or_validation_not_with_another_test_patch() -> None:
    placed = [
        ("a", Split.TRAIN),
        ("b", Split.VALIDATION),
        ("c", Split.TEST),
        ("c", Split.TEST),
        ("b", Split.TEST),
    ]
    assert count_shared_strips(placed) == 1
    assert count_shared_strips([*placed, ("a", Split.TEST)]) == 2
