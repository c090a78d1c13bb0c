import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_confusion_matrix

from severstal_xai.classes import CLASSES
from severstal_xai.paper import TABLE_5
from training.scores import Scores, as_json, normalised, score

# patch: ranked classes               label  top-1  top-3
LOGITS = torch.tensor(
    [
        [9.0, 1.0, 2.0, 3.0, 4.0],  #  0 4 3      0    yes    yes
        [9.0, 1.0, 2.0, 3.0, 4.0],  #  0 4 3      4    no     yes
        [9.0, 1.0, 2.0, 3.0, 4.0],  #  0 4 3      1    no     no
        [0.0, 5.0, 6.0, 1.0, 2.0],  #  2 1 4      2    yes    yes
    ]
)
LABELS = torch.tensor([0, 4, 1, 2])


def test_scores_by_hand() -> None:
    scores = score(LOGITS, LABELS)
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
    ours = score(logits, labels)
    assert ours.confusion.tolist() == multiclass_confusion_matrix(logits, labels, 5).tolist()
    for top, value in ((1, ours.top1), (3, ours.top3)):
        theirs = multiclass_accuracy(logits, labels, num_classes=5, average="micro", top_k=top)
        assert value == pytest.approx(theirs.item())


def test_of_equal_logits_the_lower_class_goes_first() -> None:
    scores = score(torch.zeros(5, 5), torch.arange(5))
    assert scores.confusion[:, 0].tolist() == [1] * 5
    assert scores.top3 == 3 / 5


def test_rows_of_the_normalised_matrix_sum_to_one_or_are_missing() -> None:
    sums = normalised(score(LOGITS, LABELS).confusion).sum(axis=1)
    assert np.array_equal(sums, [1, 1, 1, np.nan, 1], equal_nan=True)


def test_scores_as_json_hold_no_nan() -> None:
    content = as_json(score(LOGITS, LABELS))
    assert content["confusion"]["normalised"][3] == [None] * 5
    assert content["classes"][0] == {"id": 0, "name": "sound", "count": 1, "predicted": 3, "correct": 1}


def test_the_papers_rows_are_shares_of_five_classes() -> None:
    """Its rows sum to one but for the rounding to two digits, at most 0.005 where a share is above 0.1."""
    assert np.shape(TABLE_5) == (len(CLASSES), len(CLASSES))
    assert np.abs(np.sum(TABLE_5, axis=1) - 1).max() < 0.015


def test_perfect_answers_score_one() -> None:
    scores = Scores(confusion=np.diag([3, 1, 4, 1, 5]), top3=1.0)
    assert (scores.top1, scores.mean_recall, scores.count) == (1, 1, 14)
