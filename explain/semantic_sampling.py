r"""Semantic input sampling: the four phases that SISE and its sequel share (Sattarzadeh et al., AAAI 2021).

(1) One forward pass keeps the feature maps at the end of every convolutional block; (2) those with a positive
gradient become masks; (3) each block's map is the mean of its masks, weighted by the model's confidence in what
each lets through; (4) the blocks' maps are fused, from the image to the output.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from explain.activations import Activations, Gradients, activations, log_confidence, logit
from explain.engines import Engine, EngineName, choose_engine
from explain.fusion import fuse, hard_gate, soft_gate, visualization_map
from explain.maps import otsu, rescale
from explain.scoring import MaskStream, Milestones, Progress, ScoredMasks, Stream, ask_together

Gate = Literal["hard", "soft"]
Keep = Callable[[Float[Tensor, " maps"]], Bool[Tensor, " maps"]]
"""Tells by a layer's gradient scores which of its maps become masks."""


@dataclass(frozen=True)
class Block:
    """What was seen at the end of one block.

    Args:
        layer: The name of the value in the network's graph.
        masks: How many feature maps became masks; 0 where the block's map says nothing.
        visualization: $V^{(l)}$ (Eq. 12), in [0, 1].
        threshold: Otsu's, of the visualization map.
        gate: What of the earlier blocks' sum the block lets through, in [0, 1]; the first block has no say.
    """

    layer: str
    masks: int
    visualization: Float[Tensor, "height width"]
    threshold: float
    gate: Float[Tensor, "height width"]


@dataclass(frozen=True)
class SemanticMap:
    r"""A map and how it came about.

    Args:
        saliency: The explanation map, in [0, 1]; all zero where no block has a mask or the gates close.
        tie_order: The sum of the blocks' maps without the gates, in [0, 1]: orders the pixels that the hard
            gate leaves equal, at zero.
        blocks: From the image to the output.
        mu: The map is that of all masks whose gradient score exceeds `mu` times their layer's largest.
        forwards: Forward passes under masks that were made for it, and for the targets explained beside it.
        agreement: The rank correlation (Spearman) of its pixels with those of the map of all masks; 1 where all
            were asked about, else an estimate.
        engine: What answered for the model.
        reason: Why that engine.
    """

    saliency: Float[Tensor, "height width"]
    tie_order: Float[Tensor, "height width"]
    blocks: tuple[Block, ...]
    mu: float
    forwards: int
    agreement: float
    engine: str
    reason: str


@dataclass(frozen=True)
class Sampling:
    r"""How to sample.

    Args:
        keep: Which maps become masks.
        mu: What `keep` means in terms of $\mu$, for the result.
        gate: `hard` is the paper's binary mask, `soft` its authors' laboratory's.
        layers: Names of modules, where the network's block ends cannot be found; none finds them.
        engine: What answers for the model.
    """

    keep: Keep
    mu: float
    gate: Gate
    layers: tuple[str, ...]
    engine: EngineName


@dataclass(frozen=True)
class Choice:
    r"""The masks of one layer for one target: which maps, and their $\alpha_k / \beta$.

    Args:
        kept: Which of the layer's masks this target keeps.
        ranks: $\alpha_k / \beta$ of each.
    """

    kept: Bool[Tensor, " maps"]
    ranks: Float[Tensor, " maps"]


AnyStream_co = TypeVar("AnyStream_co", bound=Stream, covariant=True)


@dataclass(frozen=True)
class Samples(Generic[AnyStream_co]):
    """All that is to be asked about an image, for all its targets.

    Args:
        sampling: How.
        engine: What answers for the model.
        layers: The block ends' names.
        stream: The masks of all layers.
        choices: Each target's, layer by layer.
        size: The image's height and width.
    """

    sampling: Sampling
    engine: Engine
    layers: tuple[str, ...]
    stream: AnyStream_co
    choices: dict[int, list[Choice]]
    size: tuple[int, int]


def explain_targets(
    sampling: Sampling,
    model: nn.Module,
    image: Float[Tensor, "channels height width"],
    targets: Sequence[int],
    progress: Progress | None = None,
) -> list[SemanticMap]:
    """Explain several targets of one image: a mask that several of them keep is asked about once.

    Args:
        sampling: How.
        model: A network in eval mode.
        image: Model-ready.
        targets: The classes.
        progress: Told after each batch; what it raises ends the work and leaves no trace.
    """
    samples = sample(sampling, model, image, targets)
    for _ in samples.stream.ask(progress):
        pass
    return [conclude(samples, target, samples.stream.layers(), samples.stream.forwards) for target in targets]


def explain_images(
    sampling: Sampling,
    model: nn.Module,
    images: Float[Tensor, "batch channels height width"],
    targets: Int[Tensor, " batch"],
) -> Float[Tensor, "batch height width"]:
    """Explain one target of each image; images that are explained together share their batches.

    Args:
        sampling: How.
        model: A network in eval mode.
        images: Model-ready.
        targets: A class for each.

    Returns:
        The maps, in [0, 1].
    """
    if not len(images):
        return images.new_zeros((0, *images.shape[2:]), dtype=torch.float32)
    engine = choose_engine(model, images[0], sampling.engine)
    wanted = [int(target) for target in targets]
    samples = [
        sample(sampling, model, image, [target], engine=engine)
        for image, target in zip(images, wanted, strict=True)
    ]
    ask_together(engine, [one.stream for one in samples])
    maps = [
        conclude(one, target, one.stream.layers(), one.stream.forwards)
        for one, target in zip(samples, wanted, strict=True)
    ]
    return torch.stack([one.saliency for one in maps])


