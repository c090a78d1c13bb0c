"""The model asked about masked copies of one image: the hot loop of the methods that sample their input."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn

from explain.maps import rescale, resize

BATCH = 8
"""Masked copies in one forward pass; on a CPU larger batches are slower, for their memory is mapped anew."""


def attribution_masks(
    features: Float[Tensor, "maps small_height small_width"], size: tuple[int, int]
) -> Float[Tensor, "maps height width"]:
    r"""Turn feature maps into masks: $\Omega$ of SISE (after Eq. 6), resized bilinearly, then each to [0, 1]."""
    return rescale(resize(features, size))


def masked_confidence(
    model: nn.Module,
    image: Float[Tensor, "channels height width"],
    features: Float[Tensor, "maps small_height small_width"],
    target: int,
) -> Float[Tensor, " maps"]:
    r"""Ask the model for the target's confidence in the image under each mask: $\Psi(I \odot m)$.

    Args:
        model: A network in eval mode.
        image: $I$, model-ready: where a mask is 0 the pixel is 0 after normalisation.
        features: Feature maps; each becomes a mask, a batch at a time, so that they are never all held large.
        target: The class.

    Returns:
        Softmax probabilities in [0, 1], float32, in the order of `features`.
    """
    size = (image.shape[1], image.shape[2])
    with torch.inference_mode():
        confidences = [
            model(image * attribution_masks(batch, size)[:, None]).float().softmax(dim=1)[:, target]
            for batch in _batches(features)
        ]
    return torch.cat(confidences).clone() if confidences else image.new_zeros(0)


def weighted_masks(
    features: Float[Tensor, "maps small_height small_width"],
    weights: Float[Tensor, " maps"],
    size: tuple[int, int],
) -> Float[Tensor, "height width"]:
    r"""Return $\mathbb{E}_m[w_m \, m(\lambda) / \sum_\lambda m(\lambda)]$ over the masks of the feature maps.

    Args:
        features: Feature maps; each becomes a mask $m$ of `size`.
        weights: $w_m$, in the order of `features`.
        size: Height and width in pixels.

    Returns:
        The weighted mean, in the scale of `weights` divided by pixels; zeros where there is no mask.
    """
    total = features.new_zeros(size, dtype=torch.float64)
    for batch, batch_weights in zip(_batches(features), _batches(weights), strict=True):
        masks = attribution_masks(batch, size)
        shares = batch_weights.double() / masks.double().sum(dim=(1, 2))
        total += torch.einsum("m,mhw->hw", shares, masks.double())
    return total / max(len(features), 1)


def _batches(values: Tensor) -> Iterator[Tensor]:
    """Yield the values a batch at a time; nothing where there are none (`torch.split` yields an empty batch)."""
    for start in range(0, len(values), BATCH):
        yield values[start : start + BATCH]
