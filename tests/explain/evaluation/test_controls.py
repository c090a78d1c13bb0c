"""Controls: maps that depend on the image alone, or on nothing."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from explain.evaluation.controls import CONTROLS, centred_gaussian, edges, random_map


@pytest.fixture(params=list(CONTROLS.values()), ids=list(CONTROLS))
def control(request: pytest.FixtureRequest) -> Callable[[Tensor], Tensor]:
    found: Callable[[Tensor], Tensor] = request.param
    return found


@pytest.fixture
def image() -> Tensor:
    return torch.randn(3, 24, 32, generator=torch.Generator().manual_seed(0))


def test_a_map_has_the_images_size_and_goes_from_0_to_1(
    control: Callable[[Tensor], Tensor], image: Tensor
) -> None:
    saliency = control(image)
    assert saliency.shape == (24, 32)
    assert saliency.dtype == torch.float32
    assert float(saliency.min()) == 0
    assert float(saliency.max()) == 1
    assert torch.equal(saliency, control(image.clone()))


def test_a_constant_image_gives_no_nan(control: Callable[[Tensor], Tensor]) -> None:
    assert torch.isfinite(control(torch.zeros(3, 16, 16))).all()


def test_lots_are_other_ones_for_another_image_and_leave_the_global_lot_alone(image: Tensor) -> None:
    before = torch.random.get_rng_state()
    assert not torch.equal(random_map(image), random_map(image + 1e-3))
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_bell_is_highest_in_the_middle_and_even(image: Tensor) -> None:
    bell = centred_gaussian(image)
    assert int(bell.argmax()) in {11 * 32 + 15, 11 * 32 + 16, 12 * 32 + 15, 12 * 32 + 16}
    torch.testing.assert_close(bell, bell.flip(0, 1))


def test_edges_are_where_the_grey_changes() -> None:
    image = torch.zeros(3, 16, 16)
    image[:, :, 8:] = 1
    found = edges(image)
    assert found[:, 7:9].min() > 0.9
    assert found[:, :6].max() == found[:, 10:].max() == 0
