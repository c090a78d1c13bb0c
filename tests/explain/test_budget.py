"""SISE within a budget: it asks less, keeps the limit, and knows how well its map stands for the full one."""

import math

import pytest
import torch
from torch import Tensor, nn

from explain.budget import draw_plan, rank_correlation
from explain.methods.sise import SISE
from severstal_xai.errors import InputError

SIZE = 32


class Blobs(nn.Module):
    """200 feature maps, each a bump of light at a place of its own.

    Evidence that is smooth is the light itself, that of bumps in the upper left counting most; evidence that is
    rough is a saw with 900 teeth over the light: no mask's answer tells of another's.
    """

    bumps: Tensor
    weights: Tensor

    def __init__(self, rough: bool) -> None:
        super().__init__()
        self.rough = rough
        chance = torch.Generator().manual_seed(0)
        centres, grid = 8 * torch.rand(200, 2, generator=chance), torch.arange(8) + 0.5
        rows, columns = ((grid - centre[:, None]).square() for centre in centres.T)
        self.mix = nn.Conv2d(3, 1, 4, stride=4)
        nn.init.constant_(self.mix.weight, 1 / 48)
        nn.init.zeros_(self.mix.bias)  # type: ignore[arg-type]
        self.register_buffer("bumps", torch.exp(-(rows[:, :, None] + columns[:, None]) / 3))
        self.register_buffer("weights", torch.exp(-centres.square().sum(dim=1) / 20))

    def forward(self, images: Tensor) -> Tensor:
        features = self.mix(images) * self.bumps
        light = features.mean(dim=(2, 3)) @ self.weights / 10
        evidence = 9 * torch.frac(900 * light) - 4.5 if self.rough else 2 * light - 1
        return torch.stack([evidence, torch.zeros_like(evidence)], dim=1)


def light_with_grain() -> Tensor:
    return 1 + 0.2 * torch.rand(3, SIZE, SIZE, generator=torch.Generator().manual_seed(3))


def test_a_smooth_networks_map_is_found_with_a_part_of_the_passes_and_the_estimate_is_right() -> None:
    model = Blobs(rough=False).eval()
    full = SISE().explain(model, light_with_grain(), 0)
    part = SISE(budget=0.6).explain(model, light_with_grain(), 0)
    assert full.agreement == 1
    assert part.forwards <= 0.6 * full.forwards
    truth = rank_correlation(part.saliency, full.saliency)
    assert truth > 0.95
    assert abs(part.agreement - truth) < 0.04


def test_of_a_network_whose_answers_nobody_can_predict_it_says_that_it_does_not_know() -> None:
    model = Blobs(rough=True).eval()
    full = SISE().explain(model, light_with_grain(), 0)
    part = SISE(budget=0.3).explain(model, light_with_grain(), 0)
    truth = rank_correlation(part.saliency, full.saliency)
    assert part.forwards >= math.floor(0.3 * full.forwards)  # the budget is spent: the map never stood still
    assert part.agreement < 0.95
    assert abs(part.agreement - truth) < 0.25


@pytest.mark.parametrize("budget", [0.0, 0.2, 0.5, 0.99])
def test_the_budget_is_kept_and_told_and_the_result_is_the_same_twice(budget: float) -> None:
    model, told = Blobs(rough=True).eval(), []
    total = SISE().explain(model, light_with_grain(), 0).forwards
    first = SISE(budget=budget).explain(model, light_with_grain(), 0, lambda *done: told.append(done))
    most = max(24, math.ceil(budget * total))
    assert first.forwards <= 8 * math.ceil(most / 8)  # whole batches
    assert told[-1] == (most, most)
    again = SISE(budget=budget).explain(model, light_with_grain(), 0)
    assert torch.equal(first.saliency, again.saliency)
    assert first.agreement == again.agreement


def test_a_budget_that_reaches_all_masks_gives_the_full_map() -> None:
    few = nn.Sequential(
        nn.Conv2d(3, 12, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 2)
    )
    full, part = (SISE(budget=budget).explain(few.eval(), light_with_grain(), 0) for budget in (1.0, 0.5))
    torch.testing.assert_close(part.saliency, full.saliency, atol=1e-5, rtol=0)
    assert part.agreement == 1
    assert part.forwards == full.forwards


def test_masks_without_any_give_the_zero_map() -> None:
    dead = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    for value in dead.parameters():
        nn.init.zeros_(value)
    found = SISE(budget=0.5).explain(dead.eval(), light_with_grain(), 0)
    assert not found.saliency.any()
    assert found.forwards == 0


@pytest.mark.parametrize("budget", [-0.1, 1.5, math.nan])
def test_a_budget_that_is_no_share_is_refused(budget: float) -> None:
    with pytest.raises(InputError, match="budget"):
        SISE(budget=budget)


@pytest.mark.parametrize("sizes", [[5], [3, 40], [64, 64, 128, 256, 512], [0, 2, 1]])
def test_any_first_part_of_the_plan_holds_the_blocks_shares(sizes: list[int]) -> None:
    ranks = draw_plan(sizes)
    assert [len(one) for one in ranks] == sizes
    order = torch.cat([torch.full((size,), layer) for layer, size in enumerate(sizes)])[
        torch.cat(list(ranks)).argsort(descending=True, stable=True)
    ]
    first = min(sum(sizes), 100)
    asked = [int((order[:first] == layer).sum()) for layer in range(len(sizes))]
    assert all(one >= min(2, size) for one, size in zip(asked, sizes, strict=True))
    if len(sizes) == 5:  # 0.8 of the last, 0.1 of the one before, the rest shared evenly: 8 to 1, and few
        assert asked[-1] == pytest.approx(8 * asked[-2], rel=0.1)
        assert asked[0] == asked[1] == asked[2] <= 0.4 * asked[-2]
