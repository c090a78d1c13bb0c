"""New images as tables: one on the page, a row an image, and two as CSV, a row a window and a row a refused file."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

import numpy as np
import pandas as pd

from app.new_strips.answers import Answer, most_suspicious, suspicion
from app.new_strips.images import NewImage, Refused, remarks
from app.verdicts.export import as_csv
from app.words import class_title
from severstal_xai.classes import CLASSES
from severstal_xai.imaging import NoSteel
from severstal_xai.operating_point import OperatingPoint, flagged_as
from severstal_xai.predictions import SHARES

_RESULTS = (
    "file",
    "from",
    "sha256",
    "window",
    "x",
    *SHARES,
    "answer",
    "answer_name",
    "flagged",
    "weights_sha256",
    "asked",
)
_REFUSED = ("file", "from", "reason")
NOT_ASKED = "not asked yet"
"""What stands for the answer of an image that waits for it."""
NO_STEEL = "no steel to see"
"""What stands for the answer of an image or a window that shows none."""


@dataclass(frozen=True)
class Listed:
    """An image of the list.

    Args:
        source: Where it comes from: the upload, or the watched folder by its name.
        uploaded: Whether it is an upload.
        image: The image.
        answer: What the model says of it; None where it was not asked yet.
    """

    source: str
    uploaded: bool
    image: NewImage
    answer: Answer | None


def most_suspicious_first(listed: Iterable[Listed], point: OperatingPoint | None) -> list[Listed]:
    """Return the images in the order in which they are to be looked at; those not asked about come last."""

    def key(one: Listed) -> tuple[bool, bool, float]:
        if one.answer is None:
            return False, False, 0.0
        judged = one.answer.judged.values()
        return True, *max((suspicion(shares, point) for shares in judged), default=(False, 0.0))

    return sorted(listed, key=key, reverse=True)


def as_frame(listed: Sequence[Listed], point: OperatingPoint | None) -> pd.DataFrame:
    """Return what the page lists, a row an image, in the given order.

    Returns:
        Columns `picture` (a small one, as an address), `file`, `window` (the most suspicious, from 1; missing before the model
        was asked), `answer` (what it says of that), `defect` (the probability of that window's likeliest defect), `flagged` (the
        classes that any window is flagged as; missing where there are no thresholds), `from` and `remark`.
    """
    told = remarks([(one.source, one.image) for one in listed])
    return pd.DataFrame(
        [
            _row(one, point) | {"remark": "; ".join(filter(None, (_unseen_in_short(one.answer), remark)))}
            for one, remark in zip(listed, told, strict=True)
        ],
        columns=["picture", "file", "window", "answer", "defect", "flagged", "from", "remark"],
    ).astype({"window": "Int64", "defect": float})


def _row(one: Listed, point: OperatingPoint | None) -> dict[str, Any]:
    row = {"picture": one.image.thumbnail, "file": one.image.name, "from": one.source}
    if one.answer is None:
        return row | {"answer": NOT_ASKED, "flagged": None if point is None else ""}
    place = most_suspicious(one.answer, point)
    if place is None:
        return row | {"answer": NO_STEEL, "flagged": None if point is None else ""}
    shares = one.answer.judged[place]
    return row | {
        "window": place + 1,
        "answer": class_title(int(np.argmax(shares))),
        "defect": suspicion(shares, point)[1],
        "flagged": None if point is None else flagged_in_short(one.answer, point),
    }


def flagged_in_words(answer: Answer, point: OperatingPoint) -> str:
    """Return the classes that any window is flagged as, each with its windows.

    Written as `3 in windows 2 and 5; 4 in all windows`.
    """
    windows = len(answer.windows)
    return "; ".join(
        f"{label} in {_which(found, windows)}" for label, found in _flagged_places(answer, point).items()
    )


def flagged_in_short(answer: Answer, point: OperatingPoint) -> str:
    """Return the same for a narrow column: `3 in 2, 5; 4 in all`."""
    windows = len(answer.windows)
    return "; ".join(
        f"{label} in {'all' if 1 < windows == len(found) else _runs(found)}"
        for label, found in _flagged_places(answer, point).items()
    )


def _runs(places: Sequence[int]) -> str:
    """Return rising numbers, those that follow each other by the first and the last.

    Example:
        >>> _runs([1, 2, 3, 5]), _runs([1, 2]), _runs([6])
        ('1-3, 5', '1, 2', '6')
    """
    runs: list[list[int]] = []
    for place in places:
        if runs and place == runs[-1][-1] + 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs)


def _flagged_places(answer: Answer, point: OperatingPoint) -> dict[int, list[int]]:
    """Return the windows, from 1, that are flagged as a class, by the classes in their order."""
    places: dict[int, list[int]] = {}
    for place, shares in answer.judged.items():
        for label in flagged_as(point, shares):
            places.setdefault(label, []).append(place + 1)
    return dict(sorted(places.items()))


def unseen_in_words(answer: Answer | None) -> str:
    """Return which windows show no steel, and why; empty where all do, or where nobody looked yet.

    Example:
        >>> from datetime import UTC, datetime
        >>> unseen_in_words(Answer(datetime.now(UTC), (NoSteel.BLACK, (1.0, 0, 0, 0, 0), NoSteel.BLACK, NoSteel.BLANK)))
        'no steel to see: windows 1 and 3 are black, window 4 is blank'
        >>> unseen_in_words(Answer(datetime.now(UTC), (NoSteel.BLANK,)))
        'no steel to see: the picture is blank'
    """
    if not answer or not answer.unseen:
        return ""
    if len(answer.windows) == 1:
        return f"{NO_STEEL}: the picture is {answer.unseen[0]}"
    said = (
        f"{_which(places, len(answer.windows))} {'is' if len(places) == 1 else 'are'} {kind}"
        for kind, places in _unseen_places(answer).items()
    )
    return f"{NO_STEEL}: {', '.join(said)}"


def _unseen_in_short(answer: Answer | None) -> str:
    """Return the same for a narrow column: `black: 1, 2; blank: all`."""
    if not answer:
        return ""
    windows = len(answer.windows)
    return "; ".join(
        f"{kind}: {'all' if len(places) == windows else _runs(places)}"
        for kind, places in _unseen_places(answer).items()
    )


def _unseen_places(answer: Answer) -> dict[NoSteel, list[int]]:
    """Return the windows, from 1, that show no steel, by the reason."""
    places: dict[NoSteel, list[int]] = {}
    for place, why in answer.unseen.items():
        places.setdefault(why, []).append(place + 1)
    return places


def _which(places: Sequence[int], windows: int) -> str:
    """Return in words which of so many windows.

    Example:
        >>> _which([2, 5], 6), _which([1, 2], 2), _which([1], 1)
        ('windows 2 and 5', 'all windows', 'window 1')
    """
    if len(places) == 1:
        return f"window {places[0]}"
    return "all windows" if len(places) == windows else f"windows {_and(places)}"


def _and(places: Sequence[int]) -> str:
    """Return numbers as a sentence has them.

    Example:
        >>> _and([2]), _and([1, 2, 5])
        ('2', '1, 2 and 5')
    """
    first = ", ".join(map(str, places[:-1]))
    return f"{first} and {places[-1]}" if first else str(places[-1])


def results_csv(listed: Iterable[Listed], point: OperatingPoint | None, weights_sha256: str) -> str:
    """Return what the model said, as CSV: a row a window; an image that it was not asked about yet has one row, which says so.

    Columns: `file`, `from`, `sha256` of the file, `window` from 1, `x` of its left edge in pixels, `p0` to `p4`, `answer` (class) and
    `answer_name`, `flagged` (the classes, joined by a blank; `no thresholds` where there are none), `weights_sha256`, `asked` (when).
    Of a window that shows no steel `answer_name` says so, and why; what the model says is empty.
    """
    rows = [row for one in listed for row in _windows(one, point, weights_sha256)]
    return as_csv(rows, _RESULTS)


def _windows(one: Listed, point: OperatingPoint | None, weights_sha256: str) -> Iterable[dict[str, Any]]:
    file = {"file": one.image.name, "from": one.source, "sha256": one.image.sha256}
    if one.answer is None:
        yield dict.fromkeys(_RESULTS, "") | file | {"answer_name": NOT_ASKED}
        return
    for place, (window, shares) in enumerate(
        zip(one.image.windows, one.answer.windows, strict=True), start=1
    ):
        where = file | {"window": place, "x": window.x}
        if isinstance(shares, NoSteel):
            yield dict.fromkeys(_RESULTS, "") | where | {"answer_name": f"{NO_STEEL}: {shares}"}
            continue
        answer = int(np.argmax(shares))
        yield {
            **where,
            **dict(zip(SHARES, shares, strict=True)),
            "answer": answer,
            "answer_name": CLASSES[answer].name,
            "flagged": " ".join(map(str, flagged_as(point, shares))) if point else "no thresholds",
            "weights_sha256": weights_sha256,
            "asked": one.answer.at.astimezone(UTC),
        }


def refused_csv(found: Iterable[tuple[str, Refused]]) -> str:
    """Return the files that were not taken, as CSV: `file`, `from`, `reason`."""
    return as_csv(
        [{"file": one.name, "from": source, "reason": one.reason} for source, one in found], _REFUSED
    )
