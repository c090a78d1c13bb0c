"""FullGrad against a slow copy of its definition in float64, whose parts add up to the logit."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explain.methods.full_grad import FullGrad


class Small(nn.Module):
    """Convolutions with and without bias, batch norm, ReLUs in place; listed in another order than called."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(6, 5)
        self.second = nn.Conv2d(6, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.first = nn.Conv2d(3, 6, 3, padding=1, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        entered = nn.functional.relu(self.norm(self.first(images)), inplace=True)
        pooled = nn.functional.max_pool2d(entered, 2)
        again = nn.functional.relu(self.second(nn.functional.relu(self.second(pooled))), inplace=True)
        logits: Tensor = self.head(again.mean(dim=(2, 3)))
        return logits


@pytest.fixture
def small() -> Small:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        model = Small().eval()
        for values in (model.norm.weight.data, model.norm.running_var.data):  # type: ignore[union-attr]
            values.uniform_(0.5, 2.0)
        for values in (model.norm.bias.data, model.norm.running_mean.data):  # type: ignore[union-attr]
            values.normal_()
    return model


@pytest.fixture
def image() -> Tensor:
    return torch.randn(3, 16, 12, generator=torch.Generator().manual_seed(1))


def slow_parts(model: Small, image: Tensor, target: int) -> tuple[list[Tensor], float]:
    """The image's part and each bias's part, pixel by pixel, and the logit less the head's bias; in float64.

    Each bias is added as a tensor of its own, once for each pixel, so that its gradient is that of the definition.
    """
    model, image = model.double(), image.double().clone().requires_grad_()
    norm = model.norm
    assert norm.running_mean is not None
    assert norm.running_var is not None
    slope = norm.weight / (norm.running_var + norm.eps).sqrt()
    implicit = (norm.bias - slope * norm.running_mean).detach()
    assert model.second.bias is not None
    explicit = model.second.bias.detach()
    biases = [
        bias[None, :, None, None].expand(1, 6, *size).clone().requires_grad_()
        for bias, size in ((implicit, (16, 12)), (explicit, (8, 6)), (explicit, (8, 6)))
    ]
    linear = nn.functional.conv2d(image[None], model.first.weight, padding=1)
    values = (linear * slope[None, :, None, None] + biases[0]).relu()
    values = nn.functional.max_pool2d(values, 2)
    for bias in biases[1:]:
        values = (nn.functional.conv2d(values, model.second.weight, padding=1) + bias).relu()
    score = values.mean(dim=(2, 3))[0] @ model.head.weight[target]
    gradients = torch.autograd.grad(score, [image, *biases])
    parts = [image * gradients[0], *(b[0] * g[0] for b, g in zip(biases, gradients[1:], strict=True))]
    return [part.detach() for part in parts], score.item()


def slow_full_grad(parts: list[Tensor], size: tuple[int, int]) -> np.ndarray:
    total = np.zeros(size)
    for part in parts:
        for channel in part.abs():  # psi
            low, high = channel.min(), channel.max()
            stretched = (channel - low) / (high - low) if high > low else torch.zeros_like(channel)
            total += nn.functional.interpolate(stretched[None, None], size=size, mode="bilinear")[
                0, 0
            ].numpy()
    whole: np.ndarray = (total - total.min()) / (total.max() - total.min())
    return whole


@pytest.mark.parametrize("target", range(5))
def test_full_grad_equals_its_definition(small: Small, image: Tensor, target: int) -> None:
    ours = FullGrad()(small, image[None], torch.tensor([target]))[0].numpy()
    parts, _ = slow_parts(small, image, target)
    np.testing.assert_allclose(ours, slow_full_grad(parts, (16, 12)), atol=1e-4)


def test_the_parts_that_full_grad_sums_are_complete(small: Small, image: Tensor) -> None:
    """Before the absolute values and the stretching, they and the head's bias add up to the logit."""
    for target in range(5):
        parts, score = slow_parts(small, image, target)
        logit = small(image.double()[None])[0, target].item()
        assert sum(float(part.sum()) for part in parts) == pytest.approx(score)
        assert score + small.head.bias[target].item() == pytest.approx(logit)


def test_a_network_without_biases_is_explained_by_its_image_alone(image: Tensor) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 12, 5)).eval()
    part = image.double() * model.get_parameter("1.weight")[3].detach().double().reshape(3, 16, 12)
    ours = FullGrad()(model, image[None], torch.tensor([3]))[0].numpy()
    np.testing.assert_allclose(ours, slow_full_grad([part], (16, 12)), atol=1e-5)
