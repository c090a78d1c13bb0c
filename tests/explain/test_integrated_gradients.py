"""Integrated gradients where the integral is known, and its completeness where it is not."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explain.methods.integrated_gradients import IntegratedGradients
from severstal_xai.errors import InputError


@pytest.fixture
def image() -> Tensor:
    return torch.randn(3, 8, 10, generator=torch.Generator().manual_seed(1))


def rectified(*, bias: bool) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        return nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1, bias=bias),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 8, 3, padding=1, bias=bias),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(8 * 4 * 5, 5, bias=bias),
        ).eval()


@pytest.mark.parametrize("n_steps", [1, 2, 50])
def test_a_linear_model_is_exact(image: Tensor, n_steps: int) -> None:
    """Its gradient is the same all the way: w, so that the attribution is w x."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Linear(240, 5)).eval()
    method = IntegratedGradients(n_steps)
    weights = model.get_parameter("1.weight")[3].detach().reshape(3, 8, 10)
    torch.testing.assert_close(method.attribute(model, image, 3), weights * image)
    expected = (weights * image).sum(dim=0).abs().numpy()
    expected = (expected - expected.min()) / (expected.max() - expected.min())
    np.testing.assert_allclose(method(model, image[None], torch.tensor([3]))[0].numpy(), expected, atol=1e-5)


class Square(nn.Module):
    """The logits w x and (w x)^2."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.randn(240, generator=torch.Generator().manual_seed(2)) / 10)

    def forward(self, images: Tensor) -> Tensor:
        sums = images.flatten(1) @ self.weights
        return torch.stack([sums, sums**2], dim=1)


def test_a_squares_integral_is_known(image: Tensor) -> None:
    """x_i times the integral of 2 t (w x) w_i over t is x_i w_i (w x); a midpoint takes it exactly."""
    model = Square().eval()
    weights = model.weights.detach().reshape(3, 8, 10)
    expected = image * weights * (image * weights).sum()
    torch.testing.assert_close(IntegratedGradients(n_steps=1).attribute(model, image, 1), expected)


def test_without_biases_it_is_the_image_times_its_gradient(image: Tensor) -> None:
    """ReLUs without biases open and shut nowhere on a ray from 0, so the gradient is the same all along it."""
    model = rectified(bias=False)
    batch = image[None].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(batch)[0, 2], batch)
    torch.testing.assert_close(IntegratedGradients().attribute(model, image, 2), image * gradient[0])


@pytest.mark.parametrize("target", range(5))
def test_attributions_add_up_to_the_difference_from_the_baseline(image: Tensor, target: int) -> None:
    """The slope along the way is a staircase; each of its steps falls short of its place by one weight at most.

    A weight of the rule is at most pi / (2 n), so the integral is off by at most that times the sum of all steps.
    """
    model = rectified(bias=True)
    n_steps = 400
    total = float(IntegratedGradients(n_steps).attribute(model, image, target).double().sum())
    difference = (model(image[None]) - model(torch.zeros_like(image)[None]))[0, target].item()

    ways = (torch.linspace(0, 1, 2000)[:, None, None, None] * image).requires_grad_()
    (gradients,) = torch.autograd.grad(model(ways)[:, target].sum(), ways)
    slopes = (gradients * image).sum(dim=(1, 2, 3))
    bound = math.pi / (2 * n_steps) * float(slopes.diff().abs().sum())
    assert abs(total - difference) < bound + 1e-5
    assert bound < 0.05 * float(slopes.abs().max())  # so that the bound says something


def test_an_image_that_is_the_baseline_gives_a_map_of_zeros() -> None:
    model = rectified(bias=True)
    saliency = IntegratedGradients()(model, torch.zeros(1, 3, 8, 10), torch.tensor([0]))
    assert torch.equal(saliency, torch.zeros(1, 8, 10))


def test_progress_is_told_after_each_batch_of_points_and_changes_nothing(image: Tensor) -> None:
    model = rectified(bias=True)
    told: list[tuple[int, int]] = []
    method = IntegratedGradients()
    found = method.explain(model, image, 2, lambda done, total: told.append((done, total)))
    assert told == [(8, 50), (16, 50), (24, 50), (32, 50), (40, 50), (48, 50), (50, 50)]
    assert torch.equal(found, method(model, image[None], torch.tensor([2]))[0])


class EnoughError(Exception):
    """Raised by who no longer wants the map."""


def test_what_the_progress_raises_ends_the_work_between_two_batches(image: Tensor) -> None:
    model = rectified(bias=True)
    asked: list[int] = []
    model.register_forward_pre_hook(lambda _, images: asked.append(len(images[0])))

    def enough(done: int, total: int) -> None:
        assert sum(asked) == done, "what is told is done, and no more was begun"
        if done > total / 4:
            raise EnoughError

    with pytest.raises(EnoughError):
        IntegratedGradients().explain(model, image, 2, enough)
    assert asked == [8, 8]


def test_no_steps_are_refused() -> None:
    with pytest.raises(InputError, match=r"^n_steps 0, expected 1 or more$"):
        IntegratedGradients(n_steps=0)
