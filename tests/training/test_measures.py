"""Scores against scikit-learn and slow copies; intervals against what is known of them."""

import numpy as np
import pytest
from sklearn import metrics

from severstal_xai.bootstrap import resample
from training.measures import (
    average_precision,
    bin_of,
    calibration_error,
    measures,
    scaled,
    scores_of,
    temperature_of,
)


def drawn(patches: int, seed: int = 0, sharpness: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, and labels drawn by them: as calibrated as can be."""
    chance = np.random.default_rng(seed)
    logits = sharpness * chance.normal(size=(patches, 5))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = np.array([chance.choice(5, p=row) for row in shares])
    return shares, labels


@pytest.mark.parametrize("rounding", [1, 6])
def test_scores_are_scikit_learns(rounding: int) -> None:
    """Rounded to one digit many probabilities are equal."""
    probabilities, labels = drawn(300)
    probabilities = probabilities.round(rounding)
    ours = {
        name: float(value[0]) for name, value in scores_of(probabilities, labels, np.ones((1, 300))).items()
    }
    predicted = probabilities.argmax(axis=1)
    assert ours["top1"] == pytest.approx(metrics.accuracy_score(labels, predicted))
    assert ours["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(labels, predicted))
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(labels, predicted, labels=range(5))
    for label in range(5):
        assert ours[f"precision_{label}"] == pytest.approx(precision[label])
        assert ours[f"recall_{label}"] == pytest.approx(recall[label])
        assert ours[f"f1_{label}"] == pytest.approx(f1[label])
        theirs = metrics.average_precision_score(labels == label, probabilities[:, label])
        assert ours[f"average_precision_{label}"] == pytest.approx(theirs)


def test_a_patch_that_counts_twice_is_a_patch_that_is_there_twice() -> None:
    probabilities, labels = drawn(60)
    times = np.random.default_rng(1).integers(0, 4, 60)
    weighted = scores_of(probabilities, labels, times[None].astype(float))
    repeated = scores_of(probabilities.repeat(times, axis=0), labels.repeat(times), np.ones((1, times.sum())))
    for name, value in weighted.items():
        np.testing.assert_allclose(value, repeated[name], err_msg=name)


def test_the_calibration_error_by_a_slow_copy() -> None:
    probabilities, labels = drawn(200)
    expected = 0.0
    for low in range(15):
        inside = [place for place, row in enumerate(probabilities) if low / 15 < row.max() <= (low + 1) / 15]
        if inside:
            right = np.mean([probabilities[place].argmax() == labels[place] for place in inside])
            sure = np.mean([probabilities[place].max() for place in inside])
            expected += len(inside) / 200 * abs(right - sure)
    assert calibration_error(probabilities, labels, np.ones((1, 200)))[0] == pytest.approx(expected)
    assert bin_of(np.array([[1.0, 0.0], [0.5, 0.5]])).tolist() == [14, 7]


def test_of_a_calibrated_model_the_error_is_small_and_the_temperature_one() -> None:
    probabilities, labels = drawn(20_000)
    assert calibration_error(probabilities, labels, np.ones((1, 20_000)))[0] < 0.015
    assert temperature_of(probabilities, labels) == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("factor", [0.5, 3.0])
def test_a_model_that_is_too_sure_or_not_sure_enough_is_set_right(factor: float) -> None:
    """Its logits are those of a calibrated model times a factor."""
    calibrated, labels = drawn(20_000)
    distorted = scaled(calibrated, 1 / factor)
    temperature = temperature_of(distorted, labels)
    assert temperature == pytest.approx(factor, rel=0.03)
    np.testing.assert_allclose(scaled(distorted, temperature), calibrated, atol=0.02)
    assert np.array_equal(distorted.argmax(axis=1), calibrated.argmax(axis=1))


def test_an_interval_covers_the_truth_as_often_as_it_says() -> None:
    """The accuracy of 300 coins of 0.7: its 95 % interval is about 0.7 plus and minus 0.052."""
    covered, widths = 0, []
    for seed in range(40):
        right = np.random.default_rng(seed).random(300) < 0.7
        probabilities = np.where(right[:, None], [[0.9, 0.1, 0, 0, 0]], [[0.1, 0.9, 0, 0, 0]])
        found = measures(probabilities, np.zeros(300, dtype=np.int64), [str(i) for i in range(300)], seed)[
            "top1"
        ]
        assert found.low <= found.value <= found.high
        covered += found.low <= 0.7 <= found.high
        widths.append(found.high - found.low)
    assert covered >= 34  # of 40 at 95 %: fewer than 34 once in two hundred times
    assert np.mean(widths) == pytest.approx(2 * 1.96 * (0.7 * 0.3 / 300) ** 0.5, rel=0.1)


def test_patches_of_one_strip_are_drawn_together_and_make_the_interval_wide() -> None:
    """Ten patches a strip, all right or all wrong: as good as one patch a strip."""
    right = np.repeat(np.random.default_rng(0).random(30) < 0.7, 10)
    probabilities = np.where(right[:, None], [[0.9, 0.1, 0, 0, 0]], [[0.1, 0.9, 0, 0, 0]])
    labels = np.zeros(300, dtype=np.int64)
    by_strip = measures(probabilities, labels, np.repeat(np.arange(30), 10).astype(str).tolist(), 0)["top1"]
    singly = measures(probabilities, labels, [str(i) for i in range(300)], 0)["top1"]
    assert (by_strip.high - by_strip.low) / (singly.high - singly.low) == pytest.approx(10**0.5, rel=0.2)


def test_a_class_that_is_never_named_or_seldom_drawn_has_no_number_and_no_warning() -> None:
    labels = np.array([0, 0, 0, 1])
    probabilities = np.tile([0.9, 0.1, 0.0, 0.0, 0.0], (4, 1))
    found = measures(probabilities, labels, ["a", "b", "c", "d"], 0)
    assert np.isnan(found["precision_1"].value)
    assert found["recall_1"].value == 0
    assert found["recall_1"].high == 0
    assert "recall_2" not in found


def test_the_lot_is_the_seeds() -> None:
    strips = ["a", "b", "b", "c"]
    assert np.array_equal(resample(strips, 5, 0), resample(strips, 5, 0))
    assert not np.array_equal(resample(strips, 5, 0), resample(strips, 5, 1))


def test_average_precision_of_equal_probabilities_is_the_share_of_the_class() -> None:
    of_class = np.array([True, False, False, False])
    assert average_precision(np.full(4, 0.5), of_class, np.ones((1, 4)))[0] == 0.25
