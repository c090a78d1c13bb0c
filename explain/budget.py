"""SISE's map from a part of its forward passes: the other masks' confidences are predicted, and it knows how well.

Masks are asked about in rounds, each 1.4 times as many as before. They are drawn by lot, most of them from the last
block, whose gate decides the most; two at least from each. After a round the confidences of all others are
predicted (`surrogate`) and the map is made of both. Sets of confidences drawn from the prediction's uncertainty give
maps that may be the full one: their rank correlation with the map at hand estimates its agreement with the full
one. Where a round's measurements lie farther from what had been predicted for them than the prediction
allowed, the uncertainty is widened by as much: so the estimate is held against the facts.

It ends when the estimate reaches `STANDS_STILL`, or with the budget.
"""

import dataclasses
import math
from collections import deque
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Bool, Float
from scipy.stats import spearmanr
from torch import Tensor, nn

from explain.maps import resize
from explain.scoring import Progress, ScoredMasks, Stream
from explain.semantic_sampling import Samples, SemanticMap, conclude
from explain.surrogate import Posterior, predict, squared_distances
from severstal_xai.errors import check_range

STANDS_STILL = 0.99
"""The estimated agreement with the full map at which no further mask is asked about."""
_FIRST = 24
_FIRST_SHARE = 0.05
_GROWTH = 1.4
_DRAWS, _EARLY_DRAWS = 8, 2
"""Maps that may be the full one, to hold a round's map against, and a first one's, which is to be there soon."""
_SIDE = 16
"""Masks are compared at so many pixels' height and width."""
_LAST, _SECOND = 0.8, 0.1
"""The shares of the last block and of the one before it in what is asked."""
_FROM_EACH = 2


def check_budget(budget: float) -> None:
    """Refuse a share of the forward passes that is none."""
    check_range("budget", budget, 0, 1)


def explain_within(
    samples: Samples[Stream],
    target: int,
    *,
    budget: float,
    enough: float = STANDS_STILL,
    progress: Progress | None = None,
) -> SemanticMap:
    """Explain one target with at most a share of the forward passes: the last of `rounds_within`."""
    (found,) = deque(
        rounds_within(samples, target, budget=budget, enough=enough, progress=progress), maxlen=1
    )
    return found


def rounds_within(
    samples: Samples[Stream],
    target: int,
    *,
    budget: float,
    enough: float = STANDS_STILL,
    early: Sequence[float] = (),
    progress: Progress | None = None,
) -> Iterator[SemanticMap]:
    """Explain one target with at most a share of the forward passes, and yield the map of each round.

    Args:
        samples: What there is to ask, in the order of `draw_plan`.
        target: The class.
        budget: The share, 0 to 1; 24 masks are asked about in any case.
        enough: The estimated agreement at which to end before.
        early: Shares of all forward passes after which to yield a map before the first round's. They have a foresight of
            their own: what the rounds find is the same with them and without.
        progress: Told after each batch how many passes are done, and how many there are at most.

    Yields:
        Maps of all masks, each with the forward passes that it took and the estimate of its agreement with the full
        one; the last is the map itself.
    """
    total = samples.stream.forwards
    most = min(total, max(_FIRST, math.ceil(budget * total)))
    due = min(most, max(_FIRST, math.ceil(_FIRST_SHARE * total)))
    points = torch.cat([_small(scored) for scored in samples.stream.layers()])
    distances = squared_distances(points, points)
    foresight = _Foresight(distances, _DRAWS)
    sooner = sorted(share * total for share in early)
    for asked in samples.stream.ask(_at_most(progress, most)):
        if sooner and sooner[0] <= asked < due:
            sooner = [count for count in sooner if count > asked]
            yield _Foresight(distances, _EARLY_DRAWS).conclude(samples, target, asked)
        if due <= asked < total:
            found = foresight.conclude(samples, target, asked)
            yield found
            if found.agreement >= enough or asked >= most:
                return
            due = min(most, math.ceil(asked * _GROWTH))
    yield conclude(samples, target, samples.stream.layers(), total)


