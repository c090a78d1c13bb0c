"""Extremal perturbations: the limits of the mask, the area and the blur, and a search with a known answer."""

import math

import pytest
import torch
from torch import Tensor, nn

from explain.maps import gaussian_blur
from explain.methods.extremal_perturbation import (
    ExtremalPerturbation,
    area_penalty,
    blur_pyramid,
    perturb,
    smooth_masks,
    sorted_area,
)
from severstal_xai.errors import InputError


def test_a_constant_grid_gives_a_constant_mask() -> None:
    for height in (0.0, 0.3, 1.0):
        mask = smooth_masks(torch.full((1, 20, 30), height), (80, 120))[0]
        torch.testing.assert_close(mask, mask[0, 0].expand(80, 120))
        assert mask[0, 0] <= height
    # The smooth maximum lies a little below the maximum: with T = 1 / 20 within T times the logarithm of how many
    # compete, log(197 nodes) / 20 = 0.26; in fact far closer, for most of them are far and small.
    assert mask[0, 0] > 0.9


@pytest.mark.parametrize("height", [0.7, 1.0])
def test_a_single_peak_gives_a_bump_of_its_height_and_of_the_kernels_shape(height: float) -> None:
    grids = torch.zeros(1, 21, 21)
    grids[0, 10, 10] = height
    mask = smooth_masks(grids, (21, 21))[0]  # no interpolation: a node is a pixel, sigma is 2 pixels
    assert abs(float(mask[10, 10]) - height) < 0.01
    assert abs(float(mask[10, 12]) - height) < 0.01  # within sigma the kernel is flat
    assert mask[10, 20] < 0.01
    assert (mask[10, 10:].diff() <= 1e-6).all()
    torch.testing.assert_close(mask, mask.T)
    # At 2 sigma the kernel is exp(-1/4): f = 0.78 of the height against zeros, of which there are fewer than 200.
    f = math.exp(-1 / 4) * height
    expected = f * math.exp(20 * f) / (math.exp(20 * f) + 196)
    torch.testing.assert_close(float(mask[10, 14]), expected, atol=1e-4, rtol=0)


def test_the_penalty_is_zero_for_a_mask_of_the_area_wherever_it_lies() -> None:
    masks = torch.zeros(1, 10, 10)
    masks[0, 3:5, 2:7] = 1
    wanted = sorted_area(0.1, 100)[None]
    assert area_penalty(masks, wanted) == 0
    assert area_penalty(masks.flip(1), wanted) == 0
    masks[0, 9, 9] = 1
    assert abs(float(area_penalty(masks, wanted)) - 0.01) < 1e-6  # one pixel of 100 too many


def test_the_pyramid_is_the_image_where_the_mask_is_one_and_its_blur_where_it_is_zero() -> None:
    image = torch.randn(3, 16, 20, generator=torch.Generator().manual_seed(0))
    pyramid = blur_pyramid(image, 6.0)
    masks = torch.stack([torch.ones(16, 20), torch.zeros(16, 20), torch.full((16, 20), 4 / 7)])
    kept, blurred, between = perturb(pyramid, masks)
    torch.testing.assert_close(kept, image)
    torch.testing.assert_close(blurred, gaussian_blur(image, 6.0))
    torch.testing.assert_close(between, gaussian_blur(image, 6.0 * 3 / 7), atol=1e-5, rtol=0)


def test_the_blur_equals_its_definition() -> None:
    image = torch.randn(1, 7, 9, generator=torch.Generator().manual_seed(0))
    expected = torch.zeros(7, 9)
    for row in range(7):
        for column in range(9):
            weights = torch.tensor(
                [
                    [math.exp(-((row - y) ** 2 + (column - x) ** 2) / (2 * 1.5**2)) for x in range(9)]
                    for y in range(7)
                ]
            )
            expected[row, column] = (weights * image[0]).sum() / weights.sum()
    torch.testing.assert_close(gaussian_blur(image, 1.5)[0], expected)


class Spots(nn.Module):
    """A network whose logit for class 1 is the sharpness of what it sees: how far pixels are from their neighbours."""

    def __init__(self) -> None:
        super().__init__()
        self.difference = nn.Conv2d(3, 1, 3, padding=1, bias=False)
        with torch.no_grad():
            self.difference.weight.fill_(-1 / 24)
            self.difference.weight[..., 1, 1] = 1 / 3

    def forward(self, images: Tensor) -> Tensor:
        sharpness = self.difference(images).abs().mean(dim=(1, 2, 3)) * 40
        return torch.stack([-sharpness, sharpness], dim=1)


@pytest.fixture
def textured() -> Tensor:
    """An image that is flat but for a textured square of 16 x 16 in 64 x 64 pixels: a sixteenth of it."""
    image = torch.zeros(3, 64, 64)
    image[:, 40:56, 8:24] = torch.randn(16, 16, generator=torch.Generator().manual_seed(0))
    return image


def test_the_mask_has_the_area_asked_for_and_lies_on_the_evidence(textured: Tensor) -> None:
    areas = (0.0625, 0.15)
    masks = ExtremalPerturbation(areas=areas, steps=150, smoothness=3.0).masks(Spots().eval(), textured, 1)
    for mask, area in zip(masks, areas, strict=True):
        assert abs(float(mask.mean()) - area) < 0.03
    small, large = masks
    square = torch.zeros(64, 64, dtype=torch.bool)
    square[40:56, 8:24] = True
    assert small[square].sum() / small.sum() > 0.64  # the bound of the contract's planted square
    assert large[square].mean() > 0.9  # there is room for all of it


def test_areas_are_searched_for_each_by_itself_and_averaged(textured: Tensor) -> None:
    settings = {"steps": 20, "smoothness": 4.0}
    both = ExtremalPerturbation(areas=(0.1, 0.3), **settings)  # type: ignore[arg-type]
    masks = both.masks(Spots().eval(), textured, 1)
    for mask, area in zip(masks, (0.1, 0.3), strict=True):
        alone = ExtremalPerturbation(areas=(area,), **settings).masks(Spots().eval(), textured, 1)[0]  # type: ignore[arg-type]
        torch.testing.assert_close(mask, alone, atol=1e-4, rtol=0)
    mean = masks.mean(dim=0)
    expected = (mean - mean.min()) / (mean.max() - mean.min())
    torch.testing.assert_close(both.explain(Spots().eval(), textured, 1), expected)


def test_progress_is_told_after_each_step(textured: Tensor) -> None:
    told: list[tuple[int, int]] = []
    ExtremalPerturbation(steps=3).explain(
        Spots().eval(), textured, 1, progress=lambda done, total: told.append((done, total))
    )
    assert told == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"areas": ()},
        {"areas": (1.0,)},
        {"areas": (0.1, 0.0)},
        {"steps": 0},
        {"smoothness": 0.0},
        {"blur": -1.0},
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError):
        ExtremalPerturbation(**wrong)  # type: ignore[arg-type]
