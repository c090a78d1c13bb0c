import dataclasses

import pytest
import torch
from torch import Tensor, nn

from explain.engines import choose_engine
from explain.scoring import MaskStream, Question, ScoredMasks, ask_about, ask_together, weighted_masks


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


def stream_of(
    model: nn.Module, image: Tensor, *layers: Tensor, batch: int = 8, ranks: list[Tensor] | None = None
) -> MaskStream:
    engine = dataclasses.replace(choose_engine(model, image, "reference"), batch=batch)
    return MaskStream(engine, image, layers, ranks or [torch.zeros(len(features)) for features in layers])


def answers_of(stream: MaskStream) -> list[ScoredMasks]:
    for _ in stream.ask():
        pass
    return stream.layers()


def slow_masks(features: Tensor, size: int) -> Tensor:
    large = nn.functional.interpolate(features.double()[None], size=(size, size), mode="bilinear")[0]
    lowest, highest = large.amin(dim=(1, 2), keepdim=True), large.amax(dim=(1, 2), keepdim=True)
    return (large - lowest) / (highest - lowest)


def test_a_masks_confidence_is_the_softmax_of_the_masked_image(
    model: nn.Module, image: Tensor, features: Tensor
) -> None:
    (scored,) = answers_of(stream_of(model, image, features))
    masked = image * slow_masks(features, 12)[:, None].float()
    expected = torch.cat([model(one[None]).softmax(dim=1) for one in masked])
    torch.testing.assert_close(scored.confidences, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("batch", [1, 3, 64])
def test_neither_the_size_of_a_batch_nor_the_order_nor_the_other_layers_change_anything(
    model: nn.Module, image: Tensor, features: Tensor, batch: int
) -> None:
    other = torch.rand(5, 6, 6, generator=torch.Generator().manual_seed(3))
    (alone,) = answers_of(stream_of(model, image, features))
    ranks = [torch.rand(11, generator=torch.Generator().manual_seed(4)), torch.linspace(0, 1, 5)]
    first, second = answers_of(stream_of(model, image, features, other, batch=batch, ranks=ranks))
    for field in ("confidences", "lowest", "span", "area"):
        torch.testing.assert_close(getattr(first, field), getattr(alone, field), atol=1e-6, rtol=1e-6)
    assert len(second.confidences) == 5
    assert not second.confidences.isnan().any()


def test_the_highest_ranks_are_asked_about_first(model: nn.Module, image: Tensor, features: Tensor) -> None:
    ranks = torch.arange(11.0) % 4
    stream = stream_of(model, image, features, batch=5, ranks=[ranks])
    assert next(stream.ask()) == 5
    asked = ~stream.layers()[0].confidences[:, 0].isnan()
    assert ranks[asked].tolist() == [2, 3, 2, 3, 2]


def test_a_layer_without_maps_and_a_stream_without_any(
    model: nn.Module, image: Tensor, features: Tensor
) -> None:
    empty, some = answers_of(stream_of(model, image, features[:0], features))
    assert len(empty.confidences) == 0
    assert len(some.confidences) == 11
    assert list(stream_of(model, image, features[:0]).ask()) == []


def test_the_weighted_sum_at_the_features_size_is_that_of_the_large_masks(
    model: nn.Module, image: Tensor, features: Tensor
) -> None:
    (scored,) = answers_of(stream_of(model, image, features))
    weights = torch.rand(11, generator=torch.Generator().manual_seed(5))
    masks = slow_masks(features, 12)
    shares = weights.double() / masks.sum(dim=(1, 2))
    expected = torch.einsum("m,mhw->hw", shares, masks) / 11
    torch.testing.assert_close(weighted_masks(scored, weights, (12, 12)), expected, atol=1e-8, rtol=1e-6)
    weights[3:] = torch.nan
    expected = torch.einsum("m,mhw->hw", shares[:3], masks[:3]) / 3
    torch.testing.assert_close(weighted_masks(scored, weights, (12, 12)), expected, atol=1e-8, rtol=1e-6)


def test_masks_of_ones_and_zeros_give_the_images_own_answers_and_the_black_ones(
    model: nn.Module, image: Tensor
) -> None:
    masks = torch.stack([torch.ones(12, 12), torch.zeros(12, 12)])
    engine = choose_engine(model, image, "reference")
    (answer,) = ask_about(engine, [Question(image, lambda begin, end: masks[begin:end], 2)])
    expected = model(torch.stack([image, torch.zeros_like(image)])).softmax(dim=1)
    assert (answer.begin, answer.end) == (0, 2)
    torch.testing.assert_close(answer.confidences, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("batch", [1, 4, 8, 64])
def test_images_that_share_batches_are_answered_as_each_alone_with_fewer_of_them(
    model: nn.Module, image: Tensor, features: Tensor, batch: int
) -> None:
    def streams() -> list[MaskStream]:
        return [
            stream_of(model, scale * image, features[:count], batch=batch)
            for scale, count in ((1.0, 5), (2.0, 11), (3.0, 0), (-1.0, 3))
        ]

    together, told = streams(), []
    engine = dataclasses.replace(choose_engine(model, image, "reference"), batch=batch)
    ask_together(engine, together, lambda done, total: told.append((done, total)))
    for alone, shared in zip(streams(), together, strict=True):
        (expected,) = answers_of(alone)
        torch.testing.assert_close(
            shared.layers()[0].confidences, expected.confidences, atol=1e-6, rtol=0, equal_nan=False
        )
    assert told == [(min(19, done), 19) for done in range(batch, 19 + batch, batch)]
