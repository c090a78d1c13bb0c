"""`python -m explain`, as a user calls it: on a data folder, on strips, and on files that are no images."""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from explain.__main__ import main
from explain.gallery import choose_target
from explain.methods import METHODS
from explain.subjects import Subject, choose_patches
from severstal_xai.checkpoint import ModelCard, load_checkpoint, save_checkpoint
from severstal_xai.errors import InputError
from severstal_xai.imaging import model_input
from severstal_xai.manifest import Manifest, Split
from severstal_xai.model import build_classifier
from severstal_xai.strips import cut, windows

FEW_MASKS = ["--sise.mu", "0.95"]


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory, made_data: Manifest) -> Path:
    """A run folder with an untrained ResNet-18."""
    folder = tmp_path_factory.mktemp("run")
    card = ModelCard("resnet18", made_data.checksum, epoch=1, settings={})
    save_checkpoint(folder, build_classifier("resnet18", 5, seed=0), card)
    return folder


@pytest.fixture
def strip() -> np.ndarray:
    return np.random.default_rng(0).integers(60, 140, (256, 1600)).astype(np.uint8)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_split_is_explained_with_the_ground_truths_class_as_target(
    run_folder: Path, made_data: Manifest, tmp_path: Path
) -> None:
    arguments = ["--run", str(run_folder), "--data", str(made_data.root), "--output", str(tmp_path / "maps")]
    assert main([*arguments, "--methods", "grad_cam"]) == 0
    test = made_data.of_split(Split.TEST)
    rows = rows_of(tmp_path / "maps/explained.csv")
    assert [(row["name"], int(row["label"]), int(row["target"])) for row in rows] == [
        (patch.patch, patch.label, patch.label) for patch in test
    ]
    for patch in test:
        saliency = np.load(tmp_path / f"maps/grad_cam/{patch.patch}.npy")
        assert saliency.dtype == np.float16
        assert saliency.shape == (256, 256)
        with Image.open(tmp_path / f"maps/grad_cam/{patch.patch}.png") as picture:
            assert picture.width == 2 * 256 + 8  # the image, a gap of 8 pixels, the heat


def test_several_methods_are_written_side_by_side(
    run_folder: Path, made_data: Manifest, tmp_path: Path
) -> None:
    patch = made_data.of_split(Split.TEST)[1]
    common = [
        "--run",
        str(run_folder),
        "--images",
        str(made_data.root / patch.image),
        "--output",
        str(tmp_path),
    ]
    assert main([*common, "--methods", "sise,grad_cam", *FEW_MASKS]) == 0
    assert [row["method"] for row in rows_of(tmp_path / "explained.csv")] == ["sise", "grad_cam"]
    assert (tmp_path / f"sise/{patch.patch}.npy").is_file()
    assert (tmp_path / f"grad_cam/{patch.patch}.npy").is_file()


def test_a_written_map_is_the_methods_map(run_folder: Path, made_data: Manifest, tmp_path: Path) -> None:
    patch = made_data.of_split(Split.TEST)[3]
    common = ["--run", str(run_folder), "--images", str(made_data.root / patch.image), "--target", "3"]
    assert main([*common, "--methods", "grad_cam", "--output", str(tmp_path)]) == 0
    image = torch.from_numpy(model_input(made_data.read_image(patch)))[None]
    expected = METHODS["grad_cam"]()(load_checkpoint(run_folder).model, image, torch.tensor([3]))[0].numpy()
    written = np.load(tmp_path / f"grad_cam/{patch.patch}.npy")
    np.testing.assert_array_equal(written, expected.astype(np.float16))


def test_a_strip_is_cut_into_windows_and_stitched_back(
    run_folder: Path, strip: np.ndarray, tmp_path: Path
) -> None:
    Image.fromarray(strip).save(tmp_path / "coil.png")
    common = ["--run", str(run_folder), "--images", str(tmp_path / "coil.png"), "--target", "2"]
    assert main([*common, "--methods", "grad_cam", "--output", str(tmp_path / "maps")]) == 0
    stitched = np.load(tmp_path / "maps/grad_cam/coil.npy")
    assert stitched.shape == (256, 1600)
    assert np.isnan(stitched[:, :32]).all()  # nobody looked at the margins
    assert np.isnan(stitched[:, 1568:]).all()
    model = load_checkpoint(run_folder).model
    for window in windows():
        image = torch.from_numpy(model_input(cut(strip, window)))[None]
        expected = METHODS["grad_cam"]()(model, image, torch.tensor([2]))[0].numpy()
        np.testing.assert_array_equal(cut(stitched, window), expected.astype(np.float16))
    assert [int(row["window"]) for row in rows_of(tmp_path / "maps/explained.csv")] == list(range(6))


