r"""Model-truth metrics: what becomes of the model's answer when it sees only what a map calls important, or all but that.

$\Psi$ is the target's softmax probability. Pixels are taken from the map's highest to its lowest; ties as in
`explain.metrics.localisation`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from explain.activations import resting
from explain.engines import Engine, choose_engine
from explain.maps import gaussian_blur
from explain.metrics.localisation import descending
from explain.scoring import Question, ask_about
from severstal_xai.errors import InputError

TOP_SHARE = 0.15
"""Of the pixels, that Drop % and Increase % show the model (SISE paper, "Quantitative Results")."""
BLUR = 5.0
"""Standard deviation in pixels of the blur that insertion begins with (Petsiuk et al., RISE, BMVC 2018)."""


@dataclass(frozen=True)
class Faithfulness:
    r"""What the model says to parts of an image.

    Args:
        whole: $\Psi(I)$.
        top: $O = \Psi(I \odot T)$, $T$ the top 15 % of pixels.
        insertion: $\Psi$ of the blurred image with ever more of the sharp one on top, from none to all.
        deletion: $\Psi$ of the image with ever more pixels set to 0, from none to all.
    """

    whole: float
    top: float
    insertion: tuple[float, ...]
    deletion: tuple[float, ...]

    @property
    def drop(self) -> float:
        r"""$\max(0, \Psi(I) - O) / \Psi(I)$, 0 to 1: the patch's part of Drop %; 0 where $\Psi(I)$ is 0."""
        return max(0.0, self.whole - self.top) / self.whole if self.whole > 0 else 0.0

    @property
    def increase(self) -> bool:
        r"""Whether $O > \Psi(I)$: the patch's part of Increase %.

        **Deviation**: the paper prints a sum of signs, which counts a decrease as -1.
        """
        return self.top > self.whole

    @property
    def insertion_auc(self) -> float:
        """The area under the insertion's curve, 0 to 1: the higher, the sooner the model is convinced."""
        return area_under(self.insertion)

    @property
    def deletion_auc(self) -> float:
        """The area under the deletion's curve, 0 to 1: the lower, the sooner the model loses the class."""
        return area_under(self.deletion)


def area_under(curve: Sequence[float]) -> float:
    """Return the area under a curve of equal steps over [0, 1], by trapezoids.

    Example:
        >>> area_under([0.0, 1.0, 1.0])
        0.75
    """
    inner = sum(curve[1:-1])
    return (inner + (curve[0] + curve[-1]) / 2) / (len(curve) - 1)


@dataclass(frozen=True)
class Judged:
    """A map to be judged.

    Args:
        image: Model-ready.
        target: The class that it explains.
        saliency: The map.
        tie_order: Orders the pixels that it holds for equal; None for row by row.
    """

    image: Float[Tensor, "channels height width"]
    target: int
    saliency: Float[Tensor, "height width"]
    tie_order: Float[Tensor, "height width"] | None = None


def judge(engine: Engine, maps: Sequence[Judged], steps: int) -> list[Faithfulness]:
    """Ask the model about parts of images, all maps in one stream of batches.

    Args:
        engine: What answers for the model.
        maps: On the model's device, their images all of one size.
        steps: Of the curves of insertion and deletion; 0 leaves them out.

    Returns:
        What it said, a record for each map; its curves have one point more than there are steps, or none.

    Raises:
        InputError: The model answers with what is no number: nothing can be said of its maps.
    """
    questions = [question for one in maps for question in _questions(one, steps)]
    answers: list[list[float]] = [[] for _ in questions]
    targets = [one.target for one in maps for _ in range(_KINDS)]
    for answer in ask_about(engine, questions):
        target = targets[answer.question]
        confidences: list[float] = answer.confidences[:, target].tolist()
        _check_numbers(confidences, target)
        answers[answer.question] += confidences
    by_map = [answers[begin : begin + _KINDS] for begin in range(0, len(answers), _KINDS)]
    return [
        Faithfulness(seen[0], seen[1], tuple(insertion), tuple(deletion))
        for seen, insertion, deletion in by_map
    ]


_KINDS = 3


def _check_numbers(confidences: Sequence[float], target: int) -> None:
    for confidence in confidences:
        if math.isnan(confidence):
            raise InputError(
                f"the model's probability of class {target} is nan, expected a number from 0 to 1: are its weights finite numbers?"
            )


def _questions(one: Judged, steps: int) -> tuple[Question, Question, Question]:
    """Return what is asked about a map: the whole image and its top pixels; insertion; deletion."""
    ranks = _ranks(one)
    size = ranks.numel()
    top = int(TOP_SHARE * size)

    def shown(begin: int, end: int) -> Tensor:
        return torch.stack([(ranks < count).float() for count in (size, top)[begin:end]])

    def inserted(begin: int, end: int) -> Tensor:
        return torch.stack([(ranks < step * size // steps).float() for step in range(begin, end)])

    def left(begin: int, end: int) -> Tensor:
        return 1 - inserted(begin, end)

    points = steps + 1 if steps else 0
    blurred = gaussian_blur(one.image.float(), BLUR)
    return (
        Question(one.image, shown, 2),
        Question(one.image, inserted, points, background=blurred),
        Question(one.image, left, points),
    )


def _ranks(one: Judged) -> Int[Tensor, "height width"]:
    """Return each pixel's rank, 0 for the highest."""
    order = descending(one.saliency, one.tie_order)
    ranks = torch.empty_like(order)
    ranks[order] = torch.arange(len(order), device=order.device)
    return ranks.reshape(one.saliency.shape)


def drop_and_increase(
    model: nn.Module,
    images: Float[Tensor, "batch channels height width"],
    maps: Float[Tensor, "batch height width"],
    targets: Int[Tensor, " batch"],
) -> tuple[Float[Tensor, " batch"], Bool[Tensor, " batch"]]:
    """Return each image's part of Drop % (0 to 1) and of Increase % (yes or no), by the model's fastest engine."""
    if not len(images):
        return images.new_zeros(0, dtype=torch.float32), torch.zeros(0, dtype=torch.bool)
    engine = choose_engine(resting(model), images[0])
    judged = [Judged(*one) for one in zip(images, targets.tolist(), maps, strict=True)]
    found = judge(engine, judged, steps=0)
    return torch.tensor([one.drop for one in found]), torch.tensor([one.increase for one in found])
