"""The 104 real strips through the real command, from the folder and from a zip."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from data_prep import verify
from severstal_xai.manifest import MANIFEST_FILE, read_manifest


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, real_sample: Path, prepare: Callable[..., int]) -> Path:
    folder = tmp_path_factory.mktemp("real") / "patches"
    assert prepare(real_sample, folder, "--strict=true") == 0
    return folder


def test_the_real_strips_give_the_patches_that_they_are_known_to_give(built: Path, real_sample: Path) -> None:
    assert len(list((real_sample / "train_images").iterdir())) == 104
    labels = Counter(patch.label for patch in read_manifest(built).patches)
    assert labels == {0: 276, 1: 22, 2: 14, 3: 80, 4: 39}
    assert labels.total() == 431


def test_nothing_of_the_real_strips_is_rejected_and_all_of_it_verifies(built: Path) -> None:
    assert (built / "rejected.csv").read_text().count("\n") == 1
    assert not list(verify.find_problems(read_manifest(built)))


def test_kaggle_s_zip_gives_what_its_folder_gives(
    built: Path, tmp_path: Path, real_sample: Path, zipped: Callable[..., Path], prepare: Callable[..., int]
) -> None:
    archive = zipped(real_sample, tmp_path / "kaggle.zip")
    assert prepare(archive, tmp_path / "patches", "--strict=true") == 0
    for kind in ("images", "masks"):
        names = sorted(path.name for path in (built / kind).iterdir())
        assert sorted(path.name for path in (tmp_path / "patches" / kind).iterdir()) == names
        for name in names:
            assert (tmp_path / "patches" / kind / name).read_bytes() == (built / kind / name).read_bytes()
    assert (tmp_path / "patches" / MANIFEST_FILE).read_bytes() == (built / MANIFEST_FILE).read_bytes()
