"""What the metrics say of one patch: a row for each method, and for each control."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from explain.engines import choose_engine
from explain.evaluation.controls import CONTROLS
from explain.evaluation.variants import is_variant
from explain.explainer import Explainer
from explain.methods.ada_sise import AdaSISE
from explain.methods.sise import SISE
from explain.metrics.faithfulness import Judged, judge
from explain.metrics.localisation import box_score, energy_pointing, top_iou
from explain.subjects import Subject
from severstal_xai.errors import about
from severstal_xai.imaging import model_input

ORDERED = "_ordered"
"""What a method's name ends in where its ties are ordered by its map before the gates, not row by row."""


@dataclass(frozen=True)
class Row:
    """What the metrics say of a method's map of a patch.

    Args:
        patch: The patch.
        label: Its class, which is the one explained.
        method: The method's or the control's name.
        prediction: The class of the highest probability.
        whole: The target's probability in the patch.
        top: The same, of the map's top 15 % of pixels alone.
        drop: The patch's part of Drop %, 0 to 1; less is better.
        increase: The patch's part of Increase %, 0 or 1; more is better.
        insertion: The area under the insertion's curve, 0 to 1; more is better.
        deletion: The area under the deletion's curve, 0 to 1; less is better.
        energy_pointing: EBPG, 0 to 1; more is better; None where no defect is marked, as for the two below.
        top_iou: The patch's part of mIoU, 0 to 1; more is better.
        box_score: Bbox, 0 to 1; more is better.
        empty: Whether the map is all zero: the method found nothing.
        seconds: What the map took.
        engine: What answered for the model when the metrics asked it; empty where an earlier version did not note it.
    """

    patch: str
    label: int
    method: str
    prediction: int
    whole: float
    top: float
    drop: float
    increase: int
    insertion: float | None
    deletion: float | None
    energy_pointing: float | None
    top_iou: float | None
    box_score: float | None
    empty: bool
    seconds: float
    engine: str = ""


@dataclass(frozen=True)
class Asked:
    """An image, and the class whose evidence in it the maps are to show.

    Args:
        name: What its rows are called.
        image: Model-ready, on the model's device.
        target: The class.
        mask: Where it is, on the CPU; nowhere where that is not known.
    """

    name: str
    image: Float[Tensor, "channels height width"]
    target: int
    mask: Bool[Tensor, "height width"]


@dataclass(frozen=True)
class Explained:
    """A map of a patch, and what it took.

    Args:
        saliency: In [0, 1].
        tie_order: What orders its ties; None for row by row.
        seconds: What it took.
    """

    saliency: Float[Tensor, "height width"]
    tie_order: Float[Tensor, "height width"] | None
    seconds: float


def names_of(name: str, explainer: Explainer | None) -> tuple[str, ...]:
    """Return the names of the rows that a method gives: two where its ties can be ordered, else one, as of a variant."""
    if isinstance(explainer, SISE | AdaSISE) and not is_variant(name):
        return name, name + ORDERED
    return (name,)


def evaluate_patch(
    model: nn.Module, subject: Subject, methods: Mapping[str, Explainer | None], steps: int
) -> Iterator[tuple[Row, Float[Tensor, "height width"]]]:
    """Explain a patch by each method and ask the metrics about it.

    Args:
        model: In eval mode.
        subject: A patch whose class is known.
        methods: By their names; a control's is None.
        steps: Of the curves of insertion and deletion; 0 leaves them out.

    Yields:
        Each row with its map, on the CPU.
    """
    assert subject.label is not None
    device = next(model.parameters()).device
    image = torch.from_numpy(model_input(subject.grey)).to(device)
    mask = torch.zeros(subject.grey.shape, dtype=torch.bool)
    if subject.mask is not None:
        mask = torch.from_numpy(subject.mask)
    yield from evaluate_image(model, Asked(subject.name, image, subject.label, mask), methods, steps)


def evaluate_image(
    model: nn.Module, asked: Asked, methods: Mapping[str, Explainer | None], steps: int
) -> Iterator[tuple[Row, Float[Tensor, "height width"]]]:
    """Explain an image's class by each method and ask the metrics about it; as `evaluate_patch`, for any image."""
    image, target, mask = asked.image, asked.target, asked.mask
    explained = {
        row_name: one
        for name, explainer in methods.items()
        for row_name, one in _explained(model, image, target, name, explainer)
    }
    judged = [Judged(image, target, one.saliency, one.tie_order) for one in explained.values()]
    with torch.inference_mode():
        prediction = int(model(image[None])[0].argmax())
        engine = choose_engine(model, image)
        with about(asked.name):
            found = judge(engine, judged, steps)
    for (name, one), faithful in zip(explained.items(), found, strict=True):
        saliency = one.saliency.cpu()
        ties = None if one.tie_order is None else one.tie_order.cpu()
        yield (
            Row(
                patch=asked.name,
                label=target,
                method=name,
                prediction=prediction,
                whole=faithful.whole,
                top=faithful.top,
                drop=faithful.drop,
                increase=int(faithful.increase),
                insertion=faithful.insertion_auc if steps else None,
                deletion=faithful.deletion_auc if steps else None,
                energy_pointing=_if_defined(energy_pointing(saliency, mask)),
                top_iou=_if_defined(top_iou(saliency, mask, ties)),
                box_score=_if_defined(box_score(saliency, mask, ties)),
                empty=not saliency.any(),
                seconds=one.seconds,
                engine=engine.name,
            ),
            saliency,
        )


def _if_defined(value: float) -> float | None:
    return None if math.isnan(value) else value


def _explained(
    model: nn.Module,
    image: Float[Tensor, "channels height width"],
    target: int,
    name: str,
    explainer: Explainer | None,
) -> Sequence[tuple[str, Explained]]:
    """Explain by one method; with ties row by row, and where it can order them, so, too."""
    began = time.perf_counter()
    if isinstance(explainer, SISE | AdaSISE) and not is_variant(name):
        found = explainer.explain(model, image, target)
        seconds = time.perf_counter() - began
        ordered = Explained(found.saliency, found.tie_order, seconds)
        return [(name, Explained(found.saliency, None, seconds)), (name + ORDERED, ordered)]
    if explainer is None:
        saliency = CONTROLS[name](image)
    else:
        saliency = explainer(model, image[None], torch.tensor([target], device=image.device))[0]
    return [(name, Explained(saliency, None, time.perf_counter() - began))]
