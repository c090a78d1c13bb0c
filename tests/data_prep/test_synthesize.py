"""The command `python -m data_prep.synthesize`, from outside."""

import errno
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep import synthesize
from data_prep.annotations import read_annotations
from data_prep.source import open_source
from severstal_xai.command import DONE, WRONG_INPUT, run
from severstal_xai.errors import InputError
from severstal_xai.files import write_bytes

STRIPS = 6
# Seed 5's first six strips hold defects of several classes with these shares.
SHARES = '{"none": 1, "1": 1, "3": 1, "3+4": 1}'


def flags(folder: Path, **changed: object) -> list[str]:
    settings = {"output": folder, "strips": STRIPS, "seed": 5, "workers": 2, "shares": SHARES} | changed
    return [f"--{name}={value}" for name, value in settings.items()]


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("synthetic") / "strips"
    assert synthesize.main(flags(folder)) == DONE
    return folder


def test_the_folder_has_kaggles_layout(made: Path) -> None:
    assert {path.name for path in made.iterdir()} == {"train.csv", "train_images", "synthesize.yaml"}
    names = sorted(path.name for path in (made / "train_images").iterdir())
    assert len(names) == STRIPS
    assert all(re.fullmatch(r"[0-9a-f]{9}\.jpg", name) for name in names)
    lines = (made / "train.csv").read_text().splitlines()
    assert lines[0] == "ImageId,ClassId,EncodedPixels"
    assert lines[1:] == sorted(lines[1:])


def test_every_strip_is_a_grey_rgb_jpeg_of_1600_x_256(made: Path) -> None:
    for path in (made / "train_images").iterdir():
        with Image.open(path) as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (1600, 256))
            channels = np.asarray(image)
        assert (channels == channels[:, :, :1]).all()


def test_data_preparation_rejects_nothing_of_it(made: Path) -> None:
    source = open_source(made)
    images, rejected = source.list_images()
    annotations = read_annotations(source.read_annotations(), images)
    assert (len(images), rejected, annotations.rejects) == (STRIPS, [], ())
    assert annotations.masks


def test_neither_the_number_of_strips_nor_of_workers_changes_a_strip(made: Path, tmp_path: Path) -> None:
    synthesize.main(flags(tmp_path, strips=3, workers=1))
    fewer, all_of_them = contents(tmp_path), contents(made)
    images = {name for name in fewer if name.endswith(".jpg")}
    assert len(images) == 3
    assert all(fewer[name] == all_of_them[name] for name in images)
    assert set(fewer["train.csv"].splitlines()) <= set(all_of_them["train.csv"].splitlines())


def test_another_seed_makes_other_strips(made: Path, tmp_path: Path) -> None:
    synthesize.main(flags(tmp_path, seed=6, strips=1))
    assert not set(contents(tmp_path).values()) & set(contents(made).values())


def test_an_interrupted_run_is_completed_and_keeps_what_it_had(made: Path, tmp_path: Path) -> None:
    before = contents(made)
    kept, *lost = sorted(name for name in before if name.endswith(".jpg"))
    for name in (kept, "synthesize.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(before[name])
    (tmp_path / lost[0]).with_name(".half.jpg.1.severstal_xai.part").write_bytes(b"half a file")
    time = (tmp_path / kept).stat().st_mtime_ns
    synthesize.main(flags(tmp_path))
    assert contents(tmp_path) == before
    assert (tmp_path / kept).stat().st_mtime_ns == time


def test_the_same_again_does_nothing_and_says_so(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    times = {path: path.stat().st_mtime_ns for path in made.rglob("*")}
    assert synthesize.main(flags(made)) == DONE
    assert "there already" in capsys.readouterr().out
    assert times == {path: path.stat().st_mtime_ns for path in made.rglob("*")}


@pytest.mark.parametrize(
    "changed", [{"seed": 6}, {"strips": 7}, {"jpeg_quality": 80}, {"shares": '{"3": 1}'}]
)
def test_strips_of_other_settings_are_never_mixed_in(made: Path, changed: dict[str, object]) -> None:
    before = contents(made)
    with pytest.raises(InputError, match="strips of other settings"):
        synthesize.main(flags(made, **changed))
    assert contents(made) == before


def test_a_folder_with_other_content_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="not empty"):
        synthesize.main(flags(tmp_path))
    assert contents(tmp_path) == {"thesis.txt": b"years of work"}


def test_a_strange_image_among_the_strips_is_refused(made: Path, tmp_path: Path) -> None:
    (tmp_path / "train_images").mkdir()
    (tmp_path / "train_images" / "holiday.jpg").write_bytes(b"")
    (tmp_path / "synthesize.yaml").write_bytes((made / "synthesize.yaml").read_bytes())
    with pytest.raises(InputError, match="holiday"):
        synthesize.main(flags(tmp_path))


def test_an_output_that_is_a_file_or_in_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for output in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError, match="is a file, expected a folder"):
            synthesize.main(flags(output))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"strips": 0}, "strips 0, expected 1 or more, at most"),
        ({"strips": -3}, "strips -3, expected 1 or more"),
        ({"strips": 10**9}, "strips 1000000000, expected 1 or more, at most"),
        ({"seed": -1}, "seed -1, expected 0 or more"),
        ({"workers": -1}, "workers -1, expected 0 or more, at most"),
        ({"chequered": 1.5}, "chequered 1.5, expected 0 or more, at most 1"),
        ({"jpeg_quality": 0}, "jpeg_quality 0, expected 1 or more, at most 95"),
        ({"shares": '{"5": 1}'}, "shares: '5', expected"),
        ({"shares": '{"4+3": 1}'}, r"shares: '4\+3', expected"),
        ({"shares": '{"3": -1}'}, "shares: -1.0 for '3', expected"),
        ({"shares": '{"3": 0}'}, "expected at least one above 0"),
        ({"shares": "{}"}, "expected at least one above 0"),
    ],
)
def test_a_wrong_setting_is_named_with_its_value_and_nothing_is_written(
    tmp_path: Path, changed: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        synthesize.main(flags(tmp_path / "new", **changed))
    assert not (tmp_path / "new").exists()


def test_a_full_disk_is_one_line_and_the_run_can_be_completed(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fill_up(path: Path, content: bytes) -> None:
        if len(list(path.parent.iterdir())) >= 2:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        write_bytes(path, content)

    with monkeypatch.context() as full:
        full.setattr(synthesize, "write_bytes", fill_up)
        with pytest.raises(SystemExit) as ended:
            run(lambda: synthesize.main(flags(tmp_path)))
    assert ended.value.code == WRONG_INPUT
    assert "No space left on device" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "train.csv").exists()
    synthesize.main(flags(tmp_path))
    assert contents(tmp_path) == contents(made)


def test_the_command_runs_from_the_shell(tmp_path: Path) -> None:
    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        call = [sys.executable, "-m", "data_prep.synthesize", *arguments]
        return subprocess.run(call, capture_output=True, text=True, check=False)

    done = command("--output", str(tmp_path / "strips"), "--strips", "1", "--seed", "0")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "strips" / "train.csv").is_file()
    wrong = command("--output", str(tmp_path / "none"), "--strips", "0")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (1, 1)
    assert command("--strips", "1").returncode == 2
