"""What a benchmark explains: a network and images."""

import platform
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from explain.engines import probe
from explain.records import Maker
from severstal_xai.checkpoint import load_checkpoint, read_card
from severstal_xai.errors import InputError
from severstal_xai.imaging import model_input
from severstal_xai.machine import cores, processor
from severstal_xai.manifest import Split, read_manifest
from severstal_xai.model import build_classifier


@dataclass(frozen=True)
class Case:
    """What is explained: a network and images; `BenchmarkSettings` says what each field is."""

    run: Path | None
    data: Path | None
    architecture: str
    size: int
    mu: float
    count: int
    device: str

    def check(self) -> None:
        """Refuse, early, what cannot be measured."""
        self.model()
        self.subjects()

    def machine(self) -> dict[str, str | int]:
        """Return what the figures belong to."""
        cuda = self._device().type == "cuda"
        return {
            "processor": torch.cuda.get_device_name() if cuda else processor(),
            "cores": cores(),
            "threads": torch.get_num_threads(),
            "system": platform.system(),
            "torch": str(torch.__version__),
        }

    def maker(self, machine: dict[str, str | int]) -> Maker:
        """Return what makes figures of this case what they are: two runs by equal makers measure the same."""
        of_images = {"data": read_manifest(self.data).checksum} if self.data else {"size": self.size}
        settings = {"mu": self.mu, "images": self.count, "device": self.device, **of_images}
        weights = read_card(self.run).weights_sha256 if self.run else f"random, {self.architecture}"
        return Maker(weights, "label", settings | {"machine": machine})

    def model(self) -> nn.Module:
        """Return the network in eval mode, on its device."""
        if self.run:
            return load_checkpoint(self.run).model.to(self._device())
        return build_classifier(self.architecture, 5, seed=0).eval().requires_grad_(False).to(self._device())

    def subjects(self) -> list["Asked"]:
        """Return the images; of a data folder test patches with a defect, one class after the other."""
        if self.data is None:
            drawn = probe(torch.zeros(3, self.size, self.size))[: self.count]
            return [Asked(image.to(self._device()), 1, None) for image in drawn]
        manifest = read_manifest(self.data)
        by_class = [
            [patch for patch in manifest.of_split(Split.TEST) if patch.label == label]
            for label in range(1, 5)
        ]
        turns = [
            patch for turn in range(self.count) for patches in by_class for patch in patches[turn : turn + 1]
        ]
        if not turns:
            raise InputError(f"{self.data}: no test patch with a defect, expected one at least")
        return [
            Asked(
                torch.from_numpy(model_input(manifest.read_image(patch))).to(self._device()),
                patch.label,
                torch.from_numpy(manifest.read_mask(patch)),
            )
            for patch in turns[: self.count]
        ]

    def _device(self) -> torch.device:
        cuda = self.device != "cpu" and torch.cuda.is_available()
        return torch.device("cuda" if cuda else "cpu")


@dataclass(frozen=True)
class Asked:
    """An image, the class to explain and, where there is one, the ground truth."""

    image: Tensor
    target: int
    mask: Tensor | None
