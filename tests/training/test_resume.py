"""A run that was stopped, at whatever moment, ends as one that never was: the same weights to the last bit."""

import dataclasses
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import safetensors.torch
import torch
from torch import nn

import training.fit
import training.outcome
import training.saving
from severstal_xai.command import to_yaml
from severstal_xai.errors import InputError
from severstal_xai.manifest import Manifest
from severstal_xai.model import build_classifier
from training import run_folder, state
from training.fit import fit
from training.loop import sgd
from training.run_folder import STATE_FILE
from training.settings import Settings
from training.state import Begun, Place, capture, load_state, save_state
from training.tally import Tally

MakeSettings = Callable[..., Settings]
ROOT = Path(__file__).resolve().parents[2]
SAME = ("model.safetensors", "last.safetensors", "predictions.parquet")
STEPS = 2 * 5
"""Of a run: epochs by steps. Its state is saved at its beginning, after each step, and after each epoch."""


Stop = tuple[str, int, bool]
"""A function of a module of `training`, which of its calls ends the run, and whether when it is done or before."""

DRAWINGS = {
    training.saving: ("contact_sheet",),
    training.outcome: ("confusion_figure", "curves_figure", "reliability_figure", "write_operating_point"),
}


class StoppedError(Exception):
    """Stands for a kill: nobody catches it."""


