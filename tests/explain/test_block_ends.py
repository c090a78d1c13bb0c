"""The layers that SISE looks at, on the networks whose numbers of maps are known."""

import linecache

import pytest
import torch
import torchvision
from torch import Tensor, nn

from explain.activations import activations, logit
from severstal_xai.errors import InputError
from severstal_xai.model import build_classifier

# Channels of the block ends, from the networks' papers. ResNet-50: "3,904 maps", as in the SISE design.
KNOWN = {
    "resnet18": [64, 64, 128, 256, 512],
    "resnet50": [64, 256, 512, 1024, 2048],
    "resnet101": [64, 256, 512, 1024, 2048],
    "vgg16": [64, 128, 256, 512, 512],
}


def build(architecture: str) -> nn.Module:
    settings = {"init_weights": False} if architecture == "googlenet" else {}
    model: nn.Module = torchvision.models.get_model(architecture, **settings)
    return model


def channels(model: nn.Module, size: int) -> list[int]:
    return [len(values) for values in activations(model.eval(), torch.zeros(3, size, size)).values()]


@pytest.mark.parametrize("architecture", KNOWN)
def test_block_ends_of_known_networks(architecture: str) -> None:
    assert channels(build_classifier(architecture, 5, seed=0), 64) == KNOWN[architecture]


@pytest.mark.parametrize("size", [224, 256])
def test_vgg_has_five_blocks_also_where_its_adaptive_pooling_shrinks(size: int) -> None:
    assert channels(build_classifier("vgg16", 5, seed=0), size) == KNOWN["vgg16"]


@pytest.mark.parametrize(
    ("architecture", "maps"),
    [
        ("densenet121", 1984),
        ("mobilenet_v3_large", 2008),
        ("efficientnet_b0", 2432),
        ("googlenet", 2592),
        ("resnext50_32x4d", 3904),
    ],
)
def test_networks_that_are_not_trained_here_are_understood_too(architecture: str, maps: int) -> None:
    found = channels(build(architecture), 64)
    assert (len(found), sum(found)) == (5, maps)


class Skipping(nn.Module):
    """A convolution beside a skip, a stride, a flatten: one block end inside, none at the flatten."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv2d(3, 4, 1)
        self.around = nn.Conv2d(4, 4, 3, padding=1)
        self.down = nn.Conv2d(4, 6, 2, stride=2)
        self.head = nn.Linear(6 * 16, 5)

    def forward(self, images: Tensor) -> Tensor:
        entered = self.enter(images)
        joined = entered + self.around(entered)
        logits: Tensor = self.head(self.down(joined).flatten(1))
        return logits


def test_a_skip_is_no_block_end_a_stride_ends_a_block_and_a_flatten_is_no_pooling() -> None:
    assert activations(Skipping().eval(), torch.zeros(3, 8, 8)).layers == ("add",)


def test_the_image_itself_ends_no_block() -> None:
    pooled_first = nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    assert activations(pooled_first.eval(), torch.zeros(3, 16, 16)).layers == ("_1",)


class AskingSizes(nn.Module):
    """A network that takes its batch's size from the image, and hands it past all its layers to the end."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.second = nn.Conv2d(4, 6, 3, padding=1)
        self.head = nn.Linear(6, 5)

    def forward(self, images: Tensor) -> Tensor:
        batch, rows = images.size(0), images.shape[2]
        first = nn.functional.max_pool2d(self.first(images).relu(), 2)
        second = nn.functional.avg_pool2d(self.second(first), rows // 2)
        logits: Tensor = self.head(second.view(batch, -1))
        return logits


def test_a_number_that_is_taken_from_the_images_shape_is_no_way_past_the_layers() -> None:
    assert activations(AskingSizes().eval(), torch.zeros(3, 8, 8)).layers == ("relu", "second")


class Scaling(nn.Module):
    """A network whose code makes a tensor: it is part of the graph, and of no module."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 3)

    def forward(self, images: Tensor) -> Tensor:
        scaled = images * torch.tensor([1.0, 2.0, 3.0])[:, None, None]
        logits: Tensor = self.convolution(scaled).mean(dim=(2, 3))
        return logits


def test_a_tensor_that_the_networks_code_makes_does_not_stay_in_the_network() -> None:
    model, image = Scaling().eval(), torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(0))
    before = set(vars(model))
    seen = activations(model, image)
    torch.testing.assert_close(seen.logits, model(image[None]))
    assert set(vars(model)) == before


def test_no_source_is_kept_of_the_graphs_that_were_made() -> None:
    model, image = build_classifier("resnet18", 5, seed=0).eval(), torch.zeros(3, 32, 32)
    activations(model, image)
    before = len(linecache.cache)
    for _ in range(3):
        activations(model, image)
    assert len(linecache.cache) == before


def test_a_network_without_blocks_is_told_so() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 5)).eval()
    with pytest.raises(InputError, match=r"Sequential has no block end, .* or layers=\('NAME', ...\)"):
        activations(model, torch.zeros(3, 8, 8))


class Undecided(nn.Module):
    """A network whose way depends on what it sees: no graph holds it."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.second = nn.Conv2d(4, 6, 3, padding=1)
        self.head = nn.Linear(6, 5)

    def forward(self, images: Tensor) -> Tensor:
        first = self.first(images).relu() if images.mean() > -9 else self.first(images)
        second = self.second(nn.functional.max_pool2d(first, 2))
        logits: Tensor = self.head(second.mean(dim=(2, 3)))
        return logits


def test_a_network_without_a_graph_is_told_so_and_may_be_given_layers_by_hand() -> None:
    model, image = Undecided().eval(), torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(0))
    with pytest.raises(
        InputError, match=r"Undecided: its block ends cannot be found .* or layers=\('NAME', ...\)"
    ):
        activations(model, image)
    seen = activations(model, image, ("first", "second"))
    assert [len(values) for values in seen.values()] == [4, 6]
    torch.testing.assert_close(seen.logits, model(image[None]))
    assert torch.equal(seen.values()[0], model.first(image[None])[0])
    assert not model.first._forward_hooks


def test_layers_named_by_hand_give_what_the_graph_gives() -> None:
    model, image = build_classifier("vgg16", 5, seed=0).eval(), torch.randn(3, 64, 64)
    by_graph = activations(model, image)
    by_hand = activations(
        model, image, ("features.3", "features.8", "features.15", "features.22", "features.29")
    )
    for ours, theirs in zip(by_graph.gradients(logit(2)), by_hand.gradients(logit(2)), strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(
    ("name", "reason"), [("third", "is no module of"), ("head", "gives no feature maps")]
)
def test_layers_that_cannot_be_are_refused_by_name(name: str, reason: str) -> None:
    with pytest.raises(InputError, match=f"layers: '{name}' {reason}"):
        activations(Undecided().eval(), torch.zeros(3, 8, 8), ("first", name))


def test_of_many_layers_a_few_are_named() -> None:
    model = build_classifier("resnet18", 5, seed=0).eval()
    modules = len([name for name, _ in model.named_modules() if name])
    with pytest.raises(
        InputError, match=f"expected one of conv1, bn1, relu, maxpool, layer1, layer1.0 … {modules} names$"
    ):
        activations(model, torch.zeros(3, 64, 64), ("foo",))
