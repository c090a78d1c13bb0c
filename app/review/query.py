"""What the review queue is narrowed to and sorted by: a record, and how an address of the page says the same.

So every view can be copied and opened.
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl, urlencode

from app.verdicts.records import Kind
from explain.evaluation.evidence import Group
from severstal_xai.classes import CLASSES
from severstal_xai.errors import InputError
from severstal_xai.manifest import Split

MOST_TEXT = 200
"""The longest text to search for, in characters."""


class Answer(StrEnum):
    """How the model's answer stands to what people marked."""

    RIGHT = "right"
    WRONG = "wrong"
    MISSED = "missed"
    FALSE_ALARM = "false_alarm"
    CONFUSED = "confused"


class Sort(StrEnum):
    """What the queue is sorted by."""

    EVIDENCE = "evidence"
    DOUBT = "doubt"
    PROBABILITY = "probability"
    MARGIN = "margin"
    ANSWER = "answer"
    VERDICT = "verdict"
    LABEL = "label"
    PREDICTED = "predicted"
    SPLIT = "split"
    NAME = "name"


NO_VERDICT, ANY_VERDICT = "none", "any"


@dataclass(frozen=True)
class Query:
    """What the queue shows, and in which order.

    Args:
        split: What the patches are for; None for all.
        label: Their class by ground truth; None for any.
        predicted: The model's answer; None for any.
        answer: How that answer stands to the ground truth; None for any. Patches without an answer match None alone.
        low: The least probability of the answer, 0 to 1.
        high: The greatest.
        margin_low: The least margin, the probability of the answer less that of the second class, 0 to 1.
        margin_high: The greatest.
        flagged: Whether the operating point flags it; None for either.
        group: Where the evidence lies; None for any.
        verdict: `NO_VERDICT`, `ANY_VERDICT` or a kind of verdict; None for any patch.
        text: What the patch's name holds.
        sort: The order.
        reverse: Whether to turn it round.
    """

    split: Split | None = Split.TEST
    label: int | None = None
    predicted: int | None = None
    answer: Answer | None = None
    low: float = 0.0
    high: float = 1.0
    margin_low: float = 0.0
    margin_high: float = 1.0
    flagged: bool | None = None
    group: Group | None = None
    verdict: str | None = None
    text: str = ""
    sort: Sort = Sort.EVIDENCE
    reverse: bool = False


RANGES = {"low": "high", "margin_low": "margin_high"}
"""The fields that are ranges of numbers: where each begins, and where it ends."""
ALL = "all"
"""How an address says: any. A field that is left out has its default."""


def _class(text: str) -> int:
    if text not in {str(known.id) for known in CLASSES}:
        raise ValueError(f"expected 0 to {len(CLASSES) - 1}")
    return int(text)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = float("nan")
    if not 0 <= share <= 1:
        raise ValueError("expected a number from 0 to 1")
    return share


def _truth(text: str) -> bool:
    if text not in {"yes", "no"}:
        raise ValueError("expected yes or no")
    return text == "yes"


def _one_of(kind: type[StrEnum]) -> Callable[[str], Any]:
    def read(text: str) -> StrEnum:
        if text not in {str(member) for member in kind}:
            raise ValueError(f"expected one of {', '.join(kind)}")
        return kind(text)

    return read


def _verdict(text: str) -> str:
    known = (NO_VERDICT, ANY_VERDICT, *(kind for kind in Kind if kind != Kind.WITHDRAWN))
    if text not in known:
        raise ValueError(f"expected one of {', '.join(known)}")
    return text


def _text(text: str) -> str:
    if len(text) > MOST_TEXT or not text.isprintable():
        raise ValueError(f"expected at most {MOST_TEXT} printable characters")
    return text


