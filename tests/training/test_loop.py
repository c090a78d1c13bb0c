import math
import time
from collections.abc import Callable
from itertools import count

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from severstal_xai.errors import InputError
from severstal_xai.manifest import Manifest, Split
from training.compute import Compute
from training.dataset import evaluation_batches, training_batches
from training.history import Epoch
from training.loop import fit_of, judge, sgd, train, train_epoch
from training.settings import Settings
from training.state import Place

MakeSettings = Callable[..., Settings]
Batch = tuple[Tensor, Tensor]


def linear(seed: int = 0) -> nn.Module:
    """A linear classifier of patches of 2 x 2 pixels."""
    layer = nn.Linear(12, 5)
    weights = torch.randn(5, 12, generator=torch.Generator().manual_seed(seed))
    layer.load_state_dict({"weight": weights, "bias": torch.zeros(5)})
    return nn.Sequential(nn.Flatten(), layer)


def squares() -> nn.Module:
    """A linear classifier of patches of 256 x 256 pixels, each seen as 12 x 12 means."""
    layer = nn.Linear(3 * 12 * 12, 5)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return nn.Sequential(nn.AvgPool2d(20), nn.Flatten(), layer)


def some_batches(sizes: tuple[int, ...] = (4, 4, 2), scale: float = 1) -> list[Batch]:
    chance = torch.Generator().manual_seed(1)
    return [
        (scale * torch.randn(n, 3, 2, 2, generator=chance), torch.randint(0, 5, (n,), generator=chance))
        for n in sizes
    ]


def ignore(_: int) -> None:
    pass


def ignore_place(_: Place) -> None:
    pass


def trained(model: nn.Module, batches: list[Batch], settings: Settings, compute: Compute) -> list[Epoch]:
    ticks = count()
    places = train(
        model,
        sgd(model, settings),
        lambda _, steps: batches[steps:],
        batches,
        settings=settings,
        objective=cross_entropy,
        compute=compute,
        begin=Place(),
        watch=ignore,
        after_step=ignore_place,
        clock=lambda: float(next(ticks)),
    )
    return list(list(places)[-1].epochs)


def test_the_weights_follow_sgd_as_in_a_slow_float64_copy(small: MakeSettings, cpu: Compute) -> None:
    settings = small(epochs=3, halve_every=2, learning_rate=0.1, momentum=0.9, weight_decay=0.01)
    model, batches = linear(), some_batches()
    parameters = [value.detach().double().numpy().copy() for value in model.parameters()]
    velocities = [np.zeros_like(value) for value in parameters]
    for rate in (0.1, 0.1, 0.05):
        for images, labels in batches:
            inputs = images.double().numpy().reshape(len(labels), 12)
            logits = inputs @ parameters[0].T + parameters[1]
            shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
            error = (shares - np.eye(5)[labels.numpy()]) / len(labels)  # d cross-entropy / d logits
            for i, gradient in enumerate((error.T @ inputs, error.sum(axis=0))):
                velocities[i] = 0.9 * velocities[i] + gradient + 0.01 * parameters[i]
                parameters[i] -= rate * velocities[i]
    epochs = trained(model, batches, settings, cpu)
    for ours, slow in zip(model.parameters(), parameters, strict=True):
        np.testing.assert_allclose(ours.detach().numpy(), slow, rtol=1e-4, atol=1e-5)
    assert [epoch.learning_rate for epoch in epochs] == [0.1, 0.1, 0.05]


def test_an_epochs_row_by_hand(small: MakeSettings, cpu: Compute) -> None:
    """Zero weights, a rate of next to nothing, one step: every class has a fifth, and class 0 is named."""
    model, batches = linear(), some_batches((10,))
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    (epoch,) = trained(model, batches, small(learning_rate=1e-12), cpu)
    assert epoch.train_loss == pytest.approx(math.log(5), rel=1e-5)
    assert epoch.validation_loss == pytest.approx(math.log(5), rel=1e-5)
    assert epoch.train_top1 == int((batches[0][1] == 0).sum()) / 10
    assert (epoch.seconds, epoch.images_per_second) == (2, 10)  # the clock ticks once a look


def test_evaluation_leaves_the_model_as_it_is_and_batch_size_changes_nothing(cpu: Compute) -> None:
    model = nn.Sequential(nn.BatchNorm2d(3), nn.Dropout(0.5), linear())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    images, labels = some_batches((10,))[0]
    whole = judge(model, [(images, labels)], cpu, ignore)
    parts = judge(model, [(images[:3], labels[:3]), (images[3:], labels[3:])], cpu, ignore)
    assert not model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    torch.testing.assert_close(whole.logits, parts.logits)
    assert fit_of(whole).count == 10


def test_a_loss_that_is_no_number_names_epoch_and_step(small: MakeSettings, cpu: Compute) -> None:
    """Inputs of 1e20: step 1 gives weights of about 1e19, so the logits of step 2 pass float32's 3e38."""
    with pytest.raises(
        InputError, match=r"^epoch 1: step 2: the loss is (nan|inf), expected .* learning_rate"
    ):
        trained(linear(), some_batches(scale=1e20), small(), cpu)


def test_a_last_step_that_breaks_the_model_is_noticed_in_validation(
    small: MakeSettings, cpu: Compute
) -> None:
    with pytest.raises(InputError, match=r"^epoch 1: validation: .*the loss is (nan|inf)"):
        trained(linear(), some_batches((4,), scale=1e20), small(), cpu)


def test_after_each_step_it_is_told_how_far_it_came(small: MakeSettings, cpu: Compute) -> None:
    heard: list[int] = []
    places: list[Place] = []
    model, settings = linear(), small()
    train_epoch(
        model,
        sgd(model, settings),
        some_batches(),
        settings=settings,
        objective=cross_entropy,
        compute=cpu,
        begin=Place(epoch=3),
        watch=heard.append,
        after_step=places.append,
    )
    assert heard == [4, 4, 2]
    assert [(place.epoch, place.tally.steps, place.tally.count) for place in places] == [
        (3, 1, 4),
        (3, 2, 8),
        (3, 3, 10),
    ]


def test_dropout_is_seeded_and_the_callers_chance_is_left_alone(small: MakeSettings, cpu: Compute) -> None:
    one, other = (nn.Sequential(nn.Dropout(0.5), linear()) for _ in range(2))
    trained(one, some_batches(), small(epochs=2), cpu)
    torch.rand(7)
    state = torch.get_rng_state()
    trained(other, some_batches(), small(epochs=2), cpu)
    assert torch.equal(torch.get_rng_state(), state)
    for ours, theirs in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_small_network_learns_the_planted_squares(
    small: MakeSettings, made_data: Manifest, cpu: Compute
) -> None:
    """The square's place tells the class, alike in every split, so every patch can be told right."""
    settings = small(epochs=5, learning_rate=0.02)
    model = squares()
    *_, reached = train(
        model,
        sgd(model, settings),
        training_batches(settings, made_data, cpu),
        evaluation_batches(settings, made_data, Split.VALIDATION, cpu),
        settings=settings,
        objective=cross_entropy,
        compute=cpu,
        begin=Place(),
        watch=ignore,
        after_step=ignore_place,
        clock=time.perf_counter,
    )
    last = reached.epochs[-1]
    assert last.validation_top1 == 1
    assert last.validation_loss < math.log(5) / 4
