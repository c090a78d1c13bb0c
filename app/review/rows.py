"""The review queue: what is known of each patch, as a table, and the rows of it that a query asks for."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from app.review.query import ANY_VERDICT, NO_VERDICT, Answer, Query, Sort
from app.verdicts.records import Kind
from explain.evaluation.evidence import Group
from severstal_xai.classes import CLASSES, SOUND
from severstal_xai.manifest import Manifest, Split
from severstal_xai.operating_point import OperatingPoint, flagged_as
from severstal_xai.predictions import SHARES

FIRST_EVIDENCE = (
    Group.RIGHT_ELSEWHERE,
    Group.WRONG_ELSEWHERE,
    Group.FOUND_NOTHING,
    Group.WRONG_ON_DEFECT,
    Group.RIGHT_ON_DEFECT,
)
"""The order in which groups of evidence are to be looked at: a right answer for a wrong reason is what nobody else finds."""
_FIRST_SPLIT = (Split.TEST, Split.VALIDATION, Split.TRAIN)
_FIRST_ANSWER = (Answer.MISSED, Answer.FALSE_ALARM, Answer.CONFUSED, Answer.RIGHT)
_FIRST_VERDICT = (Kind.WRONG_CLASS, Kind.SEGMENT_WRONG, Kind.NOT_A_DEFECT, Kind.UNSURE, Kind.AGREE)
"""Likewise of the others that are no numbers: what is wrong comes before what is right."""

_Key = Callable[[pd.DataFrame], "pd.Series[float]"]


def known_of(
    manifest: Manifest,
    predictions: pd.DataFrame | None,
    evidence: Mapping[str, Group],
    point: OperatingPoint | None,
) -> pd.DataFrame:
    """Return what is known of each patch, before anybody judged it.

    Args:
        manifest: The patches.
        predictions: The model's answers, as `severstal_xai.predictions` reads them; None where there are none.
        evidence: Where the evidence lies, by the patch's name.
        point: The thresholds; None where there are none.

    Returns:
        Indexed by the patch's name, in the manifest's order: `strip`, `split`, `label`, `predicted` (class, or missing),
        `probability` (of the answer), `margin` (to the second), `doubt` (of the marked class: 1 less its probability),
        `answer` (an `Answer`, or missing), `flagged` (or missing), `group` (a `Group`, or missing); `p0` to `p4`, the
        probabilities of the classes, NaN where the model was not asked.
    """
    patches = manifest.patches
    table = pd.DataFrame(
        {
            "strip": [patch.strip for patch in patches],
            "split": [str(patch.split) for patch in patches],
            "label": [patch.label for patch in patches],
        },
        index=pd.Index([patch.patch for patch in patches], name="patch"),
    )
    shares = _shares(table.index, predictions)
    known = ~np.isnan(shares).any(axis=1)
    ordered = np.sort(shares, axis=1)
    predicted = np.where(known, np.where(known[:, None], shares, 0).argmax(axis=1), -1)
    labels = table["label"].to_numpy()
    table["predicted"] = pd.array(predicted, dtype="Int64")
    table.loc[~known, "predicted"] = pd.NA
    table["probability"] = ordered[:, -1]
    table["margin"] = ordered[:, -1] - ordered[:, -2]
    table["doubt"] = 1 - shares[np.arange(len(labels)), labels]
    table["answer"] = pd.Series(
        [
            _answer(label, answer) if is_known else None
            for label, answer, is_known in zip(labels, predicted, known, strict=True)
        ],
        index=table.index,
        dtype=object,
    )
    table["flagged"] = pd.array(
        [
            bool(flagged_as(point, row)) if point and is_known else None
            for row, is_known in zip(shares.tolist(), known, strict=True)
        ],
        dtype="boolean",
    )
    table["group"] = pd.Series([evidence.get(name) for name in table.index], index=table.index, dtype=object)
    table[SHARES] = shares
    return table


def _shares(names: "pd.Index[str]", predictions: pd.DataFrame | None) -> np.ndarray:
    """Return the probabilities of each patch, NaN where the model was not asked."""
    if predictions is None:
        return np.full((len(names), len(CLASSES)), np.nan)
    return predictions.set_index("patch")[SHARES].reindex(names).to_numpy(np.float64)


def recorded_shares(known: pd.DataFrame, name: str) -> tuple[float, ...] | None:
    """Return the probabilities of the classes that the run recorded for a patch; None where the model was not asked.

    Args:
        known: As `known_of` returns it.
        name: The patch's.
    """
    shares = known.loc[name, SHARES].to_numpy(np.float64)
    return None if np.isnan(shares).any() else tuple(map(float, shares))


def _answer(label: int, predicted: int) -> Answer:
    """Say how an answer stands to the ground truth; a wrong one by what it would cost.

    Example:
        >>> _answer(3, 0), _answer(0, 3), _answer(1, 3), _answer(2, 2)
        (<Answer.MISSED: 'missed'>, <Answer.FALSE_ALARM: 'false_alarm'>, <Answer.CONFUSED: 'confused'>, <Answer.RIGHT: 'right'>)
    """
    if label == predicted:
        return Answer.RIGHT
    if predicted == SOUND.id:
        return Answer.MISSED
    return Answer.FALSE_ALARM if label == SOUND.id else Answer.CONFUSED


def with_verdicts(known: pd.DataFrame, kinds: "pd.Series[str]") -> pd.DataFrame:
    """Return `known_of`'s table with a column `verdict`: the kinds of verdicts on each patch, empty where there is none."""
    return known.assign(verdict=kinds.reindex(known.index).fillna(""))