def test_images_that_are_explained_together_get_the_maps_that_each_gets_alone(
    run_folder: Path, made_data: Manifest, strip: np.ndarray, tmp_path: Path
) -> None:
    """Patches, a strip and a file that is no image, in batches that they share."""
    inside = tmp_path / "in"
    inside.mkdir()
    for patch in made_data.of_split(Split.TEST)[:3]:
        shutil.copy(made_data.root / patch.image, inside)
    Image.fromarray(strip).save(inside / "coil.png")
    (inside / "m_no_image.png").write_text("steel")
    common = ["--run", str(run_folder), "--images", str(inside), "--methods", "sise", *FEW_MASKS]
    for at_once in ("1", "3"):
        folder = tmp_path / at_once
        assert main([*common, "--at_once", at_once, "--output", str(folder)]) == 0
        assert len(rows_of(folder / "explained.csv")) == 3 + 6
        assert len(rows_of(folder / "rejected.csv")) == 1
    names = sorted(path.name for path in (tmp_path / "1/sise").glob("*.npy"))
    assert len(names) == 4
    for name in names:
        alone, together = (
            np.load(tmp_path / at_once / "sise" / name).astype(float) for at_once in ("1", "3")
        )
        assert np.array_equal(np.isnan(alone), np.isnan(together))
        # An engine rounds by the place in its batch: a pixel at a gate's threshold may fall to the other side.
        assert np.mean(np.nan_to_num(np.abs(alone - together)) > 1e-3) < 1e-3


def test_bad_files_are_named_and_the_others_go_on(
    run_folder: Path, strip: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = tmp_path / "in/good.png"
    good.parent.mkdir()
    Image.fromarray(strip[:, :256]).save(good)
    (tmp_path / "in/cut_off.png").write_bytes(good.read_bytes()[:2000])
    (tmp_path / "in/no_image.jpg").write_text("steel")
    Image.fromarray(strip[:, :300]).save(tmp_path / "in/odd.png")
    arguments = ["--images", str(tmp_path / "in"), str(tmp_path / "absent.jpg"), "--run", str(run_folder)]
    assert main([*arguments, "--methods", "grad_cam", "--output", str(tmp_path / "maps")]) == 0
    reasons = {Path(row["reason"].split(":")[0]).name for row in rows_of(tmp_path / "maps/rejected.csv")}
    assert reasons == {"cut_off.png", "no_image.jpg", "odd.png", "absent.jpg"}
    assert {row["name"] for row in rows_of(tmp_path / "maps/explained.csv")} == {"good"}
    assert "1 explained, 4 rejected" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--images", "absent.jpg"], "no image could be explained"),
        ([], "expected one of the two"),
        (["--images", "a.jpg", "--data", "b"], "expected one of the two"),
        (["--images", "a.jpg", "--methods", "guess"], "'guess'"),
        (["--images", "a.jpg", "--methods", "guess"], "expected one of "),
        (["--images", "a.jpg", "--methods", "sise,sise"], "method 'sise' is named 2 times, expected once"),
        (
            ["--images", "a.jpg", "--methods", "sise,"],
            "methods 'sise,', expected a name before and after each",
        ),
        (["--images", "a.jpg", "--methods", ""], "methods '', expected one or more of "),
        (["--images", "a.jpg", "--target", "label"], "target is label"),
        (["--images", "a.jpg", "--sise.mu", "-1"], "sise.mu -1"),
        (["--data", "b", "--patches_per_class", "0"], "patches_per_class 0, expected 1 or more"),
        (["--data", "b"], "manifest.parquet: no such file"),
    ],
)
def test_wrong_input_is_told_in_words(
    run_folder: Path, tmp_path: Path, arguments: list[str], named: str
) -> None:
    with pytest.raises(InputError, match=named):
        main(["--run", str(run_folder), "--output", str(tmp_path / "maps"), *arguments])


def test_maps_are_never_written_among_other_files(
    run_folder: Path, made_data: Manifest, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("steel")
    for output in (run_folder, made_data.root, tmp_path / "file"):
        with pytest.raises(InputError, match=f"--output {output}: "):
            main(["--run", str(run_folder), "--images", "a.jpg", "--output", str(output)])


def test_steel_that_the_model_finds_sound_is_explained_by_its_likeliest_defect() -> None:
    patch = Subject("coil", np.zeros((256, 256), dtype=np.uint8))
    sound, torn = torch.tensor([0.7, 0.05, 0.05, 0.15, 0.05]), torch.tensor([0.2, 0.1, 0.1, 0.1, 0.5])
    assert [choose_target("auto", patch, answer) for answer in (sound, torn)] == [3, 4]
    assert [choose_target("prediction", patch, answer) for answer in (sound, torn)] == [0, 4]


def test_wrong_input_ends_the_process_with_status_1_and_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "explain", "--run", str(tmp_path), "--images", "a.jpg"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONWARNINGS": "error"}
    )
    assert done.returncode == 1
    assert done.stderr.strip().splitlines() == [
        f"{tmp_path}/model.json: no such file, expected a run folder as `python -m training` makes it"
    ]


def test_patches_per_class_limits_each_class_and_keeps_the_order(made_data: Manifest) -> None:
    chosen = choose_patches(made_data, Split.TRAIN, 1)
    assert [patch.label for patch in chosen] == [0, 1, 2, 3, 4]
    assert choose_patches(made_data, Split.TRAIN, 9) == list(made_data.of_split(Split.TRAIN))


def test_a_real_strip_is_explained(run_folder: Path, real_sample: Path, tmp_path: Path) -> None:
    strip = sorted((real_sample / "train_images").iterdir())[0]
    arguments = ["--run", str(run_folder), "--images", str(strip), "--output", str(tmp_path)]
    assert main([*arguments, "--methods", "grad_cam"]) == 0
    stitched = np.load(tmp_path / f"grad_cam/{strip.stem}.npy")
    assert np.isfinite(stitched[:, 32:1568]).all()
    assert stitched[:, 32:1568].max() == 1
