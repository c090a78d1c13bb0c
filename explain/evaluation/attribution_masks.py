"""The masks that SISE covers a patch with, block by block, beside RISE's (the paper's Fig. 4)."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from explain.maps import resize
from explain.methods.rise import RISE, draw, enlarge
from explain.methods.sise import SISE
from explain.scoring import ScoredMasks
from explain.semantic_sampling import sample
from explain.subjects import Subject
from severstal_xai.imaging import model_input

SHOWN = 6
"""Masks of each block."""


@dataclass(frozen=True)
class AttributionMasks:
    """The masks of a patch.

    Args:
        patch: The patch.
        label: Its class, which is explained.
        blocks: The blocks' ends, from the image to the output.
        kept: How many feature maps of each became masks.
    """

    patch: str
    label: int
    blocks: list[str]
    kept: list[int]


def examine(
    model: nn.Module, subject: Subject, sise: SISE
) -> tuple[AttributionMasks, Float[np.ndarray, "rows shown height width"]]:
    """Return what the masks are of; and of each block those with the highest gradient scores, last a row of RISE's.

    A block with fewer masks has zeros for those that it lacks.
    """
    assert subject.label is not None
    image = torch.from_numpy(model_input(subject.grey)).to(next(model.parameters()).device)
    samples = sample(sise.sampling(), model, image, [subject.label])
    rows = [
        _strongest(layer, choice.ranks, samples.size)
        for layer, choice in zip(samples.stream.layers(), samples.choices[subject.label], strict=True)
    ]
    rise = RISE()
    lots = draw(SHOWN, rise.cells, rise.probability, samples.size, rise.seed)
    rows.append(enlarge(lots.open_cells, lots.indents, samples.size))
    kept = [int(choice.kept.sum()) for choice in samples.choices[subject.label]]
    found = AttributionMasks(subject.name, subject.label, list(samples.layers), kept)
    return found, torch.stack([row.cpu().float() for row in rows]).numpy()


def _strongest(
    layer: ScoredMasks, ranks: Float[Tensor, " maps"], size: tuple[int, int]
) -> Float[Tensor, "shown height width"]:
    """Return the masks of the highest ranks."""
    order = torch.argsort(ranks, descending=True, stable=True)[:SHOWN]
    masks = layer.features.new_zeros((SHOWN, *size))
    if len(order):
        lowest, span = (values[order, None, None].float() for values in (layer.lowest, layer.span))
        masks[: len(order)] = (resize(layer.features[order], size) - lowest) / span
    return masks
