"""Scores with intervals: each a function of probabilities, labels and how often a patch counts."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int64
from scipy.optimize import minimize_scalar

from severstal_xai.bootstrap import RESAMPLES, Measure, Values, Weights, resample, with_interval

BINS = 15
"""Of the calibration error, as in Guo et al. (ICML 2017)."""
_TEMPERATURES = (0.05, 20.0)
_AT_ONCE = 100
"""Resamples worked on together, for the memory's sake."""

Probabilities = Float[np.ndarray, "patches classes"]
Labels = Int64[np.ndarray, " patches"]


def measures(
    probabilities: Probabilities, labels: Labels, strips: Sequence[str], seed: int
) -> dict[str, Measure]:
    """Return all scores of a split with their intervals.

    Args:
        probabilities: Softmax probabilities.
        labels: The actual classes.
        strips: The strip that each patch is from.
        seed: Of the lot.

    Returns:
        `top1`, `top3`, `balanced_accuracy`, `calibration_error`; for each class C that occurs `precision_C`,
        `recall_C`, `f1_C` and `average_precision_C`; all 0 to 1. A resample in which a score has no value, as the recall of a
        class that was not drawn, is left out of its interval.
    """
    point = scores_of(probabilities, labels, np.ones((1, len(labels))))
    lots = resample(strips, RESAMPLES, seed)
    parts = [
        scores_of(probabilities, labels, lots[begin : begin + _AT_ONCE])
        for begin in range(0, RESAMPLES, _AT_ONCE)
    ]
    return {
        name: with_interval(float(value[0]), np.concatenate([part[name] for part in parts]))
        for name, value in point.items()
    }


def scores_of(probabilities: Probabilities, labels: Labels, weights: Weights) -> dict[str, Values]:
    """Return all scores, a value for each row of weights."""
    classes = probabilities.shape[1]
    predicted = probabilities.argmax(axis=1)
    cells = np.eye(classes**2)[labels * classes + predicted]
    confusion = (weights @ cells).reshape(-1, classes, classes)
    right = confusion.diagonal(axis1=1, axis2=2)
    recall, precision = _share(right, confusion.sum(axis=2)), _share(right, confusion.sum(axis=1))
    occurring = confusion.sum(axis=2) > 0
    total = weights.sum(axis=1)
    scores = {
        "top1": right.sum(axis=1) / total,
        "top3": weights @ _among_first(probabilities, labels, 3) / total,
        "balanced_accuracy": _share(np.where(occurring, recall, 0).sum(axis=1), occurring.sum(axis=1)),
        "calibration_error": calibration_error(probabilities, labels, weights),
    }
    for label in sorted({int(label) for label in labels}):
        scores |= {
            f"precision_{label}": precision[:, label],
            f"recall_{label}": recall[:, label],
            f"f1_{label}": _share(
                2 * right[:, label], confusion[:, label].sum(axis=1) + confusion[:, :, label].sum(axis=1)
            ),
            f"average_precision_{label}": average_precision(
                probabilities[:, label], labels == label, weights
            ),
        }
    return scores


def _share(
    part: Float[np.ndarray, "*any"], whole: Float[np.ndarray, "*any"] | Int64[np.ndarray, "*any"]
) -> Float[np.ndarray, "*any"]:
    """Return part / whole, NaN where the whole is nothing."""
    shares = np.full(np.shape(part), np.nan)
    np.divide(part, whole, out=shares, where=whole > 0)
    return shares


def _among_first(probabilities: Probabilities, labels: Labels, top: int) -> Float[np.ndarray, " patches"]:
    ranked = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
    among: Float[np.ndarray, " patches"] = (ranked == labels[:, None]).any(axis=1).astype(np.float64)
    return among


def average_precision(
    probability: Float[np.ndarray, " patches"], of_class: Bool[np.ndarray, " patches"], weights: Weights
) -> Values:
    r"""Return $\sum_n (R_n - R_{n-1}) P_n$ over the thresholds that the probabilities are, one for equal ones.

    Example: the first and the third of three are of the class.
        >>> average_precision(np.array([0.9, 0.5, 0.1]), np.array([True, False, True]), np.ones((1, 3)))
        array([0.83333333])
    """
    order = np.argsort(-probability, kind="stable")
    last_of_equals = np.append(np.diff(probability[order]) != 0, True)
    ordered = weights[:, order]
    hits = (ordered * of_class[order]).cumsum(axis=1)[:, last_of_equals]
    named = ordered.cumsum(axis=1)[:, last_of_equals]
    gained = np.diff(hits, axis=1, prepend=0)
    precision = np.divide(hits, named, out=np.zeros_like(hits), where=named > 0)
    return _share((gained * precision).sum(axis=1), hits[:, -1])


def calibration_error(probabilities: Probabilities, labels: Labels, weights: Weights) -> Values:
    r"""Return $\sum_b \frac{n_b}{n} |\text{accuracy}_b - \text{confidence}_b|$ over 15 bins of the confidence.

    The expected calibration error of Guo et al. (ICML 2017, Eq. 3); a patch's confidence is the probability of the
    class that is named.

    Example: two answers, both 0.8 sure, one of them right.
        >>> calibration_error(np.array([[0.8, 0.2], [0.8, 0.2]]), np.array([0, 1]), np.ones((1, 2)))
        array([0.3])
    """
    bins = bin_of(probabilities)
    gap = (probabilities.argmax(axis=1) == labels) - probabilities.max(axis=1)
    by_bin = weights @ (np.eye(BINS)[bins] * gap[:, None])
    error: Values = np.abs(by_bin).sum(axis=1) / weights.sum(axis=1)
    return error


def bin_of(probabilities: Probabilities) -> Int64[np.ndarray, " patches"]:
    """Return the bin of each patch's confidence: bin b holds what lies above b / 15 and not above (b + 1) / 15."""
    bins: Int64[np.ndarray, " patches"] = (
        (np.ceil(probabilities.max(axis=1) * BINS) - 1).clip(0, BINS - 1).astype(np.int64)
    )
    return bins


def temperature_of(probabilities: Probabilities, labels: Labels) -> float:
    """Return the temperature under which the labels are likeliest (Guo et al., ICML 2017, section 4.2).

    Fitted on validation patches, it tells how much too sure (above 1) or unsure (below 1) the model is.
    """
    logits = _logits(probabilities)

    def surprise(log_temperature: float) -> float:
        scaled = _softmax(logits / np.exp(log_temperature))
        return float(-np.log(scaled[np.arange(len(labels)), labels].clip(1e-300)).mean())

    found = minimize_scalar(surprise, bounds=np.log(_TEMPERATURES), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))


def scaled(probabilities: Probabilities, temperature: float) -> Probabilities:
    """Return the probabilities of the logits divided by the temperature: the same order, surer or less sure.

    Example:
        >>> scaled(np.array([[0.8, 0.2]]), 1.0).round(6).tolist()
        [[0.8, 0.2]]
    """
    return _softmax(_logits(probabilities) / temperature)


def _logits(probabilities: Probabilities) -> Probabilities:
    logits: Probabilities = np.log(probabilities.clip(1e-300))
    return logits


def _softmax(logits: Probabilities) -> Probabilities:
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Probabilities = shares / shares.sum(axis=1, keepdims=True)
    return probabilities
