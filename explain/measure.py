"""How long a method takes, how often it asks the model, and how much memory it needs: one measurement a function."""

import copy
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import torch
from torch import nn

from explain.activations import activations
from explain.budget import rank_correlation
from explain.case import Asked, Case
from explain.engines import Engine, EngineName, choose_engine
from explain.explainer import Explainer
from explain.instruments import bare_seconds, counted_forwards, peak_memory, synchronize
from explain.library_cams import ask_about_masks
from explain.methods import METHODS
from explain.methods.sise import SISE
from explain.metrics.localisation import energy_pointing
from explain.scoring import MaskStream
from explain.semantic_sampling import SemanticMap
from severstal_xai.errors import InputError

_ROUNDS = 5
_TIMED = 32
"""Images of each timing of an engine."""
_PAIRS = 3
_LIBRARY_MASKS = 64


@dataclass(frozen=True)
class MethodCost:
    """What a method costs for one image.

    Args:
        method: Its name.
        seconds: The median.
        forwards: Images that the network was asked about; SISE's masks, without the pass that finds its features.
        peak_mib: Memory beyond the loaded model, at its highest.
    """

    method: str
    seconds: float
    forwards: int
    peak_mib: float


@dataclass(frozen=True)
class EngineCost:
    """What an engine takes for a forward pass; None for all figures where it cannot be used.

    Args:
        engine: Its name.
        milliseconds: An image, in batches of the engine's own size, the median.
        speed: Float32 eager's time divided by its own, the median of pairs timed in turn.
        reason: Why it may, or may not, be used.
    """

    engine: str
    milliseconds: float | None
    speed: float | None
    reason: str


@dataclass(frozen=True)
class Overhead:
    """SISE beside as many bare forward passes on the same engine, timed in turn.

    Args:
        engine: The engine.
        forwards: SISE's masks.
        seconds: SISE's, the median.
        ratio: SISE's time divided by the bare passes', the median of pairs.
    """

    engine: str
    forwards: int
    seconds: float
    ratio: float


@dataclass(frozen=True)
class LibraryCost:
    """pytorch-grad-cam's Score-CAM beside our scoring, milliseconds for each mask, timed in turn."""

    library: float
    ours: float

    @property
    def speed(self) -> float:
        """How many times faster ours is."""
        return self.library / self.ours


@dataclass(frozen=True)
class BudgetCost:
    """SISE within a budget beside its full map, medians over the images but for the correlation.

    Args:
        budget: The largest share of the forward passes.
        seconds: What a map took.
        share: The forward passes that it took, as a share of the full map's.
        spearman: Rank correlation with the full map's pixels, an entry for each image.
        claimed: What the map itself says of that.
    """

    budget: float
    seconds: float
    share: float
    spearman: tuple[float, ...]
    claimed: tuple[float, ...]


@dataclass(frozen=True)
class Agreement:
    """SISE on the default engine beside SISE with the network in float64, an entry for each image.

    Args:
        spearman: Rank correlation of the maps' pixels.
        energy_pointing_difference: In percentage points; NaN where there is no ground truth.
    """

    spearman: tuple[float, ...]
    energy_pointing_difference: tuple[float, ...]


def method_cost(case: Case, name: str) -> MethodCost:
    """Measure a method; its engine is made before, as it is once for a model."""
    model, subjects = case.model(), case.subjects()
    explainer = _explainer(case, name)
    choose_engine(model, subjects[0].image)
    seconds, peaks, forwards = [], [], []
    for asked in subjects:
        with peak_memory(asked.image.device) as peak, counted_forwards() as count:
            began = time.perf_counter()
            masks = _explain(explainer, model, asked)
            seconds.append(time.perf_counter() - began)
        peaks.append(peak.mib)
        forwards.append(masks or count.images)
    return MethodCost(name, statistics.median(seconds), round(statistics.median(forwards)), max(peaks))


def engine_costs(case: Case) -> tuple[EngineCost, ...]:
    """Time all engines in turn."""
    model, image = case.model(), case.subjects()[0].image
    engines: dict[str, Engine] = {}
    refused: list[EngineCost] = []
    for name in [name for name in get_args(EngineName) if name != "auto"]:
        try:
            engines[name] = choose_engine(model, image, name)
        except InputError as error:
            refused.append(EngineCost(name, None, None, str(error)))
    rounds = [
        {name: bare_seconds(engine, image, _TIMED) / _TIMED for name, engine in engines.items()}
        for _ in range(_ROUNDS)
    ]
    measured = [
        EngineCost(
            name,
            1000 * statistics.median(one[name] for one in rounds),
            statistics.median(one["reference"] / one[name] for one in rounds),
            engine.reason,
        )
        for name, engine in engines.items()
    ]
    return (*measured, *refused)


