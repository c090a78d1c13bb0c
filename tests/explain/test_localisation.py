import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from explain.metrics.localisation import box_score, descending, energy_pointing, top_iou

Metric = Callable[[Tensor, Tensor], float]
METRICS: tuple[Metric, ...] = (energy_pointing, top_iou, box_score)


@pytest.fixture
def mask() -> Tensor:
    square = torch.zeros(20, 30, dtype=torch.bool)
    square[4:14, 5:17] = True  # 120 of 600 pixels: 20 %
    return square


@pytest.mark.parametrize("metric", METRICS)
def test_a_map_that_is_the_mask_scores_1(metric: Metric, mask: Tensor) -> None:
    assert metric(mask.float(), mask) == 1.0


@pytest.mark.parametrize("metric", METRICS)
def test_a_map_that_avoids_the_mask_scores_0(metric: Metric, mask: Tensor) -> None:
    assert metric((~mask).float(), mask) == 0.0


@pytest.mark.parametrize("metric", METRICS)
def test_an_empty_mask_is_undefined(metric: Metric, mask: Tensor) -> None:
    assert math.isnan(metric(mask.float(), torch.zeros_like(mask)))


def test_an_even_map_scores_the_masks_share_of_the_energy(mask: Tensor) -> None:
    assert energy_pointing(torch.ones(20, 30), mask) == pytest.approx(0.2)


def test_a_zero_map_has_no_energy_anywhere(mask: Tensor) -> None:
    assert energy_pointing(torch.zeros(20, 30), mask) == 0.0


def test_metrics_equal_a_slow_copy(mask: Tensor) -> None:
    saliency = torch.rand(20, 30, generator=torch.Generator().manual_seed(5))
    values, truth = saliency.double().numpy(), mask.numpy()
    ranked = [np.unravel_index(i, truth.shape) for i in np.argsort(-values.ravel(), kind="stable")]
    top = {tuple(map(int, pixel)) for pixel in ranked[:120]}
    inside = {(y, x) for y in range(20) for x in range(30) if truth[y, x]}
    assert energy_pointing(saliency, mask) == pytest.approx(sum(values[p] for p in inside) / values.sum())
    assert top_iou(saliency, mask) == pytest.approx(len(top & inside) / len(top | inside))
    assert box_score(saliency, mask) == pytest.approx(len(top & inside) / 120)


@pytest.mark.parametrize("metric", [top_iou, box_score])
def test_ties_are_ordered_by_the_second_map(metric: Callable[..., float], mask: Tensor) -> None:
    """A map of zeros says nothing: the second map decides alone; one without ties is not changed by it."""
    nothing, noise = torch.zeros(20, 30), torch.rand(20, 30, generator=torch.Generator().manual_seed(0))
    assert metric(nothing, mask, mask.float()) == 1.0
    assert metric(nothing, mask, (~mask).float()) == 0.0
    assert metric(noise, mask, mask.float()) == metric(noise, mask)


def test_ties_of_the_second_map_too_fall_row_by_row() -> None:
    even = torch.zeros(2, 3)
    assert descending(even, even).tolist() == [0, 1, 2, 3, 4, 5]
    half = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    order = torch.tensor([[0.0, 0.0, 5.0], [1.0, 7.0, 0.0]])
    assert descending(half, order).tolist() == [3, 1, 4, 2, 0, 5]
