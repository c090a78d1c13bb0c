"""A model's operating point: how probable a defect must be for its patch to be held before an inspector."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from severstal_xai.bootstrap import Measure
from severstal_xai.classes import DEFECTS
from severstal_xai.errors import InputError, about, check_range
from severstal_xai.strips import WINDOW_COUNT

STEM = "operating_point"
OPERATING_POINT_FILE = f"{STEM}.json"
_FORMAT = 1
ABOVE_ALL = math.nextafter(1.0, 2.0)
"""The highest threshold: where probabilities reach 1 it is the one that flags nothing."""
_STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True, config=_STRICT)
class Costs:
    """What a wrong answer costs, in any unit, a number for each defect class; and how much can be looked at.

    Args:
        miss: Of a patch of the class that is not flagged as it.
        alarm: Of a patch of another class, or sound, that is flagged as it.
        review_limit: Patches a strip, 0 to 6, that an inspector can look at; None for as many as the costs are worth.
    """

    miss: tuple[float, ...]
    alarm: tuple[float, ...]
    review_limit: float | None

    def __post_init__(self) -> None:
        for name in ("miss", "alarm"):
            costs = getattr(self, name)
            if len(costs) != len(DEFECTS):
                raise InputError(
                    f"{name} has {len(costs)} numbers, expected {len(DEFECTS)}, one a defect class"
                )
            for cost in costs:
                check_range(name, cost, 0, 1e9)
        if self.review_limit is not None:
            check_range("review_limit", self.review_limit, 0, WINDOW_COUNT, above=True)


@dataclass(frozen=True, config=_STRICT)
class Expected:
    """What a class's threshold leads to on a split, with intervals.

    Args:
        patches: How many patches of the class there are.
        misses: Share of them, 0 to 1, that is not flagged as the class; None where there are none.
        alarms: Patches a strip, 0 to 6, that are flagged as the class and are not of it.
    """

    patches: int
    misses: Measure | None
    alarms: Measure


@dataclass(frozen=True, config=_STRICT)
class Review:
    """What all thresholds together lead to on a split, with intervals.

    Args:
        patches: Patches a strip, 0 to 6, that are flagged as any defect: what an inspector is to look at.
        unseen: Share of the patches with a defect, 0 to 1, that nothing flags; None where there are none.
    """

    patches: Measure
    unseen: Measure | None


@dataclass(frozen=True, config=_STRICT)
class ClassPoint:
    """A defect class's threshold.

    Args:
        label: The class.
        threshold: The probability, 0 to `ABOVE_ALL`, from which on a patch is flagged as the class; None where none could be
            chosen: then a patch is flagged where the class is the model's answer.
        note: What to know of the choice; empty where there is nothing.
        validation: What it leads to on the patches that it was chosen on.
        test: What it leads to on patches that had no part in it.
    """

    label: int
    threshold: Annotated[float, Field(ge=0, le=ABOVE_ALL)] | None
    note: str
    validation: Expected
    test: Expected


@dataclass(frozen=True, config=_STRICT)
class OperatingPoint:
    """The thresholds of a model's defect classes.

    Args:
        format: Of the file.
        weights_sha256: The checksum of the model's weights.
        costs: What they were chosen for.
        classes: A point for each defect class, in their order.
        validation: What they lead to together on the patches that they were chosen on.
        test: What they lead to together on patches that had no part in it.
    """

    weights_sha256: str
    costs: Costs
    classes: tuple[ClassPoint, ...]
    validation: Review
    test: Review
    format: int = _FORMAT


_AS_JSON = TypeAdapter(OperatingPoint)


def is_flagged(label: int, threshold: float | None, probabilities: Sequence[float]) -> bool:
    """Tell whether a patch is flagged as a class.

    Args:
        label: The class.
        threshold: The class's; None to flag where the class is the model's answer.
        probabilities: Of all classes, in their order.

    Example:
        >>> is_flagged(1, 0.2, (0.7, 0.3)), is_flagged(1, None, (0.7, 0.3))
        (True, False)
    """
    if threshold is None:
        return max(range(len(probabilities)), key=probabilities.__getitem__) == label
    return probabilities[label] >= threshold


def flagged_as(point: OperatingPoint, probabilities: Sequence[float]) -> tuple[int, ...]:
    """Return the defect classes that a patch is flagged as, the surest first."""
    labels = [one.label for one in point.classes if is_flagged(one.label, one.threshold, probabilities)]
    return tuple(sorted(labels, key=lambda label: -probabilities[label]))


def as_json(point: OperatingPoint) -> object:
    """Return what the file holds, as plain values."""
    return _AS_JSON.dump_python(point, mode="json")


def read_operating_point(run: Path, weights_sha256: str) -> OperatingPoint | None:
    """Read a run folder's operating point; None where it has none.

    Args:
        run: The run folder.
        weights_sha256: The checksum of the weights that are to be used with it.

    Raises:
        InputError: The file is damaged, or of other weights or classes.
    """
    path = run / OPERATING_POINT_FILE
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        with about(path):
            point = _AS_JSON.validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise InputError(
            f"{path}: {where}: {first['msg']}; expected what `python -m training.operating_point` writes"
        ) from error
    if point.format != _FORMAT or [one.label for one in point.classes] != [steel.id for steel in DEFECTS]:
        raise InputError(
            f"{path}: format {point.format} with {len(point.classes)} classes, expected format {_FORMAT} with the "
            f"{len(DEFECTS)} defect classes in their order"
        )
    if point.weights_sha256 != weights_sha256:
        raise InputError(
            f"{path}: of other weights than the model's; expected one set for them by `python -m training.operating_point`"
        )
    return point
