"""The sanity check: what is randomised, in which order, and what maps of a known nature do under it."""

import copy
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from explain.methods.grad_cam import GradCAM
from explain.metrics.sanity import cascade, parts_of, similarity
from severstal_xai.model import build_classifier


def test_the_parts_go_from_the_output_to_the_image() -> None:
    residual = parts_of(build_classifier("resnet18", 5, seed=0))
    assert residual == ["fc", "layer4", "layer3", "layer2", "layer1", "bn1", "conv1"]
    plain = parts_of(build_classifier("vgg16", 5, seed=0))
    assert plain[:4] == ["classifier.6", "classifier.3", "classifier.0", "features.28"]
    assert plain[-1] == "features.0"
    assert len(plain) == 16  # the thirteen convolutions and the three layers of the head


def test_the_cascade_replaces_part_after_part_and_ends_with_the_untrained_network() -> None:
    trained, untrained = (build_classifier("resnet18", 5, seed=seed) for seed in (0, 1))
    before = copy.deepcopy(trained.state_dict())
    steps = list(cascade(trained, untrained))
    assert [part for part, _ in steps] == parts_of(trained)
    random_so_far: set[str] = set()
    for part, mixed in steps:
        random_so_far.add(part)
        for name, value in mixed.state_dict().items():
            source = untrained if name.split(".")[0] in random_so_far else trained
            assert torch.equal(value, source.state_dict()[name]), (part, name)
    for name, value in trained.state_dict().items():
        assert torch.equal(value, before[name])
    for (_, one), (_, other) in pairwise(steps):
        assert one is not other


def test_a_plain_sequence_is_taken_layer_by_layer_and_layers_without_parameters_are_none() -> None:
    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(), nn.Conv2d(2, 2, 1))
            self.pool = nn.AdaptiveAvgPool2d(1)
            self.head = nn.Linear(2, 5)

    assert parts_of(Plain()) == ["head", "features.2", "features.0"]


def test_equal_maps_are_alike_and_reversed_ones_are_not() -> None:
    ramp = torch.linspace(0, 1, 256).reshape(16, 16)
    alike = similarity(ramp, ramp)
    assert alike.spearman == pytest.approx(1)
    assert alike.ssim == pytest.approx(1)
    assert similarity(ramp, 1 - ramp).spearman == pytest.approx(-1)
    assert similarity(ramp, ramp**3).spearman == pytest.approx(1)  # the order is the same
    assert similarity(ramp, torch.zeros(16, 16)).spearman == 0


class Looks(nn.Module):
    """Its class 1 is the brightness of the left half, or of the right one, by its head's weights."""

    def __init__(self, left: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 1, bias=False)
        self.conv.weight.data[:] = 1 / 3
        self.halves = nn.AdaptiveAvgPool2d((1, 2))
        self.fc = nn.Linear(4, 2, bias=False)
        self.fc.weight.data = torch.tensor([[0.0, 0, 0, 0], [left, 1 - left, left, 1 - left]]) * 5

    def forward(self, image: Tensor) -> Tensor:
        found: Tensor = self.fc(self.halves(self.conv(image).relu()).flatten(1))
        return found


def test_a_gradient_map_falls_with_the_head_and_an_edge_map_does_not() -> None:
    """Grad-CAM weights whole maps, so the evidence's place is the image's: with a head of another sign it is nowhere."""
    image = torch.zeros(3, 32, 32)
    image[:, :, :16] = torch.rand(16, generator=torch.Generator().manual_seed(0))
    trained, untrained = Looks(1.0), Looks(0.0)
    untrained.fc.weight.data *= -1
    explain = GradCAM()
    before = explain(trained.eval(), image[None], torch.tensor([1]))[0]
    assert before.any()
    (_, first), *_ = cascade(trained, untrained)
    after = explain(first.eval(), image[None], torch.tensor([1]))[0]
    assert similarity(before, after).spearman < 0.1
    edges = (image[0].diff(dim=1).abs() > 0).float()
    assert similarity(edges, edges).spearman == pytest.approx(1)  # it has not asked the network
