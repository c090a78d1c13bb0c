r"""LayerCAM (Jiang et al., IEEE Trans. Image Processing 30, 2021), by pytorch-grad-cam.

As Grad-CAM, but each pixel of a feature map has a weight of its own, the positive part of the gradient there:
$L = \text{ReLU}(\sum_k \text{ReLU}(\partial y / \partial A_k) \cdot A_k)$ (Eq. 6 to 8), $y$ the target's logit.
"""

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor, nn

from explain.explainer import explain_each
from explain.library_cams import last_block_map


@dataclass(frozen=True)
class LayerCAM:
    """LayerCAM at the end of the network's last block; it has no settings."""

    def __call__(
        self,
        model: nn.Module,
        images: Float[Tensor, "batch channels height width"],
        targets: Int[Tensor, " batch"],
    ) -> Float[Tensor, "batch height width"]:
        """Explain each image's target; float32 maps in [0, 1]."""
        return explain_each(lambda *one: last_block_map("LayerCAM", *one), model, images, targets)
