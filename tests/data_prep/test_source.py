"""Kaggle's folder and Kaggle's zip, read in place; zips that lie."""

import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data_prep.source import open_source
from severstal_xai.errors import InputError
from severstal_xai.manifest import MANIFEST_FILE

CSV = "ImageId,ClassId,EncodedPixels\n"


def write_zip(path: Path, entries: list[tuple[str, bytes]], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in entries:
            archive.writestr(zipfile.ZipInfo(name), content, compression)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    """Images, masks and the manifest: what does not tell where the source lay."""
    found = [*folder.glob("images/*"), *folder.glob("masks/*"), folder / MANIFEST_FILE]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


@pytest.mark.parametrize("root", ["", "severstal-steel-defect-detection/", "a/b/"])
def test_a_zip_gives_what_the_folder_gives(
    tmp_path: Path, small_source: Path, zipped: Callable[..., Path], prepare: Callable[..., int], root: str
) -> None:
    archive = zipped(small_source, tmp_path / "kaggle.zip", root)
    assert prepare(archive, tmp_path / "of_zip") == 0
    assert prepare(small_source, tmp_path / "of_folder") == 0
    assert contents(tmp_path / "of_zip") == contents(tmp_path / "of_folder")
    assert not list(tmp_path.rglob("*.jpg"))  # nothing was unpacked


def test_entries_that_would_leave_the_folder_are_rejected_and_write_nothing(
    tmp_path: Path, strip_jpeg: Callable[[int], bytes], prepare: Callable[..., int]
) -> None:
    evil = ["../evil.jpg", "/etc/evil.jpg", "train_images/../../evil.jpg", "C:/evil.jpg", "a\\..\\evil.jpg"]
    plain = [("train.csv", f"{CSV}a.jpg,3,{40 * 256} 5\n".encode()), ("train_images/a.jpg", strip_jpeg(0))]
    nested = ("train_images/folder/b.jpg", strip_jpeg(1))
    archive = write_zip(tmp_path / "kaggle.zip", [*plain, nested, *((name, b"evil") for name in evil)])
    images, rejects = open_source(archive).list_images()
    assert list(images) == ["a.jpg"]
    assert {one.file for one in rejects} == {*evil, "train_images/folder/b.jpg"}
    assert prepare(archive, tmp_path / "patches") == 0
    assert not list(tmp_path.rglob("*evil*"))


def test_two_entries_of_one_name_are_rejected_since_nobody_knows_which_is_meant(
    tmp_path: Path, strip_jpeg: Callable[[int], bytes]
) -> None:
    entries = [("train.csv", CSV.encode()), *(("train_images/a.jpg", strip_jpeg(seed)) for seed in (0, 1))]
    with pytest.warns(UserWarning, match="Duplicate name"):
        archive = write_zip(tmp_path / "kaggle.zip", entries)
    images, rejects = open_source(archive).list_images()
    assert not images
    assert [one.reason for one in rejects] == ["2 zip entries of this name, expected one"] * 2


def test_two_annotation_files_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        archive = write_zip(tmp_path / "kaggle.zip", [("train.csv", CSV.encode())] * 2)
    with pytest.raises(InputError, match=r"train\.csv is there 2 times, expected once"):
        open_source(archive)


def test_strips_that_would_make_the_same_patches_are_all_rejected_and_each_names_the_others(
    tmp_path: Path, make_source: Callable[..., Path], zipped: Callable[..., Path]
) -> None:
    source = make_source(tmp_path / "source", CSV, dict.fromkeys(("a.jpg", "a.png", "A.jpg", "b.jpg"), b""))
    for opened in (open_source(source), open_source(zipped(source, tmp_path / "kaggle.zip"))):
        images, rejects = opened.list_images()
        assert list(images) == ["b.jpg"]
        assert [one.value for one in rejects] == ["A.jpg", "a.jpg", "a.png"]
        reason = "A.jpg and a.jpg and a.png would have the same patches, expected strips of distinct names"
        assert {one.reason for one in rejects} == {reason}


def named_with_nul(path: Path, entries: list[tuple[str, bytes]]) -> Path:
    """A zip whose names hold a NUL where they are given with a `%`: Python writes none itself."""
    content = write_zip(path, entries, zipfile.ZIP_STORED).read_bytes()
    path.write_bytes(content.replace(b"%", b"\0"))
    return path


def test_a_zip_whose_folder_s_name_holds_nul_is_refused_in_one_line(tmp_path: Path) -> None:
    archive = named_with_nul(
        tmp_path / "kaggle.zip", [("a%b/train.csv", CSV.encode()), ("a%b/train_images/a.jpg", b"")]
    )
    with pytest.raises(
        InputError, match=r"'a\\x00b/train\.csv', expected train\.csv in a folder of a plain name"
    ):
        open_source(archive)


def test_an_entry_whose_name_holds_nul_is_rejected_and_passes_for_no_other(tmp_path: Path) -> None:
    entries = [("train_images/a.jpg", b"a"), ("train_images/a.jpg%.jpg", b"another"), ("train.csv%", b"bad")]
    source = open_source(named_with_nul(tmp_path / "kaggle.zip", [("train.csv", CSV.encode()), *entries]))
    images, rejects = source.list_images()
    assert list(images) == ["a.jpg"]
    assert {one.file for one in rejects} == {"train_images/a.jpg\0.jpg", "train.csv\0"}
    for read in (source.read_annotations, lambda: source.read_image("a.jpg")):
        with pytest.raises(InputError, match="takes its place, expected a name without NUL"):
            read()


def test_a_packed_bomb_is_unpacked_no_further_than_it_claims(tmp_path: Path) -> None:
    """512 MiB of zeros that claim to be 1,000 bytes: reading must not unpack them to find that out."""
    import tracemalloc

    path = tmp_path / "kaggle.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train.csv", CSV)
        with archive.open("train_images/a.jpg", "w", force_zip64=True) as stream:
            for _ in range(64):
                stream.write(bytes(8 * 2**20))
        claimed = archive.getinfo("train_images/a.jpg")
        claimed.file_size = 1000
    source = open_source(path)
    tracemalloc.start()
    with pytest.raises(InputError):
        source.read_image("a.jpg")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 * 2**20  # the most that an image's file may have


