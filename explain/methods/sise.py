r"""SISE: semantic input sampling for explanation (Sattarzadeh et al., AAAI 2021).

Four phases: (1) one forward pass keeps the feature maps at the end of every convolutional block; (2) those
with a positive gradient become masks; (3) each block's map is the mean of its masks, weighted by the model's
confidence in what each lets through; (4) the blocks' maps are fused, from the image to the output.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from explain.activations import BlockFeatures, features_and_gradients, log_confidence, logit
from explain.explainer import explain_each
from explain.maps import otsu, rescale
from explain.scoring import masked_confidence, weighted_masks
from severstal_xai.errors import InputError

Gate = Literal["hard", "soft"]
_GATE_STEEPNESS = 100.0
_ROUNDING = 1e-6
"""Pixels whose averages differ by less, as a share of the largest, differ by float32's rounding alone."""


@dataclass(frozen=True)
class Block:
    """What SISE saw at the end of one block.

    Args:
        layer: The name of the value in the network's graph.
        masks: How many feature maps became masks; 0 where the block's map says nothing.
        visualization: $V^{(l)}$ (Eq. 12), in [0, 1].
        threshold: Otsu's, of the visualization map.
    """

    layer: str
    masks: int
    visualization: Float[Tensor, "height width"]
    threshold: float


@dataclass(frozen=True)
class SISEResult:
    """A map and how it came about.

    Args:
        saliency: The explanation map, in [0, 1]; all zero where no block has a mask or the gates close.
        tie_order: The sum of the blocks' maps without the gates, in [0, 1]: orders the pixels that the hard
            gate leaves equal, at zero.
        blocks: From the image to the output.
    """

    saliency: Float[Tensor, "height width"]
    tie_order: Float[Tensor, "height width"]
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class SISE:
    r"""SISE's settings, and the method.

    Args:
        mu: $\mu \ge 0$ (Eq. 6): a feature map is kept where its gradient score exceeds $\mu$ times the
            layer's largest. 0, the paper's, keeps all that are positive.
        gate: `hard` is the paper's binary mask; `soft` its authors' laboratory's,
            $\sigma(100 (V - \text{Otsu}))$, which keeps the order of all pixels.
    """

    mu: float = 0.0
    gate: Gate = "hard"

    def __post_init__(self) -> None:
        if not self.mu >= 0:
            raise InputError(f"mu is {self.mu}, expected 0 or more")
        if self.gate not in get_args(Gate):
            raise InputError(f"gate is {self.gate!r}, expected one of {', '.join(get_args(Gate))}")

    def __call__(
        self,
        model: nn.Module,
        images: Float[Tensor, "batch channels height width"],
        targets: Int[Tensor, " batch"],
    ) -> Float[Tensor, "batch height width"]:
        """Explain each image's target; float32 maps in [0, 1]."""
        return explain_each(lambda *one: self.explain(*one).saliency, model, images, targets)

    def explain(
        self, model: nn.Module, image: Float[Tensor, "channels height width"], target: int
    ) -> SISEResult:
        """Explain one image's target with a network in eval mode, and keep what each block saw."""
        blocks = []
        for features in positive_features(model, image, target, self.mu):  # phases 1 and 2
            confidences = masked_confidence(model, image, features.features, target)
            visualization = visualization_map(
                features.features, confidences, (image.shape[1], image.shape[2])
            )  # 3
            blocks.append(Block(features.layer, len(confidences), visualization, otsu(visualization)))
        visualizations = [block.visualization for block in blocks]
        thresholds = [block.threshold for block in blocks]
        fuse = fuse_hard if self.gate == "hard" else fuse_soft
        return SISEResult(
            saliency=fuse(visualizations, thresholds).float(),  # phase 4
            tie_order=rescale(torch.stack(visualizations).sum(dim=0)).float(),
            blocks=tuple(blocks),
        )


