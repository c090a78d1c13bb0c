"""A map as a report has it: whole, or missing with the reason; never cold where there is none."""

import hashlib
from dataclasses import dataclass

import numpy as np

from app.asking.explanations import Failed, Found
from app.jobs import Cancelled, State


@dataclass(frozen=True)
class Explained:
    """A map, or why there is none.

    Args:
        target: The class that it explains.
        saliency: The map, float32 in [0, 1]; None where there is none.
        words: Why there is none, or how well it stands for the method's whole one; empty where it is that.
    """

    target: int
    saliency: np.ndarray | None
    words: str

    @property
    def sha256(self) -> str:
        """The checksum of the map's bytes, as verdicts keep it of the map that was in sight; empty where there is none."""
        if self.saliency is None:
            return ""
        return hashlib.sha256(np.ascontiguousarray(self.saliency, dtype=np.float32).tobytes()).hexdigest()


def explained(target: int, state: State | None) -> Explained:
    """Return what has become of a map; a first one, which is still to sharpen, is none yet.

    Example:
        >>> explained(3, Failed("out of memory")).words
        'it failed: out of memory'
    """
    if isinstance(state, Found):
        preview = f"a preview, estimated agreement with the whole map {state.agreement:.2f}"
        return Explained(target, state.saliency, preview if state.agreement < 1 else "")
    if isinstance(state, Failed):
        return Explained(target, None, f"it failed: {state.reason}")
    return Explained(
        target, None, "it was cancelled" if isinstance(state, Cancelled) else "it was not made yet"
    )
