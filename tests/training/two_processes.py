"""What `test_company.py` launches: the command, on a network without batch statistics."""

import itertools
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from severstal_xai.command import run
from training.__main__ import main
from training.state import Begun, save_state


class WithoutStatistics(nn.Module):
    """A convolution and a head: of parts of a batch it learns what it learns of the whole."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 6, 8, stride=8), nn.ReLU(), nn.AvgPool2d(8))
        self.head = nn.Linear(6 * 4 * 4, 5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.layers(images).flatten(1))
        return logits


def build(_architecture: str, _classes: int, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return WithoutStatistics()


def killed_after(saves: int) -> Callable[..., None]:
    """Return what saves a run's state, and ends the process by force when it has done so that often."""
    counted = itertools.count(1)

    def save_and_die(path: Path, begun: Begun) -> None:
        save_state(path, begun)
        if next(counted) == saves:
            os.kill(os.getpid(), signal.SIGKILL)

    return save_and_die


if __name__ == "__main__":
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("training.saving._AGREE_EVERY", 1)
        if "KILLED_AFTER" in os.environ:
            patched.setattr("training.saving.save_state", killed_after(int(os.environ["KILLED_AFTER"])))
        patched.setattr("training.initial.build_classifier", build)
        patched.setattr("severstal_xai.checkpoint.build_classifier", build)
        run(main)
