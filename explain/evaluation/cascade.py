"""The sanity check of one patch: its map by ever less of what the network learnt (see `explain.metrics.sanity`)."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from explain.explainer import Explainer
from explain.metrics.sanity import cascade, similarity
from explain.subjects import Subject
from severstal_xai.imaging import model_input


@dataclass(frozen=True)
class Cascade:
    """How alike a patch's maps are to the trained network's, from the first part randomised to the last.

    Args:
        patch: The patch.
        label: Its class, which is explained.
        parts: The part randomised last, at each step; at the last step the network is untrained.
        spearman: Rank correlation with the trained network's map, at each step.
        ssim: Structural similarity to it.
    """

    patch: str
    label: int
    parts: list[str]
    spearman: list[float]
    ssim: list[float]


def examine(
    model: nn.Module, untrained: nn.Module, subject: Subject, explainer: Explainer
) -> tuple[Cascade, Float[np.ndarray, "steps height width"]]:
    """Explain a patch by the trained network, and by one with ever more random parts.

    Returns:
        How alike the maps are; and the maps, the trained network's first.
    """
    assert subject.label is not None
    device = next(model.parameters()).device
    image = torch.from_numpy(model_input(subject.grey)).to(device)
    target = torch.tensor([subject.label], device=device)
    maps = [explainer(model, image[None], target)[0].cpu()]
    parts, alike = [], []
    for part, mixed in cascade(model, untrained):
        maps.append(explainer(mixed.eval(), image[None], target)[0].cpu())
        parts.append(part)
        alike.append(similarity(maps[0], maps[-1]))
    return (
        Cascade(
            subject.name,
            subject.label,
            parts,
            [one.spearman for one in alike],
            [one.ssim for one in alike],
        ),
        torch.stack(maps).numpy(),
    )
