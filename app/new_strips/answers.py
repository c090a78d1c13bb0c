"""What the model says of new images, kept for all sessions, and how suspicious that makes them."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from severstal_xai.classes import SOUND
from severstal_xai.imaging import NoSteel
from severstal_xai.operating_point import OperatingPoint, flagged_as

MOST_ENTRIES = 20_000
"""Images that are remembered: what each takes is a few hundred bytes."""
Shares = tuple[float, ...]
"""The model's probabilities of the classes, in their order."""


@dataclass(frozen=True)
class Answer:
    """What a model said of an image.

    Args:
        at: When it was asked.
        windows: The probabilities of each window, from left to right; of one that shows no steel, why: the model is not asked
            about it.
    """

    at: datetime
    windows: tuple[Shares | NoSteel, ...]

    @property
    def judged(self) -> Mapping[int, Shares]:
        """The probabilities of the windows that show steel, by their places from 0."""
        return {place: said for place, said in enumerate(self.windows) if not isinstance(said, NoSteel)}

    @property
    def unseen(self) -> Mapping[int, NoSteel]:
        """Why the others show none."""
        return {place: said for place, said in enumerate(self.windows) if isinstance(said, NoSteel)}


class Answers:
    """The answers to all sessions, by the checksums of weights and image; the one longest unused makes room.

    Safe to share between threads.

    Args:
        most: How many are kept.
    """

    def __init__(self, most: int = MOST_ENTRIES) -> None:
        self._known: OrderedDict[tuple[str, str], Answer] = OrderedDict()
        self._most = most
        self._lock, self._asking = threading.Lock(), threading.Lock()

    def get(self, weights: str, image: str) -> Answer | None:
        """Return what was said of an image; None where nobody asked yet."""
        with self._lock:
            if (weights, image) in self._known:
                self._known.move_to_end((weights, image))
            return self._known.get((weights, image))

    def ask(self, weights: str, image: str, ask: Callable[[], Answer]) -> bool:
        """Ask about an image unless that was done; tell whether its answer is known now.

        It is not where another session is asking something: nothing is asked twice, and who comes later looks again.
        """
        if not self._asking.acquire(blocking=False):
            return self.get(weights, image) is not None
        try:
            if self.get(weights, image) is None:
                self._keep((weights, image), ask())
            return True
        finally:
            self._asking.release()

    def _keep(self, key: tuple[str, str], answer: Answer) -> None:
        with self._lock:
            self._known[key] = answer
            while len(self._known) > self._most:
                self._known.popitem(last=False)


def defect_share(shares: Sequence[float]) -> float:
    """Return the probability of the likeliest defect.

    Example:
        >>> defect_share((0.7, 0.1, 0.0, 0.2, 0.0))
        0.2
    """
    return max(shares[SOUND.id + 1 :])


def suspicion(shares: Sequence[float], point: OperatingPoint | None) -> tuple[bool, float]:
    """Return what windows are ordered by: first what is flagged, then how probable the likeliest defect is.

    Args:
        shares: The probabilities of the classes.
        point: The thresholds; None where there are none, and what counts is whether a defect is the answer.
    """
    return is_flagged(shares, point), defect_share(shares)


def is_flagged(shares: Sequence[float], point: OperatingPoint | None) -> bool:
    """Tell whether an inspector is to look at a window; without thresholds, whether a defect is the answer."""
    return bool(flagged_as(point, shares)) if point else int(np.argmax(shares)) != SOUND.id


def is_any_flagged(answer: Answer, point: OperatingPoint | None) -> bool:
    """Tell whether an inspector is to look at an image, as `is_flagged` tells it of a window."""
    return any(is_flagged(shares, point) for shares in answer.judged.values())


def most_suspicious(answer: Answer, point: OperatingPoint | None) -> int | None:
    """Return the place of the window that is to be looked at first; None where none shows steel."""
    judged = answer.judged
    return max(judged, key=lambda place: suspicion(judged[place], point), default=None)
