"""The settings of the recast; their defaults are in `configs/data_prep.yaml`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from severstal_xai.classes import DEFECTS
from severstal_xai.errors import check_range
from severstal_xai.strips import MARGIN, PATCH_SIZE

SeveralClasses = Literal["leave_out_strip", "leave_out_patch"]
NormalFrom = Literal["annotated", "one_class", "all"]
Unit = Literal["patch", "strip"]


@dataclass(frozen=True)
class LabelRules:
    """What becomes of a window, by what its strip's annotation says.

    Args:
        min_defect_pixels: A patch belongs to a class when it holds at least so many pixels of it, 1 or more; one
            that holds fewer, but any, is neither defective nor sound and is left out.
        several_classes: Defect patches of a strip that is annotated with several classes: `leave_out_strip`
            leaves out all of them, `leave_out_patch` only those that hold several classes themselves.
        normal_from: Whose defect-free patches become class 0: `annotated` strips, those with `one_class`, or `all`.
        black_level: A patch whose mean grey value is below this, 0 to 255, is dropped.
    """

    min_defect_pixels: int
    several_classes: SeveralClasses
    normal_from: NormalFrom
    black_level: float


@dataclass(frozen=True)
class SplitSettings:
    """How patches are shared out.

    Args:
        unit: `patch` shares out patches, as the paper does; `strip` keeps a strip's patches on one side.
        train_share: The share of each class for training, validation included, between 0 and 1.
        validation_share: The share of that which is held back for validation, between 0 and 1.
        seed: Another seed is another split.
    """

    unit: Unit
    train_share: float
    validation_share: float
    seed: int

    def __post_init__(self) -> None:
        check_range("split.train_share", self.train_share, 0, 1, above=True, below=True)
        check_range("split.validation_share", self.validation_share, 0, 1, below=True)
        check_range("split.seed", self.seed, 0)


@dataclass(frozen=True)
class DataPrepSettings:
    """Strips and their annotations become patches and a manifest.

    Args:
        source: Kaggle's folder, or its zip: `train_images/` and `train.csv`.
        output: The data folder to make.
        offset: The x of the first of the six windows, 0 to 64 pixels.
        min_defect_pixels: A patch belongs to a class when it holds at least so many pixels of it.
        several_classes: Defect patches of strips with several classes: leave out all, or the mixed patches.
        normal_from: Whose defect-free patches become class 0.
        black_level: A patch whose mean grey value is below this, 0 to 255, is dropped.
        split: How patches are shared out.
        evaluation_limit: At most so many test patches of a class in the evaluation subset; others: all.
        workers: Threads; 0 is one for each core.
        strict: End with exit status 1 when anything was rejected.
    """

    source: Path | None
    output: Path
    offset: int
    min_defect_pixels: int
    several_classes: SeveralClasses
    normal_from: NormalFrom
    black_level: float
    split: SplitSettings
    evaluation_limit: dict[int, int]
    workers: int = 0
    strict: bool = False

    def __post_init__(self) -> None:
        check_range("offset", self.offset, 0, MARGIN)
        check_range("min_defect_pixels", self.min_defect_pixels, 1, PATCH_SIZE**2)
        check_range("black_level", self.black_level, 0, 255)
        check_range("workers", self.workers, 0, 256)
        for label, limit in self.evaluation_limit.items():
            check_range("evaluation_limit, class", label, DEFECTS[0].id, DEFECTS[-1].id)
            check_range(f"evaluation_limit, patches of class {label}", limit, 0)

    def label_rules(self) -> LabelRules:
        """Return what decides on a window."""
        return LabelRules(self.min_defect_pixels, self.several_classes, self.normal_from, self.black_level)
