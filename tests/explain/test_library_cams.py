"""The copies that a library may treat as it likes, and what the methods by libraries do at the edges."""

import pytest
import torch
from torch import Tensor, nn

from explain.activations import activations
from explain.library_cams import own_copy, own_tail
from explain.methods import METHODS
from severstal_xai.errors import InputError
from severstal_xai.model import build_classifier

BY_LIBRARIES = (
    "grad_cam",
    "grad_cam_plus_plus",
    "xgrad_cam",
    "layer_cam",
    "integrated_gradients",
    "smooth_grad",
    "full_grad",
)
BY_GRAPH = ("grad_cam", "grad_cam_plus_plus", "xgrad_cam", "layer_cam", "full_grad")


@pytest.fixture
def image() -> Tensor:
    return torch.randn(3, 32, 32, generator=torch.Generator().manual_seed(0))


def test_a_copy_answers_as_its_model(image: Tensor) -> None:
    model = build_classifier("resnet18", 5, seed=0).eval()
    assert torch.equal(own_copy(model)(image[None]), model(image[None]))


@pytest.mark.parametrize("architecture", ["resnet18", "vgg16"])
def test_a_tail_answers_to_the_features_as_its_model_to_the_image(architecture: str, image: Tensor) -> None:
    model = build_classifier(architecture, 5, seed=0).eval()
    seen = activations(model, image)
    tail = own_tail(model, seen.layers[-1], torch.tensor(2.0**20))
    assert torch.equal(tail(seen.features[-1] / 2.0**20), model(image[None]))  # the unit is a power of two
    assert len(tail.graph.nodes) < len(own_copy(model).graph.nodes) / 2


def test_a_tail_knows_the_values_from_before_its_begin_that_it_needs(image: Tensor) -> None:
    model = Twice().eval()
    features = model.same(image[None])
    tail = own_tail(model, "same", torch.tensor(1.0))
    assert torch.equal(tail(features), model(image[None]))


def test_a_copy_has_the_models_memory_and_requires_no_gradient() -> None:
    model = build_classifier("resnet18", 5, seed=0).eval()
    copied = own_copy(model)
    theirs = {value.data_ptr() for value in model.state_dict().values()}
    assert {value.data_ptr() for value in copied.state_dict().values()} == theirs
    assert not any(weight.requires_grad for weight in copied.parameters())
    assert not {id(module) for module in copied.modules()} & {id(module) for module in model.modules()}


class Twice(nn.Module):
    """A network that calls one module twice, and has a weight that belongs to no module's call."""

    def __init__(self) -> None:
        super().__init__()
        self.same = nn.Conv2d(3, 3, 3, padding=1)
        self.gain = nn.Parameter(torch.tensor(2.0))

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.same(self.same(images).relu()).relu() * self.gain
        return features.mean(dim=(2, 3))


def test_a_module_called_twice_is_two_in_the_copy(image: Tensor) -> None:
    model = Twice().eval()
    copied = own_copy(model)
    convolutions = [module for module in copied.modules() if isinstance(module, nn.Conv2d)]
    assert len(convolutions) == 2
    assert convolutions[0].weight.data_ptr() == convolutions[1].weight.data_ptr()
    assert torch.equal(copied(image[None]), model(image[None]))


class Unsteady(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images if images.sum() > 0 else -images


@pytest.mark.parametrize("name", BY_GRAPH)
def test_a_network_that_cannot_be_traced_is_refused_in_a_line(name: str, image: Tensor) -> None:
    with pytest.raises(InputError, match=r"^Unsteady: .* expected a network that torch.fx can trace"):
        METHODS[name]()(Unsteady().eval(), image[None], torch.tensor([0]))


@pytest.mark.parametrize("name", ["grad_cam", "grad_cam_plus_plus", "xgrad_cam", "layer_cam"])
def test_a_network_without_a_block_is_refused_in_a_line(name: str, image: Tensor) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 5)).eval()
    with pytest.raises(InputError, match=r"^Sequential has no block end, expected a convolution"):
        METHODS[name]()(model, image[None], torch.tensor([0]))


def plain(head: float, bias: float) -> nn.Module:
    """A plain network; `head` multiplies its logits, `bias` is its convolution's."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(8, 5),
        ).eval()
    with torch.no_grad():
        model.get_parameter("0.bias").fill_(bias)
        model.get_parameter("4.weight").mul_(head)
        model.get_parameter("4.bias").mul_(head)
    return model


@pytest.mark.parametrize("name", BY_LIBRARIES)
def test_a_network_that_sees_nothing_gives_a_map_of_zeros(name: str, image: Tensor) -> None:
    """Under a bias of -100 every ReLU is shut."""
    saliency = METHODS[name]()(plain(1.0, -100.0), image[None], torch.tensor([1]))
    assert torch.equal(saliency, torch.zeros(1, 32, 32))


@pytest.mark.parametrize("name", BY_LIBRARIES)
@pytest.mark.parametrize("head", [2.0**-10, 2.0**10])
def test_the_logits_scale_does_not_matter(name: str, head: float, image: Tensor) -> None:
    """A saturated network, and one that hardly answers, are explained as one in between: a logit does not saturate.

    Grad-CAM++ alone is not free of the scale: its weights hold powers of the gradients.
    """
    targets = torch.tensor([2])
    saliency = METHODS[name]()(plain(head, 0.1), image[None], targets)
    assert torch.isfinite(saliency).all()
    if name != "grad_cam_plus_plus":
        torch.testing.assert_close(saliency, METHODS[name]()(plain(1.0, 0.1), image[None], targets))
