r"""The model asked about masked copies of images: the hot loop of the methods that sample their input.

All masks of all layers, and of all images that are explained together, form one stream of batches, an image's most
telling masks first. A batch's masks are resized, applied and forgotten; what stays of a mask is four numbers for the
weighted sum, which is taken over the small feature maps and resized once: resizing is linear, so

$\sum_m w_m \frac{R(A_m) - \min R(A_m)}{s_m} = R(\sum_m \frac{w_m}{s_m} A_m) - \sum_m \frac{w_m}{s_m} \min R(A_m)$

with $R$ the resizing and $s_m$ the span of $R(A_m)$.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from explain.engines import Engine
from explain.maps import resize, resized_extent

Progress = Callable[[int, int], None]
"""Told after each batch how many forward passes are done, and of how many; what it raises ends the work."""


MakeMasks = Callable[[int, int], Float[Tensor, "some height width"]]
"""Makes the masks from a place up to another."""


@dataclass(frozen=True)
class Question:
    """What is asked about one image.

    Args:
        image: $I$, model-ready: where a mask is 0 the pixel is 0 after normalisation.
        make_masks: Makes its masks.
        count: How many masks there are.
        background: What shows where a mask is 0; None for 0, the mean grey of the training data.
    """

    image: Float[Tensor, "channels height width"]
    make_masks: MakeMasks
    count: int
    background: Float[Tensor, "channels height width"] | None = None


@dataclass(frozen=True)
class Answer:
    """What the model said to some masks of a question.

    Args:
        question: The question's place.
        begin: The first mask.
        end: The one past the last.
        confidences: Softmax probabilities in the image under each mask.
    """

    question: int
    begin: int
    end: int
    confidences: Float[Tensor, "some classes"]


def ask_about(
    engine: Engine, questions: Sequence[Question], progress: Progress | None = None
) -> Iterator[Answer]:
    r"""Ask the model about masked copies of images, a batch after the other: $\Psi(I \odot m)$ of all classes.

    With a background $B$ it is $\Psi(I \odot m + B \odot (1 - m))$.

    A batch goes on with the next question where one ends: only the last of all is padded.

    Args:
        engine: What answers for the model.
        questions: The images, all of one size, and their masks.
        progress: Told after each batch.

    Yields:
        The answers, in the order of the masks; a batch that holds masks of several questions gives several.
    """
    total = sum(question.count for question in questions)
    if not total:
        return
    buffer = torch.zeros(  # rows past a last, short batch keep what they held
        (engine.batch, *questions[0].image.shape), device=questions[0].image.device
    )
    done = 0
    for batch in _batches([question.count for question in questions], engine.batch):
        filled = 0
        for place, begin, end in batch:
            masks = questions[place].make_masks(begin, end)[:, None]
            rows = buffer[filled : filled + end - begin]
            torch.mul(questions[place].image.float(), masks, out=rows)
            background = questions[place].background
            if background is not None:
                rows += background.float() * (1 - masks)
            filled += end - begin
        answers = engine.ask(buffer)[:filled].clone()
        done += filled
        if progress:
            progress(done, total)
        parts = torch.split(answers, [end - begin for _, begin, end in batch])
        for (place, begin, end), confidences in zip(batch, parts, strict=True):
            yield Answer(place, begin, end, confidences)


def _batches(counts: Sequence[int], size: int) -> Iterator[list[tuple[int, int, int]]]:
    """Cut questions of so many masks into full batches of parts: a question's place, its first mask, one past the last.

    Example:
        >>> list(_batches([3, 0, 3], 4))
        [[(0, 0, 3), (2, 0, 1)], [(2, 1, 3)]]
    """
    batch: list[tuple[int, int, int]] = []
    room = size
    for place, count in enumerate(counts):
        begin = 0
        while begin < count:
            end = min(count, begin + room)
            batch.append((place, begin, end))
            room -= end - begin
            begin = end
            if not room:
                yield batch
                batch, room = [], size
    if batch:
        yield batch


class Milestones:
    """Shares of the work after which there is something to show.

    Args:
        shares: In (0, 1).
        total: How many forward passes are the whole work.
    """

    def __init__(self, shares: Sequence[float], total: int) -> None:
        self._total = total
        self._ahead = [share * total for share in shares]

    def reached(self, done: int) -> bool:
        """Tell whether after so many passes, which are not all, one was reached since the last time.

        Example:
            >>> milestones = Milestones([0.1, 0.2, 0.5], 100)
            >>> [done for done in range(8, 101, 8) if milestones.reached(done)]
            [16, 24, 56]
        """
        ahead = [one for one in self._ahead if done < one]
        passed = len(ahead) < len(self._ahead)
        self._ahead = ahead
        return passed and done < self._total


@dataclass(frozen=True)
class FirstMap:
    """A method's map from the answers so far.

    Args:
        saliency: In [0, 1].
        forwards: Forward passes that it is made of.
    """

    saliency: Float[Tensor, "height width"]
    forwards: int


@dataclass(frozen=True)
class ScoredMasks:
    """A layer's masks and what the model said to them.

    Args:
        features: The feature maps that became masks.
        confidences: Softmax probabilities of all classes in the image under each mask; NaN where not asked yet.
        lowest: Each resized map's minimum.
        span: Each resized map's maximum less its minimum.
        area: The sum of each mask over the image's pixels.
    """

    features: Float[Tensor, "maps small_height small_width"]
    confidences: Float[Tensor, "maps classes"]
    lowest: Float[Tensor, " maps"]
    span: Float[Tensor, " maps"]
    area: Float[Tensor, " maps"]


@runtime_checkable
class Stream(Protocol):
    """Masks that are asked about, or were."""

    @property
    def forwards(self) -> int:
        """How many masks there are: each takes a forward pass."""

    @property
    def order(self) -> Int[Tensor, " maps"]:
        """The places of all masks, layer after layer, in the order in which they are asked about."""

    def ask(self, progress: Progress | None = None) -> Iterator[int]:
        """Ask about one batch after the other; yield how many masks have been asked about."""

    def layers(self) -> list[ScoredMasks]:
        """Return what is known so far, layer by layer."""


class MaskStream:
    """The masks of several layers, asked about in one stream of batches.

    Args:
        engine: What answers for the model.
        image: Model-ready.
        features: Each layer's feature maps, none of them constant.
        ranks: Each map's rank, in the order of `features`: the highest are asked about first.
    """

    def __init__(
        self,
        engine: Engine,
        image: Float[Tensor, "channels height width"],
        features: Sequence[Float[Tensor, "_ _ _"]],
        ranks: Sequence[Float[Tensor, " _"]],
    ) -> None:
        self._engine, self._image = engine, image
        self._features = [maps.float() for maps in features]
        self._sizes = [len(maps) for maps in features]
        self._begins = [sum(self._sizes[:layer]) for layer in range(len(features))]
        self._order = torch.argsort(torch.cat(list(ranks)), descending=True, stable=True)
        self._numbers = torch.cat(
            [_measure(maps, (image.shape[1], image.shape[2])) for maps in features], dim=1
        )
        self._confidences = image.new_zeros((self.forwards, 0))

    @property
    def forwards(self) -> int:
        """How many masks there are: each takes a forward pass."""
        return sum(self._sizes)

    @property
    def order(self) -> Int[Tensor, " maps"]:
        """The places of all masks, layer after layer, in the order in which they are asked about."""
        return self._order

    @property
    def question(self) -> Question:
        """What is to be asked."""
        return Question(self._image, self._make_masks, self.forwards)

    def ask(self, progress: Progress | None = None) -> Iterator[int]:
        """Ask about one batch after the other; yield how many masks have been asked about."""
        for answer in ask_about(self._engine, [self.question], progress):
            self.learn(answer)
            yield answer.end

    def learn(self, answer: Answer) -> None:
        """Keep an answer to this stream's question."""
        confidences = answer.confidences
        if not self._confidences.shape[1]:
            self._confidences = confidences.new_full((self.forwards, confidences.shape[1]), torch.nan)
        self._confidences[self._order[answer.begin : answer.end]] = confidences

    def layers(self) -> list[ScoredMasks]:
        """Return what is known so far, layer by layer."""
        return [
            ScoredMasks(features, confidences, *numbers)
            for features, confidences, numbers in zip(
                self._features,
                torch.split(self._confidences, self._sizes),
                torch.split(self._numbers, self._sizes, dim=1),
                strict=True,
            )
        ]

    def _make_masks(self, begin: int, end: int) -> Tensor:
        size = (self._image.shape[1], self._image.shape[2])
        chosen = self._order[begin:end]
        masks = self._image.new_empty((end - begin, *self._image.shape[1:]), dtype=torch.float32)
        for features, first in zip(self._features, self._begins, strict=True):
            rows = torch.nonzero((chosen >= first) & (chosen < first + len(features)))[:, 0]
            if len(rows):
                large = resize(features[chosen[rows] - first], size)
                lowest, span, _ = self._numbers[:, chosen[rows], None, None].to(large.dtype)
                masks[rows] = ((large - lowest) / span).clamp(0, 1)
        return masks


