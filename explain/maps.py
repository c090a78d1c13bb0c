"""Arithmetic on maps: rescale, resize, threshold. Pure functions on tensors."""

import torch
from jaxtyping import Float
from skimage.filters import threshold_otsu
from torch import Tensor
from torch.nn.functional import interpolate


def rescale(maps: Float[Tensor, "*batch height width"]) -> Float[Tensor, "*batch height width"]:
    """Stretch each map linearly to [0, 1]; a constant map becomes all zeros.

    Example:
        >>> rescale(torch.tensor([[[2.0, 4.0], [3.0, 2.0]], [[7.0, 7.0], [7.0, 7.0]]]))
        tensor([[[0.0000, 1.0000],
                 [0.5000, 0.0000]],
                [[0.0000, 0.0000],
                 [0.0000, 0.0000]]])
    """
    lowest = maps.amin(dim=(-2, -1), keepdim=True)
    span = maps.amax(dim=(-2, -1), keepdim=True) - lowest
    return torch.where(span > 0, (maps - lowest) / torch.where(span > 0, span, 1), 0)


def resize(
    maps: Float[Tensor, "maps small_height small_width"], size: tuple[int, int]
) -> Float[Tensor, "maps height width"]:
    """Resize maps to `size` (height, width) bilinearly, pixel centres at halves (`align_corners=False`)."""
    return interpolate(maps[None], size=size, mode="bilinear", align_corners=False)[0]


def otsu(saliency: Float[Tensor, "height width"]) -> float:
    """Return Otsu's threshold (IEEE Trans. SMC 9, 1979) over a histogram of 256 bins; a constant map's own value."""
    return float(threshold_otsu(saliency.cpu().numpy()))
