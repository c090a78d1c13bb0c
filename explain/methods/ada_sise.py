r"""Ada-SISE: adaptive semantic input sampling (Sudhakar et al., ICASSP 2021), SISE's sequel by the same authors.

SISE's threshold $\mu \beta$ is replaced, in each layer, by Otsu's over the layer's positive gradient scores.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

from jaxtyping import Bool, Float, Int
from skimage.filters import threshold_otsu
from torch import Tensor, nn

from explain.activations import resting
from explain.engines import Engine, EngineName, check_engine
from explain.scoring import Progress
from explain.semantic_sampling import (
    Gate,
    Sampling,
    SemanticMap,
    explain_images,
    explain_in_steps,
    explain_targets,
    sample,
)
from severstal_xai.errors import InputError


@dataclass(frozen=True)
class AdaSISE:
    r"""Ada-SISE's settings, and the method.

    Args:
        gate: `hard` or `soft`, as SISE's.
        layers: Names of modules whose outputs are the block ends; none finds them in the network's graph.
        engine: What answers for the model; `auto` is the fastest that answers as the model does.
    """

    gate: Gate = "hard"
    layers: tuple[str, ...] = ()
    engine: EngineName = "auto"

    def __post_init__(self) -> None:
        if self.gate not in get_args(Gate):
            raise InputError(f"gate is {self.gate!r}, expected one of {', '.join(get_args(Gate))}")
        check_engine(self.engine)

    def __call__(
        self,
        model: nn.Module,
        images: Float[Tensor, "batch channels height width"],
        targets: Int[Tensor, " batch"],
    ) -> Float[Tensor, "batch height width"]:
        """Explain each image's target; float32 maps in [0, 1]."""
        return explain_images(self.sampling(), resting(model), images, targets)

    def explain(
        self,
        model: nn.Module,
        image: Float[Tensor, "channels height width"],
        target: int,
        progress: Progress | None = None,
    ) -> SemanticMap:
        """Explain one image's target with a network in eval mode, and keep what each block saw."""
        return explain_targets(self.sampling(), model, image, [target], progress)[0]

    def explain_in_steps(
        self,
        model: nn.Module,
        image: Float[Tensor, "channels height width"],
        target: int,
        shares: Sequence[float] = (0.05, 0.25),
        *,
        progress: Progress | None = None,
        engine: Engine | None = None,
    ) -> Iterator[SemanticMap]:
        """Yield first maps, of the most telling features alone; last, the map that `explain` gives, to the byte."""
        samples = sample(self.sampling(), model, image, [target], engine=engine)
        return explain_in_steps(samples, target, shares=shares, progress=progress)

    def sampling(self) -> Sampling:
        """Return how to sample by these settings."""
        return Sampling(keep_prominent, 0.0, self.gate, self.layers, self.engine)


def keep_prominent(alpha: Float[Tensor, " maps"]) -> Bool[Tensor, " maps"]:
    r"""Tell which maps to keep: $\alpha_k$ above Otsu's threshold of the positive ones; a lone or equal one stays.

    Example:
        >>> import torch
        >>> keep_prominent(torch.tensor([-1.0, 0.1, 0.2, 4.0, 5.0]))
        tensor([False, False, False,  True,  True])
    """
    positive = alpha[alpha > 0]
    if len(positive) == 0 or bool((positive == positive[0]).all()):
        return alpha > 0
    return alpha > float(threshold_otsu(positive.cpu().numpy()))
