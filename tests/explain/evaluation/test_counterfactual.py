"""The counterfactual: where it paints, with what, and what a network whose evidence is known says to it."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explain.evaluation.counterfactual import (
    LARGEST,
    MARGIN,
    counterfactual,
    grown,
    moved,
    paint_over,
    painted_pictures,
)
from explain.subjects import Subject

NO_DARK = np.zeros((64, 64), dtype=bool)


def square(top: int, left: int, side: int, size: int = 64) -> np.ndarray:
    mask = np.zeros((size, size), dtype=bool)
    mask[top : top + side, left : left + side] = True
    return mask


def test_what_is_painted_takes_the_values_around_it_and_nothing_else_changes() -> None:
    steel = np.full((64, 64), 90, dtype=np.uint8)
    area = square(20, 30, 10)
    marked = np.where(area, 250, steel).astype(np.uint8)
    np.testing.assert_allclose(paint_over(marked, area), steel, atol=3)  # it rounds, on and on
    textured = np.random.default_rng(0).integers(80, 100, (64, 64)).astype(np.uint8)
    painted = paint_over(np.where(area, 250, textured).astype(np.uint8), area)
    np.testing.assert_array_equal(painted[~area], textured[~area])
    assert 80 <= painted[area].min() <= painted[area].max() < 100


def test_the_margin_is_so_many_pixels() -> None:
    around = grown(square(30, 30, 1))
    assert around.any(axis=1).sum() == 2 * MARGIN + 1
    assert around[30 - MARGIN, 30]
    assert not around[30 - MARGIN - 1, 30]


def test_the_other_place_is_of_the_same_shape_and_touches_nothing() -> None:
    area = square(5, 40, 8)
    area[9, 48:53] = True
    shape = np.argwhere(area) - np.argwhere(area).min(axis=0)
    places = set()
    for seed in range(30):
        other = moved(area, NO_DARK, seed)
        assert other is not None
        assert not (other & area).any()
        found = np.argwhere(other)
        np.testing.assert_array_equal(found - found.min(axis=0), shape)
        places.add(tuple(found.min(axis=0)))
        np.testing.assert_array_equal(other, moved(area, NO_DARK, seed))
    assert len(places) > 20


def test_dark_margins_are_no_place_to_paint() -> None:
    dark = np.zeros((64, 64), dtype=bool)
    dark[:, 32:] = True
    for seed in range(20):
        other = moved(square(5, 5, 8), dark, seed)
        assert other is not None
        assert not (other & dark).any()
    beside = square(5, 36, 8)  # a defect in the dark may be compared with another place in the dark
    assert moved(beside, dark, 0) is not None


def test_where_there_is_no_room_nothing_is_painted_elsewhere() -> None:
    tall = np.zeros((64, 64), dtype=bool)
    tall[:, 10:45] = True
    assert moved(tall, NO_DARK, 0) is None
    grey = np.full((64, 64), 90, dtype=np.uint8)
    assert painted_pictures("a", grey, square(0, 0, 60)) == (None, None)
    assert grown(square(0, 0, 60)).mean() > LARGEST
    painted, elsewhere = painted_pictures("a", grey, square(0, 0, 40))
    assert painted is not None
    assert elsewhere is None


class Bright(nn.Module):
    """Class 1 is that the brightest pixel is bright."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(4.0))

    def forward(self, image: Tensor) -> Tensor:
        brightest = image.amax(dim=(1, 2, 3))
        return torch.stack([torch.zeros_like(brightest), self.weight * (brightest - 1.0)], dim=1)


def test_an_answer_that_hangs_on_the_defect_is_lost_with_it_alone() -> None:
    steel = np.random.default_rng(0).integers(80, 100, (256, 256)).astype(np.uint8)
    mask = square(100, 60, 20, size=256)
    subject = Subject("a", np.where(mask, 250, steel).astype(np.uint8), 1, mask)
    found = counterfactual(Bright().eval(), subject)
    assert (found.patch, found.label) == ("a", 1)
    assert found.area == pytest.approx(grown(mask).mean())
    assert found.painted is not None
    assert found.elsewhere is not None
    assert found.whole > 0.95
    assert found.painted < 0.05
    assert found.elsewhere == pytest.approx(found.whole)


def test_a_defect_larger_than_half_the_patch_is_not_painted() -> None:
    mask = square(0, 0, 250, size=256)
    found = counterfactual(Bright().eval(), Subject("a", np.full((256, 256), 90, dtype=np.uint8), 1, mask))
    assert found.painted is None
    assert found.elsewhere is None
    assert 0 < found.whole < 1
