"""Score-CAM against a slow copy of its definition in float64, and its limits."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explain.methods.score_cam import ScoreCAM, class_activation_map


class Small(nn.Module):
    """A plain CNN of two blocks, small enough for the slow copy; features may be negative."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, padding=1)
        self.second = nn.Conv2d(6, 24, 3, padding=1)
        self.head = nn.Linear(24, 5)

    def features(self, images: Tensor) -> Tensor:
        second: Tensor = self.second(nn.functional.max_pool2d(self.first(images).relu(), 4))
        return second

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(images).mean(dim=(2, 3))) * 20
        return logits


@pytest.fixture
def model() -> Small:
    torch.manual_seed(3)
    return Small().eval()


@pytest.fixture
def image() -> Tensor:
    return torch.randn(3, 64, 96, generator=torch.Generator().manual_seed(0))


def slow_score_cam(model: Small, image: Tensor, target: int, some: int = 24) -> np.ndarray:
    """Algorithm 1 in float64, a map at a time, with the baseline and the logarithm of the probability, of the first `some` maps."""
    model, image = model.double(), image.double()
    with torch.no_grad():
        features = model.features(image[None])[0].numpy()
        black = model(torch.zeros_like(image)[None]).log_softmax(dim=1)[0, target].item()
        kept, scores = [], []
        for one in features[:some]:
            if one.max() == one.min():
                continue
            large = slow_resize(one, image)
            mask = (large - large.min()) / (large.max() - large.min())
            answer = model((image * torch.from_numpy(mask))[None]).log_softmax(dim=1)[0, target].item()
            kept.append(one)
            scores.append(answer - black)
    weights = np.exp(scores) / np.exp(scores).sum()
    coarse = np.maximum(sum(weight * one for weight, one in zip(weights, kept, strict=True)), 0)
    saliency = slow_resize(coarse, image)
    stretched: np.ndarray = (saliency - saliency.min()) / (saliency.max() - saliency.min())
    return stretched


def slow_resize(values: np.ndarray, image: Tensor) -> np.ndarray:
    large = nn.functional.interpolate(
        torch.from_numpy(values)[None, None], size=image.shape[1:], mode="bilinear"
    )
    return large[0, 0].numpy()


@pytest.mark.parametrize("target", [0, 3])
def test_score_cam_equals_its_definition(model: Small, image: Tensor, target: int) -> None:
    ours = ScoreCAM(engine="reference")(model, image[None], torch.tensor([target]))[0].numpy()
    np.testing.assert_allclose(ours, slow_score_cam(model, image, target), atol=1e-5)


def test_first_maps_are_those_of_the_first_features_and_the_last_is_the_map(
    model: Small, image: Tensor
) -> None:
    method = ScoreCAM(engine="reference")
    first, last = method.explain_in_steps(model, image, 3, shares=(0.2,))
    assert torch.equal(last.saliency, method.explain(model, image, 3))
    assert (first.forwards, last.forwards) == (8, 24)
    np.testing.assert_allclose(first.saliency, slow_score_cam(model, image, 3, some=8), atol=1e-5)


def test_several_targets_of_one_image_get_what_each_gets_alone(model: Small, image: Tensor) -> None:
    method = ScoreCAM(engine="reference")
    together = method.explain_targets(model, image, [0, 3])
    for ours, target in zip(together, (0, 3), strict=True):
        torch.testing.assert_close(ours, method.explain(model, image, target))


def test_layers_may_be_named_and_the_last_one_gives_the_maps(model: Small, image: Tensor) -> None:
    found = ScoreCAM().explain(model, image, 1)
    torch.testing.assert_close(ScoreCAM(layers=("first", "second")).explain(model, image, 1), found)
    assert not torch.allclose(ScoreCAM(layers=("first",)).explain(model, image, 1), found, atol=0.1)


def test_constant_features_give_a_zero_map(image: Tensor) -> None:
    """Of a network whose feature maps are all constant there is no mask to ask about: the map is zero."""

    class Flat(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution, self.head = nn.Conv2d(3, 4, 1), nn.Linear(4, 2)

        def forward(self, images: Tensor) -> Tensor:
            logits: Tensor = self.head((self.convolution(images) * 0 + 1).mean(dim=(2, 3)))
            return logits

    assert not ScoreCAM().explain(Flat().eval(), image, 0).any()


def test_a_target_that_no_mask_speaks_for_gets_a_zero_map() -> None:
    assert not class_activation_map(torch.rand(3, 2, 2), torch.zeros(3)).any()
