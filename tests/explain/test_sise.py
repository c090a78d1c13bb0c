"""SISE against a slow copy of its definition in float64, its limits, and the ties it leaves."""

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explain.engines import choose_engine
from explain.fusion import fuse, fusion_steps, hard_gate, soft_gate, visualization_map
from explain.methods.ada_sise import AdaSISE
from explain.methods.sise import SISE, keep_positive
from explain.scoring import MaskStream, ScoredMasks
from explain.semantic_sampling import gradient_scores
from severstal_xai.model import build_classifier


class Small(nn.Module):
    """A plain CNN of two blocks, small enough for the slow copy."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, padding=1)
        self.second = nn.Conv2d(6, 8, 3, padding=1)
        self.head = nn.Linear(8, 5)

    def forward(self, images: Tensor) -> Tensor:
        first = self.first(images).relu()
        second = self.second(nn.functional.max_pool2d(first, 2)).relu()
        logits: Tensor = self.head(second.mean(dim=(2, 3)))
        return logits


@pytest.fixture
def small() -> Small:
    torch.manual_seed(3)
    return Small().eval()


@pytest.fixture
def image() -> Tensor:
    return torch.randn(3, 16, 20, generator=torch.Generator().manual_seed(1))


def slow_sise(model: Small, image: Tensor, target: int, mu: float, *, soft: bool = False) -> np.ndarray:
    """SISE as the paper writes it, in float64, a mask at a time."""
    model, image = model.double(), image.double()
    fused: np.ndarray | None = None
    for features, alphas in slow_blocks(model, image, target):
        visualization = slow_visualization(model, image, features[alphas > max(mu * alphas.max(), 0)], target)
        gate = visualization > slow_otsu(visualization)
        openness = 1 / (1 + np.exp(-100 * (visualization - slow_otsu(visualization)))) if soft else gate
        fused = visualization if fused is None else (fused + visualization) * openness
    assert fused is not None
    return slow_rescale(fused)


def slow_blocks(model: Small, image: Tensor, target: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    first = model.first(image[None]).relu()
    second = model.second(nn.functional.max_pool2d(first, 2)).relu()
    confidence = model.head(second.mean(dim=(2, 3))).softmax(dim=1)[0, target]
    gradients = torch.autograd.grad(confidence, (first, second))
    for features, slopes in zip((first, second), gradients, strict=True):
        yield features.detach().numpy()[0], slopes.numpy()[0].sum(axis=(1, 2))


def slow_visualization(model: Small, image: Tensor, features: np.ndarray, target: int) -> np.ndarray:
    masks = [slow_rescale(slow_resize(one, image.shape[1:])) for one in features if one.max() > one.min()]
    total = np.zeros(image.shape[1:])
    for mask in masks:
        with torch.no_grad():
            confidence = model((image * torch.from_numpy(mask))[None]).softmax(dim=1)[0, target].item()
        total += confidence * mask / mask.sum() / len(masks)
    return slow_rescale(total)


def slow_resize(values: np.ndarray, size: torch.Size) -> np.ndarray:
    """Bilinear, pixel centres at halves, one axis after the other."""
    for axis, length in enumerate(size):
        centres = ((np.arange(length) + 0.5) * values.shape[axis] / length - 0.5).clip(
            0, values.shape[axis] - 1
        )
        below = np.floor(centres).astype(int)
        above = np.minimum(below + 1, values.shape[axis] - 1)
        share = (centres - below).reshape((-1, 1) if axis == 0 else (1, -1))
        values = values.take(below, axis) * (1 - share) + values.take(above, axis) * share
    return values


def slow_rescale(values: np.ndarray) -> np.ndarray:
    span = values.max() - values.min()
    return (values - values.min()) / span if span > 0 else np.zeros_like(values)


def slow_otsu(values: np.ndarray) -> float:
    """The bin centre, of 256, that splits the histogram with the largest variance between the sides."""
    if values.max() == values.min():
        return float(values.max())
    counts, edges = np.histogram(values, bins=256)
    centres = (edges[:-1] + edges[1:]) / 2
    between = [
        _between(counts[: cut + 1], centres[: cut + 1], counts[cut + 1 :], centres[cut + 1 :])
        for cut in range(255)
    ]
    return float(centres[int(np.argmax(between))])


def _between(low_counts: np.ndarray, low: np.ndarray, high_counts: np.ndarray, high: np.ndarray) -> float:
    low_weight, high_weight = low_counts.sum(), high_counts.sum()
    low_mean = (low_counts * low).sum() / max(low_weight, 1)
    high_mean = (high_counts * high).sum() / max(high_weight, 1)
    return float(low_weight * high_weight * (low_mean - high_mean) ** 2)


def test_ties_are_ordered_by_the_sum_before_the_gates(small: Small, image: Tensor) -> None:
    result = SISE(engine="reference").explain(small, image, 3)
    model, exact = Small().eval().double(), image.double()
    model.load_state_dict({name: value.double() for name, value in small.state_dict().items()})
    total = sum(
        slow_visualization(model, exact, features[alphas > 0], 3)
        for features, alphas in slow_blocks(model, exact, 3)
    )
    np.testing.assert_allclose(result.tie_order.numpy(), slow_rescale(np.asarray(total)), atol=2e-5)
    assert (result.saliency == 0).sum() > (result.tie_order == 0).sum()  # else there were nothing to order


@pytest.mark.parametrize("mu", [0.0, 0.3, 0.75])
@pytest.mark.parametrize("target", [0, 3])
def test_sise_equals_its_definition(small: Small, image: Tensor, mu: float, target: int) -> None:
    ours = SISE(mu=mu, engine="reference")(small, image[None], torch.tensor([target]))[0].numpy()
    np.testing.assert_allclose(ours, slow_sise(small, image, target, mu), atol=2e-5)


def test_the_soft_gate_equals_its_definition(small: Small, image: Tensor) -> None:
    ours = SISE(gate="soft", engine="reference")(small, image[None], torch.tensor([1]))[0].numpy()
    # The gate multiplies a difference of float32's rounding (1e-7) by its steepness, 100.
    np.testing.assert_allclose(ours, slow_sise(small, image, 1, 0.0, soft=True), atol=2e-4)


def test_the_slow_copy_resizes_as_torch_does() -> None:
    values = torch.rand(1, 1, 5, 7, dtype=torch.float64)
    expected = nn.functional.interpolate(values, size=(16, 20), mode="bilinear", align_corners=False)
    np.testing.assert_allclose(
        slow_resize(values[0, 0].numpy(), torch.Size((16, 20))), expected[0, 0], atol=1e-12
    )


def test_a_gradient_score_is_the_sum_over_the_pixels() -> None:
    gradients = torch.tensor([[[1.0, -2.0], [0.5, 0.0]], [[1.0, 1.0], [1.0, 1.0]]])
    assert gradient_scores(gradients).tolist() == [-0.5, 4.0]


def test_with_mu_one_no_map_passes_since_the_comparison_is_strict() -> None:
    assert not keep_positive(torch.tensor([1.0, 2.0]), mu=1.0).any()


def scored(features: Tensor, confidences: list[float]) -> ScoredMasks:
    """Masks of pixels, unresized, with the model's answers given."""
    stream = MaskStream(
        choose_engine(nn.Flatten(), torch.zeros(1, *features.shape[1:]), "reference"),
        torch.zeros(1, *features.shape[1:]),
        [features],
        [torch.zeros(len(features))],
    )
    for _ in stream.ask():
        pass
    (layer,) = stream.layers()
    return dataclasses.replace(layer, confidences=torch.tensor(confidences)[:, None])