def ask_together(engine: Engine, streams: Sequence[MaskStream], progress: Progress | None = None) -> None:
    """Ask about all masks of several images' streams, in batches that they share."""
    for answer in ask_about(engine, [stream.question for stream in streams], progress):
        streams[answer.question].learn(answer)


def _measure(features: Float[Tensor, "maps _ _"], size: tuple[int, int]) -> Float[Tensor, "3 maps"]:
    """Return the lowest value, span and area of the masks that feature maps become, some at a time."""
    parts = [torch.stack(resized_extent(some, size)) for some in torch.split(features, _MEASURED)]
    lowest, highest, total = (
        torch.cat(parts, dim=1) if parts else features.new_zeros((3, 0), dtype=torch.float64)
    )
    span = highest - lowest
    return torch.stack([lowest, span, (total - lowest * size[0] * size[1]) / span])


_MEASURED = 64
"""Feature maps measured at once, for the memory's sake."""


def weighted_masks(
    scored: ScoredMasks, weights: Float[Tensor, " maps"], size: tuple[int, int]
) -> Float[Tensor, "height width"]:
    r"""Return $\mathbb{E}_m[w_m \, m(\lambda) / \sum_\lambda m(\lambda)]$ over a layer's masks.

    Args:
        scored: The masks.
        weights: $w_m$, in the order of the masks; NaN leaves a mask out.
        size: Height and width in pixels.

    Returns:
        The weighted mean, float64, in the scale of `weights` divided by pixels; zeros where there is no mask.
    """
    used = ~weights.isnan()
    shares = weights[used].double() / (scored.span[used] * scored.area[used] * max(int(used.sum()), 1))
    coarse = torch.einsum("m,mhw->hw", shares, scored.features[used].double())
    return resize(coarse[None], size)[0] - (shares * scored.lowest[used]).sum()
