r"""Integrated gradients (Sundararajan, Taly and Yan, ICML 2017), by captum.

A pixel's attribution is its value times its gradient, averaged over the straight way from a baseline $x'$ to the
image $x$ (Eq. 1):

$$\text{IG}_i(x) = (x_i - x'_i) \int_0^1 \frac{\partial F(x' + t (x - x'))}{\partial x_i} dt$$

$F$ is the target's logit; $x'$ is 0 in normalised space, the value of a masked-out pixel in SISE. The attributions add up to $F(x) - F(x')$ (Proposition 1, "completeness").
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from explain.activations import at_least_single
from explain.explainer import explain_each
from explain.maps import rescale
from explain.scoring import Progress
from severstal_xai.errors import check_range

_BATCH = 8
"""Images in a forward and backward pass."""


@dataclass(frozen=True)
class IntegratedGradients:
    """Integrated gradients' settings, and the method.

    Args:
        n_steps: The points of the Gauss-Legendre rule that takes the integral, at least 1; each costs a forward
            and a backward pass.
    """

    n_steps: int = 50

    def __post_init__(self) -> None:
        check_range("n_steps", self.n_steps, 1)

    def __call__(
        self,
        model: nn.Module,
        images: Float[Tensor, "batch channels height width"],
        targets: Int[Tensor, " batch"],
    ) -> Float[Tensor, "batch height width"]:
        """Explain each image's target; float32 maps in [0, 1]."""
        return explain_each(self.explain, model, images, targets)

    def explain(
        self,
        model: nn.Module,
        image: Float[Tensor, "channels height width"],
        target: int,
        progress: Progress | None = None,
    ) -> Float[Tensor, "height width"]:
        """Explain one image's target with a network in eval mode."""
        return magnitude(self.attribute(model, image, target, progress))

    def attribute(
        self,
        model: nn.Module,
        image: Float[Tensor, "channels height width"],
        target: int,
        progress: Progress | None = None,
    ) -> Float[Tensor, "channels height width"]:
        """Return the attributions with their signs: what each value adds to the target's logit.

        The library takes gradients for the image alone and hooks nothing: it may ask the model itself.
        """
        from captum.attr import IntegratedGradients as Library  # noqa: PLC0415 -- pyplot, which not everyone needs

        with torch.inference_mode(mode=False), torch.enable_grad():
            asked = at_least_single(model)
            done = 0

            def answers(points: Tensor) -> Tensor:
                """Ask about the next batch; when the library does, those before are done, of which it tells nobody."""
                nonlocal done
                if progress and done:
                    progress(done, self.n_steps)
                done += len(points)
                logits: Tensor = asked(points)
                return logits

            batch = image.detach().clone()[None]
            found: Tensor = Library(answers).attribute(
                batch, baselines=0, target=target, n_steps=self.n_steps, internal_batch_size=_BATCH
            )
        if progress:
            progress(done, self.n_steps)
        return found[0].detach()


def magnitude(
    attributions: Float[Tensor, "channels height width"],
) -> Float[Tensor, "height width"]:
    r"""Return $|\sum_c \text{IG}_c|$, stretched to [0, 1].

    What a pixel adds is the sum of what its channels add: a grey strip's three are one value, normalised
    three times. The sign tells for or against the target against the baseline; the map tells how much.

    Example:
        >>> magnitude(torch.tensor([[[1.0, -3.0, 1.0]], [[1.0, -1.0, -1.0]]]))
        tensor([[0.5000, 1.0000, 0.0000]])
    """
    return rescale(attributions.sum(dim=0).abs())