def positive_features(
    model: nn.Module, image: Float[Tensor, "channels height width"], target: int, mu: float
) -> list[BlockFeatures]:
    r"""Return each block end's feature maps whose gradient score is positive, and above $\mu \beta$.

    Phases 1 and 2, Eq. 4 to 6. Where no map of a block has a positive score by the confidence's gradient (it
    is saturated beyond float64), the raw logit's decides; where that finds none either, the block has none.
    """
    by_confidence, by_logit = features_and_gradients(model, image, target, (log_confidence, logit))
    kept = []
    for block, fallback in zip(by_confidence, by_logit, strict=True):
        chosen = keep_positive(gradient_scores(block.gradients), mu)
        if not chosen.any():
            chosen = keep_positive(gradient_scores(fallback.gradients), mu)
        chosen = chosen & (block.features.amax(dim=(1, 2)) > block.features.amin(dim=(1, 2)))
        kept.append(BlockFeatures(block.layer, block.features[chosen], block.gradients[chosen]))
    return kept


def gradient_scores(gradients: Float[Tensor, "maps height width"]) -> Float[Tensor, " maps"]:
    r"""Return $\alpha_k = \sum_\lambda \partial \Psi / \partial A_k(\lambda)$ (Eq. 4), in float64."""
    return gradients.double().sum(dim=(1, 2))


def keep_positive(alpha: Float[Tensor, " maps"], mu: float) -> Tensor:
    r"""Tell which maps to keep: $\alpha_k > \max(\mu \beta, 0)$ with $\beta = \max_k \alpha_k$ (Eq. 5, 6).

    **Deviation**: Eq. 6 is printed with "<"; the paper's text keeps the positive gradients.

    Example:
        >>> keep_positive(torch.tensor([-1.0, 0.0, 1.0, 4.0]), mu=0.25)
        tensor([False, False, False,  True])
    """
    return alpha > max(mu * float(alpha.max()), 0.0)


def visualization_map(
    features: Float[Tensor, "maps small_height small_width"],
    confidences: Float[Tensor, " maps"],
    size: tuple[int, int],
) -> Float[Tensor, "height width"]:
    r"""Average the masks, each weighted by the model's confidence in what it lets through.

    Phase 3, Eq. 2, 3 and 12:
    $V(\lambda) = \mathbb{E}_m[\Psi(I \odot m) \, m(\lambda) / \sum_\lambda m(\lambda)]$.
    The area is what differs from RISE: a mask that uncovers everything earns its score for no pixel in particular.

    Returns:
        $V$, float64, rescaled to [0, 1] so that blocks can be fused; zeros where there is no mask or where no
        pixel is favoured.
    """
    average = weighted_masks(features, confidences, size)
    favoured = average.amax() - average.amin() > _ROUNDING * average.amax()
    return rescale(average) * favoured


def fuse_hard(
    visualizations: list[Float[Tensor, "height width"]], thresholds: list[float]
) -> Float[Tensor, "height width"]:
    r"""Fuse the blocks' maps as in Fig. 6: $E \leftarrow (E + V^{(l)}) \cdot [V^{(l)} > \text{Otsu}(V^{(l)})]$.

    Returns:
        The last $E$, rescaled to [0, 1]; all zero where a later block's map is.

    Example: the second block denies the left pixel.
        >>> fuse_hard([torch.tensor([[1.0, 0.5]]), torch.tensor([[0.0, 1.0]])], [0.5, 0.5])
        tensor([[0., 1.]])
    """
    fused = visualizations[0]
    for visualization, threshold in zip(visualizations[1:], thresholds[1:], strict=True):
        fused = (fused + visualization) * (visualization > threshold)
    return rescale(fused)


def fuse_soft(
    visualizations: list[Float[Tensor, "height width"]], thresholds: list[float]
) -> Float[Tensor, "height width"]:
    r"""Fuse as `fuse_hard` does, with $\sigma(100 (V - \text{Otsu}(V)))$ in place of the binary mask."""
    fused = visualizations[0]
    for visualization, threshold in zip(visualizations[1:], thresholds[1:], strict=True):
        fused = (fused + visualization) * torch.sigmoid(_GATE_STEEPNESS * (visualization - threshold))
    return rescale(fused)
