"""`python -m data_prep.verify` names every file that is missing, changed or extra."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from data_prep import verify
from severstal_xai.errors import InputError
from severstal_xai.manifest import MANIFEST_FILE


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, small_source: Path, prepare: Callable[..., int]) -> Path:
    folder = tmp_path_factory.mktemp("verify") / "patches"
    prepare(small_source, folder)
    return folder


@pytest.fixture
def data(tmp_path: Path, built: Path) -> Path:
    shutil.copytree(built, tmp_path / "data")
    return tmp_path / "data"


def problems(data: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines that name a problem, without the folder; the last line is their number."""
    status = verify.main([f"--data={data}"])
    *named, last = capsys.readouterr().out.splitlines()
    assert f"{len(named)} problems" in last
    assert status == (1 if named else 0)
    return [line.replace(f"{data}/", "") for line in named]


def test_a_data_folder_as_it_was_built_has_no_problem(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert problems(data, capsys) == []


def test_each_problem_is_named(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "images" / "s0_0.png").unlink()
    content = bytearray((data / "masks" / "s1_0.png").read_bytes())
    content[-1] ^= 1
    (data / "masks" / "s1_0.png").write_bytes(content)
    (data / "images" / "stranger_0.png").write_bytes(b"")
    (data / "notes.txt").write_bytes(b"")
    (data / "sub").mkdir()
    (data / ".building" / "images").mkdir(parents=True)
    (data / "rejected.csv").unlink()
    (data / "images" / ".s2_0.png.7.part").write_bytes(b"")
    assert problems(data, capsys) == [
        "changed: masks/s1_0.png",
        "extra: .building",
        "extra: images/.s2_0.png.7.part",
        "extra: images/stranger_0.png",
        "extra: notes.txt",
        "extra: sub",
        "missing: images/s0_0.png",
        "missing: rejected.csv",
    ]


def test_a_file_in_whose_place_a_link_leads_out_is_named(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.move(data / "images" / "s0_0.png", tmp_path / "elsewhere.png")
    (data / "images" / "s0_0.png").symlink_to(tmp_path / "elsewhere.png")
    assert problems(data, capsys) == ["missing: images/s0_0.png"]


def test_without_a_manifest_nothing_can_be_verified(data: Path) -> None:
    (data / MANIFEST_FILE).unlink()
    with pytest.raises(InputError, match=MANIFEST_FILE):
        verify.main([f"--data={data}"])
