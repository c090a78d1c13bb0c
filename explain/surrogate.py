r"""Confidences predicted from those that were measured: a Gaussian process over the masks' pixels.

What the network says to a mask it says, nearly, to a similar one. Each mask is a point, its pixels at a small size;
the confidences are a Gaussian process over these points with the kernel $k(x, y) = s^2 (e^{-|x - y|^2 / 2 l^2} +
\nu [x = y])$ (Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, section 2.2). The length $l$ and the
noise $\nu$ are those of a grid under which the measured confidences are likeliest (Eq. 2.30); $s^2$ follows from them.

It is the posterior that is wanted, not its mean alone: drawn from it, whole sets of confidences that may be the true
ones tell how far the map that they make may be from the true one.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

_LENGTHS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""Squared lengths to try, in units of the median squared distance between measured points."""
_NOISES = (1e-3, 1e-2, 0.1, 0.5)
_JITTER = 1e-6


@dataclass(frozen=True)
class Posterior:
    """What is known of all masks' confidences, given some.

    Args:
        mean: The best guess; at measured masks too, where it differs from what was measured by the noise.
        deviation: The standard deviation of each.
        spread: The covariance's factors: a draw of standard normals times its transpose is a draw of errors.
    """

    mean: Float[Tensor, " masks"]
    deviation: Float[Tensor, " masks"]
    spread: Float[Tensor, "masks masks"]

    def draw(self, count: int, generator: torch.Generator) -> Float[Tensor, "draws masks"]:
        """Draw sets of confidences; at measured masks they are of no use."""
        normal = torch.randn(count, len(self.mean), dtype=self.mean.dtype, generator=generator)
        return self.mean + normal @ self.spread.T


def predict(
    distances: Float[Tensor, "masks masks"],
    measured: Int[Tensor, " some"],
    confidences: Float[Tensor, " some"],
) -> Posterior:
    """Predict all masks' confidences.

    Args:
        distances: The squared distances of all pairs of masks (`squared_distances`), on the CPU in float64.
        measured: The places of those whose confidence is known: two or more.
        confidences: Their confidences.

    Returns:
        The posterior, on the CPU in float64.
    """
    measured, known = measured.cpu(), confidences.double().cpu()
    among = distances[measured][:, measured]
    apart = among[~torch.eye(len(measured), dtype=torch.bool)]
    unit = apart.median().clamp_min(torch.finfo(torch.float64).tiny)
    centred = known - known.mean()
    fits = [_fit(among / unit, centred, length, noise) for length in _LENGTHS for noise in _NOISES]
    best = max(fits, key=lambda fit: fit.likelihood)
    covariance = torch.div(distances, -2 * best.length * unit).exp_()
    across = covariance[:, measured]
    explained = torch.linalg.solve_triangular(best.factor, across.T, upper=False)
    covariance.diagonal().add_(best.noise + _JITTER)
    covariance.addmm_(explained.T, explained, alpha=-1)
    # The scale comes last: of equal confidences it is so small that the processor would take a hundred times as long
    # over each product.
    unit_deviation = math.sqrt(best.scale)
    return Posterior(
        mean=known.mean() + across @ best.weights,
        deviation=unit_deviation * covariance.diagonal().clamp_min(0).sqrt(),
        spread=unit_deviation * torch.linalg.cholesky(covariance),
    )


@dataclass(frozen=True)
class _Fit:
    """A length and a noise, and what follows: the log likelihood, the scale, the kernel's factor, its weights."""

    length: float
    noise: float
    likelihood: float
    scale: float
    factor: Tensor
    weights: Tensor


def _fit(distances: Tensor, centred: Tensor, length: float, noise: float) -> _Fit:
    kernel = torch.exp(-distances / (2 * length))
    kernel.diagonal().add_(noise)
    factor = torch.linalg.cholesky(kernel)
    weights = torch.cholesky_solve(centred[:, None], factor)[:, 0]
    scale = max(float(centred @ weights) / len(centred), torch.finfo(torch.float64).tiny)
    likelihood = -0.5 * len(centred) * torch.log(torch.tensor(scale)) - factor.diagonal().log().sum()
    return _Fit(length, noise, float(likelihood), scale, factor, weights)


def squared_distances(
    first: Float[Tensor, "some pixels"], second: Float[Tensor, "others pixels"]
) -> Float[Tensor, "some others"]:
    """Return $|x - y|^2$ of all pairs.

    Example:
        >>> squared_distances(torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
        tensor([[25.,  0.]])
    """
    squares = first.square().sum(dim=1)[:, None] + second.square().sum(dim=1)[None]
    return squares.addmm_(first, second.T, alpha=-2).clamp_min_(0)