class Small(nn.Module):
    """A network with all that a state must hold: weights, statistics, and chance."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 4, 8, stride=8), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.3), nn.AvgPool2d(8)
        )
        self.head = nn.Linear(4 * 4 * 4, 5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.layers(images).flatten(1))
        return logits


def build_small(_architecture: str, _classes: int, seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Small()


@pytest.fixture
def settings(
    small: MakeSettings, paper_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """A run of two epochs of five small steps, with augmentation; its state is saved after each step."""
    for module, drawings in DRAWINGS.items():
        monkeypatch.setattr(module, "write_figure", write_no_figure)
        for figure in drawings:
            monkeypatch.setattr(module, figure, draw_nothing)
    monkeypatch.setattr("training.initial.build_classifier", build_small)
    monkeypatch.setattr("severstal_xai.checkpoint.build_classifier", build_small)
    return small(
        output=tmp_path / "run",
        epochs=2,
        batch_size=2,
        learning_rate=0.05,
        augmentation=paper_settings.augmentation,
        save_every=0.0,
    )


def write_no_figure(path: Path, _figure: object) -> None:
    path.write_bytes(b"")


def draw_nothing(*_: object) -> None:
    """Drawing takes most of the time of so small a run."""


def quiet(_: str) -> None:
    pass


def whole(settings: Settings, tmp_path: Path) -> Path:
    """A run that nobody stops."""
    output = tmp_path / "whole"
    fit(dataclasses.replace(settings, output=output), quiet)
    return output


def assert_same_run(first: Path, second: Path) -> None:
    for name in SAME:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    columns = ["epoch", "learning_rate", "train_loss", "train_top1", "validation_loss", "validation_top1"]
    one, other = (pd.read_csv(folder / "history.csv")[columns] for folder in (first, second))
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def stop_at(monkeypatch: pytest.MonkeyPatch, name: str, call: int, after: bool) -> None:
    """Let a function end the run at its n-th call, before it does anything or when it is done."""
    module, name = name.split(".")
    place = getattr(training, module)
    do, calls = getattr(place, name), 0

    def counted(*arguments: object, **named: object) -> object:
        nonlocal calls
        calls += 1
        if calls == call and not after:
            raise StoppedError
        done = do(*arguments, **named)
        if calls == call:
            raise StoppedError
        return done

    monkeypatch.setattr(place, name, counted)


def test_a_run_has_the_steps_that_the_tests_think(settings: Settings, tmp_path: Path) -> None:
    whole(settings, tmp_path)
    begun = load_state(tmp_path / "whole" / STATE_FILE)
    assert len(pd.read_csv(tmp_path / "whole/history.csv")) == 2
    assert begun.place.epoch == 3
    assert begun.momentum
    assert any("running_mean" in name for name in begun.weights)


@pytest.mark.parametrize(
    "stop",
    [
        ("saving.save_state", 1, True),  # nothing but the beginning is saved
        ("saving.save_state", 2, False),  # the first step is done and not saved
        ("saving.save_state", 4, True),  # in the midst of epoch 1
        ("saving.save_state", 6, True),  # its last step is saved, its validation not done
        ("fit.keep", 1, False),
        ("fit.keep", 1, True),  # epoch 1's model is there, the state is the last step's
        ("saving.save_state", 9, True),  # in the midst of epoch 2
        ("saving.save_checkpoint", 3, True),  # epoch 2's last model is there, its best is not
        ("fit.score_and_report", 1, False),  # all epochs are done, the scores are missing
        ("outcome.write_figure", 1, True),  # some of the reports are there
    ],
)
def test_a_run_that_was_stopped_anywhere_ends_as_one_that_was_not(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: Stop
) -> None:
    expected = whole(settings, tmp_path)
    with monkeypatch.context() as patched:
        stop_at(patched, *stop)
        with pytest.raises(StoppedError):
            fit(settings, quiet)
    fit(dataclasses.replace(settings, resume=True), quiet)
    assert_same_run(expected, settings.output)


def test_a_run_that_is_stopped_again_and_again_ends_all_the_same(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = whole(settings, tmp_path)
    again = dataclasses.replace(settings, resume=True)  # nothing is there at first: it begins
    for _ in range(STEPS):
        with monkeypatch.context() as patched:
            stop_at(patched, "saving.save_state", 2, True)
            try:
                fit(again, quiet)
            except StoppedError:
                continue
            break
    else:
        fit(again, quiet)
    assert_same_run(expected, settings.output)


def test_a_finished_run_is_scored_anew_and_goes_on_where_more_epochs_are_wanted(
    settings: Settings, tmp_path: Path
) -> None:
    fit(settings, quiet)
    before = (settings.output / "model.safetensors").read_bytes()
    fit(dataclasses.replace(settings, resume=True), quiet)
    assert (settings.output / "model.safetensors").read_bytes() == before
    fit(dataclasses.replace(settings, resume=True, epochs=3), quiet)
    longer = dataclasses.replace(settings, output=tmp_path / "longer", epochs=3)
    fit(longer, quiet)
    assert_same_run(longer.output, settings.output)
    with pytest.raises(InputError, match=r"epochs is 2, and the run in .* has done 3; expected as many"):
        fit(dataclasses.replace(settings, resume=True), quiet)


def test_a_run_goes_on_under_its_own_settings_and_on_its_own_data_alone(
    settings: Settings, made_data: Manifest
) -> None:
    fit(settings, quiet)
    again = dataclasses.replace(settings, resume=True)
    with pytest.raises(InputError, match=r"learning_rate is 0\.1, and the run in .* was begun with 0\.05"):
        fit(dataclasses.replace(again, learning_rate=0.1), quiet)
    path = settings.output / STATE_FILE
    save_state(path, dataclasses.replace(load_state(path), data_checksum="0" * 64))
    with pytest.raises(InputError, match=r"begun on other data \(manifest 000000000000\), and this is"):
        fit(again, quiet)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a readable state"),
        (b"steel" * 100, "not a readable state"),
        (safetensors.torch.save({"tally": torch.zeros(3)}), "no state of format 1"),
        (safetensors.torch.save({"tally": torch.zeros(3)}, {"state": "{"}), "not a readable state"),
        (
            safetensors.torch.save({"tally": torch.zeros(3)}, {"state": json.dumps({"format": "1"})}),
            "'epoch' is missing",
        ),
    ],
)
def test_a_damaged_state_is_named_and_left(settings: Settings, content: bytes, reason: str) -> None:
    path = settings.output / STATE_FILE
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"{path.name}: .*{reason}|{path.name}: {reason}"):
        fit(dataclasses.replace(settings, resume=True), quiet)
    assert path.read_bytes() == content


def test_a_truncated_state_is_named(settings: Settings) -> None:
    fit(settings, quiet)
    path = settings.output / STATE_FILE
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"state\.safetensors: not a readable state"):
        fit(dataclasses.replace(settings, resume=True), quiet)


def test_a_folder_without_a_state_cannot_be_resumed(settings: Settings) -> None:
    fit(settings, quiet)
    (settings.output / STATE_FILE).unlink()
    with pytest.raises(
        InputError, match=r"holds model\.json.*without state/state\.safetensors it cannot be resumed"
    ):
        fit(dataclasses.replace(settings, resume=True), quiet)


def test_no_number_as_loss_leaves_the_last_good_state(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In epoch 2, step 2, the loss breaks; the state of step 1 is there, and the run can go on from it."""
    expected = whole(settings, tmp_path)
    plus, calls = Tally.plus, 0

    def breaking(self: Tally, loss: torch.Tensor, right: torch.Tensor, patches: int) -> Tally:
        nonlocal calls
        calls += 1
        broken = loss * float("nan") if calls == 8 else loss  # the sixth is the validation's
        return plus(self, broken, right, patches)

    with monkeypatch.context() as patched:
        patched.setattr(Tally, "plus", breaking)
        with pytest.raises(InputError, match=r"epoch 2: step 2: the loss is nan, expected a finite number"):
            fit(settings, quiet)
    begun = load_state(settings.output / STATE_FILE)
    assert (begun.place.epoch, begun.place.tally.steps) == (2, 1)
    assert all(value.isfinite().all() for value in begun.weights.values())
    fit(dataclasses.replace(settings, resume=True), quiet)
    assert_same_run(expected, settings.output)


