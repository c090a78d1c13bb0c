"""Two processes over gloo train what one trains, on the same global batch."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch

from severstal_xai.command import to_yaml
from severstal_xai.errors import InputError
from tests.training.two_processes import build
from training.__main__ import main
from training.dataset import check_shares
from training.run_folder import FILES, STATE_FILE
from training.schedule import Share, epoch_order, part_of_batches
from training.settings import Settings
from training.state import load_state

MakeSettings = Callable[..., Settings]
Launch = Callable[..., "subprocess.CompletedProcess[str]"]
COMMAND = "tests.training.two_processes"
TOLERANCE = 1e-5
"""Of a weight, absolute, after 10 steps: a sum over processes rounds in another order."""


@pytest.fixture(scope="module")
def config(small: MakeSettings, paper_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = small(
        epochs=2, batch_size=4, learning_rate=0.05, augmentation=paper_settings.augmentation, save_every=0.0
    )
    path = tmp_path_factory.mktemp("config") / "config.yaml"
    path.write_text(to_yaml(settings))
    return path


@pytest.fixture(scope="module")
def two(config: Path, launch: Launch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run by two processes."""
    folder = tmp_path_factory.mktemp("company") / "two"
    done = launch(2, COMMAND, "--config", config, "--output", folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Test split, 5 patches") == 1
    return folder


def test_two_processes_train_what_one_trains(
    config: Path, two: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = tmp_path / "one"
    monkeypatch.setattr("training.initial.build_classifier", build)
    monkeypatch.setattr("severstal_xai.checkpoint.build_classifier", build)
    monkeypatch.setattr("sys.argv", ["training", "--config", str(config), "--output", str(one)])
    assert main() == 0
    weights = [safetensors.torch.load_file(folder / "last.safetensors") for folder in (one, two)]
    for name in weights[0]:
        torch.testing.assert_close(weights[0][name], weights[1][name], atol=TOLERANCE, rtol=0)
    history = [pd.read_csv(folder / "history.csv") for folder in (one, two)]
    for column in ("train_loss", "train_top1", "validation_loss", "validation_top1"):
        np.testing.assert_allclose(history[0][column], history[1][column], atol=1e-4)
    tables = [pd.read_parquet(folder / "predictions.parquet") for folder in (one, two)]
    assert tables[0]["patch"].tolist() == tables[1]["patch"].tolist()
    np.testing.assert_allclose(tables[0]["p1"], tables[1]["p1"], atol=1e-4)
    assert load_state(two / STATE_FILE).place.epoch == 3
    assert {path.name for path in two.iterdir()} == {*FILES, "state", "tensorboard"}


def test_two_processes_of_which_one_is_killed_go_on_as_if_none_had_been(
    config: Path, two: Path, tmp_path: Path, launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Saved at the beginning, after each of two steps and at an epoch's end: killed in the midst of the second."""
    killed = tmp_path / "killed"
    monkeypatch.setenv("KILLED_AFTER", "5")
    assert launch(2, COMMAND, "--config", config, "--output", killed).returncode != 0
    place = load_state(killed / STATE_FILE).place
    assert (place.epoch, place.tally.steps, place.tally.count) == (2, 1, 4)
    monkeypatch.delenv("KILLED_AFTER")
    resumed = launch(2, COMMAND, "--config", config, "--output", killed, "--resume", "true")
    assert resumed.returncode == 0, resumed.stderr
    for name in ("last.safetensors", "model.safetensors", "predictions.parquet"):
        assert (killed / name).read_bytes() == (two / name).read_bytes(), name
    assert load_state(killed / STATE_FILE).place.epoch == 3


@pytest.mark.parametrize(
    ("batch_size", "patches", "message"),
    [
        (5, 100, "batch_size is 5, expected a multiple of the 2 processes that share a batch"),
        (8, 7, "batch_size is 8, expected at most the 7 training patches, for 2 processes"),
    ],
)
def test_a_batch_that_the_processes_cannot_share_is_refused(
    batch_size: int, patches: int, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        check_shares(batch_size, patches, Share(0, 2))
    check_shares(batch_size, patches, Share(0, 1))


@pytest.mark.parametrize(("patches", "batch_size", "processes"), [(23, 4, 2), (24, 6, 3), (40, 8, 8)])
def test_the_parts_of_a_batch_are_the_batch(patches: int, batch_size: int, processes: int) -> None:
    order = epoch_order(np.zeros(patches, dtype=np.int64), None, seed=0, epoch=1)
    parts = [part_of_batches(order, batch_size, Share(index, processes)) for index in range(processes)]
    together = np.concatenate([part.reshape(-1, batch_size // processes) for part in parts], axis=1)
    full = patches // batch_size * batch_size
    assert together.ravel().tolist() == order[:full].tolist()
