"""How well a network classifies: counted once, then each score is one line."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int64

from severstal_xai.classes import CLASSES
from severstal_xai.paper import TABLE_5, TOP_1, TOP_3

_TOP = 3


@dataclass(frozen=True)
class Scores:
    """The scores on a split.

    Args:
        confusion: Patches by actual class (rows) and predicted class (columns).
        top3: Share of patches, 0 to 1, whose class is among the three most probable.
    """

    confusion: Int64[np.ndarray, "actual predicted"]
    top3: float

    @property
    def count(self) -> int:
        """Patches in all."""
        return int(self.confusion.sum())

    @property
    def top1(self) -> float:
        """Share of patches, 0 to 1, whose class is the most probable one."""
        return float(self.confusion.trace() / self.confusion.sum())

    @property
    def mean_recall(self) -> float:
        """Mean over the classes that occur of the share recognised: what guessing the commonest cannot win."""
        return float(np.nanmean(normalised(self.confusion).diagonal()))


def score(
    probabilities: Float[np.ndarray, "patches classes"], labels: Int64[np.ndarray, " patches"]
) -> Scores:
    """Count how the patches were classified by the probabilities that are recorded; of equal ones the lower class goes first."""
    ranked = np.argsort(-probabilities, axis=1, kind="stable")
    among_first = (ranked[:, :_TOP] == labels[:, None]).any(axis=1)
    return Scores(
        confusion=confusion_counts(labels, ranked[:, 0], probabilities.shape[1]),
        top3=float(among_first.mean()),
    )


def confusion_counts(
    actual: Int64[np.ndarray, " patches"], predicted: Int64[np.ndarray, " patches"], classes: int
) -> Int64[np.ndarray, "actual predicted"]:
    """Count the patches by actual class (rows) and predicted class (columns).

    Example:
        >>> confusion_counts(np.array([0, 0, 1]), np.array([0, 1, 1]), classes=2)
        array([[1, 1],
               [0, 1]])
    """
    return np.bincount(actual * classes + predicted, minlength=classes**2).reshape(classes, classes)


def normalised(confusion: Int64[np.ndarray, "actual predicted"]) -> Float[np.ndarray, "actual predicted"]:
    """Return each row as shares of its sum; NaN for a class that does not occur.

    Example:
        >>> normalised(np.array([[3, 1], [0, 0]]))
        array([[0.75, 0.25],
               [ nan,  nan]])
    """
    occurring = confusion.sum(axis=1, keepdims=True)
    shares = np.full(confusion.shape, np.nan)
    np.divide(confusion, occurring, out=shares, where=occurring > 0)
    return shares


def as_json(scores: Scores) -> dict[str, Any]:
    """Return the scores for `scores.json`: shares from 0 to 1, null where a class does not occur."""
    return {
        "count": scores.count,
        "top1": scores.top1,
        "top3": scores.top3,
        "mean_recall": scores.mean_recall,
        "classes": [
            {
                "id": steel.id,
                "name": steel.name,
                "count": int(row.sum()),
                "predicted": int(scores.confusion[:, steel.id].sum()),
                "correct": int(row[steel.id]),
            }
            for steel, row in zip(CLASSES, scores.confusion, strict=True)
        ],
        "confusion": {
            "rows": "actual class",
            "columns": "predicted class",
            "counts": scores.confusion.tolist(),
            "normalised": [
                [None if np.isnan(share) else share for share in row]
                for row in normalised(scores.confusion).tolist()
            ],
        },
    }


def paper_as_json() -> dict[str, Any]:
    """Return the paper's scores, to stand beside ours."""
    return {
        "source": "SISE (AAAI 2021), appendix: ResNet-101 on the full Severstal data, and Table 5",
        "top1": TOP_1,
        "top3": TOP_3,
        "confusion": {"normalised": [list(row) for row in TABLE_5]},
    }
