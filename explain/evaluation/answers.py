"""The model's answers to all patches of a split, and where the evidence lies of those that it is sure of.

A sure answer "defect" whose evidence is one region that nobody marked is a suspected label error: a defect that was overlooked,
a segment that is wrong or too small, or a model that is sure for a wrong reason. A person decides.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import numpy as np
import torch
from jaxtyping import Bool, Float
from pydantic import Field
from skimage.measure import label as number_components
from torch import nn

from explain.explainer import Explainer
from explain.maps import otsu
from explain.subjects import DARK, Subject
from severstal_xai.classes import SOUND
from severstal_xai.imaging import model_input

_COHERENT = 0.5
"""Of a map's energy, that its strongest region holds at least, to be called the evidence."""
_OUTSIDE = 0.1
"""Of the region's pixels, that lie on the marked defect at most, for it to be called elsewhere."""
_DARK_SHARE = 0.5
"""Of the region's pixels, that show no steel, from which on the answer rests on the dark."""


class Kind(StrEnum):
    """What a suspected label error may be; or what else a sure answer without a defect under it is."""

    OVERLOOKED = "marked sound: a defect overlooked?"
    OTHER_CLASS = "marked as another class: a second defect, or the wrong class?"
    SEGMENT = "the marked class, but elsewhere: a segment wrong or too small?"
    NO_STEEL = "the dark beside the strip: no label error, but a model that is sure for a wrong reason"


@dataclass(frozen=True)
class Answer:
    """The model's answer to a patch.

    Args:
        patch: The patch.
        label: Its class.
        prediction: The likeliest class.
        probability: Its probability.
        energy: Share of the map's energy, 0 to 1, that the strongest region holds; None where nobody looked.
        overlap: Share of that region's pixels that lie on the marked defect.
        dark: Share of the region's pixels that show no steel.
        box: The region's first row and column and one past its last: top, left, bottom, right.
    """

    patch: str
    label: int
    prediction: int
    probability: float
    energy: float | None = None
    overlap: float | None = None
    dark: float | None = None
    box: Annotated[list[int], Field(min_length=4, max_length=4)] | None = None

    @property
    def suspected(self) -> Kind | None:
        """What kind of label error is suspected; None for none."""
        if self.energy is None or self.overlap is None or self.dark is None:
            return None
        if self.energy < _COHERENT or self.overlap > _OUTSIDE:
            return None
        if self.dark > _DARK_SHARE:
            return Kind.NO_STEEL
        if self.label == SOUND.id:
            return Kind.OVERLOOKED
        return Kind.SEGMENT if self.label == self.prediction else Kind.OTHER_CLASS


def answer(model: nn.Module, subject: Subject) -> Answer:
    """Ask the model, in eval mode, about a patch whose class is known."""
    assert subject.label is not None
    image = torch.from_numpy(model_input(subject.grey)).to(next(model.parameters()).device)
    with torch.inference_mode():
        probabilities = model(image[None])[0].double().softmax(dim=0)
    prediction = int(probabilities.argmax())
    return Answer(subject.name, subject.label, prediction, float(probabilities[prediction]))


def explained_answer(
    model: nn.Module, subject: Subject, explainer: Explainer, sure: float
) -> tuple[Answer, Float[np.ndarray, "height width"] | None]:
    """Ask the model about a patch, and where its answer is a sure defect, why.

    Args:
        model: In eval mode.
        subject: A patch whose class is known.
        explainer: Whose map tells where the evidence for the answer lies.
        sure: The probability from which on the answer is sure.

    Returns:
        The answer; and the map, where one was made.
    """
    said = answer(model, subject)
    if said.prediction == SOUND.id or said.probability < sure:
        return said, None
    image = torch.from_numpy(model_input(subject.grey)).to(next(model.parameters()).device)
    target = torch.tensor([said.prediction], device=image.device)
    saliency = explainer(model, image[None], target)[0].cpu().numpy()
    region = strongest_region(saliency)
    if not region.any():
        return said, saliency
    mask = np.zeros(region.shape, dtype=bool) if subject.mask is None else subject.mask
    rows, columns = np.nonzero(region.any(axis=1))[0], np.nonzero(region.any(axis=0))[0]
    return (
        Answer(
            said.patch,
            said.label,
            said.prediction,
            said.probability,
            energy=float(saliency[region].sum() / saliency.sum()),
            overlap=float(mask[region].mean()),
            dark=float((subject.grey < DARK)[region].mean()),
            box=[int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1],
        ),
        saliency,
    )


def strongest_region(saliency: Float[np.ndarray, "height width"]) -> Bool[np.ndarray, "height width"]:
    """Return the connected region above Otsu's threshold that holds the most of the map's energy; nothing of a map of zeros.

    Example: 0.9 + 0.8 is more than 1.0.
        >>> strongest_region(np.array([[0.9, 0.8, 0.0, 1.0]])).tolist()
        [[True, True, False, False]]
    """
    if not saliency.any():
        return np.zeros(saliency.shape, dtype=bool)
    threshold = otsu(torch.from_numpy(saliency)) if saliency.min() < saliency.max() else 0.0
    regions = number_components(saliency > threshold, connectivity=2)
    energies = np.bincount(regions.ravel(), weights=saliency.ravel())
    energies[0] = -1  # what is below the threshold
    found: Bool[np.ndarray, "height width"] = regions == int(energies.argmax())
    return found
