r"""Extremal perturbations (Fong, Patrick and Vedaldi, ICCV 2019).

Of all smooth masks $m$ that keep a share $a$ of the image, the one under which the network answers most strongly for
the target:

$m_a = \arg\max_m \Phi(m \otimes x) - \lambda R_a(m)$, $R_a(m) = \lVert \text{vecsort}(m) - r_a \rVert^2$

- $m \otimes x$ blurs: $(m \otimes x)(u) = \pi_g(x; u, \sigma_{max} (1 - m(u)))$, the image at $u$ under a Gaussian
  whose width grows from 0, where the mask is 1, to $\sigma_{max}$. It is read from a pyramid of blurred images,
  linearly between two of them.
- $R_a$ holds the sorted mask against $r_a$, $1 - a$ of it zeros and the rest ones: it wants the area and a mask that
  is 0 or 1.
- $m(u) = \text{smax}_v \, k(u - v) \, \bar m(v)$: the mask is no free image but the smooth max-convolution of a small
  grid $\bar m$, so that it has no details finer than $\sigma$, yet reaches 0 and 1. $k(z) = \exp(-\max(0, \lVert z
  \rVert - 1)^2 / 4)$ with $z$ in units of $\sigma$, and $\text{smax} f = \sum f e^{f/T} / \sum e^{f/T}$.

The grid climbs by gradient ascent with momentum. Masks of several areas are averaged to one map.

What the paper leaves open is taken from the program that its authors published: the area 0.1, the step's length and the
momentum, $\lambda$ at the end, eight levels of blur up to $\sigma_{max} = 20$ pixels, a mean over the pixels for $R_a$, and
a mask that is flat for 10.5 pixels around a node, their $\sigma / 2$.

**Deviations**: $\lambda$ grows from 0 with the square of time, there from 300 by 0.35 % a step. The grid begins constant, where the
sort orders equal pixels by their place, so that a penalty from the first step settles where the mask lies before the
network is heard: on planted evidence its box score is 0.54 by their schedule and 0.93 by ours. The kernel is the paper's; the
program's falls more steeply. The grid's nodes lie $\sigma / 2$ apart, and the mask between them is interpolated. The image is
not mirrored at every second step, so that a map depends on nothing but the image, unless a seed draws the grid that the search
begins with. Fewer than 800 steps are longer ones.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import pad, unfold

from explain.activations import number_format
from explain.explainer import explain_each
from explain.maps import gaussian_blur, rescale, resize
from explain.scoring import Progress
from severstal_xai.errors import InputError, check_range

_TEMPERATURE = 1 / 20
"""$T$ of the smooth maximum."""
_LEVELS = 7
"""Blurred images in the pyramid, besides the image itself."""
_BEGINNING = 1.0
"""The constant grid that the search begins with: the whole image is kept."""
_STEPS = 800
_MOMENTUM = 0.9
"""And as much dampening."""
_RATE = 0.01
_AREA_WEIGHT = 4900.0
"""$\\lambda$ at the end: 300 times 1.0035 to the power of 800."""
_REACH = 4.0
"""The kernel's radius, in $\\sigma$; beyond it lies $k < 0.11$, of which the smooth maximum takes no notice."""


@dataclass(frozen=True)
class ExtremalPerturbation:
    r"""The settings of extremal perturbations, and the method.

    Args:
        areas: $a$, shares of the image in (0, 1), a mask for each; 0.1 is the authors' own; SISE's paper does not say which it took.
        steps: Of the search for a mask; 800 is the authors' own.
        smoothness: $\sigma$ in pixels: what the mask keeps has no parts narrower than twice that.
        blur: $\sigma_{max}$ in pixels, the Gaussian's width where the mask is 0.
        seed: Of the lot that draws the grid that the search begins with, each node between 0.5 and 1; null begins with 1
            everywhere, as the authors' program does.
    """

    areas: tuple[float, ...] = (0.1,)
    steps: int = _STEPS
    smoothness: float = 10.5
    blur: float = 20.0
    seed: int | None = None

    def __post_init__(self) -> None:
        if not self.areas:
            raise InputError("areas is empty, expected shares of the image between 0 and 1")
        for area in self.areas:
            check_range("areas", area, 0, 1, above=True, below=True)
        check_range("steps", self.steps, 1)
        check_range("smoothness", self.smoothness, 0, above=True)
        check_range("blur", self.blur, 0, above=True)
        if self.seed is not None:
            check_range("seed", self.seed, 0, 2**63 - 1)

    def __call__(
        self,
        model: nn.Module,
        images: Float[Tensor, "batch channels height width"],
        targets: Int[Tensor, " batch"],
    ) -> Float[Tensor, "batch height width"]:
        """Explain each image's target; float32 maps in [0, 1]."""
        return explain_each(self.explain, model, images, targets)

    def explain(
        self,
        model: nn.Module,
        image: Float[Tensor, "channels height width"],
        target: int,
        progress: Progress | None = None,
    ) -> Float[Tensor, "height width"]:
        """Explain one image's target with a network in eval mode: the mean of the areas' masks, rescaled."""
        return rescale(self.masks(model, image, target, progress).mean(dim=0))

    def masks(
        self,
        model: nn.Module,
        image: Float[Tensor, "channels height width"],
        target: int,
        progress: Progress | None = None,
    ) -> Float[Tensor, "areas height width"]:
        """Return $m_a$ of each area: 1 where the image is kept, 0 where it is blurred the most."""
        with torch.inference_mode(mode=False), torch.enable_grad():
            pyramid = blur_pyramid(image.detach().float().clone(), self.blur)
            size = (image.shape[1], image.shape[2])
            wanted = torch.stack([sorted_area(area, size[0] * size[1]) for area in self.areas]).to(
                image.device
            )
            grids = self._beginning(size).to(image.device).requires_grad_()
            rate = _RATE * _STEPS / self.steps  # fewer steps are longer ones, so that they get as far
            ascent = torch.optim.SGD([grids], lr=rate, momentum=_MOMENTUM, dampening=_MOMENTUM)
            for step in range(self.steps):
                masks = smooth_masks(grids, size)
                answer = response(model, perturb(pyramid, masks), target)
                weight = _AREA_WEIGHT * (step / self.steps) ** 2
                loss = weight * area_penalty(masks, wanted) - answer
                (grids.grad,) = torch.autograd.grad(
                    loss, grids
                )  # of the grids alone: no weight gets a gradient
                ascent.step()
                grids.detach().clamp_(0, 1)
                if progress:
                    progress(step + 1, self.steps)
            return smooth_masks(grids.detach(), size)

    def _beginning(self, size: tuple[int, int]) -> Float[Tensor, "areas rows columns"]:
        """Return the grids that the search begins with, all areas' alike."""
        spacing = self.smoothness / 2
        shape = (math.ceil(size[0] / spacing), math.ceil(size[1] / spacing))
        grid = torch.full(shape, _BEGINNING)
        if self.seed is not None:
            grid -= _BEGINNING / 2 * torch.rand(shape, generator=torch.Generator().manual_seed(self.seed))
        return grid.repeat(len(self.areas), 1, 1)


