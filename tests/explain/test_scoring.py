import pytest
import torch
from torch import Tensor, nn

from explain import scoring
from explain.scoring import attribution_masks, masked_confidence, weighted_masks


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    ).eval()


@pytest.fixture
def image() -> Tensor:
    return torch.randn(3, 12, 12, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def features() -> Tensor:
    return torch.rand(11, 4, 4, generator=torch.Generator().manual_seed(2))


def test_a_masks_confidence_is_the_softmax_of_the_masked_image(
    model: nn.Module, image: Tensor, features: Tensor
) -> None:
    masks = attribution_masks(features, (12, 12))
    expected = [model((image * mask)[None]).softmax(dim=1)[0, 2].item() for mask in masks]
    assert masked_confidence(model, image, features, 2).tolist() == pytest.approx(expected, abs=1e-6)


def test_a_mask_that_shows_all_gives_the_images_own_confidence_and_one_that_hides_all_the_black_ones(
    model: nn.Module, image: Tensor
) -> None:
    half = torch.zeros(1, 12, 12)
    half[0, :, :6] = 1  # from 0 to 1 already: resizing to its own size and rescaling leave it as it is
    shown = masked_confidence(model, image * half, half, 1)
    assert shown.item() == pytest.approx(model((image * half)[None]).softmax(dim=1)[0, 1].item(), abs=1e-6)


@pytest.mark.parametrize("batch", [1, 3, 64])
def test_the_size_of_a_batch_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, model: nn.Module, image: Tensor, features: Tensor, batch: int
) -> None:
    expected = masked_confidence(model, image, features, 0)
    average = weighted_masks(features, expected, (12, 12))
    monkeypatch.setattr(scoring, "BATCH", batch)
    torch.testing.assert_close(masked_confidence(model, image, features, 0), expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(
        weighted_masks(features, expected, (12, 12)), average, atol=0, rtol=1e-6
    )  # of float32


def test_the_weighted_mean_by_hand() -> None:
    features = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]])
    # Each mask covers one pixel: areas 1; the mean over two masks of weight / area.
    assert weighted_masks(features, torch.tensor([0.8, 0.2]), (1, 2)).tolist() == [
        [pytest.approx(0.4), pytest.approx(0.1)]
    ]
