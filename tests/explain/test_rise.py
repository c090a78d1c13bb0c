"""RISE against a slow copy of its definition in float64, its masks, and its limits."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explain.engines import Engine, choose_engine
from explain.methods import rise
from explain.methods.rise import RISE, Lots, draw, enlarge
from severstal_xai.errors import InputError


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    ).eval()


@pytest.fixture
def image() -> Tensor:
    return torch.randn(3, 20, 17, generator=torch.Generator().manual_seed(1))


def slow_rise(model: nn.Module, image: Tensor, lots: Lots, target: int, probability: float) -> np.ndarray:
    """The paper's average in float64, a mask and a pixel at a time."""
    model, image = model.double(), image.double()
    total = np.zeros(image.shape[1:])
    for grid, indent in zip(lots.open_cells, lots.indents, strict=True):
        mask = slow_mask(grid.double().numpy(), indent.numpy(), image.shape[1:])
        with torch.no_grad():
            masked = image * torch.from_numpy(mask)
            total += model(masked[None]).softmax(dim=1)[0, target].item() * mask
    importance = total / (probability * len(lots.open_cells))
    stretched: np.ndarray = (importance - importance.min()) / (importance.max() - importance.min())
    return stretched


def slow_mask(grid: np.ndarray, indent: np.ndarray, size: torch.Size) -> np.ndarray:
    """Section 3.2: the grid, enlarged to a cell more than the image, seen through a window."""
    cells = len(grid)
    cell = [-(-length // cells) for length in size]
    mask = np.zeros(size)
    for row in range(size[0]):
        for column in range(size[1]):
            # The pixel's centre in the enlarged grid, in units of the grid's nodes, which lie at the cells' centres.
            y = (row + indent[0] + 0.5) * cells / ((cells + 1) * cell[0]) - 0.5
            x = (column + indent[1] + 0.5) * cells / ((cells + 1) * cell[1]) - 0.5
            mask[row, column] = slow_bilinear(grid, min(max(y, 0), cells - 1), min(max(x, 0), cells - 1))
    return mask


def slow_bilinear(grid: np.ndarray, y: float, x: float) -> float:
    top, left = int(y), int(x)
    bottom, right = min(top + 1, len(grid) - 1), min(left + 1, len(grid) - 1)
    upper = grid[top, left] * (1 - x + left) + grid[top, right] * (x - left)
    lower = grid[bottom, left] * (1 - x + left) + grid[bottom, right] * (x - left)
    return float(upper * (1 - y + top) + lower * (y - top))


@pytest.mark.parametrize("target", [0, 2])
def test_rise_equals_its_definition(model: nn.Module, image: Tensor, target: int) -> None:
    method = RISE(masks=40, cells=3, probability=0.4, seed=5, engine="reference")
    ours = method(model, image[None], torch.tensor([target]))[0].numpy()
    expected = slow_rise(model, image, draw(40, 3, 0.4, (20, 17), seed=5), target, 0.4)
    np.testing.assert_allclose(ours, expected, atol=1e-5)


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_the_size_of_a_batch_changes_nothing(
    model: nn.Module, image: Tensor, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = RISE(masks=50, engine="reference").explain(model, image, 1)

    def other_batch(*arguments: object) -> Engine:
        return dataclasses.replace(choose_engine(model, image, "reference"), batch=batch)

    monkeypatch.setattr(rise, "choose_engine", other_batch)
    torch.testing.assert_close(RISE(masks=50).explain(model, image, 1), expected, atol=1e-5, rtol=0)


def test_the_seed_decides_what_is_drawn_and_nobody_elses_lot_is_touched(
    model: nn.Module, image: Tensor
) -> None:
    torch.manual_seed(7)
    untouched = torch.get_rng_state()
    first = RISE(masks=50).explain(model, image, 1)
    assert torch.equal(torch.get_rng_state(), untouched)
    assert torch.equal(RISE(masks=50).explain(model, image, 1), first)
    assert not torch.allclose(RISE(masks=50, seed=1).explain(model, image, 1), first, atol=0.01)


def test_masks_are_open_as_often_as_they_should_be_and_smooth() -> None:
    lots = draw(2000, 7, 0.3, (32, 32), seed=0)
    masks = enlarge(lots.open_cells, lots.indents, (32, 32))
    assert masks.shape == (2000, 32, 32)
    assert masks.min() >= 0
    assert masks.max() <= 1
    # A cell is open with the probability 0.3: over 2000 masks of 49 cells the mean's standard deviation is 0.0015.
    assert abs(float(masks.mean()) - 0.3) < 0.01
    # From one cell's centre to the next, a mask goes from 0 to 1 over 8 * 5 / 7 pixels at the fastest.
    assert masks.diff(dim=1).abs().max() <= 7 / 40 + 1e-6


def test_several_targets_of_one_image_get_what_each_gets_alone(model: nn.Module, image: Tensor) -> None:
    method = RISE(masks=50)
    together = method.explain_targets(model, image, [2, 0])
    for ours, target in zip(together, (2, 0), strict=True):
        torch.testing.assert_close(ours, method.explain(model, image, target))


def test_a_network_that_gives_every_mask_the_same_answer_gets_a_zero_map(
    model: nn.Module, image: Tensor
) -> None:
    with torch.no_grad():
        model.get_parameter("4.weight").zero_()
    assert not RISE(masks=50).explain(model, image, 0).any()
    assert not RISE(masks=50, probability=1.0).explain(model, image, 0).any()


def test_first_maps_are_those_of_the_first_masks_and_the_last_is_the_map(
    model: nn.Module, image: Tensor
) -> None:
    method = RISE(masks=40, cells=3, engine="reference")  # it takes eight images at a time on every CPU
    whole = method.explain(model, image, 1)
    *firsts, last = method.explain_in_steps(model, image, 1, shares=(0.1, 0.15, 0.5))
    assert [one.forwards for one in [*firsts, last]] == [8, 24, 40]
    lots = draw(40, 3, 0.5, (20, 17), seed=0)
    for one in firsts:
        begun = Lots(lots.open_cells[: one.forwards], lots.indents[: one.forwards])
        np.testing.assert_allclose(one.saliency, slow_rise(model, image, begun, 1, 0.5), atol=1e-5)
    assert torch.equal(last.saliency, whole)


def test_progress_is_told_after_each_batch(model: nn.Module, image: Tensor) -> None:
    told: list[tuple[int, int]] = []
    method = RISE(masks=20, engine="reference")  # it takes eight images at a time on every CPU
    method.explain(model, image, 0, progress=lambda done, total: told.append((done, total)))
    assert told == [(8, 20), (16, 20), (20, 20)]


@pytest.mark.parametrize("wrong", [{"masks": 0}, {"cells": 0}, {"probability": 0.0}, {"probability": 1.5}])
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError):
        RISE(**wrong)  # type: ignore[arg-type]