def response(
    model: nn.Module, images: Float[Tensor, "areas channels height width"], target: int
) -> Float[Tensor, ""]:
    r"""Return $\Phi$, the target's logit, summed over the areas, whose searches know nothing of each other."""
    logits: Tensor = model(images.to(number_format(model)))
    return logits.float()[:, target].sum()


def sorted_area(area: float, pixels: int) -> Float[Tensor, " pixels"]:
    """Return $r_a$, what a mask of an area looks like when it is sorted.

    Example:
        >>> sorted_area(0.25, 4)
        tensor([0., 0., 0., 1.])
    """
    return (torch.arange(pixels) >= round((1 - area) * pixels)).float()


def area_penalty(
    masks: Float[Tensor, "areas height width"], wanted: Float[Tensor, "areas pixels"]
) -> Float[Tensor, ""]:
    """Return $R_a$ as a mean over the pixels, summed over the areas.

    Example: the sorted mask is 0, 0, 0.5, 1.
        >>> area_penalty(torch.tensor([[[1.0, 0.0], [0.5, 0.0]]]), sorted_area(0.25, 4)[None])
        tensor(0.0625)
    """
    return (masks.flatten(1).sort(dim=1).values - wanted).square().mean(dim=1).sum()


def smooth_masks(
    grids: Float[Tensor, "areas rows columns"], size: tuple[int, int]
) -> Float[Tensor, "areas height width"]:
    r"""Return $m(u) = \text{smax}_v \, k(u - v) \, \bar m(v)$, evaluated at the grid's nodes, interpolated between.

    Beyond the image's edge the grid goes on as at the edge, so that a constant grid gives a constant mask.
    """
    kernel = smooth_kernel()
    reach = kernel.shape[0] // 2
    around = unfold(pad(grids[:, None], (reach,) * 4, mode="replicate"), kernel.shape[0])
    near = kernel.flatten() > 0
    candidates = kernel.flatten()[near, None].to(grids.device) * around[:, near]
    shares = (candidates / _TEMPERATURE).softmax(dim=1)
    return resize((shares * candidates).sum(dim=1).reshape(grids.shape), size)


def smooth_kernel() -> Float[Tensor, "side side"]:
    r"""Return $k$ at the offsets between nodes, which lie $\sigma / 2$ apart; 0 where it is out of reach."""
    offsets = torch.arange(-2 * _REACH, 2 * _REACH + 1) / 2
    distance = torch.hypot(offsets[:, None], offsets[None, :])
    return torch.exp(-((distance - 1).clamp(min=0) ** 2) / 4) * (distance <= _REACH)


def blur_pyramid(
    image: Float[Tensor, "channels height width"], largest: float
) -> Float[Tensor, "levels channels height width"]:
    r"""Return $\pi_g(x; \cdot, \sigma)$ for $\sigma$ from 0 to the largest, in equal steps."""
    return torch.stack([gaussian_blur(image, largest * level / _LEVELS) for level in range(_LEVELS + 1)])


def perturb(
    pyramid: Float[Tensor, "levels channels height width"], masks: Float[Tensor, "areas height width"]
) -> Float[Tensor, "areas channels height width"]:
    r"""Return $m \otimes x$: each pixel from the pyramid's level $1 - m(u)$, linearly between two."""
    last = len(pyramid) - 1
    levels = torch.arange(last + 1, device=masks.device)[:, None, None, None]
    shares = (1 - (levels - last * (1 - masks)).abs()).clamp(min=0)
    return torch.einsum("lahw,lchw->achw", shares, pyramid)
