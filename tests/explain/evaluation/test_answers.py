"""Suspected label errors: the strongest region, the kinds of suspicion, and a planted one."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explain.evaluation.answers import Answer, Kind, explained_answer, strongest_region
from explain.subjects import Subject


def test_the_strongest_region_is_the_one_with_most_energy() -> None:
    saliency = np.zeros((8, 8), dtype=np.float32)
    saliency[0, 0] = 1.0
    saliency[4:6, 4:6] = 0.9  # 3.6
    saliency[6, 6] = 0.9  # touches by its corner
    region = strongest_region(saliency)
    assert np.argwhere(region).tolist() == [[4, 4], [4, 5], [5, 4], [5, 5], [6, 6]]
    assert not strongest_region(np.zeros((8, 8), dtype=np.float32)).any()
    assert strongest_region(np.ones((8, 8), dtype=np.float32)).all()


@pytest.mark.parametrize(
    ("label", "energy", "overlap", "dark", "expected"),
    [
        (0, 0.9, 0.0, 0.0, Kind.OVERLOOKED),
        (1, 0.9, 0.05, 0.4, Kind.OTHER_CLASS),
        (3, 0.9, 0.1, 0.0, Kind.SEGMENT),
        (0, 0.9, 0.0, 0.6, Kind.NO_STEEL),
        (3, 0.9, 0.2, 0.0, None),  # it lies on the defect
        (3, 0.4, 0.0, 0.0, None),  # the evidence is scattered
        (3, None, None, None, None),  # nobody looked
    ],
)
def test_what_is_suspected(
    label: int, energy: float | None, overlap: float | None, dark: float | None, expected: Kind | None
) -> None:
    assert Answer("a", label, 3, 0.99, energy, overlap, dark, [0, 0, 1, 1]).suspected == expected


class Says(nn.Module):
    """Gives class 3 a logit, whatever it is shown."""

    def __init__(self, logit: float) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor([0.0, 0, 0, logit, 0]))

    def forward(self, image: Tensor) -> Tensor:
        return self.logits.expand(len(image), 5)


@dataclass(frozen=True)
class Points:
    """Whatever it is asked, it points at a square, a little at all else; and it notes which class it was asked about."""

    asked: list[int]

    def __call__(self, model: Any, images: Tensor, targets: Tensor) -> Tensor:
        self.asked.extend(targets.tolist())
        maps = torch.full((len(images), 256, 256), 0.001)
        maps[:, 40:60, 100:130] = 1.0
        return maps


def subject(label: int, mask: np.ndarray | None) -> Subject:
    return Subject("a", np.full((256, 256), 90, dtype=np.uint8), label, mask)


def test_a_sure_defect_with_its_evidence_outside_of_the_mask_is_suspected() -> None:
    points = Points([])
    found, saliency = explained_answer(Says(6.0).eval(), subject(0, None), points, sure=0.9)
    assert points.asked == [3]  # the class that the model names, not the patch's
    assert saliency is not None
    assert (found.prediction, found.label, found.box) == (3, 0, [40, 100, 60, 130])
    assert found.energy == pytest.approx(600 / (600 + 0.001 * (256 * 256 - 600)), rel=1e-3)
    assert found.overlap == 0
    assert found.suspected == Kind.OVERLOOKED
    assert found.dark == 0
    night = Subject("a", np.zeros((256, 256), dtype=np.uint8), 0, None)
    assert explained_answer(Says(6.0).eval(), night, points, sure=0.9)[0].suspected == Kind.NO_STEEL

    mask = np.zeros((256, 256), dtype=bool)
    mask[40:60, 115:140] = True  # half of the region
    found, _ = explained_answer(Says(6.0).eval(), subject(3, mask), points, sure=0.9)
    assert found.overlap == pytest.approx(0.5)
    assert found.suspected is None


@pytest.mark.parametrize(("logit", "sure"), [(1.0, 0.9), (-6.0, 0.1)])
def test_an_unsure_answer_and_sound_are_not_explained(logit: float, sure: float) -> None:
    points = Points([])
    found, saliency = explained_answer(Says(logit).eval(), subject(1, None), points, sure)
    assert points.asked == []
    assert saliency is None
    assert found.suspected is None
    assert found.probability == pytest.approx(float(np.exp(max(logit, 0)) / (np.exp(logit) + 4)))
