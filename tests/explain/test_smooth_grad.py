"""SmoothGrad where the mean gradient is known."""

import pytest
import torch
from torch import Tensor, nn

from explain.methods.smooth_grad import SmoothGrad
from severstal_xai.errors import InputError


@pytest.fixture
def image() -> Tensor:
    return torch.randn(3, 8, 10, generator=torch.Generator().manual_seed(1))


class Quadratic(nn.Module):
    """The logits w x and (w x)^2, whose gradients are w and 2 (w x) w."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.randn(240, generator=torch.Generator().manual_seed(10_000)) / 10)

    def forward(self, images: Tensor) -> Tensor:
        sums = images.flatten(1) @ self.weights
        return torch.stack([sums, sums**2], dim=1)


@pytest.mark.parametrize("samples", [1, 8, 11])
def test_noise_does_not_change_the_gradient_of_a_linear_model(image: Tensor, samples: int) -> None:
    model = Quadratic().eval()
    found = SmoothGrad(samples, noise=0.5).gradient(model, image, 0)
    torch.testing.assert_close(found, model.weights.detach().reshape(3, 8, 10))


def test_without_noise_it_is_the_gradient_and_with_noise_its_mean_over_the_noisy_images(
    image: Tensor,
) -> None:
    model = Quadratic().eval()
    weights = model.weights.detach().reshape(3, 8, 10)
    plain = SmoothGrad(3, noise=0.0).gradient(model, image, 1)
    torch.testing.assert_close(plain, 2 * (weights * image).sum() * weights)

    samples, noise = 4000, 0.15
    expected_gap = 2 * noise * float(image.max() - image.min()) * float(weights.norm()) / samples**0.5
    gap = (SmoothGrad(samples, noise).gradient(model, image, 1) - plain).norm() / weights.norm()
    assert (
        0 < gap < 4 * expected_gap
    )  # the mean of the noise: its deviation falls with the root of the samples


def test_the_deviation_of_the_noise_is_the_share_of_the_images_range(image: Tensor) -> None:
    """Of one noisy copy, 2 (w x) w tells w e, which has the deviation sigma |w|."""
    model = Quadratic().eval()
    weights = model.weights.detach().reshape(3, 8, 10)
    plain = SmoothGrad(1, noise=0.0).gradient(model, image, 1)
    told = [
        float(((SmoothGrad(1, 0.2, seed).gradient(model, image, 1) - plain) / (2 * weights)).median())
        for seed in range(300)
    ]
    expected = 0.2 * float(image.max() - image.min()) * float(weights.norm())
    assert float(torch.tensor(told).std()) == pytest.approx(expected, rel=0.15)


def test_the_seed_decides_and_the_processs_own_chance_is_left_alone(image: Tensor) -> None:
    model = Quadratic().eval()
    state = torch.get_rng_state()
    first, again = (SmoothGrad(4, seed=3).gradient(model, image, 1) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first, again)
    assert not torch.equal(first, SmoothGrad(4, seed=4).gradient(model, image, 1))


def test_progress_is_told_after_each_batch_of_copies_and_changes_nothing(image: Tensor) -> None:
    model = Quadratic().eval()
    told: list[tuple[int, int]] = []
    method = SmoothGrad(samples=20)
    found = method.explain(model, image, 1, lambda done, total: told.append((done, total)))
    assert told == [(8, 20), (16, 20), (20, 20)]
    assert torch.equal(found, method(model, image[None], torch.tensor([1]))[0])


@pytest.mark.parametrize(
    ("samples", "noise", "name"), [(0, 0.1, "samples"), (1, -0.1, "noise"), (1, float("nan"), "noise")]
)
def test_settings_that_cannot_be_are_refused(samples: int, noise: float, name: str) -> None:
    with pytest.raises(InputError, match=name):
        SmoothGrad(samples, noise)
