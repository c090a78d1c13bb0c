"""The losses against slow copies of their equations in float64."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from severstal_xai.errors import InputError
from severstal_xai.manifest import Manifest
from training.fit import fit
from training.objective import class_weights, objective
from training.settings import Loss, Settings

MakeSettings = Callable[..., Settings]
COUNTS = {0: 60, 1: 5, 2: 2, 3: 30, 4: 3}
PAPER = Loss("none", 0.0, 0.0)
LOGITS = 3 * torch.randn(7, 5, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 1, 2, 3, 4, 0, 2])


def slow(settings: Loss, weights: Sequence[float]) -> float:
    total = 0.0
    for logits, label in zip(LOGITS.double().tolist(), LABELS.tolist(), strict=True):
        shares = np.exp(logits) / np.exp(logits).sum()
        target = np.full(5, settings.label_smoothing / 5)
        target[label] += 1 - settings.label_smoothing
        entropy = -(target * np.log(shares)).sum()
        total += weights[label] * (1 - shares[label]) ** settings.focal_gamma * entropy
    return total / len(LABELS)


@pytest.mark.parametrize("gamma_and_smoothing", [(0.0, 0.0), (2.0, 0.0), (0.5, 0.0), (0.0, 0.1)])
@pytest.mark.parametrize("weights", ["none", "balanced", [1.0, 4.0, 4.0, 0.0, 2.5]])
def test_it_equals_its_definition(
    gamma_and_smoothing: tuple[float, float], weights: str | list[float]
) -> None:
    settings = Loss(weights, *gamma_and_smoothing)  # type: ignore[arg-type]
    by_hand = {"none": [1.0] * 5, "balanced": [100 / (5 * COUNTS[label]) for label in range(5)]}
    expected = slow(settings, by_hand[weights] if isinstance(weights, str) else weights)
    assert float(objective(settings, COUNTS, 5)(LOGITS, LABELS)) == pytest.approx(expected, rel=1e-5)


def test_the_default_is_the_papers_cross_entropy() -> None:
    torch.testing.assert_close(objective(PAPER, COUNTS, 5)(LOGITS, LABELS), cross_entropy(LOGITS, LABELS))


def test_balanced_weights_give_every_class_the_same_share_and_a_mean_of_one() -> None:
    weights = class_weights(Loss("balanced", 0.0, 0.0), COUNTS, 5)
    shares = [float(weights[label]) * count for label, count in COUNTS.items()]
    assert shares == pytest.approx([20] * 5)
    assert sum(shares) / sum(COUNTS.values()) == pytest.approx(1)


def test_parts_of_a_batch_add_up_to_the_whole() -> None:
    """So several processes, of which each has a part, have the gradients of one that has it all."""
    loss = objective(Loss([1.0, 9.0, 2.0, 3.0, 5.0], 2.0, 0.0), COUNTS, 5)
    whole, first, second = (
        loss(LOGITS[:6], LABELS[:6]),
        loss(LOGITS[:3], LABELS[:3]),
        loss(LOGITS[3:6], LABELS[3:6]),
    )
    torch.testing.assert_close((first + second) / 2, whole)


def test_a_sure_answer_counts_next_to_nothing_in_the_focal_loss() -> None:
    sure = torch.tensor([[5.0, 0.0, 0.0, 0.0, 0.0]])
    label = torch.tensor([0])
    plain, focal = (
        float(objective(Loss("none", gamma, 0.0), COUNTS, 5)(sure, label)) for gamma in (0.0, 2.0)
    )
    share = math.exp(5) / (math.exp(5) + 4)
    assert focal / plain == pytest.approx((1 - share) ** 2, rel=1e-3)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (("none", -1.0, 0.0), r"focal_gamma.*-1"),
        (("none", 0.0, 1.0), "label_smoothing"),
        (([1.0, 2.0], 0.0, 0.0), r"class_weights has 2 numbers, expected 5, one a class"),
        (([1.0, 2.0, 3.0, 4.0, -5.0], 0.0, 0.0), r"class_weights.*-5"),
        (([0.0] * 5, 0.0, 0.0), "all 0"),
        (("none", 2.0, 0.1), "expected one of the two to be 0"),
    ],
)
def test_a_loss_that_cannot_be_is_refused(loss: tuple[str | list[float], float, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Loss(*loss)  # type: ignore[arg-type]


def test_a_run_with_all_of_it_trains(small: MakeSettings, made_data: Manifest, tmp_path: Path) -> None:
    settings = small(
        output=tmp_path / "run", sampling="balanced", patches_per_class=1, loss=Loss("balanced", 2.0, 0.0)
    )
    assert fit(settings, lambda _: None)
    card = (tmp_path / "run/README.md").read_text(encoding="utf-8")
    assert "| loss.focal_gamma | 2.0 | ours |" in card
    assert "| sampling | balanced | ours (the paper: natural) |" in card
