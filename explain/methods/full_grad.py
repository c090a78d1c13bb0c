r"""FullGrad (Srinivas and Fleuret, NeurIPS 2019), by pytorch-grad-cam.

A network of ReLUs is piecewise linear, so its answer is exactly what its image and its biases contribute
("completeness"), $f$ the target's logit:

$$f(x) = \nabla_x f(x)^T x + \sum_l \nabla_{b_l} f(x)^T b_l$$

The biases are the convolutions' and the implicit ones of batch norm in eval mode, $\beta - \gamma \, \mu /
\sqrt{\sigma^2 + \epsilon}$. In such a layer's output $z$ each pixel has its share, $f^b_c(\lambda) = b_c \,
\partial f / \partial z_c(\lambda)$. The map is the sum over the image's channels, and over all channels of those layers:

$$S = \sum_c \psi(\nabla_x f \odot x)_c + \sum_l \sum_c \psi(f^{b_l})_c$$

$\psi$: the absolute value, stretched to [0, 1], resized bilinearly to the image's size.

**Deviation**, the library's: $\psi$ stretches each channel by itself, where the authors' code stretches a layer's
channels together; so a channel that contributes little weighs as much as one that contributes much. Completeness
holds for the parts, not for the map, in the paper as here. Biases of fully connected layers have no place in the image
and are left out. The library sees `Conv2d` and `BatchNorm2d` modules with a bias of their own, no others: of a batch norm
with `affine=False` the implicit bias is missed.
"""

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor, nn

from explain.explainer import explain_each
from explain.library_cams import full_gradient_map


@dataclass(frozen=True)
class FullGrad:
    """FullGrad over all of the network's biases; it has no settings."""

    def __call__(
        self,
        model: nn.Module,
        images: Float[Tensor, "batch channels height width"],
        targets: Int[Tensor, " batch"],
    ) -> Float[Tensor, "batch height width"]:
        """Explain each image's target; float32 maps in [0, 1]."""
        return explain_each(full_gradient_map, model, images, targets)
