r"""Grad-CAM++ (Chattopadhay et al., WACV 2018), by pytorch-grad-cam.

As Grad-CAM, but only gradients for the target count, and each by a weight of its own, so that a small part of a
feature map can weigh as much as a large one: $L = \text{ReLU}(\sum_k w_k A_k)$,
$w_k = \sum_\lambda \alpha_k(\lambda) \, \text{ReLU}(g_k(\lambda))$,

$$\alpha_k(\lambda) = \frac{g_k(\lambda)^2}{2 g_k(\lambda)^2 + g_k(\lambda)^3 \sum_a A_k(a)}$$

(Eq. 19), 0 where $g_k(\lambda) = 0$. $g_k = \partial y / \partial A_k$, $y$ the target's logit: the paper's score is
$\exp(y)$, whose gradient is $g_k$ times one positive factor, which leaves the map as it is once that is stretched to [0, 1].
"""

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor, nn

from explain.explainer import explain_each
from explain.library_cams import last_block_map


@dataclass(frozen=True)
class GradCAMPlusPlus:
    """Grad-CAM++ at the end of the network's last block; it has no settings."""

    def __call__(
        self,
        model: nn.Module,
        images: Float[Tensor, "batch channels height width"],
        targets: Int[Tensor, " batch"],
    ) -> Float[Tensor, "batch height width"]:
        """Explain each image's target; float32 maps in [0, 1]."""
        return explain_each(lambda *one: last_block_map("GradCAMPlusPlus", *one), model, images, targets)
