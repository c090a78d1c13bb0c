"""Explanations: what can be asked for, how one is made, and which are ready."""

import logging
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from app.account import Account, account_of
from explain.methods import METHODS
from explain.methods.sise import SISE
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
    """

    saliency: np.ndarray
    agreement: float = 1.0
    account: Account | None = None


@dataclass(frozen=True)
class Failed:
    """Why there is no map, in plain English."""

    reason: str


Outcome = Found | Failed


@dataclass(frozen=True)
class Effort:
    """How much work SISE may make of a patch.

    Args:
        name: As the user chooses it.
        words: What it means, in a line.
        budget: The largest share of SISE's questions to the model that may be asked; 1 asks all.
    """

    name: str
    words: str
    budget: float


EFFORTS = (
    Effort("Fast", "Asks until the map hardly changes, and says how sure that is.", 0.4),
    Effort("The paper's", "Asks about every feature that speaks for the class: several times slower.", 1.0),
)


def explain(request: Request, model: nn.Module, grey: np.ndarray) -> Outcome:
    """Make an explanation.

    What torch and the methods raise for an image or a network that they cannot treat becomes `Failed`, so
    that one broken explanation leaves the rest of the page standing. Any other exception is a bug and passes.
    """
    images = torch.from_numpy(model_input(grey))[None]
    method = METHODS[request.method](**dict(request.settings))
    try:
        if isinstance(method, SISE):
            began = time.perf_counter()
            found = method.explain(model, images[0], request.target)
            account = account_of(found, time.perf_counter() - began)
            return Found(_checked(found.saliency.numpy(), grey.shape), found.agreement, account)
        saliency = method(model, images, torch.tensor([request.target]))[0].numpy()
        return Found(_checked(saliency, grey.shape))
    except InputError as error:
        return Failed(str(error))
    except MemoryError:
        _LOG.exception("%s ran out of memory", request)
        return Failed("The computer's memory does not suffice.")
    except (ArithmeticError, RuntimeError, ValueError):
        _LOG.exception("%s failed", request)
        return Failed("The computation broke off. The details are in the log.")


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
