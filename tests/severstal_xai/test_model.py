"""The classifier: every network that is offered can be built, from a seed, without a trace."""

import pytest
import torch

from severstal_xai.errors import InputError
from severstal_xai.model import build_classifier


@pytest.mark.parametrize("architecture", ["resnet18", "resnet50"])
def test_a_network_gives_one_logit_a_class(architecture: str) -> None:
    model = build_classifier(architecture, classes=5, seed=0).eval()
    with torch.no_grad():
        assert model(torch.zeros(2, 3, 64, 64)).shape == (2, 5)


def test_the_paper_s_network_is_offered() -> None:
    """ResNet-101: 33 blocks of three convolutions, the stem, four shortcuts: 104 convolutions."""
    model = build_classifier("resnet101", classes=5, seed=0)
    assert sum(isinstance(module, torch.nn.Conv2d) for module in model.modules()) == 3 * 33 + 1 + 4


def test_the_seed_decides_on_the_weights_and_nothing_else_does() -> None:
    torch.manual_seed(1)
    first = build_classifier("resnet18", 5, seed=3).state_dict()
    torch.manual_seed(2)
    same = build_classifier("resnet18", 5, seed=3).state_dict()
    other = build_classifier("resnet18", 5, seed=4).state_dict()
    assert all(torch.equal(first[key], same[key]) for key in first)
    assert not torch.equal(first["conv1.weight"], other["conv1.weight"])


def test_building_leaves_the_caller_s_chance_as_it_was() -> None:
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    build_classifier("resnet18", 5, seed=3)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("name", ["", "alexnet", "ResNet18", "../resnet18"])
def test_a_network_that_is_not_offered_is_refused_by_name(name: str) -> None:
    with pytest.raises(InputError, match="expected one of resnet18, resnet34, resnet50, resnet101, vgg16"):
        build_classifier(name, 5, seed=0)
