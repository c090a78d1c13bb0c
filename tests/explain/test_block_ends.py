"""The layers that SISE looks at, on the networks whose numbers of maps are known."""

import pytest
import torch
import torchvision
from torch import Tensor, nn

from explain.block_ends import find_block_ends, trace
from severstal_xai.model import build_classifier

# Channels of the block ends, from the networks' papers. ResNet-50: "3,904 maps", as in the SISE design.
KNOWN = {
    "resnet18": [64, 64, 128, 256, 512],
    "resnet50": [64, 256, 512, 1024, 2048],
    "resnet101": [64, 256, 512, 1024, 2048],
    "vgg16": [64, 128, 256, 512, 512],
}


def channels(model: nn.Module, size: int) -> list[int]:
    ends = find_block_ends(trace(model.eval()), torch.zeros(1, 3, size, size))
    return [int(end.meta["tensor_meta"].shape[1]) for end in ends]


@pytest.mark.parametrize("architecture", KNOWN)
def test_block_ends_of_known_networks(architecture: str) -> None:
    assert channels(build_classifier(architecture, 5, seed=0), 64) == KNOWN[architecture]


@pytest.mark.parametrize("size", [224, 256])
def test_vgg_has_five_blocks_also_where_its_adaptive_pooling_shrinks(size: int) -> None:
    assert channels(build_classifier("vgg16", 5, seed=0), size) == KNOWN["vgg16"]


@pytest.mark.parametrize(
    ("architecture", "maps"), [("densenet121", 1984), ("mobilenet_v3_large", 2008), ("efficientnet_b0", 2432)]
)
def test_networks_that_are_not_trained_here_are_understood_too(architecture: str, maps: int) -> None:
    found = channels(torchvision.models.get_model(architecture), 64)
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
    ends = find_block_ends(trace(Skipping().eval()), torch.zeros(1, 3, 8, 8))
    assert [end.name for end in ends] == ["add"]


def test_the_image_itself_ends_no_block() -> None:
    pooled_first = nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    ends = find_block_ends(trace(pooled_first.eval()), torch.zeros(1, 3, 16, 16))
    assert [end.name for end in ends] == ["_1"]