def narrowed(table: pd.DataFrame, query: Query) -> pd.DataFrame:
    """Return the rows that a query asks for, in its order; rows that are alike in it by their names.

    Args:
        table: `known_of`'s, with a column `verdict`: the kinds of the verdicts that stand, joined by a space.
        query: What to show.
    """
    keep = np.ones(len(table), dtype=bool)
    for column in ("split", "label", "predicted", "group"):
        wanted = getattr(query, column)
        if wanted is not None:
            keep &= (table[column] == wanted).fillna(value=False).to_numpy(bool)
    if query.answer == Answer.WRONG:
        keep &= (table["answer"].notna() & (table["answer"] != Answer.RIGHT)).to_numpy(bool)
    elif query.answer is not None:
        keep &= (table["answer"] == query.answer).to_numpy(bool)
    if query.flagged is not None:
        keep &= (table["flagged"] == query.flagged).fillna(value=False).to_numpy(bool)
    for column, low, high in (
        ("probability", query.low, query.high),
        ("margin", query.margin_low, query.margin_high),
    ):
        if (low, high) != (0.0, 1.0):
            keep &= table[column].between(low, high).to_numpy(bool)
    if query.verdict is not None:
        keep &= _judged(table["verdict"], query.verdict)
    if query.text:
        keep &= np.array([query.text.lower() in str(name).lower() for name in table.index], dtype=bool)
    return _sorted(table[keep], query)


def _judged(verdicts: "pd.Series[str]", wanted: str) -> np.ndarray:
    if wanted in {NO_VERDICT, ANY_VERDICT}:
        return ((verdicts == "") == (wanted == NO_VERDICT)).to_numpy(bool)
    return np.array([wanted in kinds.split() for kinds in verdicts], dtype=bool)


def _sorted(table: pd.DataFrame, query: Query) -> pd.DataFrame:
    """Sort by the query's key; what is not known comes last, either way round."""
    if query.sort == Sort.NAME:
        return table[::-1] if query.reverse else table
    key = _KEYS[query.sort](table)
    ascending = (query.sort != Sort.DOUBT) != query.reverse  # the most doubtful first
    order = key.sort_values(ascending=ascending, kind="stable", na_position="last").index
    return table.loc[order]


def _ranked(column: str, first: Sequence[str]) -> _Key:
    """Return what gives each row its value's place in an order; NaN where the value is not known."""
    ranks = {value: place for place, value in enumerate(first)}
    return lambda table: table[column].map(ranks).astype(float)


def _number(column: str) -> _Key:
    return lambda table: table[column].astype(float)


def _worst_verdict(table: pd.DataFrame) -> "pd.Series[float]":
    """Return each row's place by its verdicts: of several the one that comes first; NaN where nobody judged it."""
    return pd.Series(
        [
            min((_FIRST_VERDICT.index(Kind(kind)) for kind in kinds.split()), default=np.nan)
            for kinds in table["verdict"]
        ],
        index=table.index,
        dtype=float,
    )


_KEYS: Mapping[Sort, _Key] = {
    Sort.EVIDENCE: _ranked("group", FIRST_EVIDENCE),
    Sort.DOUBT: _number("doubt"),
    Sort.PROBABILITY: _number("probability"),
    Sort.MARGIN: _number("margin"),
    Sort.ANSWER: _ranked("answer", _FIRST_ANSWER),
    Sort.VERDICT: _worst_verdict,
    Sort.LABEL: _number("label"),
    Sort.PREDICTED: _number("predicted"),
    Sort.SPLIT: _ranked("split", _FIRST_SPLIT),
}
"""What each order but that of the names sorts by, the small first."""


def neighbour(names: Sequence[str], name: str, step: int) -> str | None:
    """Return the name that lies `step` further on; None past the ends.

    Example:
        >>> neighbour(["a", "b"], "a", 1), neighbour(["a", "b"], "a", -1)
        ('b', None)
    """
    place = names.index(name) + step
    return names[place] if 0 <= place < len(names) else None
