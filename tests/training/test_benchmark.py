"""The benchmark of training: what it says is what it measured."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from severstal_xai.command import to_yaml
from severstal_xai.manifest import Manifest, Split
from training.benchmark import Speeds, images_per_second, main
from training.compute import Compute
from training.dataset import evaluation_batches, read_patches, training_batches
from training.settings import Settings

MakeSettings = Callable[..., Settings]


def test_the_command_prints_three_speeds_and_their_ratio(
    small: MakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.yaml").write_text(to_yaml(small(output=tmp_path / "run", batch_size=5)))
    monkeypatch.setattr("sys.argv", ["benchmark", "--config", str(tmp_path / "config.yaml")])
    assert main() == 0
    *lines, last = capsys.readouterr().out.splitlines()
    told = json.loads(last)
    assert [line.split("  ")[0] for line in lines[1:4]] == ["model's bound", "loader's bound", "run"]
    assert "patches in memory" in lines[0]
    assert len(told["rounds"]) == 3
    assert all(one[name] > 0 for one in told["rounds"] for name in ("model", "loader", "run"))
    assert told["share"] == sorted(one["run"] / one["model"] for one in told["rounds"])[1]
    assert not (tmp_path / "run").exists()


def test_a_speed_is_images_by_seconds() -> None:
    assert 80 < images_per_second(lambda: time.sleep(0.05), 5) <= 100
    assert Speeds(model=10.0, loader=50.0, run=9.5).share == 0.95


def test_patches_in_memory_are_those_of_the_files(
    small: MakeSettings, made_data: Manifest, paper_settings: Settings, cpu: Compute
) -> None:
    heard: list[int] = []
    held = read_patches(made_data, 10**9, heard.append)
    assert held
    assert sum(heard) == len(made_data.patches)
    settings = small(augmentation=paper_settings.augmentation)
    for kept, read in (
        (training_batches(settings, made_data, cpu, held)(2), training_batches(settings, made_data, cpu)(2)),
        (
            evaluation_batches(settings, made_data, Split.TEST, cpu, held),
            evaluation_batches(settings, made_data, Split.TEST, cpu),
        ),
    ):
        for (images, labels), (others, other_labels) in zip(kept, read, strict=True):
            assert images.equal(others)
            assert labels.equal(other_labels)


def test_patches_that_do_not_fit_are_read_when_they_are_needed(made_data: Manifest) -> None:
    heard: list[int] = []
    assert read_patches(made_data, 20 * 256 * 256 - 1, heard.append) is None
    assert sum(heard) == 20  # all were checked
    assert read_patches(made_data, 20 * 256 * 256, heard.append)
