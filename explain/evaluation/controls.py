"""Maps that know nothing of the model: what a method must beat before its figures mean anything."""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float
from skimage.filters import sobel
from torch import Tensor

from explain.maps import rescale
from severstal_xai.files import sha256

Image = Float[Tensor, "channels height width"]
Map = Float[Tensor, "height width"]

_WIDTH = 0.25
"""Standard deviation of the bell, as a share of the image's sides."""


def random_map(image: Image) -> Map:
    """Return a map whose pixels are drawn by lot; the same image gets the same one."""
    seed = int(sha256(image.detach().cpu().float().contiguous().numpy().tobytes())[:15], 16)
    drawn = torch.rand(image.shape[1:], generator=torch.Generator().manual_seed(seed))
    return rescale(drawn).to(image.device)


def centred_gaussian(image: Image) -> Map:
    """Return a bell in the image's middle: what a map of where things often lie would be."""
    down, across = (
        torch.exp(-(((torch.arange(side) + 0.5) / side - 0.5) ** 2) / (2 * _WIDTH**2))
        for side in image.shape[1:]
    )
    return rescale(down[:, None] * across).to(image.device)


def edges(image: Image) -> Map:
    """Return Sobel's gradient of the grey values: what the image shows, whatever the model looks at."""
    gradient = sobel(image.mean(dim=0).double().cpu().numpy())
    return rescale(torch.from_numpy(gradient).float()).to(image.device)


CONTROLS: Mapping[str, Callable[[Image], Map]] = {
    "random": random_map,
    "centred_gaussian": centred_gaussian,
    "edges": edges,
}
"""By their names in tables."""
