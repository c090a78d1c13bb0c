r"""SISE: semantic input sampling for explanation (Sattarzadeh et al., AAAI 2021)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import get_args

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from explain.activations import resting
from explain.budget import check_budget, draw_plan, explain_within, rounds_within
from explain.engines import Engine, EngineName, check_engine
from explain.explainer import explain_each
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
from severstal_xai.errors import InputError, check_range


@dataclass(frozen=True)
class SISE:
    r"""SISE's settings, and the method.

    Args:
        mu: $\mu \ge 0$ (Eq. 6): a feature map is kept where its gradient score exceeds $\mu$ times the
            layer's largest. 0, the paper's, keeps all that are positive.
        gate: `hard` is the paper's binary mask; `soft` its authors' laboratory's,
            $\sigma(100 (V - \text{Otsu}))$, which keeps the order of all pixels.
        layers: Names of modules whose outputs are the block ends; none finds them in the network's graph.
        engine: What answers for the model; `auto` is the fastest that answers as the model does.
        budget: The largest share of the masks to ask the model about, 0 to 1. 1, the paper's, asks about all.
            Below, the others' confidences are predicted, and the work ends as soon as the map stands still; the
            result of `explain` tells the forward passes and how well the map agrees with the full one.
    """

    mu: float = 0.0
    gate: Gate = "hard"
    layers: tuple[str, ...] = ()
    engine: EngineName = "auto"
    budget: float = 1.0

    def __post_init__(self) -> None:
        check_range("mu", self.mu, 0, 1, below=True)
        check_budget(self.budget)
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
        if self.budget < 1:  # each image's next masks depend on what was found: no batch is shared
            return explain_each(lambda *one: self.explain(*one).saliency, model, images, targets)
        return explain_images(self.sampling(), resting(model), images, targets)

    def explain(
        self,
        model: nn.Module,
        image: Float[Tensor, "channels height width"],
        target: int,
        progress: Progress | None = None,
    ) -> SemanticMap:
        """Explain one image's target with a network in eval mode, and keep what each block saw."""
        if self.budget < 1:
            samples = sample(self.sampling(), model, image, [target], plan=draw_plan)
            return explain_within(samples, target, budget=self.budget, progress=progress)
        return explain_targets(self.sampling(), model, image, [target], progress)[0]

    def explain_targets(
        self,
        model: nn.Module,
        image: Float[Tensor, "channels height width"],
        targets: Sequence[int],
        progress: Progress | None = None,
    ) -> list[SemanticMap]:
        """Explain several targets of one image, of all masks; those that several keep are asked about once."""
        return explain_targets(self.sampling(), model, image, targets, progress)

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
        r"""Yield first maps that sharpen; last, the map that `explain` gives, to the byte.

        With all masks a first map is whole at a higher $\mu$, one after each of `shares` of the forward passes. Within a
        budget it is that of all masks as far as they can be predicted, one after each round, and after those of `shares`
        that come before the first. An `engine` that was chosen for the model before need not be looked for again.
        """
        if self.budget < 1:
            samples = sample(self.sampling(), model, image, [target], plan=draw_plan, engine=engine)
            return rounds_within(samples, target, budget=self.budget, early=shares, progress=progress)
        samples = sample(self.sampling(), model, image, [target], engine=engine)
        return explain_in_steps(samples, target, shares=shares, progress=progress)

    def sampling(self) -> Sampling:
        """Return how to sample by these settings."""
        return Sampling(
            lambda alpha: keep_positive(alpha, self.mu), self.mu, self.gate, self.layers, self.engine
        )


def keep_positive(alpha: Float[Tensor, " maps"], mu: float) -> Bool[Tensor, " maps"]:
    r"""Tell which maps to keep: $\alpha_k > \max(\mu \beta, 0)$ with $\beta = \max_k \alpha_k$ (Eq. 5, 6).

    **Deviation**: Eq. 6 is printed with "<"; the paper's text keeps the positive gradients.

    Example:
        >>> import torch
        >>> keep_positive(torch.tensor([-1.0, 0.0, 1.0, 4.0]), mu=0.25)
        tensor([False, False, False,  True])
    """
    return alpha > max(mu * float(alpha.max()), 0.0)
