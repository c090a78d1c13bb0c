"""The contact sheet shows what the network is trained on."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from severstal_xai.manifest import Manifest, Split
from training.augment import Augmenter
from training.contact_sheet import contact_rows, contact_sheet
from training.schedule import Draw
from training.settings import Settings

MakeSettings = Callable[..., Settings]


def test_its_rows_are_the_patches_each_change_alone_and_the_epochs(
    small: MakeSettings, made_data: Manifest, paper_settings: Settings
) -> None:
    settings = small(augmentation=dataclasses.replace(paper_settings.augmentation, contrast=0.0))
    patches = made_data.of_split(Split.TRAIN)[2:4]
    rows = contact_rows(settings, made_data, patches)
    assert [name.split("\n")[0] for name in rows] == [
        "as it is",
        "horizontal_flip",
        "vertical_flip",
        "shift",
        "brightness",
        "noise",
        "all, epoch 1",
        "all, epoch 2",
        "all, epoch 3",
    ]
    grey = made_data.read_image(patches[0])
    assert np.array_equal(rows["as it is"][0], grey)
    assert np.array_equal(rows["horizontal_flip\n0.5"][0], grey[:, ::-1])
    assert np.array_equal(rows["vertical_flip\n0.5"][0], grey[::-1])
    trained_on = Augmenter(settings.augmentation, settings.seed)(grey, Draw(2, 2))
    assert np.array_equal(rows["all, epoch 2"][0], trained_on)


def test_without_augmentation_it_is_the_patches_alone(small: MakeSettings, made_data: Manifest) -> None:
    assert list(contact_rows(small(), made_data, made_data.of_split(Split.TRAIN)[:1])) == ["as it is"]
    (axes,) = contact_sheet(small(), made_data).axes
    assert [label.get_text()[0] for label in axes.get_xticklabels()] == ["0", "1", "2", "3", "4"]
    assert list(axes.images[0].get_extent()) == pytest.approx([-0.5, 5 * 268 - 0.5, 268 - 0.5, -0.5])
