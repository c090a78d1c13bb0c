"""The comparison of synthetic strips with real ones."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep import compare, synthesize
from data_prep.comparison_figure import choose_strips
from data_prep.synthetic.measures import DefectMeasures, measure_defect, measure_strip, power, quantiles
from severstal_xai.command import DONE
from severstal_xai.errors import InputError


@pytest.fixture(scope="module")
def strips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compared") / "strips"
    synthesize.main([f"--output={folder}", "--strips=3", "--seed=1", '--shares={"1": 1, "3+4": 1}'])
    return folder


def test_the_powers_sum_to_the_variance_of_white_noise() -> None:
    noise = 100 + np.random.default_rng(0).normal(0, 5, (256, 256))
    # The relative deviation is 0.05; 256 lines of noise know their variance to 1 %.
    assert power(noise).sum() == pytest.approx(0.05**2, rel=0.05)
    assert power(noise).shape == (128,)


def test_a_strip_is_measured_on_its_steel_alone() -> None:
    grey = np.zeros((256, 1600), dtype=np.uint8)
    grey[:, 800:] = 90
    grey[::2, 800:] = 110
    measured = measure_strip(grey)
    assert measured is not None
    assert (measured.steel, measured.mean, measured.spread) == (0.5, 100.0, 10.0)
    assert measured.across.sum() == pytest.approx(0, abs=1e-12)
    assert measured.along.argmax() == 127
    assert measure_strip(np.zeros((256, 1600), dtype=np.uint8)) is None


def test_a_defect_is_measured_by_pixels_and_boxes() -> None:
    mask = np.zeros((256, 1600), dtype=bool)
    mask[10:30, 100:105] = True
    mask[40:44, 7:9] = True
    measured = measure_defect(2, mask)
    assert (measured.label, measured.pixels) == (2, 108)
    assert sorted(measured.boxes) == [(2, 4), (5, 20)]


def test_quantiles_of_nothing_are_unknown() -> None:
    assert np.isnan(quantiles([], (0.5,))).all()


def test_the_strips_shown_are_of_all_kinds() -> None:
    masks = {"b": {3: ""}, "c": {1: "", 3: ""}, "d": {3: ""}, "e": {4: ""}}
    assert choose_strips(list("abcde"), masks) == ["a", "b", "d", "e", "c"]
    many = [f"{number:02}" for number in range(30)]
    chosen = choose_strips(many, {"17": {2: ""}, "29": {1: ""}})
    assert len(chosen) == 16
    assert {"17", "29"} <= set(chosen)


def test_the_command_writes_a_picture_and_a_table(strips: Path, tmp_path: Path) -> None:
    flags = [f"--real={strips}", f"--synthetic={strips}", f"--output={tmp_path}"]
    assert compare.main(flags) == DONE
    content = (tmp_path / compare.FIGURE).read_bytes()
    assert len(content) < 10**6
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 1_000
    rows = [line.split(" | ") for line in (tmp_path / compare.TABLE).read_text().splitlines()[2:]]
    # Both sets are the same here, so the rows come in equal pairs.
    assert all(real[2:] == made[2:] for real, made in zip(rows[::2], rows[1::2], strict=True))
    assert len(rows) == 2 * (3 + 2 * 4 + 4 * 4)


def test_real_sizes_can_come_from_a_table_of_boxes(tmp_path: Path) -> None:
    path = tmp_path / "boxes.csv"
    path.write_text('ImageId,ClassId,Pixels,Boxes\na.jpg,4,50,"[[0,2,9,6],[20,20,20,20]]"\n')
    assert compare.read_boxes(path) == [DefectMeasures(4, 50, ((5, 10), (1, 1)))]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ImageId,ClassId\na.jpg,4\n", "columns"),
        ("ClassId,Pixels,Boxes\n4,many,[]\n", "line 2"),
        ("ClassId,Pixels,Boxes\n4,5,[[1]]\n", "line 2"),
        ("ClassId,Pixels,Boxes\n4,5\n", "line 2"),
        ("ClassId,Pixels,Boxes\n4,5,[7]\n", "line 2"),
    ],
)
def test_a_table_that_holds_no_boxes_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "boxes.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        compare.read_boxes(path)


@pytest.mark.parametrize("wrong", ["real", "synthetic", "real_boxes"])
def test_what_is_not_there_is_named(strips: Path, tmp_path: Path, wrong: str) -> None:
    flags = {"real": strips, "synthetic": strips, "output": tmp_path / "new"} | {wrong: tmp_path / "nowhere"}
    with pytest.raises(InputError, match="nowhere"):
        compare.main([f"--{name}={value}" for name, value in flags.items()])
    assert not (tmp_path / "new").exists()