def visualize(features: Tensor, confidences: list[float]) -> Tensor:
    used = torch.ones(len(features), dtype=torch.bool)
    size = (features.shape[1], features.shape[2])
    return visualization_map(scored(features, confidences), used, 0, size)


def test_equal_confidence_in_complementary_masks_favours_no_pixel() -> None:
    features = torch.tensor([[[0.0, 1.0]], [[1.0, 0.0]]]).repeat(1, 2, 1)
    assert not visualize(features, [0.4, 0.4]).any()


def test_a_layer_without_masks_gives_zeros() -> None:
    nothing = ScoredMasks(torch.zeros(0, 2, 2), torch.zeros(0, 0), *torch.zeros(3, 0, dtype=torch.float64))
    assert not visualization_map(nothing, torch.zeros(0, dtype=torch.bool), 0, (4, 4)).any()


def test_a_large_mask_earns_less_for_each_pixel_than_a_small_one_of_equal_confidence() -> None:
    small, large = torch.zeros(4, 4), torch.zeros(4, 4)
    small[0, 0], large[2:, :] = 1, 1
    result = visualize(torch.stack([small, large]), [0.5, 0.5])
    assert result[0, 0] == 1
    assert result[3, 3] == pytest.approx(1 / 8)


def test_the_fusion_can_be_followed_step_by_step() -> None:
    maps = [torch.tensor([values]) for values in ([1.0, 0.5, 0.0], [0.5, 0.0, 1.0], [0.25, 1.0, 0.0])]
    gates = [torch.tensor([values]) for values in ([0.0, 0.0, 0.0], [1.0, 0.0, 1.0], [0.5, 1.0, 1.0])]
    steps = fusion_steps(maps, gates)  # the first gate has no say
    assert [step.tolist() for step in steps] == [
        [[1.0, 0.5, 0.0]],
        [[1.5, 0.0, 1.0]],  # 1 + 0.5; shut; 0 + 1
        [[0.875, 1.0, 1.0]],  # (1.5 + 0.25) / 2; 0 + 1; 1 + 0
    ]
    assert torch.equal(fuse(maps, gates), (steps[-1] - 0.875) / 0.125)


