"""Explanations: what can be asked for, how one is made, and which are ready."""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from app.discretion import discreet
from app.patch.account import Account, account_of
from explain.engines import Engine, choose_engine
from explain.explainer import Explainer, Sharpening
from explain.methods import METHODS
from explain.methods.rise import RISE
from explain.scoring import FirstMap, Progress
from explain.semantic_sampling import SemanticMap
from severstal_xai.errors import InputError
from severstal_xai.imaging import model_input

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """All that decides an explanation: the same request, the same map.

    Args:
        method: A name in `METHODS`.
        settings: The method's settings that differ from its defaults, as pairs of name and value.
        target: The class to explain.
        weights: The checksum of the model's weights.
        image: The checksum of the patch's image file.
    """

    method: str
    settings: tuple[tuple[str, float], ...]
    target: int
    weights: str
    image: str


@dataclass(frozen=True)
class Found:
    """A map.

    Args:
        saliency: Float32 of (height, width), in [0, 1].
        agreement: The estimated rank correlation of its pixels with those of the method's whole map; 1 where it is
            the whole map.
        account: How it came about; None for a method that does not tell.
        asked: The forward passes that it is made of; 0 for a method that does not tell.
    """

    saliency: np.ndarray
    agreement: float = 1.0
    account: Account | None = None
    asked: int = 0


@dataclass(frozen=True)
class Failed:
    """Why there is no map, in plain English."""

    reason: str


Outcome = Found | Failed


class Stage(Enum):
    """What an explanation that is being made does where it counts no steps."""

    PREPARING = "preparing"
    """The model is converted to what answers fastest: once for a model."""
    LOOKING = "looking"
    """The model looks at the patch itself."""


@dataclass(frozen=True)
class Passed:
    """Steps done, of at most so many."""

    done: int
    total: int


Event = Stage | Passed | Found
"""What is told of an explanation that is being made: a stage, steps, a first map."""
Tell = Callable[[Event], None]
"""Told how it goes; what it raises ends the work and leaves no trace."""

FIRST_SHARES = (0.002, 0.03, 0.1, 0.25, 0.5, 0.75)
"""Shares of a method's questions after which a first map is shown; the first lies within the first batch."""
_OF_A_LOT = FIRST_SHARES[1:]
"""RISE's masks are drawn by lot: of fewer the map would show the lot."""


def _silent(_: Event) -> None:
    """Tell nobody."""


def explain(request: Request, model: nn.Module, grey: np.ndarray, tell: Tell = _silent) -> Outcome:
    """Make an explanation.

    What torch and the methods raise for an image or a network that they cannot treat becomes `Failed`, so
    that one broken explanation leaves the rest of the page standing. Any other exception is a bug and passes.

    Args:
        request: What to explain, and how.
        model: A network in eval mode.
        grey: The patch.
        tell: Told how it goes; a map that is told is a first one, and has no account.
    """
    image = torch.from_numpy(model_input(grey))
    method = METHODS[request.method](**dict(request.settings))

    def passed(done: int, total: int) -> None:
        tell(Passed(done, total))

    try:
        engine = _engine(model, image, request.weights, tell) if hasattr(method, "engine") else None
        tell(Stage.LOOKING)
        if isinstance(method, Sharpening):
            shares = _OF_A_LOT if isinstance(method, RISE) else FIRST_SHARES
            began = time.perf_counter()
            maps = method.explain_in_steps(
                model, image, request.target, shares, progress=passed, engine=engine
            )
            return _sharpened(maps, began, tell)
        saliency = _whole(method, model, image, request.target, passed)
        return Found(_checked(saliency.numpy(), grey.shape))
    except InputError as error:
        return Failed(discreet(str(error)))
    except MemoryError:
        _LOG.exception("%s ran out of memory", request)
        return Failed("The computer's memory does not suffice.")
    except (ArithmeticError, RuntimeError, ValueError):
        _LOG.exception("%s failed", request)
        return Failed("The computation broke off. The details are in the log.")


_ENGINES: OrderedDict[tuple[str, torch.Size], Engine] = OrderedDict()
_ENGINES_KEPT = 2
"""As many as `explain.engines` keeps: these are its own, found by the weights' checksum, which it takes anew, and the image's size."""


def _engine(model: nn.Module, image: Tensor, weights: str, tell: Tell) -> Engine:
    """Return what answers for the model; it is made ready where that was not done yet."""
    key = weights, image.shape
    engine = _ENGINES.get(key)
    if engine is None:
        tell(Stage.PREPARING)
        engine = choose_engine(model, image)
        _ENGINES[key] = engine
        while len(_ENGINES) > _ENGINES_KEPT:
            _ENGINES.popitem(last=False)
    return engine


def _sharpened(maps: Iterable[SemanticMap | FirstMap], began: float, tell: Tell) -> Found:
    found: SemanticMap | FirstMap | None = None
    for found in maps:
        tell(_found(found))
    if found is None:
        raise ValueError("the method gave no map, expected one")
    seconds = time.perf_counter() - began
    return replace(
        _found(found), account=account_of(found, seconds) if isinstance(found, SemanticMap) else None
    )


def _found(found: SemanticMap | FirstMap) -> Found:
    size = (found.saliency.shape[0], found.saliency.shape[1])
    agreement = found.agreement if isinstance(found, SemanticMap) else 1.0
    return Found(_checked(found.saliency.numpy(), size), agreement, asked=found.forwards)


@runtime_checkable
class _Counting(Protocol):
    """A method that tells its steps."""

    def explain(
        self, model: nn.Module, image: Tensor, target: int, progress: Progress | None = None
    ) -> Tensor | SemanticMap: ...


def _whole(method: Explainer, model: nn.Module, image: Tensor, target: int, progress: Progress) -> Tensor:
    if isinstance(method, _Counting):
        found = method.explain(model, image, target, progress)
        return found.saliency if isinstance(found, SemanticMap) else found
    return method(model, image[None], torch.tensor([target]))[0]


def _checked(saliency: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Refuse a map that a picture would show as cold or hot without its being so."""
    if saliency.shape != shape:
        raise ValueError(f"map of shape {saliency.shape}, expected {shape}")
    if not (np.isfinite(saliency).all() and saliency.min() >= 0 and saliency.max() <= 1):
        raise ValueError(f"map from {saliency.min()} to {saliency.max()}, expected 0 to 1")
    return saliency


class Finished:
    """The explanations that are ready; the one longest unused makes room. Safe to share between threads."""

    def __init__(self, max_entries: int) -> None:
        self._outcomes: OrderedDict[Request, Outcome] = OrderedDict()
        self._max_entries = max_entries
        self._lock = threading.Lock()

    def get(self, request: Request) -> Outcome | None:
        """Return what became of a request; None where it was not made yet."""
        with self._lock:
            if request in self._outcomes:
                self._outcomes.move_to_end(request)
            return self._outcomes.get(request)

    def put(self, request: Request, outcome: Outcome) -> None:
        """Keep what became of a request."""
        with self._lock:
            self._outcomes[request] = outcome
            self._outcomes.move_to_end(request)
            while len(self._outcomes) > self._max_entries:
                self._outcomes.popitem(last=False)

    def forget(self, *requests: Request) -> None:
        """Forget requests, so that they are made again: what made them fail may have passed."""
        with self._lock:
            for request in requests:
                self._outcomes.pop(request, None)