def test_an_entry_that_admits_to_be_huge_is_refused(tmp_path: Path) -> None:
    entries = [("train.csv", CSV.encode()), ("train_images/a.jpg", bytes(17 * 2**20))]
    source = open_source(write_zip(tmp_path / "kaggle.zip", entries))
    with pytest.raises(InputError, match="zip entry of 17825792 bytes, expected at most 16777216"):
        source.read_image("a.jpg")


@pytest.mark.parametrize("compression", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_way_of_packing_whose_size_cannot_be_bounded_is_refused(tmp_path: Path, compression: int) -> None:
    entries = [("train.csv", CSV.encode()), ("train_images/a.jpg", bytes(100))]
    source = open_source(write_zip(tmp_path / "kaggle.zip", entries, compression))
    with pytest.raises(InputError, match="expected stored or deflated"):
        source.read_image("a.jpg")
    with pytest.raises(InputError, match=r"train\.csv: .*expected stored or deflated"):
        source.read_annotations()


def test_whatever_bytes_of_a_zip_are_damaged_the_answer_is_an_input_error_or_the_right_bytes(
    tmp_path: Path, strip_jpeg: Callable[[int], bytes]
) -> None:
    """The zip's own checksums see to it; a name that changed names another strip."""
    strips = {f"{name}.jpg": strip_jpeg(place)[:3000] for place, name in enumerate("abc")}
    entries = [(f"train_images/{name}", content) for name, content in strips.items()]
    content = write_zip(tmp_path / "good.zip", [("train.csv", CSV.encode()), *entries]).read_bytes()
    chance = np.random.default_rng(5)
    refused = 0
    for _ in range(400):
        damaged = bytearray(content)
        for _ in range(chance.integers(1, 4)):
            at = chance.integers(len(content)) if chance.random() < 0.5 else -chance.integers(1, 300)
            damaged[at] = chance.integers(256)
        (tmp_path / "damaged.zip").write_bytes(damaged)
        try:
            source = open_source(tmp_path / "damaged.zip")
            source.read_annotations()
            for name in source.list_images()[0]:
                assert source.read_image(name) in strips.values()
        except InputError:
            refused += 1
    assert refused > 0


def test_a_name_that_is_no_utf_8_in_a_zip_that_claims_it_is_refused(tmp_path: Path) -> None:
    content = write_zip(
        tmp_path / "a.zip", [("train.csv", b""), ("train_images/\u00e9.jpg", b"")]
    ).read_bytes()
    (tmp_path / "a.zip").write_bytes(content.replace("é".encode(), b"\xff\xff"))
    with pytest.raises(InputError, match="not a readable zip"):
        open_source(tmp_path / "a.zip")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not a zip at all", struct.pack("<I", 0x06054B50)])
def test_a_file_that_is_no_zip_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "kaggle.zip").write_bytes(content)
    with pytest.raises(InputError, match=r"kaggle\.zip: not a folder and not a readable zip"):
        open_source(tmp_path / "kaggle.zip")


@pytest.mark.parametrize("gone", ["train.csv", "train_images"])
def test_a_folder_without_one_of_its_parts_is_refused_and_the_part_named(
    tmp_path: Path, small_source: Path, gone: str
) -> None:
    shutil.copytree(small_source, tmp_path / "source", ignore=shutil.ignore_patterns(gone))
    with pytest.raises(InputError, match=f"{gone}/? is missing"):
        open_source(tmp_path / "source")


def test_a_zip_without_annotations_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"train\.csv is missing"):
        open_source(write_zip(tmp_path / "kaggle.zip", [("train_images/a.jpg", b"")]))


def test_a_source_that_is_not_there_is_named_with_where_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such folder or file; download .*Kaggle"):
        open_source(tmp_path / "absent.zip")


def test_a_huge_file_in_the_folder_is_refused_unread(
    tmp_path: Path, make_source: Callable[..., Path]
) -> None:
    source = make_source(tmp_path / "source", CSV, {"a.jpg": b""})
    with (source / "train_images" / "a.jpg").open("wb") as stream:
        stream.truncate(2**40)  # a sparse file of a tebibyte: to read it would take all memory
    opened = open_source(source)
    assert list(opened.list_images()[0]) == ["a.jpg"]
    with pytest.raises(InputError, match="file of 1099511627776 bytes, expected at most"):
        opened.read_image("a.jpg")