def test_a_result_holds_what_its_fusion_is_made_of(small: Small, image: Tensor) -> None:
    result = SISE().explain(small, image, 0)
    maps, gates = [one.visualization for one in result.blocks], [one.gate for one in result.blocks]
    assert torch.equal(fuse(maps, gates).float(), result.saliency)


def test_a_later_block_that_saw_nothing_empties_the_hard_map_and_makes_no_nan() -> None:
    first, nothing = torch.rand(4, 4), torch.zeros(4, 4)
    assert not fuse([first, nothing], [hard_gate(first, 0.5), hard_gate(nothing, 0.0)]).any()
    assert torch.isfinite(fuse([nothing, nothing], [soft_gate(nothing, 0.0), soft_gate(nothing, 0.0)])).all()


def test_several_targets_of_one_image_get_what_each_gets_alone_and_share_their_masks(
    small: Small, image: Tensor
) -> None:
    method = SISE()
    together = method.explain_targets(small, image, [0, 3, 1])
    alone = [method.explain(small, image, target) for target in (0, 3, 1)]
    for ours, theirs in zip(together, alone, strict=True):
        np.testing.assert_allclose(ours.saliency, theirs.saliency, atol=1e-6)
        assert [block.masks for block in ours.blocks] == [block.masks for block in theirs.blocks]
    assert together[0].forwards <= 6 + 8 < sum(one.forwards for one in alone)


def test_each_step_is_the_map_of_a_higher_mu_and_the_last_is_the_map(small: Small, image: Tensor) -> None:
    model = build_classifier("resnet18", 5, seed=0).eval()
    image = torch.randn(3, 64, 64, generator=torch.Generator().manual_seed(0))
    *steps, last = SISE().explain_in_steps(model, image, 1, shares=(0.1, 0.5))
    assert [step.mu > 0 for step in steps] == [True, True]
    assert 0.1 <= steps[0].forwards / last.forwards < 0.15
    for step in steps:
        same = SISE(mu=step.mu).explain(model, image, 1)
        np.testing.assert_allclose(step.saliency, same.saliency, atol=1e-5)
        assert step.forwards - 8 < same.forwards <= step.forwards
    np.testing.assert_array_equal(last.saliency, SISE().explain(model, image, 1).saliency)


