import dataclasses
import os
import pickle
from typing import Any

import numpy as np
import pytest

from training.augment import Augmenter, transforms
from training.schedule import Draw
from training.settings import Augmentation, Settings

GREY = np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.uint8)
FLAT = np.full((64, 64), 100, dtype=np.uint8)


def draws(epochs: int = 1, places: int = 50) -> list[Draw]:
    return [Draw(epoch, place) for epoch in range(1, epochs + 1) for place in range(places)]


def test_importing_albumentations_asks_no_network() -> None:
    assert os.environ["NO_ALBUMENTATIONS_UPDATE"] == "1"


def test_at_zero_everything_is_off(no_chance: Augmentation) -> None:
    assert transforms(no_chance) == []
    assert np.array_equal(Augmenter(no_chance, seed=0)(GREY, Draw(1, 0)), GREY)


def test_a_patch_keeps_its_shape_and_type(paper_settings: Settings) -> None:
    augmenter = Augmenter(paper_settings.augmentation, seed=0)
    for draw in draws():
        changed = augmenter(GREY, draw)
        assert (changed.shape, changed.dtype) == (GREY.shape, GREY.dtype)


def test_how_a_patch_changes_depends_on_seed_epoch_and_patch_alone(paper_settings: Settings) -> None:
    settings = paper_settings.augmentation
    augmenter = Augmenter(settings, seed=3)
    there = [augmenter(GREY, draw) for draw in draws(2, 10)]
    travelled = pickle.loads(pickle.dumps(Augmenter(settings, seed=3)))  # as to a worker process
    back = [travelled(GREY, draw) for draw in reversed(draws(2, 10))]
    assert all(np.array_equal(one, other) for one, other in zip(there, reversed(back), strict=True))
    assert len({image.tobytes() for image in there}) == len(there)
    assert not np.array_equal(Augmenter(settings, seed=4)(GREY, Draw(1, 0)), there[0])


def test_the_two_flips_are_drawn_apart(no_chance: Augmentation) -> None:
    """With one seed for both, as `albumentations.Compose` gives it, two of the four never happen."""
    augmenter = Augmenter(dataclasses.replace(no_chance, horizontal_flip=0.5, vertical_flip=0.5), seed=0)
    expected = {flip.tobytes(): 0 for flip in (GREY, GREY[::-1], GREY[:, ::-1], GREY[::-1, ::-1])}
    for draw in draws(places=400):
        expected[augmenter(GREY, draw).tobytes()] += 1
    # 100 of 400 each; the standard deviation is sqrt(400 * 1/4 * 3/4) = 8.7
    assert all(60 < count < 140 for count in expected.values())


def test_a_flip_of_probability_one_always_happens(no_chance: Augmentation) -> None:
    augmenter = Augmenter(dataclasses.replace(no_chance, horizontal_flip=1.0), seed=0)
    assert all(np.array_equal(augmenter(GREY, draw), GREY[:, ::-1]) for draw in draws())


def test_a_shift_is_by_whole_pixels_both_ways_and_within_its_limit(no_chance: Augmentation) -> None:
    dot = np.zeros((64, 64), dtype=np.uint8)
    dot[32, 32] = 255
    augmenter = Augmenter(dataclasses.replace(no_chance, shift=4), seed=0)
    moves = []
    for draw in draws(places=200):
        moved = augmenter(dot, draw)
        assert sorted(np.unique(moved)) == [0, 255]
        (place,) = np.argwhere(moved)
        moves.append(place - 32)
    assert np.min(moves, axis=0).tolist() == [-4, -4]
    assert np.max(moves, axis=0).tolist() == [4, 4]


@pytest.mark.parametrize(
    ("changes", "most"),
    # brightness: 0.1 of the range is 25.5; contrast: 100 times 0.1 is 10; one more for rounding
    [({"brightness": 0.1}, 26.5), ({"contrast": 0.1}, 11.0)],
)
def test_grey_changes_evenly_both_ways_and_within_its_limit(
    no_chance: Augmentation, changes: dict[str, Any], most: float
) -> None:
    augmenter = Augmenter(dataclasses.replace(no_chance, **changes), seed=0)
    differences = []
    for draw in draws(places=100):
        changed = augmenter(FLAT, draw).astype(float)
        assert changed.std() == 0
        differences.append(changed[0, 0] - 100)
    assert -most <= min(differences) < -most / 2
    assert most / 2 < max(differences) <= most


def test_noise_is_within_its_standard_deviation(no_chance: Augmentation) -> None:
    augmenter = Augmenter(dataclasses.replace(no_chance, noise=4.0), seed=0)
    spreads = [augmenter(FLAT, draw).astype(float).std() for draw in draws()]
    assert 2 < max(spreads) < 4.4  # 4 at most, and what 4,096 samples and rounding add
    assert min(spreads) < 2
