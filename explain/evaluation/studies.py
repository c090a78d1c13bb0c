"""What an evaluation finds out besides the metrics: one record a patch, each study in a folder of its own."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from torch import nn

from explain.evaluation import attribution_masks, cascade
from explain.evaluation.answers import Answer, answer, explained_answer
from explain.evaluation.attribution_masks import AttributionMasks
from explain.evaluation.cascade import Cascade
from explain.evaluation.counterfactual import Counterfactual, counterfactual
from explain.evaluation.evidence import Group, groups_of
from explain.evaluation.files import read_maps
from explain.evaluation.settings import Settings
from explain.evaluation.variants import over_seeds
from explain.explainer import Explainer
from explain.methods.sise import SISE
from explain.records import Maker, maker_of
from explain.subjects import Subject, choose_patches
from severstal_xai.checkpoint import ModelCard
from severstal_xai.classes import CLASSES
from severstal_xai.files import sha256
from severstal_xai.imaging import PATCH_SHAPE, model_input
from severstal_xai.manifest import Manifest, Patch, Split
from severstal_xai.model import build_classifier

COUNTERFACTUAL, ANSWERS, SUSPECTS, MASKS, WORST, CASCADE = (
    *("counterfactual", "answers", "suspects", "masks"),
    *("worst", "cascade_"),
)
"""Their folders; a sanity check's goes on with its method's name."""
Found = tuple[Any, np.ndarray | None]
"""A patch's record, and maps of it that are worth keeping."""


_WORST = {Group.RIGHT_ELSEWHERE: 8, Group.WRONG_ELSEWHERE: 2, Group.WRONG_ON_DEFECT: 2}
"""How many patches of each group are shown as its worst cases."""


@dataclass(frozen=True)
class Shown:
    """A patch whose map is kept to be shown."""

    patch: str


@dataclass(frozen=True)
class Study:
    """Something to find out about patches.

    Args:
        name: Its folder.
        patches: Which patches.
        maker: What makes its records what they are.
        kind: The class of its records.
        examine: Finds out about one patch.
    """

    name: str
    patches: Sequence[Patch]
    maker: Maker
    kind: type
    examine: Callable[[nn.Module, Subject], Found]


def kept_shape(record: Any) -> tuple[int, ...] | None:
    """Return the shape of the maps that are kept with a study's record; None where none are."""
    match record:
        case Answer() if not record.suspected:
            return None
        case Shown() | Answer():
            return PATCH_SHAPE
        case AttributionMasks():
            return len(record.blocks) + 1, attribution_masks.SHOWN, *PATCH_SHAPE
        case Cascade():
            return len(record.parts) + 1, *PATCH_SHAPE
    return None


def read_kept(folder: Path, record: Any) -> Float[np.ndarray, "*maps height width"] | None:
    """Return the maps that are kept with a study's record; None where none are, or they are damaged."""
    shape = kept_shape(record)
    return None if shape is None else read_maps(folder, record.patch, shape)


def is_whole(folder: Path, record: Any) -> bool:
    """Whether the maps that are kept with a study's record are there."""
    return kept_shape(record) is None or read_kept(folder, record) is not None


def studies_of(
    settings: Settings, card: ModelCard, manifest: Manifest, chosen: Sequence[Patch]
) -> Iterator[Study]:
    """Yield what is to be found out.

    Args:
        settings: The evaluation's.
        card: The model's.
        manifest: The data.
        chosen: The patches that the metrics are for.
    """
    split = Split(settings.split)
    marked = [patch for patch in chosen if patch.mask]
    if settings.counterfactual and marked:
        maker = Maker(card.weights_sha256, "label", {})
        yield Study(COUNTERFACTUAL, marked, maker, Counterfactual, _ask_counterfactual)
    asked = choose_patches(manifest, split, settings.patches_per_class)
    yield Study(ANSWERS, asked, Maker(card.weights_sha256, "none", {}), Answer, _answer)
    if settings.sure is not None:
        first = maker_of(settings.first_method(), card.weights_sha256, "prediction")
        maker = Maker(first.weights, first.target, {**first.settings, "sure": settings.sure})
        examine = partial(_suspect, explainer=settings.first_method(), sure=settings.sure)
        yield Study(SUSPECTS, asked, maker, Answer, examine)
    if marked and any(isinstance(one, SISE) for one in settings.explainers().values()):
        made = maker_of(settings.sise, card.weights_sha256, "label")
        largest = max(marked, key=lambda patch: patch.defect_pixels)
        yield Study(MASKS, [largest], made, AttributionMasks, partial(_masks, sise=settings.sise))
    few = [one for one in choose_patches(manifest, split, settings.sanity_patches) if one.mask]
    for name, explainer in settings.checked_methods().items():
        made = maker_of(explainer, card.weights_sha256, "label")
        maker = Maker(made.weights, made.target, {**made.settings, "seed": settings.seed})
        untrained = cache(
            partial(build_classifier, card.architecture, len(CLASSES), _other_seed(settings.seed))
        )
        yield Study(
            CASCADE + name, few, maker, Cascade, partial(_cascade, untrained=untrained, explainer=explainer)
        )


def _other_seed(seed: int) -> int:
    """Return a seed that no training began with: the run's own first weights are what it still resembles most."""
    return int(sha256(f"untrained {seed}".encode())[:15], 16)


def worst_of(settings: Settings, card: ModelCard, manifest: Manifest, rows: pd.DataFrame) -> Study:
    """Return the study that makes the maps again of the worst patches of the groups that are failures.

    Args:
        settings: The evaluation's.
        card: The model's.
        manifest: The data.
        rows: All methods' rows.
    """
    groups = groups_of(over_seeds(rows), str(rows["method"].iloc[0]))
    names = [
        name for group, count in _WORST.items() for name in worst_first(groups, group)["patch"].head(count)
    ]
    explainer = settings.first_method()
    return Study(
        WORST,
        [manifest.find(name) for name in names],
        maker_of(explainer, card.weights_sha256, "label"),
        Shown,
        partial(_explain, explainer=explainer),
    )


def worst_first(groups: pd.DataFrame, group: Group) -> pd.DataFrame:
    """Return a group's patches, the worst first.

    That is the farthest from the defect; where the evidence is on the defect, that whose own class is the least likely to
    the model.

    Args:
        groups: As `groups_of` returns it.
        group: The group.
    """
    own = groups[groups["group"] == group]
    return own.sort_values("whole", kind="stable") if group == Group.WRONG_ON_DEFECT else own


def _explain(model: nn.Module, subject: Subject, *, explainer: Explainer) -> Found:
    assert subject.label is not None
    image = torch.from_numpy(model_input(subject.grey)).to(next(model.parameters()).device)
    maps = explainer(model, image[None], torch.tensor([subject.label], device=image.device))
    return Shown(subject.name), maps[0].cpu().numpy()


def _ask_counterfactual(model: nn.Module, subject: Subject) -> Found:
    return counterfactual(model, subject), None


def _answer(model: nn.Module, subject: Subject) -> Found:
    return answer(model, subject), None


def _suspect(model: nn.Module, subject: Subject, *, explainer: Explainer, sure: float) -> Found:
    found, saliency = explained_answer(model, subject, explainer, sure)
    return found, saliency if found.suspected else None


def _masks(model: nn.Module, subject: Subject, *, sise: SISE) -> Found:
    return attribution_masks.examine(model, subject, sise)


def _cascade(
    model: nn.Module, subject: Subject, *, untrained: Callable[[], nn.Module], explainer: Explainer
) -> Found:
    return cascade.examine(model, untrained().to(next(model.parameters()).device), subject, explainer)
