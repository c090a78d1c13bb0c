"""What `test_company.py` launches: the command, on a network without batch statistics."""

import pytest
import torch
from torch import nn

from severstal_xai.command import run
from training.__main__ import main


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


if __name__ == "__main__":
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("training.initial.build_classifier", build)
        patched.setattr("severstal_xai.checkpoint.build_classifier", build)
        run(main)
