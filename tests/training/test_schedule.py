from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.schedule import Draw, EpochSampler, epoch_length, epoch_order, learning_rate
from training.settings import Settings

MakeSettings = Callable[..., Settings]
LABELS = np.repeat([0, 1, 2], [50, 6, 3])


def test_the_learning_rate_is_the_papers() -> None:
    by_hand = [0.1] * 5 + [0.05] * 5 + [0.025] * 5 + [0.0125] * 5
    assert [learning_rate(0.1, 5, epoch) for epoch in range(1, 21)] == by_hand
    assert learning_rate(0.1, 5, 40) == 0.1 / 2**7


@given(seed=st.integers(0, 2**63 - 1), epoch=st.integers(1, 10_000))
def test_an_epochs_order_depends_on_seed_and_epoch_alone(seed: int, epoch: int) -> None:
    order = epoch_order(LABELS, None, seed, epoch)
    assert order.tolist() == epoch_order(LABELS, None, seed, epoch).tolist()
    assert sorted(order) == list(range(len(LABELS)))


def test_epochs_and_seeds_differ_in_order() -> None:
    orders = {tuple(epoch_order(LABELS, None, seed, epoch)) for seed in range(3) for epoch in range(1, 4)}
    assert len(orders) == 9


def test_a_limit_takes_so_many_of_each_class_and_others_in_another_epoch() -> None:
    first, second = (epoch_order(LABELS, 5, seed=0, epoch=epoch) for epoch in (1, 2))
    for order in (first, second):
        assert np.bincount(LABELS[order]).tolist() == [5, 5, 3]
        assert len(set(order)) == len(order)
    assert set(first) != set(second)


def test_a_limit_leaves_the_classes_mixed_from_beginning_to_end() -> None:
    """The mean place of 10 in a random order of 20 is 9.5; its variance (20^2 - 1) / 12 / 10 * 10 / 19 = 1.75.

    So the mean of 50 epochs deviates by sqrt(1.75 / 50) = 0.19. A class that came first would have 4.5.
    """
    labels = np.array([0] * 500 + [1] * 10)
    places = [np.flatnonzero(labels[epoch_order(labels, 10, 0, epoch)] == 0).mean() for epoch in range(1, 51)]
    assert abs(np.mean(places) - 9.5) < 5 * 0.19


@pytest.mark.parametrize("limit", [None, 5])
def test_the_sampler_goes_through_the_epoch_that_it_was_told(small: MakeSettings, limit: int | None) -> None:
    sampler = EpochSampler(LABELS.tolist(), small(patches_per_class=limit, seed=7, batch_size=4))
    third = epoch_order(LABELS, limit, seed=7, epoch=3)
    sampler.set_epoch(2)
    list(sampler)
    sampler.set_epoch(3)
    assert list(sampler) == [Draw(3, place) for place in third]
    assert len(sampler) == len(third)


@pytest.mark.parametrize("limit", [None, 4, 30])
def test_balanced_every_class_is_drawn_alike_and_no_patch_more_often_than_it_must(limit: int | None) -> None:
    order = epoch_order(LABELS, limit, seed=0, epoch=1, balanced=True)
    drawn = np.bincount(LABELS[order])
    assert set(drawn) == {limit or 20}  # of 59 patches, 20 a class
    assert len(order) == epoch_length(LABELS, limit, balanced=True)
    for label, count in enumerate((50, 6, 3)):
        times = np.bincount(order, minlength=59)[label == LABELS]
        assert times.max() - times.min() <= 1
        assert times.sum() == drawn[label]
        assert len(times) == count
    other = epoch_order(LABELS, limit, seed=0, epoch=2, balanced=True)
    assert other.tolist() != order.tolist()


def test_the_sampler_leaves_out_the_steps_that_were_done(small: MakeSettings) -> None:
    sampler = EpochSampler(LABELS.tolist(), small(sampling="balanced", seed=7, batch_size=4))
    whole = list(sampler)
    sampler.set_epoch(1, steps=3)
    assert list(sampler) == whole[12:]
    assert len(sampler) == 60