_GROUP_CODES = {
    Group.RIGHT_ELSEWHERE: "right_elsewhere",
    Group.WRONG_ELSEWHERE: "wrong_elsewhere",
    Group.FOUND_NOTHING: "found_nothing",
    Group.WRONG_ON_DEFECT: "wrong_on_defect",
    Group.RIGHT_ON_DEFECT: "right_on_defect",
}


def _group(text: str) -> Group:
    by_code = {code: group for group, code in _GROUP_CODES.items()}
    if text not in by_code:
        raise ValueError(f"expected one of {', '.join(by_code)}")
    return by_code[text]


_READ: Mapping[str, Callable[[str], Any]] = {
    "split": _one_of(Split),
    "label": _class,
    "predicted": _class,
    "answer": _one_of(Answer),
    "low": _share,
    "high": _share,
    "margin_low": _share,
    "margin_high": _share,
    "flagged": _truth,
    "group": _group,
    "verdict": _verdict,
    "text": _text,
    "sort": _one_of(Sort),
    "reverse": _truth,
}
_MAY_BE_ANY = {name for name in _READ if dataclasses.asdict(Query())[name] is None or name == "split"}


def from_address(parameters: Mapping[str, str]) -> Query:
    """Return what an address asks for; parameters that are no field of a query's are another's business.

    Raises:
        InputError: A value that no address of ours has; the message names it and what was expected.

    Example:
        >>> from_address({"label": "3", "answer": "missed", "patch": "a_0"}).label
        3
    """
    fields: dict[str, Any] = {}
    for name, read in _READ.items():
        if name not in parameters:
            continue
        text = parameters[name]
        if text == ALL and name in _MAY_BE_ANY:
            fields[name] = None
            continue
        try:
            fields[name] = read(text)
        except ValueError as error:
            raise InputError(f"address: {name} {text[:MOST_TEXT]!r}, {error}") from error
    query = Query(**fields)
    for low, high in RANGES.items():
        least, greatest = getattr(query, low), getattr(query, high)
        if least > greatest:
            raise InputError(
                f"address: {low} {least:g} above {high} {greatest:g}, expected the lower number first"
            )
    return query


def to_address(query: Query) -> dict[str, str]:
    """Return a query as an address holds it: only what differs from the default.

    Example:
        >>> to_address(Query(split=None, label=3))
        {'split': 'all', 'label': '3'}
    """
    usual = Query()
    return {
        field.name: _as_text(getattr(query, field.name))
        for field in dataclasses.fields(query)
        if getattr(query, field.name) != getattr(usual, field.name)
    }


def to_text(query: Query) -> str:
    """Return a query as text, to be kept: what an address holds of it after its `?`.

    Example:
        >>> to_text(Query(split=None, text="a b")), to_text(Query())
        ('split=all&text=a+b', '')
    """
    return urlencode(to_address(query))


def from_text(text: str) -> Query:
    """Return the query that was kept as text. Here, other than in an address, nothing may stand that is not a query's.

    Raises:
        InputError: It is no query; or one of a later version, which knows what this one does not.

    Example:
        >>> from_text("label=3").label
        3
    """
    try:
        pairs = parse_qsl(
            text, keep_blank_values=True, strict_parsing=bool(text), max_num_fields=2 * len(_READ)
        )
    except ValueError as error:
        raise InputError(f"query {text[:MOST_TEXT]!r}, expected what an address holds") from error
    fields = dict(pairs)
    unknown = [name for name in fields if name not in _READ]
    if unknown:
        raise InputError(
            f"query: {unknown[0][:MOST_TEXT]!r} is not known, expected one of {', '.join(_READ)}: "
            "a later version may have saved it"
        )
    if len(fields) < len(pairs):
        raise InputError(f"query {text[:MOST_TEXT]!r} says a thing twice, expected once")
    return from_address(fields)


def _as_text(value: object) -> str:
    if value is None:
        return ALL
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Group):
        return _GROUP_CODES[value]
    return f"{value:g}" if isinstance(value, float) else str(value)