def explain_in_steps(
    samples: Samples[Stream], target: int, *, shares: Sequence[float], progress: Progress | None = None
) -> Iterator[SemanticMap]:
    r"""Explain one target, first maps first: the masks are asked about in the order of their gradient scores.

    Args:
        samples: What there is to ask, in that order.
        target: The class.
        shares: Shares of the forward passes, in (0, 1), after which to yield a map.
        progress: Told after each batch.

    Yields:
        Maps that are whole at their own, higher $\mu$; last, the map of all masks.
    """
    milestones = Milestones(shares, samples.stream.forwards)
    ranks = torch.cat([choice.ranks[choice.kept] for choice in samples.choices[target]]).sort(
        descending=True
    )[0]
    for asked in samples.stream.ask(progress):
        if milestones.reached(asked):
            yield conclude(samples, target, samples.stream.layers(), asked, mu=float(ranks[asked]))
    yield conclude(samples, target, samples.stream.layers(), samples.stream.forwards)


Plan = Callable[[Sequence[int]], Sequence[Float[Tensor, " _"]]]
"""Gives ranks to the masks of all layers, by the layers' numbers of masks: the highest are asked about first."""


def sample(
    sampling: Sampling,
    model: nn.Module,
    image: Float[Tensor, "channels height width"],
    targets: Sequence[int],
    *,
    plan: Plan | None = None,
    engine: Engine | None = None,
) -> Samples[MaskStream]:
    """Do phases 1 and 2: choose the masks; without a plan they are in the order of their gradient scores."""
    engine = engine or choose_engine(model, image, sampling.engine)
    seen = activations(model, image, sampling.layers)
    choices = {target: _choose(seen, target, sampling.keep) for target in targets}
    features, ranks = [], []
    for place, values in enumerate(seen.values()):
        layer = [choice[place] for choice in choices.values()]
        asked = torch.stack([one.kept for one in layer]).any(dim=0)
        features.append(values[asked])
        ranks.append(torch.stack([one.ranks[asked] for one in layer]).amax(dim=0))
        for target, one in zip(choices, layer, strict=True):
            choices[target][place] = Choice(one.kept[asked], one.ranks[asked])
    stream = MaskStream(engine, image, features, plan([len(maps) for maps in features]) if plan else ranks)
    return Samples(sampling, engine, seen.layers, stream, choices, (image.shape[1], image.shape[2]))


def _choose(seen: Activations, target: int, keep: Keep) -> list[Choice]:
    r"""Choose each layer's masks, Eq. 4 to 6.

    Where no map of a layer has a positive score by the confidence's gradient (it is saturated beyond float64), the
    raw logit's decides; where that finds none either, the layer has none.
    """
    by_confidence = seen.gradients(log_confidence(target))
    by_logit: Gradients | None = None
    choices = []
    for place, features in enumerate(seen.values()):
        alpha = gradient_scores(by_confidence[place])
        if not (alpha > 0).any():
            by_logit = by_logit or seen.gradients(logit(target))
            alpha = gradient_scores(by_logit[place])
        varied = features.amax(dim=(1, 2)) > features.amin(dim=(1, 2))
        largest = alpha.amax()
        choices.append(Choice(keep(alpha) & varied, alpha / torch.where(largest > 0, largest, 1)))
    return choices


def gradient_scores(gradients: Float[Tensor, "maps height width"]) -> Float[Tensor, " maps"]:
    r"""Return $\alpha_k = \sum_\lambda \partial \Psi / \partial A_k(\lambda)$ (Eq. 4), in float64."""
    return gradients.double().sum(dim=(1, 2))


def conclude(
    samples: Samples[Stream],
    target: int,
    layers: Sequence[ScoredMasks],
    forwards: int,
    *,
    mu: float | None = None,
    agreement: float = 1.0,
) -> SemanticMap:
    r"""Do phases 3 and 4: average each layer's masks and fuse the layers.

    Args:
        samples: What was asked.
        target: The class.
        layers: The masks with their confidences.
        forwards: How many were asked about.
        mu: Leaves out masks whose rank is not above it; None takes all.
        agreement: With the map of all masks.
    """
    visualizations, masks = [], []
    for scored, choice in zip(layers, samples.choices[target], strict=True):
        used = choice.kept if mu is None else choice.kept & (choice.ranks > mu)
        visualizations.append(visualization_map(scored, used, target, samples.size))
        masks.append(int(used.sum()))
    thresholds = [otsu(one) for one in visualizations]
    open_gate = hard_gate if samples.sampling.gate == "hard" else soft_gate
    gates = [open_gate(one, threshold) for one, threshold in zip(visualizations, thresholds, strict=True)]
    return SemanticMap(
        saliency=fuse(visualizations, gates).float(),
        tie_order=rescale(torch.stack(visualizations).sum(dim=0)).float(),
        blocks=tuple(map(Block, samples.layers, masks, visualizations, thresholds, gates)),
        mu=samples.sampling.mu if mu is None else mu,
        forwards=forwards,
        agreement=agreement,
        engine=samples.engine.name,
        reason=samples.engine.reason,
    )
