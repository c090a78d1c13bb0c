"""What all methods obey, and what they share in obeying it."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from explain.activations import resting
from explain.engines import Engine
from explain.scoring import FirstMap, Progress
from explain.semantic_sampling import SemanticMap


@runtime_checkable
class Explainer(Protocol):
    """A method: a frozen dataclass of settings, with a call."""

    def __call__(
        self,
        model: nn.Module,
        images: Float[Tensor, "batch channels height width"],
        targets: Int[Tensor, " batch"],
    ) -> Float[Tensor, "batch height width"]:
        """Explain why the model gives each image's target its score.

        The model is left without trace: mode, hooks, gradients and weights, also when it raises. An image's
        map does not depend on the images beside it, but for an engine's rounding by the place in its batch.

        Args:
            model: A network from images to logits; it is asked in eval mode.
            images: Model-ready images.
            targets: The class to explain for each.

        Returns:
            Maps in [0, 1], float32; all zero where the method finds nothing.
        """
        ...


@runtime_checkable
class Sharpening(Protocol):
    """A method that can show a first map long before it is done."""

    def explain_in_steps(
        self,
        model: nn.Module,
        image: Float[Tensor, "channels height width"],
        target: int,
        shares: Sequence[float],
        *,
        progress: Progress | None = None,
        engine: Engine | None = None,
    ) -> Iterator[SemanticMap] | Iterator[FirstMap]:
        """Yield first maps that sharpen; last, the method's map of the image, to the byte.

        Args:
            model: A network in eval mode.
            image: Model-ready.
            target: The class to explain.
            shares: Shares of the forward passes, in (0, 1), after which to yield a map.
            progress: Told after each batch; what it raises ends the work and leaves no trace.
            engine: What answers for the model, where it was chosen before.
        """
        ...


ExplainOne = Callable[[nn.Module, Float[Tensor, "channels height width"], int], Float[Tensor, "height width"]]


def explain_each(
    explain_one: ExplainOne,
    model: nn.Module,
    images: Float[Tensor, "batch channels height width"],
    targets: Int[Tensor, " batch"],
) -> Float[Tensor, "batch height width"]:
    """Explain images one by one, with a model in eval mode."""
    asked = resting(model)
    maps = [explain_one(asked, image, int(target)) for image, target in zip(images, targets, strict=True)]
    return torch.stack(maps).float() if maps else images.new_zeros((0, *images.shape[2:]))
