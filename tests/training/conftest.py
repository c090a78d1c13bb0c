"""Settings of small runs."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.state import AcceleratorState

from severstal_xai.command import CONFIGS, parse_settings
from severstal_xai.manifest import Manifest
from training.compute import Compute, choose_compute
from training.settings import Augmentation, Settings

MakeSettings = Callable[..., Settings]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Compute in one thread: on a machine that others use, two wait for each other at every step."""
    usual = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(usual)


@pytest.fixture(scope="session")
def paper_settings() -> Settings:
    return parse_settings(
        Settings, command="test", description="", defaults=CONFIGS / "training.yaml", arguments=[]
    )


@pytest.fixture(scope="session")
def no_chance() -> Augmentation:
    return Augmentation(
        horizontal_flip=0.0, vertical_flip=0.0, shift=0, brightness=0.0, contrast=0.0, noise=0.0
    )


@pytest.fixture(scope="session")
def small(paper_settings: Settings, made_data: Manifest, no_chance: Augmentation) -> MakeSettings:
    """Give the settings of a run on the made data, unaugmented (their classes differ by place), as changed."""

    def make(**changes: Any) -> Settings:
        usual: dict[str, Any] = {
            "data": made_data.root,
            "output": Path("never-written"),
            "architecture": "resnet18",
            "epochs": 1,
            "batch_size": 5,
            "device": "cpu",
            "precision": "float32",
            "workers": 0,
            "augmentation": no_chance,
        }
        return dataclasses.replace(paper_settings, **(usual | changes))

    return make


@pytest.fixture(autouse=True)
def nothing_of_another_run() -> None:
    """accelerate keeps device and number format for the whole process: each test chooses anew."""
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture
def cpu() -> Compute:
    return choose_compute("cpu", "float32")
