r"""Grad-CAM (Selvaraju et al., ICCV 2017), by pytorch-grad-cam.

The feature maps at the end of the last block, summed with their mean gradients as weights, the positive part:
$L = \text{ReLU}(\sum_k \alpha_k A_k)$, $\alpha_k = \frac{1}{Z} \sum_\lambda \partial y / \partial A_k(\lambda)$
(Eq. 1 and 2), $y$ the target's logit.
"""

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor, nn

from explain.explainer import explain_each
from explain.library_cams import last_block_map


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
        return explain_each(lambda *one: last_block_map("GradCAM", *one), model, images, targets)
