"""The build, by the real command: what comes out, what is rejected, and when there is nothing to do."""

import csv
import io
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from data_prep import verify
from data_prep.report import REPORTS
from data_prep.source import WHERE_TO_GET_IT
from severstal_xai.command import CONFIGS
from severstal_xai.errors import InputError
from severstal_xai.imaging import STRIP_SHAPE, read_grey
from severstal_xai.left_out import read_left_out
from severstal_xai.manifest import MANIFEST_FILE, Split, read_manifest
from severstal_xai.rle import decode_rle

HEADER = "ImageId,ClassId,EncodedPixels\n"

MakeSource = Callable[..., Path]
Prepare = Callable[..., int]


def contents(folder: Path) -> dict[str, bytes]:
    """The bytes of every file below the folder, by name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def rejects_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "rejected.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, small_source: Path, prepare: Prepare) -> Path:
    folder = tmp_path_factory.mktemp("built") / "patches"
    assert prepare(small_source, folder) == 0
    return folder


def test_each_window_is_labelled_as_the_rules_say(built: Path) -> None:
    """s0 to s3 show one defect each; s4 has two classes, so its two defect patches go; s9 is not annotated."""
    labels = {patch.patch: patch.label for patch in read_manifest(built).patches}
    expected = {f"s{place}_{window}": 0 for place in range(9) for window in range(6)}
    # Windows begin at 32, 288, 544, ...: column 40 lies in window 0, 300 + 256 i in window 1 + i.
    for place in range(4):
        expected |= {f"s{place}_0": place + 1, f"s{place}_{1 + place}": place + 1}
    # 287 is window 0's last column and 288 window 1's first; 1570 lies behind the last window.
    for place in range(5, 9):
        expected |= {f"s{place}_0": 3, f"s{place}_1": 3}
    for name in ("s4_0", "s4_2"):  # columns 100 and 700
        del expected[name]
    assert labels == expected


def test_images_and_masks_are_the_strip_s_own_pixels(built: Path, small_source: Path) -> None:
    manifest = read_manifest(built)
    rows = csv.DictReader(io.StringIO((small_source / "train.csv").read_text()))
    runs = {(row["ImageId"], int(row["ClassId"])): row["EncodedPixels"] for row in rows}
    for patch in manifest.patches:
        grey = read_grey((small_source / "train_images" / f"{patch.strip}.jpg").read_bytes(), STRIP_SHAPE)
        left = 32 + 256 * patch.index
        assert patch.x == left
        assert np.array_equal(manifest.read_image(patch), grey[:, left : left + 256])
        assert patch.mean_grey == grey[:, left : left + 256].mean()
        assert bool(patch.mask) == bool(patch.label)
        if patch.label:
            truth = decode_rle(runs[f"{patch.strip}.jpg", patch.label], *STRIP_SHAPE)[:, left : left + 256]
            assert np.array_equal(manifest.read_mask(patch), truth)
            assert patch.defect_pixels == truth.sum() > 0


def test_the_folder_holds_what_the_rooms_agreed_on_and_verifies(built: Path) -> None:
    manifest = read_manifest(built)
    patches = {name for patch in manifest.patches for name in (patch.image, patch.mask) if name}
    beside = {MANIFEST_FILE, "rejected.csv", "left_out.csv", "settings.yaml", "inputs.sha256", *REPORTS}
    assert set(contents(built)) - {".lock"} == patches | beside
    assert not list(verify.find_problems(manifest))
    for name in patches:
        with Image.open(built / name) as image:
            assert (image.format, image.mode, image.size) == ("PNG", "L", (256, 256))


def test_what_was_left_out_is_listed_with_its_reason_and_what_people_marked_on_it(built: Path) -> None:
    windows = read_left_out(built)
    assert {(one.patch, one.label, one.reason) for one in windows.values()} == {
        ("s4_0", 1, "several classes"),
        ("s4_2", 3, "several classes"),
    } | {(f"s9_{window}", 0, "sound, of a strip that gives no class 0") for window in range(6)}
    marked = {name: one.masks() for name, one in windows.items() if one.classes}
    assert {name: list(masks) for name, masks in marked.items()} == {"s4_0": [1], "s4_2": [3]}
    for name, label, column in (("s4_0", 1, 100 - 32), ("s4_2", 3, 700 - 32 - 2 * 256)):
        assert np.argwhere(marked[name][label]).tolist() == [[row, column] for row in range(10, 20)]


def test_a_window_of_several_classes_keeps_the_marks_of_each(
    tmp_path: Path,
    prepare: Prepare,
    make_source: MakeSource,
    strip_jpeg: Callable[[int], bytes],
    defect: Callable[..., str],
) -> None:
    rows = f"a.jpg,4,{defect(40, 41)}\na.jpg,2,{defect(42)}\nb.jpg,3,{defect(40)}\n"
    source = make_source(tmp_path / "source", HEADER + rows, {"a.jpg": strip_jpeg(0), "b.jpg": strip_jpeg(1)})
    assert prepare(source, tmp_path / "out", "--several_classes=leave_out_patch") == 0
    (mixed,) = read_left_out(tmp_path / "out").values()
    assert (mixed.patch, mixed.label, mixed.classes) == ("a_0", 4, (2, 4))
    assert {label: set(np.nonzero(mask)[1]) for label, mask in mixed.masks().items()} == {2: {10}, 4: {8, 9}}


def test_the_report_stands_beside_table_3_and_counts_what_was_built(built: Path) -> None:
    report = (built / "report.md").read_text()
    for number in ("16,620", "7,124", "8,166", "3,500", "935", "401", "147", "63", "971", "417"):
        assert number in report
    assert "Nothing was rejected." in report
    patches = read_manifest(built).patches
    assert f"{len(patches):,} patches" in report
    training = {patch.strip for patch in patches if patch.split != Split.TEST}
    test = [patch for patch in patches if patch.split == Split.TEST]
    shared = sum(patch.strip in training for patch in test)
    assert f"{shared} of {len(test)} test patches" in report


def test_the_settings_that_shaped_the_data_make_the_same_data_again(
    built: Path, tmp_path: Path, prepare: Prepare, small_source: Path
) -> None:
    settings = built / "settings.yaml"
    assert prepare(small_source, tmp_path / "again", f"--config={settings}") == 0
    assert contents(tmp_path / "again") == contents(built)


@pytest.mark.parametrize("workers", [1, 7])
def test_how_many_work_changes_no_byte(
    built: Path, tmp_path: Path, prepare: Prepare, small_source: Path, workers: int
) -> None:
    assert prepare(small_source, tmp_path / "again", f"--workers={workers}") == 0
    assert contents(tmp_path / "again") == contents(built)


def test_run_again_with_nothing_changed_it_says_so_and_touches_nothing(
    built: Path, prepare: Prepare, small_source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in built.rglob("*") if path.name != ".lock"}
    assert prepare(small_source, built, "--workers=1") == 0
    assert "nothing has changed" in capsys.readouterr().out
    after = {path: path.stat().st_mtime_ns for path in built.rglob("*") if path.name != ".lock"}
    assert after == before


@pytest.mark.parametrize(
    "gone", ["rejected.csv", "left_out.csv", "settings.yaml", "report.md", "masks/s0_0.png", MANIFEST_FILE]
)
def test_a_data_folder_that_lost_a_file_is_made_whole_again(
    built: Path, tmp_path: Path, prepare: Prepare, small_source: Path, gone: str
) -> None:
    shutil.copytree(built, tmp_path / "copy")
    (tmp_path / "copy" / gone).unlink()
    assert prepare(small_source, tmp_path / "copy") == 0
    assert contents(tmp_path / "copy") == contents(built)


def test_other_settings_leave_nothing_of_the_earlier_build(
    built: Path, tmp_path: Path, prepare: Prepare, small_source: Path
) -> None:
    flags = ("--offset=0", "--several_classes=leave_out_patch", "--normal_from=one_class")
    shutil.copytree(built, tmp_path / "copy")
    assert prepare(small_source, tmp_path / "copy", *flags) == 0
    assert prepare(small_source, tmp_path / "fresh", *flags) == 0
    assert contents(tmp_path / "copy") == contents(tmp_path / "fresh")
    labels = {patch.patch: patch.label for patch in read_manifest(tmp_path / "fresh").patches}
    assert labels["s4_0"] == 1
    assert labels["s4_2"] == 3
    assert "s4_1" not in labels  # sound, but of a strip of two classes
    assert labels["s5_1"] == 3  # columns 287 and 288 both lie in 256 to 511 now
    assert labels["s5_0"] == 0


def test_a_source_that_changed_is_built_anew(
    tmp_path: Path, prepare: Prepare, small_source: Path, strip_jpeg: Callable[[int], bytes]
) -> None:
    shutil.copytree(small_source, tmp_path / "source")
    prepare(tmp_path / "source", tmp_path / "patches")
    before = read_manifest(tmp_path / "patches").find("s0_0").image_sha256
    (tmp_path / "source" / "train_images" / "s0.jpg").write_bytes(strip_jpeg(99))
    prepare(tmp_path / "source", tmp_path / "patches")
    assert read_manifest(tmp_path / "patches").find("s0_0").image_sha256 != before


def test_split_by_strip_no_test_patch_has_a_neighbour_in_training(
    tmp_path: Path, prepare: Prepare, small_source: Path
) -> None:
    config = CONFIGS / "data_prep_by_strip.yaml"
    assert prepare(small_source, tmp_path / "patches", f"--config={config}") == 0
    sides: dict[str, set[Split]] = {}
    for patch in read_manifest(tmp_path / "patches").patches:
        sides.setdefault(patch.strip, set()).add(patch.split)
    assert all(len(found) == 1 for found in sides.values())
    assert "\n0 of " in (tmp_path / "patches" / "report.md").read_text()


def test_the_variant_by_strip_differs_from_the_paper_s_settings_in_the_split_s_unit_alone() -> None:
    paper = yaml.safe_load((CONFIGS / "data_prep.yaml").read_text())
    variant = yaml.safe_load((CONFIGS / "data_prep_by_strip.yaml").read_text())
    assert variant["split"].pop("unit") == "strip"
    assert paper["split"].pop("unit") == "patch"
    del paper["output"], variant["output"]
    assert paper == variant


def test_black_windows_are_dropped_whatever_they_are_labelled(
    tmp_path: Path, make_source: MakeSource, prepare: Prepare, defect: Callable[..., str]
) -> None:
    """Window 0 is black and labelled, window 1 black, window 2 at a mean of exactly the level, which stays."""
    grey = np.full(STRIP_SHAPE, 90, dtype=np.uint8)
    grey[:, 32:544] = 0
    grey[:128, 544:800], grey[128:, 544:800] = 0, 1
    content = io.BytesIO()
    Image.fromarray(grey).save(content, "PNG")
    rows = f"a.png,4,{defect(40, 900)}\n"
    source = make_source(tmp_path / "source", HEADER + rows, {"a.png": content.getvalue()})
    assert prepare(source, tmp_path / "patches") == 0
    labels = {patch.patch: patch.label for patch in read_manifest(tmp_path / "patches").patches}
    assert labels == {"a_2": 0, "a_3": 4, "a_4": 0, "a_5": 0}
    assert (
        "Black patches that carried a label: 1: a_0 (class 4" in (tmp_path / "patches/report.md").read_text()
    )


def bad_strips() -> dict[str, bytes]:
    grey = Image.fromarray(np.full(STRIP_SHAPE, 90, dtype=np.uint8))

    def encoded(image: Image.Image, file_format: str) -> bytes:
        content = io.BytesIO()
        image.save(content, file_format)
        return content.getvalue()

    jpeg = encoded(grey, "JPEG")
    return {
        "truncated.jpg": jpeg[: len(jpeg) // 2],
        "text.jpg": b"not an image",
        "empty.jpg": b"",
        "narrow.jpg": encoded(grey.resize((256, 256)), "JPEG"),
        "cmyk.jpg": encoded(grey.convert("CMYK"), "JPEG"),
        "deep.png": encoded(Image.fromarray(np.full(STRIP_SHAPE, 9000, dtype=np.uint16)), "PNG"),
        "rgba.png": encoded(grey.convert("RGBA"), "PNG"),
        "palette.png": encoded(grey.convert("P"), "PNG"),
        "bomb.png": encoded(Image.new("1", (20000, 20000)), "PNG"),
        "notes.txt": b"",
        "..jpg": jpeg,
    }


def test_all_bad_input_at_once_is_rejected_item_by_item_and_the_rest_is_built(
    tmp_path: Path,
    make_source: MakeSource,
    prepare: Prepare,
    strip_jpeg: Callable[[int], bytes],
    capsys: pytest.CaptureFixture[str],
) -> None:
    bad = bad_strips()
    runs = f"{40 * 256 + 11} 10"
    rows = [
        f"good.jpg,3,{runs}",
        f"absent.jpg,3,{runs}",
        f"doubtful.jpg,3,{runs}",
        "doubtful.jpg,1,0 5",
        "silent.jpg,7,1 1",
        *(f"{name},3,{runs}" for name in bad),
    ]
    strips = {
        name: strip_jpeg(place) for place, name in enumerate(("good.jpg", "doubtful.jpg", "silent.jpg"))
    }
    source = make_source(tmp_path / "source", HEADER + "\n".join(rows) + "\n", strips | bad)
    (source / "train_images" / b"no\xffunicode.jpg".decode(errors="surrogateescape")).write_bytes(b"")
    (source / "train_images" / "folder.jpg").mkdir()
    (source / "train_images" / "dangling.jpg").symlink_to("nowhere.jpg")
    output = tmp_path / "patches"
    assert prepare(source, output, "--normal_from=all") == 0

    found = rejects_of(output)
    files = Counter(one["file"] for one in found)
    not_strips = {"..jpg", "notes.txt"}  # their rows name no strip's file
    strange = {"no\\udcffunicode.jpg", "folder.jpg", "dangling.jpg"}
    assert files == {f"train_images/{name}": 1 for name in {*bad, *strange}} | {
        "train.csv": 3 + len(not_strips)
    }
    assert all(one["value"] and one["reason"] for one in found)
    assert [one["line"] for one in found if one["file"] == "train.csv"][:3] == ["3", "5", "6"]
    # Nobody knows what a strip with a rejected row shows, so it gives no class 0 either.
    assert {patch.strip for patch in read_manifest(output).patches} == {"good"}
    assert f"{len(found)} rejected, listed in" in capsys.readouterr().out

    assert prepare(source, output, "--normal_from=all", "--strict=true") == 1
    assert "nothing has changed" in capsys.readouterr().out


def test_strict_changes_nothing_where_nothing_is_wrong(
    tmp_path: Path, prepare: Prepare, small_source: Path
) -> None:
    assert prepare(small_source, tmp_path / "patches", "--strict=true") == 0


@pytest.mark.parametrize("content", [b"", b"ImageId,EncodedPixels\ngood.jpg,1 1\n"])
def test_annotations_that_tell_nothing_stop_the_build_and_are_listed(
    tmp_path: Path,
    make_source: MakeSource,
    prepare: Prepare,
    strip_jpeg: Callable[[int], bytes],
    content: bytes,
) -> None:
    source = make_source(tmp_path / "source", content, {"good.jpg": strip_jpeg(0)})
    with pytest.raises(InputError, match=r"train\.csv") as caught:
        prepare(source, tmp_path / "patches")
    assert "\n" not in str(caught.value)
    assert [one["file"] for one in rejects_of(tmp_path / "patches")] == ["train.csv"]
    (source / "train.csv").write_text(HEADER + "good.jpg,3,10250 5\n")
    assert prepare(source, tmp_path / "patches") == 0
    assert not rejects_of(tmp_path / "patches")


def test_annotations_that_broke_cost_no_data_that_was_built(
    built: Path, tmp_path: Path, make_source: MakeSource, prepare: Prepare
) -> None:
    source = make_source(tmp_path / "source", "", {})
    shutil.copytree(built, tmp_path / "copy")
    with pytest.raises(InputError):
        prepare(source, tmp_path / "copy")
    assert contents(tmp_path / "copy") == contents(built)


def test_without_a_source_it_says_where_to_get_one(tmp_path: Path) -> None:
    from data_prep.__main__ import main

    with pytest.raises(InputError) as caught:
        main([f"--output={tmp_path / 'patches'}"])
    assert str(caught.value) == WHERE_TO_GET_IT
    for word in ("Kaggle", "severstal-steel-defect-detection", "train_images/", "train.csv", "synthesize"):
        assert word in WHERE_TO_GET_IT
    assert not (tmp_path / "patches").exists()


def test_a_folder_that_holds_something_else_is_not_filled(
    tmp_path: Path, prepare: Prepare, small_source: Path
) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(InputError, match=r"holds 'thesis\.txt'"):
        prepare(small_source, tmp_path)
    with pytest.raises(InputError, match="is the source too"):
        prepare(small_source, small_source)
    with pytest.raises(InputError, match="a file, expected a folder"):
        prepare(small_source, tmp_path / "thesis.txt")
    assert (tmp_path / "thesis.txt").read_text() == "precious"


@pytest.mark.parametrize(
    "name",
    ["report.md", "settings.yaml", "rejected.csv", "left_out.csv", "inputs.sha256", ".lock", MANIFEST_FILE],
)
def test_a_folder_in_the_place_of_a_file_of_ours_is_named_and_stays(
    built: Path, tmp_path: Path, prepare: Prepare, small_source: Path, name: str
) -> None:
    output = tmp_path / "patches"
    shutil.copytree(built, output)
    (output / name).unlink(missing_ok=True)
    (output / name).mkdir()
    (output / name / "mine.txt").write_text("precious")
    with pytest.raises(InputError, match=f"'{name}' is a folder, expected a file or nothing of that name"):
        prepare(small_source, output, "--offset=0")
    assert (output / name / "mine.txt").read_text() == "precious"


@pytest.mark.parametrize(
    "found",
    [(name, kind) for name in ("images", "masks", "report", ".building") for kind in ("file", "link")],
)
def test_a_file_or_a_link_in_the_place_of_a_folder_of_ours_is_named_and_stays(
    built: Path, tmp_path: Path, prepare: Prepare, small_source: Path, found: tuple[str, str]
) -> None:
    name, kind = found
    output, elsewhere = tmp_path / "patches", tmp_path / "elsewhere"
    shutil.copytree(built, output)
    elsewhere.mkdir()
    (elsewhere / "mine.txt").write_text("precious")
    if (output / name).exists():
        shutil.rmtree(output / name)
    if kind == "file":
        (output / name).write_text("precious")
    else:
        (output / name).symlink_to(elsewhere)
    with pytest.raises(InputError, match=f"'{name}' is a {kind}, expected a folder or nothing of that name"):
        prepare(small_source, output, "--offset=0")
    assert (elsewhere / "mine.txt").read_text() == "precious"
    assert (output / name).is_symlink() or (output / name).read_text() == "precious"


@pytest.mark.parametrize("whole", [False, True])
def test_a_folder_of_another_hand_that_is_called_as_the_staging_folder_stays(
    built: Path, tmp_path: Path, prepare: Prepare, small_source: Path, whole: bool
) -> None:
    output = tmp_path / "patches"
    if whole:
        shutil.copytree(built, output)
    (output / ".building").mkdir(parents=True)
    (output / ".building" / "thesis.txt").write_text("precious")
    with pytest.raises(InputError, match=r"holds '\.building/thesis\.txt', which no build makes"):
        prepare(small_source, output)
    assert (output / ".building" / "thesis.txt").read_text() == "precious"


@pytest.mark.parametrize(
    "place", ["train_images", "train_images/patches", "train_images/../train_images/new"]
)
def test_among_the_source_s_strips_is_no_place_for_patches(
    tmp_path: Path, prepare: Prepare, small_source: Path, place: str
) -> None:
    shutil.copytree(small_source, tmp_path / "source")
    before = contents(tmp_path / "source")
    with pytest.raises(InputError, match="lies among the source's strips, expected a folder elsewhere"):
        prepare(tmp_path / "source", tmp_path / "source" / place)
    assert contents(tmp_path / "source") == before


def test_a_list_of_rejects_that_is_not_ours_is_not_overwritten(
    tmp_path: Path, prepare: Prepare, small_source: Path
) -> None:
    (tmp_path / "rejected.csv").write_text("paper,journal\n")
    with pytest.raises(InputError, match=r"holds 'rejected\.csv', expected an empty folder"):
        prepare(small_source, tmp_path)
    assert (tmp_path / "rejected.csv").read_text() == "paper,journal\n"


def test_a_source_of_which_nothing_is_left_is_wrong_input(
    tmp_path: Path, make_source: MakeSource, prepare: Prepare
) -> None:
    source = make_source(tmp_path / "source", HEADER, {"a.jpg": b"no image"})
    with pytest.raises(InputError, match=r"no patch came of .* the first of 1 rejects: train_images/a\.jpg"):
        prepare(source, tmp_path / "patches")
    assert [one["file"] for one in rejects_of(tmp_path / "patches")] == ["train_images/a.jpg"]


def test_settings_that_leave_no_patch_are_named(tmp_path: Path, small_source: Path, prepare: Prepare) -> None:
    reason = r"no patch came of .*; windows left out: black \(52\), several classes \(2\)"
    with pytest.raises(InputError, match=reason):
        prepare(small_source, tmp_path / "patches", "--black_level=255")
    assert rejects_of(tmp_path / "patches") == []
