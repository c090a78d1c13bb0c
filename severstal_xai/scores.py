"""A trained model's scores on the test split, as its run folder keeps them: the file `scores.json`, read strictly."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pydantic
from jaxtyping import Int64
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from severstal_xai.bootstrap import Measure
from severstal_xai.checkpoint import ModelCard
from severstal_xai.classes import CLASSES
from severstal_xai.errors import InputError

SCORES_FILE = "scores.json"
_WHOLE = ("top1", "top3", "balanced_accuracy")

_STRICT = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)
_Share = Annotated[float, Field(ge=0, le=1)] | None


@dataclass(frozen=True)
class RunScores:
    """How well a model names the patches of the test split.

    Args:
        confusion: Patches by actual class (rows) and predicted class (columns).
        measures: `top1`, `top3` and `balanced_accuracy`; for each class C that occurs `precision_C`, `recall_C` and `f1_C`
            among others; 0 to 1, each with its interval; NaN where there is no value.
        computed: Where and in which number format the model was trained, in words.
    """

    confusion: Int64[np.ndarray, "actual predicted"]
    measures: Mapping[str, Measure]
    computed: str


@pydantic.dataclasses.dataclass(frozen=True, config=_STRICT)
class _Measured:
    value: _Share
    low: _Share
    high: _Share


@pydantic.dataclasses.dataclass(frozen=True, config=_STRICT)
class _Confusion:
    counts: list[list[Annotated[int, Field(ge=0, le=10**9)]]]


@pydantic.dataclasses.dataclass(frozen=True, config=_STRICT)
class _Test:
    confusion: _Confusion
    measures: dict[str, _Measured]


@pydantic.dataclasses.dataclass(frozen=True, config=_STRICT)
class _Compute:
    device: str
    precision: str


@pydantic.dataclasses.dataclass(frozen=True, config=_STRICT)
class _File:
    architecture: str
    epoch: int
    data_checksum: str
    compute: _Compute
    test: _Test


_AS_JSON = TypeAdapter(_File)


def read_scores(run: Path, card: ModelCard) -> RunScores | None:
    """Read a run folder's scores; None where it has none.

    Args:
        run: The run folder.
        card: What is known of the model whose scores they are to be.

    Raises:
        InputError: The file is damaged, or tells of another network, epoch or data; the message names what.
    """
    path = run / SCORES_FILE
    try:
        file = _AS_JSON.validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise InputError(
            f"{path}: {where}: {first['msg']}; expected what `python -m training` writes"
        ) from error
    for name in ("architecture", "epoch", "data_checksum"):
        theirs, ours = getattr(file, name), getattr(card, name)
        if theirs != ours:
            raise InputError(
                f"{path}: {name} {theirs}, expected the model's, {ours}; `--resume true` ends an unfinished run"
            )
    missing = [name for name in _WHOLE if name not in file.test.measures]
    if missing:
        raise InputError(f"{path}: test.measures: no {missing[0]}, expected {', '.join(_WHOLE)}")
    return RunScores(
        _counts(path, file.test.confusion.counts),
        {
            name: Measure(*map(_number, (one.value, one.low, one.high)))
            for name, one in file.test.measures.items()
        },
        f"{file.compute.device} in {file.compute.precision}",
    )


def _counts(path: Path, counts: list[list[int]]) -> Int64[np.ndarray, "actual predicted"]:
    if [len(row) for row in counts] != [len(CLASSES)] * len(CLASSES) or not any(map(any, counts)):
        raise InputError(
            f"{path}: test.confusion.counts, expected {len(CLASSES)} rows of {len(CLASSES)} counts, one above 0 at least"
        )
    return np.array(counts, dtype=np.int64)


def _number(value: float | None) -> float:
    return np.nan if value is None else value