def test_a_full_disk_leaves_the_last_good_state(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, calls = whole(settings, tmp_path), 0

    def full(_path: Path) -> None:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(state, "sync", full)
        with pytest.raises(OSError, match="No space left"):
            fit(settings, quiet)
    assert load_state(settings.output / STATE_FILE).place.tally.steps == 2
    assert not list(settings.output.rglob("*.part"))
    fit(dataclasses.replace(settings, resume=True), quiet)
    assert_same_run(expected, settings.output)


def test_one_process_alone_writes_a_run(settings: Settings) -> None:
    alone = pytest.raises(InputError, match="another process is writing it, expected to be alone")
    with run_folder.owned(settings.output), alone:
        fit(settings, quiet)
    fit(settings, quiet)


def test_a_state_holds_what_a_network_and_its_optimizer_are(tmp_path: Path, small: MakeSettings) -> None:
    """ResNet-18, its weights channels last, with momentum: all of it comes back to the last bit."""
    model = build_classifier("resnet18", 5, seed=0).to(memory_format=torch.channels_last)
    optimizer = sgd(model, small())
    torch.autograd.backward(model(torch.randn(2, 3, 64, 64)).square().sum())
    optimizer.step()
    weights, momentum = capture(model, optimizer)
    tally = Tally(torch.tensor([1.5, 1.0, 2.0], dtype=torch.float64), steps=1)
    begun = Begun(Place(2, tally), {"epochs": 3}, "sum", "float32", weights, momentum)
    save_state(tmp_path / "state", begun)
    other = build_classifier("resnet18", 5, seed=1).to(memory_format=torch.channels_last)
    others = sgd(other, small())
    read = load_state(tmp_path / "state")
    read.restore(other, others)
    assert read.place.tally.sums.tolist() == [1.5, 1.0, 2.0]
    for (name, ours), theirs in zip(other.named_parameters(), model.parameters(), strict=True):
        assert torch.equal(ours, theirs), name
        ours_moving, theirs_moving = (
            one.state[weight]["momentum_buffer"] for one, weight in ((others, ours), (optimizer, theirs))
        )
        assert torch.equal(ours_moving, theirs_moving), name
        assert ours_moving.is_contiguous(memory_format=ours_format(ours)), name


def ours_format(weight: torch.Tensor) -> torch.memory_format:
    return torch.channels_last if weight.ndim == 4 else torch.contiguous_format


def test_killed_at_a_random_moment_the_command_ends_with_the_same_weights(
    small: MakeSettings, paper_settings: Settings, tmp_path: Path
) -> None:
    """ResNet-18, the real command, SIGKILL: in the midst of steps, of saving, of reports."""
    settings = small(
        output=tmp_path / "run",
        batch_size=2,
        augmentation=paper_settings.augmentation,
        save_every=0.0,
    )
    (tmp_path / "config.yaml").write_text(to_yaml(settings))
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUTF8": "1"}
    fit(settings, quiet)
    settings.output.rename(tmp_path / "whole")
    start = [sys.executable, "-m", "training", "--config", str(tmp_path / "config.yaml"), "--resume", "true"]
    with subprocess.Popen(start, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as process:
        wait_for_a_step(settings.output / STATE_FILE, process)
        time.sleep(random.random())  # each run of the tests tries another moment
        process.send_signal(signal.SIGKILL)
    fit(dataclasses.replace(settings, resume=True), quiet)
    assert_same_run(tmp_path / "whole", settings.output)


def wait_for_a_step(path: Path, process: "subprocess.Popen[bytes]") -> None:
    """Wait until the process saves its state once more, or is done."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    while process.poll() is None and (path.stat().st_mtime_ns if path.exists() else 0) == before:
        time.sleep(0.02)
