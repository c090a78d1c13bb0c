"""How SISE came to a map: block by block, no larger than pictures need it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from explain.fusion import fusion_steps
from explain.maps import rescale
from explain.semantic_sampling import SemanticMap

Levels = UInt8[np.ndarray, "height width"]
"""A map in 255ths: as fine as a picture shows it, and a quarter of float32's size."""


@dataclass(frozen=True)
class Step:
    """One block of the network.

    Args:
        layer: The block's last layer, by its name in the network's graph.
        features: How many of its feature maps speak for the class; 0 where none does.
        threshold: Otsu's, of `found`.
        found: The block's own map, stretched to its own hottest pixel.
        gate: What goes on of the sum; None for the first block, which nothing comes before.
        fused: The sum after this block, stretched as `found` is.
    """

    layer: str
    features: int
    threshold: float
    found: Levels
    gate: Levels | None
    fused: Levels


@dataclass(frozen=True)
class Account:
    """How a map came about.

    Args:
        steps: From the image to the output.
        asked: Of how many features the model was asked about.
        engine: What answered for the model.
        reason: Why that engine.
        seconds: How long it all took.
    """

    steps: tuple[Step, ...]
    asked: int
    engine: str
    reason: str
    seconds: float

    @property
    def features(self) -> int:
        """How many features speak for the class, in all blocks."""
        return sum(step.features for step in self.steps)


def account_of(found: SemanticMap, seconds: float) -> Account:
    """Return the account of a map that took so many seconds."""
    gates = [block.gate for block in found.blocks]
    sums = fusion_steps([block.visualization for block in found.blocks], gates)
    steps = (
        Step(
            block.layer,
            block.masks,
            block.threshold,
            _levels(block.visualization),
            _levels(block.gate) if place else None,
            _levels(rescale(fused)),
        )
        for place, (block, fused) in enumerate(zip(found.blocks, sums, strict=True))
    )
    return Account(tuple(steps), found.forwards, found.engine, found.reason, seconds)


def _levels(values: Float[Tensor, "height width"]) -> Levels:
    levels: Levels = np.rint(255 * values.cpu().numpy()).astype(np.uint8)
    return levels
