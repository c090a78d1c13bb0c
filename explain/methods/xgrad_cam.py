r"""XGrad-CAM (Fu et al., BMVC 2020), by pytorch-grad-cam.

As Grad-CAM, but with the weights that its authors derive from two axioms, sensitivity and conservation: each gradient
counts by the share of the feature map that lies at its pixel,
$w_k = \sum_\lambda \frac{A_k(\lambda)}{\sum_a A_k(a)} \, \partial y / \partial A_k(\lambda)$ (Eq. 8), $y$ the target's logit.
A map that is zero has the weight zero. Where all of a map's gradients are equal, as under a mean over the pixels, it is
Grad-CAM.
"""

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor, nn

from explain.explainer import explain_each
from explain.library_cams import last_block_map


@dataclass(frozen=True)
class XGradCAM:
    """XGrad-CAM at the end of the network's last block; it has no settings."""

    def __call__(
        self,
        model: nn.Module,
        images: Float[Tensor, "batch channels height width"],
        targets: Int[Tensor, " batch"],
    ) -> Float[Tensor, "batch height width"]:
        """Explain each image's target; float32 maps in [0, 1]."""
        return explain_each(lambda *one: last_block_map("XGradCAM", *one), model, images, targets)
