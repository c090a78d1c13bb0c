"""The settings of `python -m explain.evaluate`; their defaults are in `configs/evaluate.yaml`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from explain.evaluation.controls import CONTROLS
from explain.evaluation.variants import check_told_apart, variants_of
from explain.explainer import Explainer
from explain.methods.sise import SISE
from explain.settings import explainers_of
from severstal_xai.errors import InputError, check_range


@dataclass(frozen=True)
class Settings:
    r"""What to evaluate.

    Args:
        run: The run folder that `python -m training` made.
        data: The data folder, with the masks.
        split: Which patches.
        subset: evaluation takes those that the paper evaluates on, the defects; all takes the sound ones, too.
        patches_per_class: At most so many of each class, drawn by lot; null is all.
        methods: Names of methods, with commas between them; the controls are always beside them.
        sise: SISE's settings.
        mus: Thresholds $\mu$ at which SISE is evaluated besides, the paper's Table 6; none leaves that out.
        seeds: How often methods that draw lots are evaluated; the paper's Table 1 averages three runs.
        steps: Of the curves of insertion and deletion; 0 leaves them out.
        counterfactual: Whether to paint defects over and ask again.
        sure: Answers "defect" at least this probable are explained by the first method, whatever the patch's class, to find
            label errors; null leaves that out.
        sanity: Names of methods whose maps are held against those of a network with ever more random weights; empty for none.
        sanity_patches: Of each class, for that.
        seed: Of the lots by which the intervals, and random weights, are drawn.
        output: The folder for what comes out; null is RUN/evaluation. What it holds already is not made again.
        overwrite: Whether to delete what was made there with other settings.
        device: Where the model runs; auto takes a GPU where there is one.
    """

    run: Path
    data: Path
    split: Literal["train", "validation", "test"]
    subset: Literal["evaluation", "all"]
    patches_per_class: int | None
    methods: str
    sise: SISE
    mus: tuple[float, ...]
    seeds: int
    steps: int
    counterfactual: bool
    sure: float | None
    sanity: str
    sanity_patches: int
    seed: int
    output: Path | None
    overwrite: bool
    device: Literal["auto", "cpu", "cuda"]

    def __post_init__(self) -> None:
        if self.patches_per_class is not None:
            check_range("patches_per_class", self.patches_per_class, 1)
        for mu in self.mus:
            check_range("mus", mu, 0, 1, below=True)
        if len(set(self.mus)) < len(self.mus):
            raise InputError(f"mus {list(self.mus)}, expected each threshold once")
        check_told_apart(self.mus, self.sise.mu)
        check_range("seeds", self.seeds, 1, 100)
        check_range("steps", self.steps, 0, 1000)
        if self.sure is not None:
            check_range("sure", self.sure, 0, 1)
        check_range("sanity_patches", self.sanity_patches, 0)
        check_range("seed", self.seed, 0, 2**63 - 1)
        self.explainers()
        self.checked_methods()

    def explainers(self) -> dict[str, Explainer | None]:
        """Return the methods and their variants by their names, and the controls, whose explainer is None."""
        named = explainers_of(self.methods, self.sise)
        return {**variants_of(named, self.mus, self.seeds), **dict.fromkeys(CONTROLS)}

    def first_method(self) -> Explainer:
        """Return the first of the methods, whose maps tell where the evidence lies."""
        return next(iter(explainers_of(self.methods, self.sise).values()))

    def checked_methods(self) -> dict[str, Explainer]:
        """Return the methods that the sanity check is for, by their names."""
        return explainers_of(self.sanity, self.sise) if self.sanity and self.sanity_patches else {}
