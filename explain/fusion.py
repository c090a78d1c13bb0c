"""Phases 3 and 4 of semantic input sampling: a block's map of its masks, and one map of all blocks. Pure."""

from collections.abc import Sequence
from itertools import accumulate

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from explain.maps import rescale
from explain.scoring import ScoredMasks, weighted_masks

_GATE_STEEPNESS = 100.0
_ROUNDING = 1e-6
"""Pixels whose averages differ by less, as a share of the largest, differ by float32's rounding alone."""


def visualization_map(
    scored: ScoredMasks, used: Bool[Tensor, " maps"], target: int, size: tuple[int, int]
) -> Float[Tensor, "height width"]:
    r"""Average the masks, each weighted by the model's confidence in what it lets through.

    Phase 3, Eq. 2, 3 and 12:
    $V(\lambda) = \mathbb{E}_m[\Psi(I \odot m) \, m(\lambda) / \sum_\lambda m(\lambda)]$.
    The area is what differs from RISE: a mask that uncovers everything earns its score for no pixel in particular.

    Returns:
        $V$, float64, rescaled to [0, 1] so that blocks can be fused; zeros where there is no mask or where no
        pixel is favoured.
    """
    if not used.any():
        return scored.features.new_zeros(size, dtype=torch.float64)
    average = weighted_masks(scored, torch.where(used, scored.confidences[:, target], torch.nan), size)
    favoured = average.amax() - average.amin() > _ROUNDING * average.amax()
    return rescale(average) * favoured


def hard_gate(
    visualization: Float[Tensor, "height width"], threshold: float
) -> Float[Tensor, "height width"]:
    r"""Return the paper's gate, $[V > \text{Otsu}(V)]$: 0 or 1."""
    return (visualization > threshold).to(visualization.dtype)


def soft_gate(
    visualization: Float[Tensor, "height width"], threshold: float
) -> Float[Tensor, "height width"]:
    r"""Return $\sigma(100 (V - \text{Otsu}(V)))$, in (0, 1)."""
    return torch.sigmoid(_GATE_STEEPNESS * (visualization - threshold))


def fusion_steps(
    visualizations: Sequence[Float[Tensor, "height width"]], gates: Sequence[Float[Tensor, "height width"]]
) -> list[Float[Tensor, "height width"]]:
    r"""Return the sum after each block (Fig. 6): $E = V^{(1)}$, then $E \leftarrow (E + V^{(l)}) \cdot g^{(l)}$.

    The first block has no gate, for nothing comes before it. Nothing is rescaled between the steps, so the sum
    after block $l$ lies in $[0, l]$.

    Example: the second block denies the left pixel.
        >>> first, second = torch.tensor([[1.0, 0.5]]), torch.tensor([[0.0, 1.0]])
        >>> fusion_steps([first, second], [hard_gate(first, 0.5), hard_gate(second, 0.5)])
        [tensor([[1.0000, 0.5000]]), tensor([[0.0000, 1.5000]])]
    """
    later = zip(visualizations[1:], gates[1:], strict=True)
    return list(
        accumulate(later, lambda fused, block: (fused + block[0]) * block[1], initial=visualizations[0])
    )


def fuse(
    visualizations: Sequence[Float[Tensor, "height width"]], gates: Sequence[Float[Tensor, "height width"]]
) -> Float[Tensor, "height width"]:
    r"""Fuse the blocks' maps: the last of `fusion_steps`, rescaled to [0, 1]; all zero where a gate leaves nothing.

    Example: as above.
        >>> first, second = torch.tensor([[1.0, 0.5]]), torch.tensor([[0.0, 1.0]])
        >>> fuse([first, second], [hard_gate(first, 0.5), hard_gate(second, 0.5)])
        tensor([[0., 1.]])
    """
    return rescale(fusion_steps(visualizations, gates)[-1])
