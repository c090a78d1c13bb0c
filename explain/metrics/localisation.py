"""Ground-truth metrics of the SISE paper (section "Quantitative Results"): a map against a mask.

Selections of k pixels take exactly k, by a stable sort, so that ties fall the same way every time: to the
pixel that comes first, row by row. A second map may order them instead: SISE's gates leave most of a map at zero, and
what it was before the gates tells its zeros apart.
"""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

_TOP_SHARE = 0.2


def energy_pointing(saliency: Float[Tensor, "height width"], mask: Bool[Tensor, "height width"]) -> float:
    r"""Energy-based pointing game (EBPG, Wang et al. 2020): the share of the map's energy inside the mask.

    $\sum S \cdot G / \sum S$.

    Args:
        saliency: $S \ge 0$.
        mask: $G$.

    Returns:
        In [0, 1]; 0 where the map is all zero; NaN, undefined, where the mask is empty.

    Example:
        >>> energy_pointing(torch.tensor([[3.0, 1.0]]), torch.tensor([[True, False]]))
        0.75
    """
    if not mask.any():
        return math.nan
    total = float(saliency.double().sum())
    return float(saliency.double()[mask].sum()) / total if total > 0 else 0.0


def top_iou(
    saliency: Float[Tensor, "height width"],
    mask: Bool[Tensor, "height width"],
    tie_order: Float[Tensor, "height width"] | None = None,
) -> float:
    """Intersection over union of the mask and the map's highest 20 % of pixels (a patch's part of mIoU).

    Args:
        saliency: The map.
        mask: The ground truth.
        tie_order: Orders pixels that the map holds for equal; without one the first goes first.

    Returns:
        In [0, 1]; NaN, undefined, where the mask is empty.

    Example: of five pixels the highest one, which is one of the mask's two.
        >>> top_iou(torch.tensor([[0.1, 0.9, 0.3, 0.2, 0.0]]), torch.tensor([[False, True, True, False, False]]))
        0.5
    """
    if not mask.any():
        return math.nan
    top = highest(saliency, int(_TOP_SHARE * saliency.numel()), tie_order)
    return int((top & mask).sum()) / int((top | mask).sum())


def box_score(
    saliency: Float[Tensor, "height width"],
    mask: Bool[Tensor, "height width"],
    tie_order: Float[Tensor, "height width"] | None = None,
) -> float:
    """Bbox (Schulz et al. 2020): of the map's n highest pixels, n the mask's size, the share inside the mask.

    Args:
        saliency: The map.
        mask: The ground truth.
        tie_order: As for `top_iou`.

    Returns:
        In [0, 1]; NaN, undefined, where the mask is empty.

    Example: the two highest pixels; one is the mask's.
        >>> box_score(torch.tensor([[0.9, 0.8, 0.1]]), torch.tensor([[True, False, True]]))
        0.5
    """
    if not mask.any():
        return math.nan
    size = int(mask.sum())
    return int((highest(saliency, size, tie_order) & mask).sum()) / size


def highest(
    saliency: Float[Tensor, "height width"],
    count: int,
    tie_order: Float[Tensor, "height width"] | None = None,
) -> Bool[Tensor, "height width"]:
    """Select exactly `count` pixels, the highest; among equals by `tie_order`, then those that come first, row by row.

    Example:
        >>> highest(torch.tensor([[1.0, 2.0], [1.0, 1.0]]), 2)
        tensor([[ True,  True],
                [False, False]])
        >>> highest(torch.tensor([[1.0, 2.0], [1.0, 1.0]]), 2, torch.tensor([[0.0, 0.0], [0.0, 9.0]]))
        tensor([[False,  True],
                [False,  True]])
    """
    chosen = torch.zeros(saliency.numel(), dtype=torch.bool, device=saliency.device)
    chosen[descending(saliency, tie_order)[:count]] = True
    return chosen.reshape(saliency.shape)


def descending(
    saliency: Float[Tensor, "height width"], tie_order: Float[Tensor, "height width"] | None = None
) -> Int[Tensor, " pixels"]:
    """Return the places of all pixels, row by row from 0, from the highest to the lowest; ties as in `highest`."""
    if tie_order is None:
        return saliency.flatten().sort(descending=True, stable=True).indices
    first = tie_order.flatten().sort(descending=True, stable=True).indices
    return first[saliency.flatten()[first].sort(descending=True, stable=True).indices]
