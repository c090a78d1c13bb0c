"""Our metrics beside Quantus (Hedström et al., JMLR 2023), where it has the same."""

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explain.engines import choose_engine
from explain.metrics.faithfulness import Judged, judge
from explain.metrics.localisation import box_score, energy_pointing
from explain.metrics.sanity import similarity

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    quantus = pytest.importorskip("quantus", exc_type=ModuleNotFoundError)

SIDE, STEPS = 32, 8
QUIET = {"abs": False, "normalise": False, "disable_warnings": True, "display_progressbar": False}


def drawn(seed: int) -> tuple[nn.Module, Tensor, Tensor, Tensor]:
    """A network, two images, their maps and their masks."""
    chance = torch.Generator().manual_seed(seed)
    convolution, head = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4, 5)
    for parameter in (*convolution.parameters(), *head.parameters()):
        parameter.data = torch.randn(parameter.shape, generator=chance)
    model = nn.Sequential(convolution, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head).eval()
    masks = torch.zeros(2, SIDE, SIDE, dtype=torch.bool)
    masks[0, 4:14, 5:20], masks[1, 20:, :9] = True, True
    images = torch.randn(2, 3, SIDE, SIDE, generator=chance)
    return model, images, torch.rand(2, SIDE, SIDE, generator=chance), masks


def asked(metric: Any, seed: int, **more: Any) -> np.ndarray:
    model, images, maps, _ = drawn(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.array(
            metric(
                model=model,
                x_batch=images.numpy(),
                y_batch=np.array([1, 2]),
                a_batch=maps[:, None].numpy(),
                device="cpu",
                **more,
            )
        )


@pytest.mark.parametrize("seed", [0, 1])
def test_energy_pointing_is_relevance_mass_accuracy(seed: int) -> None:
    _, _, maps, masks = drawn(seed)
    theirs = asked(quantus.RelevanceMassAccuracy(**QUIET), seed, s_batch=masks[:, None].numpy())
    np.testing.assert_allclose(list(map(energy_pointing, maps, masks)), theirs, rtol=1e-5)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_box_score_is_relevance_rank_accuracy(seed: int) -> None:
    _, _, maps, masks = drawn(seed)
    theirs = asked(quantus.RelevanceRankAccuracy(**QUIET), seed, s_batch=masks[:, None].numpy())
    np.testing.assert_allclose(list(map(box_score, maps, masks)), theirs)


def test_deletion_is_pixel_flipping() -> None:
    """Quantus counts channels as features of their own: a step of ours is three of its."""
    model, images, maps, _ = drawn(0)
    flipping = quantus.PixelFlipping(features_in_step=SIDE * SIDE // STEPS, perturb_baseline=0.0, **QUIET)
    theirs = asked(flipping, 0, softmax=True)
    judged = [Judged(images[0], 1, maps[0]), Judged(images[1], 2, maps[1])]
    ours = [one.deletion[1:] for one in judge(choose_engine(model, images[0], "reference"), judged, STEPS)]
    np.testing.assert_allclose(ours, theirs[:, 2::3], rtol=1e-5)


def test_similarity_is_quantus_own() -> None:
    _, _, (first, second), _ = drawn(0)
    ours = similarity(first, second)
    theirs = quantus.similarity_func.correlation_spearman(first.flatten().numpy(), second.flatten().numpy())
    assert ours.spearman == pytest.approx(theirs, abs=1e-6)
    span = quantus.similarity_func.ssim(first.double().numpy(), second.double().numpy())
    # Quantus takes the second map's range for the scale of values, ours is the maps' own, 0 to 1.
    stretched = similarity(first, (second - second.min()) / (second.max() - second.min()))
    assert abs(ours.ssim - span) < 0.01
    assert abs(stretched.ssim - span) < 0.01
