r"""SmoothGrad (Smilkov et al., 2017), its gradients by captum.

The gradient of the target's logit $y$ at the image, averaged over copies of the image with noise:

$$\hat M(x) = \frac{1}{n} \sum_{i=1}^n \nabla_x \, y(x + \epsilon_i), \quad \epsilon_i \sim N(0, \sigma^2)$$

$\sigma$ is a share of the image's range, from its lowest value to its highest. The map is the absolute value of the sum over
the channels, in which a grey strip's three are one value.

The noise is drawn here, from a generator of its own: captum's `NoiseTunnel` draws from the process's, which other
threads use and whose state would change.
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
class SmoothGrad:
    r"""SmoothGrad's settings, and the method.

    Args:
        samples: $n$, noisy copies; 50 is the paper's.
        noise: $\sigma$ as a share of the image's range, 0 or more; the paper takes 0.1 to 0.2. At 0 it is the
            plain gradient.
        seed: Of the noise.
    """

    samples: int = 50
    noise: float = 0.15
    seed: int = 0

    def __post_init__(self) -> None:
        check_range("samples", self.samples, 1)
        check_range("noise", self.noise, 0)

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
        return rescale(self.gradient(model, image, target, progress).sum(dim=0).abs())

    def gradient(
        self,
        model: nn.Module,
        image: Float[Tensor, "channels height width"],
        target: int,
        progress: Progress | None = None,
    ) -> Float[Tensor, "channels height width"]:
        r"""Return $\hat M$ with its signs. The library takes gradients for the image alone and hooks nothing."""
        from captum.attr import Saliency  # noqa: PLC0415 -- pyplot, which not everyone needs

        deviation = self.noise * float(image.max() - image.min())
        chance = torch.Generator().manual_seed(self.seed)  # on the CPU, so that every device gets the same
        with torch.inference_mode(mode=False), torch.enable_grad():
            total = torch.zeros_like(image, dtype=torch.float64)
            saliency = Saliency(at_least_single(model))
            for begin in range(0, self.samples, _BATCH):
                count = min(_BATCH, self.samples - begin)
                drawn = torch.randn(count, *image.shape, generator=chance)
                noisy = image.detach().clone() + deviation * drawn.to(image)
                total += (
                    saliency.attribute(noisy.requires_grad_(), target=target, abs=False).double().sum(dim=0)
                )
                if progress:
                    progress(begin + count, self.samples)
        return (total / self.samples).to(image.dtype)