def overhead(case: Case) -> Overhead:
    """Time SISE and as many bare forward passes, in turn."""
    model, asked = case.model(), case.subjects()[0]
    sise = SISE(case.mu)
    engine = choose_engine(model, asked.image)
    forwards = _explain(SISE(max(case.mu, 0.9)), model, asked)  # a first, short one that is not counted
    pairs = []
    for _ in range(_PAIRS):
        began = time.perf_counter()
        forwards = _explain(sise, model, asked)
        pairs.append((time.perf_counter() - began, bare_seconds(engine, asked.image, forwards)))
    return Overhead(
        engine.name,
        forwards,
        statistics.median(whole for whole, _ in pairs),
        statistics.median(whole / bare for whole, bare in pairs),
    )


def library_score_cam_cost(case: Case) -> LibraryCost:
    """Let pytorch-grad-cam's Score-CAM and our engine score as many masks of the last block, in turn."""
    model, asked = case.model(), case.subjects()[0]
    engine = choose_engine(model, asked.image)
    features = activations(model, asked.image).values()[-1]
    features = features[features.amax(dim=(1, 2)) > features.amin(dim=(1, 2))][:_LIBRARY_MASKS]
    pairs = []
    for _ in range(_PAIRS):
        began = time.perf_counter()
        ask_about_masks(model, asked.image, asked.target, len(features), engine.batch)
        synchronize(asked.image.device)
        between = time.perf_counter()
        stream = MaskStream(engine, asked.image, [features], [torch.zeros(len(features))])
        for _ in stream.ask():
            pass
        synchronize(asked.image.device)
        pairs.append((between - began, time.perf_counter() - between))
    library, ours = (1000 * statistics.median(times) / len(features) for times in zip(*pairs, strict=True))
    return LibraryCost(library, ours)


def budget_costs(case: Case, budgets: Sequence[float]) -> tuple[BudgetCost, ...]:
    """Explain the images fully, and within each budget."""
    model, subjects = case.model(), case.subjects()
    choose_engine(model, subjects[0].image)
    full = [SISE().explain(model, asked.image, asked.target) for asked in subjects]
    return tuple(_budget_cost(model, subjects, full, budget) for budget in budgets)


def _budget_cost(
    model: nn.Module, subjects: Sequence[Asked], full: Sequence[SemanticMap], budget: float
) -> BudgetCost:
    sise = SISE(budget=budget)
    sise.explain(model, subjects[0].image, subjects[0].target)  # a first one that is not counted
    seconds, found = [], []
    for asked in subjects:
        began = time.perf_counter()
        found.append(sise.explain(model, asked.image, asked.target))
        synchronize(asked.image.device)
        seconds.append(time.perf_counter() - began)
    pairs = list(zip(found, full, strict=True))
    return BudgetCost(
        budget,
        statistics.median(seconds),
        statistics.median(one.forwards / max(1, whole.forwards) for one, whole in pairs),
        tuple(rank_correlation(one.saliency, whole.saliency) for one, whole in pairs),
        tuple(one.agreement for one in found),
    )


def agreement_with_float64(case: Case) -> Agreement:
    """Explain the images on the default engine and with the network in float64."""
    model, subjects = case.model(), case.subjects()
    exact = copy.deepcopy(model).double()
    correlations, differences = [], []
    for asked in subjects:
        fast = SISE(case.mu).explain(model, asked.image, asked.target).saliency.cpu()
        slow = (
            SISE(case.mu, engine="reference")
            .explain(exact, asked.image.double(), asked.target)
            .saliency.cpu()
        )
        correlations.append(rank_correlation(fast, slow))
        if asked.mask is not None:
            difference = energy_pointing(fast, asked.mask) - energy_pointing(slow, asked.mask)
            differences.append(100 * abs(difference))
    return Agreement(tuple(correlations), tuple(differences))


def _explainer(case: Case, name: str) -> Explainer:
    return SISE(case.mu) if name == "sise" else METHODS[name]()


def _explain(explainer: Explainer, model: nn.Module, asked: Asked) -> int:
    """Explain, and return how many images the model was asked about; 0 for a method that does not tell."""
    told = [0]
    tells = getattr(explainer, "explain", None)
    if tells:
        tells(model, asked.image, asked.target, lambda _done, total: told.__setitem__(0, total))
    else:
        explainer(model, asked.image[None], torch.tensor([asked.target], device=asked.image.device))
    synchronize(asked.image.device)
    return told[0]
