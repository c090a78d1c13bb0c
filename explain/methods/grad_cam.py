r"""Grad-CAM (Selvaraju et al., ICCV 2017).

The feature maps at the end of the last block, summed with their mean gradients as weights, the positive part:
$L = \text{ReLU}(\sum_k \alpha_k A_k)$, $\alpha_k = \frac{1}{Z} \sum_\lambda \partial y / \partial A_k(\lambda)$
(Eq. 1 and 2), $y$ the target's logit.
"""

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor, nn

from explain.activations import activations, logit
from explain.explainer import explain_each
from explain.maps import rescale, resize


@dataclass(frozen=True)
class GradCAM:
    """Grad-CAM at the end of the network's last block; it has no settings."""

    def __call__(
        self,
        model: nn.Module,
        images: Float[Tensor, "batch channels height width"],
        targets: Int[Tensor, " batch"],
    ) -> Float[Tensor, "batch height width"]:
        """Explain each image's target; float32 maps in [0, 1]."""
        return explain_each(self._explain, model, images, targets)

    def _explain(
        self, model: nn.Module, image: Float[Tensor, "channels height width"], target: int
    ) -> Float[Tensor, "height width"]:
        seen = activations(model, image)
        coarse = class_activation_map(seen.values()[-1], seen.gradients(logit(target))[-1])
        return rescale(resize(coarse[None], (image.shape[1], image.shape[2]))[0])


def class_activation_map(
    features: Float[Tensor, "maps height width"], gradients: Float[Tensor, "maps height width"]
) -> Float[Tensor, "height width"]:
    """Return the positive part of the features' sum, weighted by their mean gradients (Eq. 1 and 2).

    Example:
        >>> import torch
        >>> features = torch.tensor([[[1.0, 2.0]], [[3.0, 0.0]]])
        >>> gradients = torch.tensor([[[1.0, 3.0]], [[-1.0, -1.0]]])  # means 2 and -1
        >>> class_activation_map(features, gradients)
        tensor([[0., 4.]])
    """
    weights = gradients.mean(dim=(1, 2), keepdim=True)
    return (weights * features).sum(dim=0).relu()
