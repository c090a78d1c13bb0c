import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from severstal_xai.errors import InputError
from severstal_xai.imaging import model_input
from severstal_xai.manifest import Manifest, Split
from training.compute import Compute
from training.dataset import evaluation_batches, training_batches, workers
from training.settings import Settings

MakeSettings = Callable[..., Settings]
CPU = torch.device("cpu")


def test_evaluation_sees_every_patch_once_in_order_and_as_it_is(
    cpu: Compute, small: MakeSettings, made_data: Manifest
) -> None:
    batches = list(evaluation_batches(small(batch_size=3), made_data, Split.TEST, cpu))
    patches = made_data.of_split(Split.TEST)
    assert [len(labels) for _, labels in batches] == [3, 2]
    assert torch.cat([labels for _, labels in batches]).tolist() == [patch.label for patch in patches]
    expected = [torch.from_numpy(model_input(made_data.read_image(patch))) for patch in patches]
    assert torch.equal(torch.cat([images for images, _ in batches]), torch.stack(expected))


@pytest.mark.parametrize(("batch_size", "sizes"), [(5, [5, 5]), (4, [4, 4]), (10, [10]), (32, [10])])
def test_training_leaves_out_what_fills_no_batch_but_never_all(
    cpu: Compute, small: MakeSettings, made_data: Manifest, batch_size: int, sizes: list[int]
) -> None:
    batches = training_batches(small(batch_size=batch_size), made_data, cpu)
    assert [len(labels) for _, labels in batches(1)] == sizes
    assert len(batches) == sum(sizes)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # Linux's way to start workers, from 3.12
def test_batches_are_the_same_whatever_the_workers_and_whichever_epochs_went_before(
    cpu: Compute, small: MakeSettings, made_data: Manifest, paper_settings: Settings
) -> None:
    chance = paper_settings.augmentation
    alone = training_batches(small(augmentation=chance, workers=0), made_data, cpu)
    helped = training_batches(small(augmentation=chance, workers=2), made_data, cpu)
    third = list(alone(3))
    for epoch in (1, 3):
        there = list(helped(epoch))
    for (images, labels), (others, other_labels) in zip(third, there, strict=True):
        assert torch.equal(images, others)
        assert torch.equal(labels, other_labels)
    assert not torch.equal(third[0][0], next(iter(alone(2)))[0])


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("processes", [0, 1])
def test_a_patch_that_cannot_be_read_is_named_in_one_line(
    cpu: Compute, small: MakeSettings, made_data: Manifest, tmp_path: Path, processes: int
) -> None:
    elsewhere = dataclasses.replace(made_data, root=tmp_path)
    with pytest.raises(InputError, match=r"^\S+strip\d+_0\.png: cannot be read .*names$"):
        list(evaluation_batches(small(workers=processes), elsewhere, Split.TEST, cpu))


def test_a_cpu_that_trains_loads_for_itself_unless_told() -> None:
    assert workers("auto", CPU) == 0
    assert workers(3, CPU) == 3
    assert 1 <= workers("auto", torch.device("cuda")) <= 8
