import numpy as np
import pytest
import torch
from scipy.special import softmax
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_confusion_matrix

from severstal_xai.classes import CLASSES
from severstal_xai.paper import TABLE_5
from training.measures import measures
from training.scores import Scores, as_json, normalised, score

# patch: ranked classes               label  top-1  top-3
PROBABILITIES = softmax(
    [
        [9.0, 1.0, 2.0, 3.0, 4.0],  #  0 4 3      0    yes    yes
        [9.0, 1.0, 2.0, 3.0, 4.0],  #  0 4 3      4    no     yes
        [9.0, 1.0, 2.0, 3.0, 4.0],  #  0 4 3      1    no     no
        [0.0, 5.0, 6.0, 1.0, 2.0],  #  2 1 4      2    yes    yes
    ],
    axis=1,
)
LABELS = np.array([0, 4, 1, 2])


def test_scores_by_hand() -> None:
    scores = score(PROBABILITIES, LABELS)
    assert (scores.count, scores.top1, scores.top3) == (4, 2 / 4, 3 / 4)
    assert scores.mean_recall == (1 + 0 + 1 + 0) / 4  # classes 0, 1, 2, 4; class 3 does not occur
    assert scores.confusion.tolist() == [
        [1, 0, 0, 0, 0],
        [1, 0, 0, 0, 0],
        [0, 0, 1, 0, 0],
        [0, 0, 0, 0, 0],
        [1, 0, 0, 0, 0],
    ]


def test_scores_agree_with_torchmetrics() -> None:
    chance = torch.Generator().manual_seed(0)
    logits = torch.randn(200, 5, generator=chance)
    labels = torch.randint(0, 5, (200,), generator=chance)
    ours = score(logits.double().softmax(dim=1).numpy(), labels.numpy())
    assert ours.confusion.tolist() == multiclass_confusion_matrix(logits, labels, 5).tolist()
    for top, value in ((1, ours.top1), (3, ours.top3)):
        theirs = multiclass_accuracy(logits, labels, num_classes=5, average="micro", top_k=top)
        assert value == pytest.approx(theirs.item())


def test_of_equal_probabilities_the_lower_class_goes_first() -> None:
    scores = score(np.full((5, 5), 0.2), np.arange(5))
    assert scores.confusion[:, 0].tolist() == [1] * 5
    assert scores.top3 == 3 / 5


def test_of_a_network_too_sure_for_float64_the_share_is_the_one_its_interval_is_of() -> None:
    """Logits of thousands leave all but the first probability at zero: only the recorded ones can be counted again."""
    sure = softmax([[0.0, 1000.0, 3000.0, 2000.0, 1500.0]] * 4, axis=1)
    labels = np.array([0, 1, 3, 4])
    found = measures(sure, labels, ["a", "b", "c", "d"], seed=0)["top3"]
    assert found.low <= score(sure, labels).top3 == found.value <= found.high


def test_rows_of_the_normalised_matrix_sum_to_one_or_are_missing() -> None:
    sums = normalised(score(PROBABILITIES, LABELS).confusion).sum(axis=1)
    assert np.array_equal(sums, [1, 1, 1, np.nan, 1], equal_nan=True)


def test_scores_as_json_hold_no_nan() -> None:
    content = as_json(score(PROBABILITIES, LABELS))
    assert content["confusion"]["normalised"][3] == [None] * 5
    assert content["classes"][0] == {"id": 0, "name": "sound", "count": 1, "predicted": 3, "correct": 1}


def test_the_papers_rows_are_shares_of_five_classes() -> None:
    """Its rows sum to one but for the rounding to two digits, at most 0.005 where a share is above 0.1."""
    assert np.shape(TABLE_5) == (len(CLASSES), len(CLASSES))
    assert np.abs(np.sum(TABLE_5, axis=1) - 1).max() < 0.015


def test_perfect_answers_score_one() -> None:
    scores = Scores(confusion=np.diag([3, 1, 4, 1, 5]), top3=1.0)
    assert (scores.top1, scores.mean_recall, scores.count) == (1, 1, 14)
