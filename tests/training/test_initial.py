"""What a network knows before its first step."""

import urllib.error
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torchvision.models
from torch import nn

from severstal_xai.checkpoint import ModelCard, save_checkpoint
from severstal_xai.errors import InputError
from severstal_xai.model import build_classifier
from training.initial import head_of, initial_network
from training.settings import Settings

MakeSettings = Callable[..., Settings]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of torchvision's, on a machine without network."""

    def nobody_answers(*_: object, **__: object) -> None:
        raise urllib.error.URLError("Temporary failure in name resolution")

    monkeypatch.setattr("torch.hub.urlopen", nobody_answers)
    monkeypatch.setattr("torch.hub._hub_dir", str(tmp_path / "hub"))
    (tmp_path / "hub/checkpoints").mkdir(parents=True)
    return tmp_path / "hub/checkpoints"


def same(first: nn.Module, second: nn.Module, *, but: str = "") -> bool:
    """Whether all weights are the same, but those of a layer, which must differ."""
    pairs = zip(first.state_dict().items(), second.state_dict().values(), strict=True)
    return all(
        torch.equal(one, other) != bool(but and name == f"{but}.weight")
        for (name, one), other in pairs
        if name != f"{but}.bias"
    )


def test_random_is_the_seeds_network(small: MakeSettings) -> None:
    assert same(initial_network(small(seed=3)), build_classifier("resnet18", 5, seed=3))


def test_imagenets_weights_come_from_the_cache_with_a_new_head(small: MakeSettings, hub: Path) -> None:
    theirs = torchvision.models.resnet18(num_classes=1000)
    name = Path(torchvision.models.ResNet18_Weights.IMAGENET1K_V1.url).name
    torch.save(theirs.state_dict(), hub / name)
    network = initial_network(small(initial="imagenet"))
    for key, value in network.state_dict().items():
        expected = build_classifier("resnet18", 5, seed=0) if key.startswith("fc.") else theirs
        assert torch.equal(value, expected.state_dict()[key]), key


def test_without_cache_and_network_it_says_what_to_put_where(small: MakeSettings, hub: Path) -> None:
    with pytest.raises(
        InputError,
        match=rf"ImageNet weights of resnet18 cannot be had .*resnet18-\w+\.pth, or that file in {hub}",
    ):
        initial_network(small(initial="imagenet"))
    assert not list(hub.iterdir())


def test_a_damaged_file_in_the_cache_is_named(small: MakeSettings, hub: Path) -> None:
    name = Path(torchvision.models.ResNet18_Weights.IMAGENET1K_V1.url).name
    (hub / name).write_bytes(b"steel" * 100)
    with pytest.raises(InputError, match="ImageNet weights of resnet18 cannot be had"):
        initial_network(small(initial="imagenet"))


def test_a_runs_weights_are_taken_with_its_head_or_without(small: MakeSettings, tmp_path: Path) -> None:
    before = build_classifier("resnet18", 5, seed=9)
    save_checkpoint(tmp_path, before, ModelCard("resnet18", "", 1, {}))
    assert same(initial_network(small(initial=str(tmp_path))), before)
    renewed = initial_network(small(initial=str(tmp_path), new_head=True))
    assert same(renewed, before, but="fc")
    assert torch.equal(
        renewed.get_parameter("fc.weight"), build_classifier("resnet18", 5, seed=0).get_parameter("fc.weight")
    )


def test_a_run_of_another_network_or_none_is_refused(small: MakeSettings, tmp_path: Path) -> None:
    save_checkpoint(tmp_path, build_classifier("resnet34", 5, seed=9), ModelCard("resnet34", "", 1, {}))
    with pytest.raises(InputError, match=r"a resnet34, expected a resnet18, as architecture says"):
        initial_network(small(initial=str(tmp_path)))
    with pytest.raises(InputError, match=r"nowhere.model\.json: no such file"):
        initial_network(small(initial=str(tmp_path / "nowhere")))
    with pytest.raises(InputError, match="initial is empty"):
        small(initial="")


@pytest.mark.parametrize(
    ("architecture", "head"), [("resnet18", "fc"), ("resnet101", "fc"), ("vgg16", "classifier.6")]
)
def test_the_head_is_the_layer_that_gives_the_classes(architecture: str, head: str) -> None:
    network = build_classifier(architecture, 5, seed=0)
    assert head_of(network) == head
    assert network.get_parameter(f"{head}.weight").shape[0] == 5