def draw_plan(sizes: Sequence[int]) -> list[Float[Tensor, " _"]]:
    """Rank the masks of all layers by lot: any first part of them holds the blocks' shares.

    Example: of the last block's masks eight come for each one of the block before.
        >>> ranks = draw_plan([40, 40])
        >>> (ranks[1] > ranks[0].sort(descending=True)[0][4]).sum().item()
        32
    """
    generator = torch.Generator().manual_seed(0)
    ranks = []
    for layer, size in enumerate(sizes):
        left = len(sizes) - 1 - layer
        share = {0: _LAST, 1: _SECOND}.get(left, (1 - _LAST - _SECOND) / max(1, len(sizes) - 2))
        place = torch.randperm(size, generator=generator).double()
        ranks.append(torch.where(place < _FROM_EACH, 1.0, -place / share))
    return ranks


class _Foresight:
    """What was predicted in the last round, to be held against what this one measures."""

    def __init__(self, distances: Float[Tensor, "masks masks"], draws: int) -> None:
        self._distances, self._draws = distances, draws
        self._generator = torch.Generator().manual_seed(0)
        self._before: tuple[Posterior, Bool[Tensor, " masks"]] | None = None
        self._widening = 1.0

    def conclude(self, samples: Samples[Stream], target: int, asked: int) -> SemanticMap:
        """Predict what was not measured, and make the map of both."""
        layers = samples.stream.layers()
        measured = torch.cat([scored.confidences[:, target] for scored in layers]).double().cpu()
        known = ~measured.isnan()
        self._learn(measured, known)
        posterior = predict(self._distances, torch.nonzero(known)[:, 0], measured[known])
        self._before = (posterior, known)
        likely = torch.where(known, measured, posterior.mean).clamp(0, 1)
        found = conclude(samples, target, _with(layers, likely, target), asked)
        draws = posterior.draw(self._draws, self._generator) - posterior.mean
        agreements = []
        for error in draws * self._widening:
            possible = torch.where(known, measured, likely + error).clamp(0, 1)
            other = conclude(samples, target, _with(layers, possible, target), asked)
            agreements.append(rank_correlation(found.saliency, other.saliency))
        return dataclasses.replace(found, agreement=sum(agreements) / len(agreements))

    def _learn(self, measured: Tensor, known: Tensor) -> None:
        if self._before:
            posterior, known_before = self._before
            new = known & ~known_before
            surprise = (measured[new] - posterior.mean[new]) / posterior.deviation[new]
            self._widening = max(1.0, float(surprise.square().mean().sqrt()))


def rank_correlation(first: Float[Tensor, "height width"], second: Float[Tensor, "height width"]) -> float:
    """Return Spearman's correlation of two maps' pixels; of constant maps 1 where both are, else 0.

    Example:
        >>> rank_correlation(torch.tensor([[0.0, 0.5, 1.0]]), torch.tensor([[0.0, 0.1, 0.2]]))
        1.0
    """
    constant = [bool((one == one.flatten()[0]).all()) for one in (first, second)]
    if any(constant):
        return float(all(constant))
    return float(spearmanr(first.flatten().cpu(), second.flatten().cpu()).statistic)


def _small(scored: ScoredMasks) -> Float[Tensor, "maps pixels"]:
    """Return a layer's masks at a small size, a row each."""
    if len(scored.features) == 0:
        return torch.zeros(0, _SIDE * _SIDE, dtype=torch.float64)
    if max(scored.features.shape[1:]) > _SIDE:
        small = nn.functional.adaptive_avg_pool2d(scored.features, _SIDE)
    else:
        small = resize(scored.features, (_SIDE, _SIDE))
    masks = (small - scored.lowest[:, None, None]) / scored.span[:, None, None]
    return masks.flatten(1).double().cpu()


def _with(
    layers: Sequence[ScoredMasks], confidences: Float[Tensor, " masks"], target: int
) -> list[ScoredMasks]:
    """Return the layers with other confidences for one target."""
    replaced = []
    columns = torch.split(confidences, [len(one.features) for one in layers])
    for scored, column in zip(layers, columns, strict=True):
        others = scored.confidences.clone()
        others[:, target] = column.to(others)
        replaced.append(dataclasses.replace(scored, confidences=others))
    return replaced


def _at_most(progress: Progress | None, most: int) -> Progress | None:
    return progress and (lambda done, _: progress(min(done, most), most))
