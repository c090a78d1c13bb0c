"""Grad-CAM, Grad-CAM++, XGrad-CAM and LayerCAM against slow copies of their equations in float64."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explain.explainer import Explainer
from explain.methods.grad_cam import GradCAM
from explain.methods.grad_cam_plus_plus import GradCAMPlusPlus
from explain.methods.layer_cam import LayerCAM
from explain.methods.xgrad_cam import XGradCAM
from severstal_xai.model import build_classifier

Weights = Callable[[np.ndarray, np.ndarray], float | np.ndarray]


def slow_grad_cam_weight(features: np.ndarray, gradients: np.ndarray) -> float:
    return float(gradients.mean())


def slow_grad_cam_plus_plus_weight(features: np.ndarray, gradients: np.ndarray) -> float:
    weight = 0.0
    for g in gradients[gradients > 0]:  # ReLU: the others add nothing
        weight += g * g**2 / (2 * g**2 + features.sum() * g**3)
    return weight


def slow_xgrad_cam_weight(features: np.ndarray, gradients: np.ndarray) -> float:
    return float((features * gradients).sum() / features.sum()) if features.any() else 0.0


def slow_layer_cam_weight(features: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    return np.where(gradients > 0, gradients, 0)


def slow_map(
    features: np.ndarray, gradients: np.ndarray, weight: Weights, size: tuple[int, int]
) -> np.ndarray:
    """The positive part of the weighted sum of the feature maps, resized, stretched to [0, 1]."""
    coarse = sum(weight(a, g) * a for a, g in zip(features, gradients, strict=True))
    positive = torch.from_numpy(np.maximum(coarse, 0))[None, None]
    large = nn.functional.interpolate(positive, size=size, mode="bilinear")[0, 0]
    stretched: np.ndarray = ((large - large.min()) / (large.max() - large.min())).numpy()
    return stretched


ALL = pytest.mark.parametrize(
    ("method", "weight"),
    [
        (GradCAM(), slow_grad_cam_weight),
        (GradCAMPlusPlus(), slow_grad_cam_plus_plus_weight),
        (XGradCAM(), slow_xgrad_cam_weight),
        (LayerCAM(), slow_layer_cam_weight),
    ],
    ids=["grad_cam", "grad_cam_plus_plus", "xgrad_cam", "layer_cam"],
)


@ALL
def test_it_equals_its_definition_on_resnet(method: Explainer, weight: Weights) -> None:
    """The last layer's gradients, under a mean and a linear head, are the head's weights over the pixels."""
    model = build_classifier("resnet18", 5, seed=0).eval()
    image = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    ours = method(model, image, torch.tensor([3]))[0].numpy()

    body = nn.Sequential(*list(model.double().children())[:-2])
    features = body(image.double())[0].detach().numpy()
    slopes = model.get_parameter("fc.weight")[3].detach().numpy() / (features.shape[1] * features.shape[2])
    gradients = np.broadcast_to(slopes[:, None, None], features.shape)
    np.testing.assert_allclose(ours, slow_map(features, gradients, weight, (64, 96)), atol=1e-5)


class Uneven(nn.Module):
    """A network whose gradients at the last block's end differ from pixel to pixel, some of them 0."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            self.body = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.ReLU(inplace=True))
            self.head = nn.Sequential(
                nn.MaxPool2d(2), nn.Flatten(), nn.Linear(24, 16), nn.ReLU(), nn.Linear(16, 5)
            )

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(images))
        return logits


@ALL
@pytest.mark.parametrize("target", [0, 1, 4])
def test_it_equals_its_definition_where_gradients_differ_by_pixel(
    method: Explainer, weight: Weights, target: int
) -> None:
    model = Uneven().eval()
    image = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    ours = method(model, image, torch.tensor([target]))[0].numpy()

    features = model.double().body(image.double()).detach().requires_grad_()
    (gradients,) = torch.autograd.grad(model.head(features)[0, target], features)
    assert len(gradients.unique()) > 10
    assert (gradients == 0).any()
    expected = slow_map(features[0].detach().numpy(), gradients[0].numpy(), weight, (8, 8))
    np.testing.assert_allclose(ours, expected, atol=1e-5)
