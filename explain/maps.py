"""Arithmetic on maps and images: rescale, resize, threshold, blur. Pure functions on tensors."""

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


def resized_extent(
    maps: Float[Tensor, "maps small_height small_width"], size: tuple[int, int]
) -> tuple[Float[Tensor, " maps"], Float[Tensor, " maps"], Float[Tensor, " maps"]]:
    """Return each map's lowest and highest value and its sum, float64, as it would be after `resize`.

    Without resizing: between two centres of the small map the large one is bilinear, so its extremes lie at the
    first and the last pixel between them; and a sum of interpolated values is a weighted sum of the small map's.

    Example:
        >>> lowest, highest, total = resized_extent(torch.tensor([[[0.0, 4.0]]]), (1, 4))  # 0, 1, 3, 4
        >>> lowest.item(), highest.item(), total.item()
        (0.0, 4.0, 8.0)
    """
    rows, columns = (
        _interpolation(small, large).to(maps.device)
        for small, large in zip(maps.shape[1:], size, strict=True)
    )
    exact = maps.double()
    corners = _between_centres(rows) @ exact @ _between_centres(columns).T
    total = torch.einsum("h,mhw,w->m", rows.sum(dim=0), exact, columns.sum(dim=0))
    return corners.amin(dim=(1, 2)), corners.amax(dim=(1, 2)), total


def _interpolation(small: int, large: int) -> Float[Tensor, "large small"]:
    """Return the matrix that resizes a line of `small` values to `large` ones."""
    unit = torch.eye(small, dtype=torch.float64)[None]
    return interpolate(unit, size=large, mode="linear", align_corners=False)[0].T


def _between_centres(matrix: Float[Tensor, "large small"]) -> Float[Tensor, "some small"]:
    """Return the rows that come first or last among those that mix the same small values."""
    begins = (matrix > 0).double().argmax(dim=1)
    changes = torch.nonzero(begins.diff())[:, 0]
    ends = torch.tensor([0, len(matrix) - 1], device=matrix.device)
    return matrix[torch.unique(torch.cat([changes, changes + 1, ends]))]


def otsu(saliency: Float[Tensor, "height width"]) -> float:
    """Return Otsu's threshold (IEEE Trans. SMC 9, 1979) over a histogram of 256 bins; a constant map's own value."""
    return float(threshold_otsu(saliency.cpu().numpy()))


def gaussian_blur(
    image: Float[Tensor, "channels height width"], width: float
) -> Float[Tensor, "channels height width"]:
    """Blur by a Gaussian; near an edge, its part inside the image is what is averaged with.

    Example: a constant stays, and a width of 0 changes nothing.
        >>> gaussian_blur(torch.full((1, 2, 3), 7.0), 5.0)
        tensor([[[7., 7., 7.],
                 [7., 7., 7.]]])
    """
    down, across = (_gaussian(length, width).to(image) for length in image.shape[1:])
    return down @ image @ across.T


def _gaussian(length: int, width: float) -> Float[Tensor, "length length"]:
    if width == 0:
        return torch.eye(length)
    places = torch.arange(length, dtype=torch.float64)
    return (-((places[:, None] - places) ** 2) / (2 * width**2)).softmax(dim=1).float()