def test_first_maps_of_ada_sise_are_of_its_most_telling_features_and_the_last_is_the_map() -> None:
    model = build_classifier("resnet18", 5, seed=0).eval()
    image = torch.randn(3, 64, 64, generator=torch.Generator().manual_seed(0))
    first, last = AdaSISE().explain_in_steps(model, image, 1, shares=(0.2,))
    assert sum(block.masks for block in first.blocks) <= first.forwards < last.forwards
    alone = AdaSISE().explain(model, image, 1)
    assert last.saliency.numpy().tobytes() == alone.saliency.numpy().tobytes()
    assert last.forwards == alone.forwards


def test_first_maps_within_a_budget_sharpen_to_the_very_map_that_is_made_without_them() -> None:
    model = build_classifier("resnet18", 5, seed=0).eval()
    image = torch.randn(3, 64, 64, generator=torch.Generator().manual_seed(0))
    method = SISE(budget=0.4)
    *steps, last = method.explain_in_steps(model, image, 1, shares=(0.01, 0.03))
    assert steps[0].forwards <= 16, "the first map comes before the first round's 24 masks"
    assert [step.forwards for step in [*steps, last]] == sorted({step.forwards for step in [*steps, last]})
    alone = method.explain(model, image, 1)
    assert last.saliency.numpy().tobytes() == alone.saliency.numpy().tobytes()
    assert (last.agreement, last.forwards) == (alone.agreement, alone.forwards)


def test_progress_is_told_after_each_batch_and_may_end_the_work(small: Small, image: Tensor) -> None:
    told: list[tuple[int, int]] = []
    result = SISE().explain(small, image, 0, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (result.forwards, result.forwards)
    assert [done for done, _ in told] == sorted({done for done, _ in told})

    def cancel(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        SISE().explain(small, image, 0, progress=cancel)


def test_a_block_tells_its_gate_and_the_map_is_shut_where_the_last_gate_is(
    small: Small, image: Tensor
) -> None:
    result = SISE().explain(small, image, 0)
    last = result.blocks[-1]
    assert torch.equal(last.gate, (last.visualization > last.threshold).double())
    assert not result.saliency[last.gate == 0].any()


def test_a_saturated_softmax_keeps_the_maps_that_an_unsaturated_one_keeps(
    small: Small, image: Tensor
) -> None:
    """A constant added to the target's bias changes no sign of a gradient, only how far softmax saturates.

    At 25 above the other logits the target's probability is 1 in float32, at 65 (1 - 1e-28) in float64 too.
    """
    expected = [block.masks for block in SISE().explain(small, image, 2).blocks]
    with torch.no_grad():
        small.head.bias[2] += 25
    assert small(image[None]).softmax(dim=1)[0, 2].item() == 1.0
    assert [block.masks for block in SISE().explain(small, image, 2).blocks] == expected
    with torch.no_grad():
        small.head.bias[2] += 40
    assert all(block.masks for block in SISE().explain(small, image, 2).blocks)


def test_a_network_that_answers_the_same_whatever_it_sees_gets_a_zero_map_that_says_so(image: Tensor) -> None:
    blind = Small().eval()
    with torch.no_grad():
        blind.head.weight.zero_()
    result = SISE().explain(blind, image, 0)
    assert [block.masks for block in result.blocks] == [0, 0]
    assert not result.saliency.any()


def test_blocks_of_resnet_are_told_in_the_result() -> None:
    model = build_classifier("resnet18", 5, seed=0).eval()
    result = SISE(mu=0.95).explain(model, torch.randn(3, 64, 64), 0)
    assert [block.layer for block in result.blocks] == ["relu"] + [f"layer{i}_1_relu_1" for i in range(1, 5)]
    assert all(0 < block.masks < 64 for block in result.blocks)
    assert result.tie_order.max() == 1
