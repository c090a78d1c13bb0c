"""The settings of `python -m explain.natural`; their defaults are in `configs/natural.yaml`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from explain.evaluation.controls import CONTROLS
from explain.evaluation.variants import variants_of
from explain.explainer import Explainer
from explain.methods.sise import SISE
from explain.natural.datasets import MaskKind
from explain.natural.torchray import LEAST_SIZE, NETWORKS, Architecture, Dataset, weights_file
from explain.settings import explainers_of
from severstal_xai.errors import check_range


@dataclass(frozen=True)
class Settings:
    """What to evaluate.

    Args:
        dataset: voc2007 is PASCAL VOC 2007's test set, the paper's Table 1; coco2014 MS COCO's validation set of 2014, its
            Table 4.
        images: The folder that holds VOCdevkit; or val2014 and annotations.
        masks: boxes or segments; those of VOC are there for a part of the test set.
        architecture: TorchRay's network.
        weights: Its file; null is weights/NAME, with the name that TorchRay gives it.
        methods: Names of methods, with commas between them; the controls are always beside them.
        sise: SISE's settings.
        images_at_most: At most so many images, drawn by lot; null is all. A larger number adds to a smaller one's.
        seeds: How often methods that draw lots, RISE and extremal perturbation, are evaluated; the paper averages three runs. A
            larger number adds to a smaller one's.
        steps: Of the curves of insertion and deletion; 0, as in the paper, leaves them out.
        size: Height and width in pixels to which each image is resized.
        seed: Of the lot by which images and intervals are drawn.
        output: The folder for what comes out; null is runs/DATASET_ARCHITECTURE. Rows that it holds already are not made
            again.
        overwrite: Whether to delete rows of these methods that were made with other settings.
        device: Where the model runs; auto takes a GPU where there is one.
    """

    dataset: Dataset
    images: Path
    masks: MaskKind
    architecture: Architecture
    weights: Path | None
    methods: str
    sise: SISE
    images_at_most: int | None
    seeds: int
    steps: int
    size: int
    seed: int
    output: Path | None
    overwrite: bool
    device: Literal["auto", "cpu", "cuda"]

    def __post_init__(self) -> None:
        if self.images_at_most is not None:
            check_range("images_at_most", self.images_at_most, 1)
        check_range("seeds", self.seeds, 1, 100)
        check_range("steps", self.steps, 0, 1000)
        check_range("size", self.size, LEAST_SIZE[self.architecture], 4096)
        check_range("seed", self.seed, 0, 2**63 - 1)
        self.explainers()

    def explainers(self) -> dict[str, Explainer | None]:
        """Return the methods, once for each seed, by their names, and the controls, whose explainer is None."""
        named = explainers_of(self.methods, self.sise)
        return {**variants_of(named, mus=(), seeds=self.seeds), **dict.fromkeys(CONTROLS)}

    def weights_path(self) -> Path:
        """Return where the network's weights are."""
        return self.weights or Path("weights", weights_file(self.dataset, self.architecture))

    def folder(self) -> Path:
        """Return where what comes out goes."""
        return self.output or Path("runs", f"{self.dataset}_{self.architecture}")

    def other_network(self) -> Architecture:
        """Return the other one of the paper's two networks."""
        return next(one for one in NETWORKS if one != self.architecture)

    def folder_beside(self) -> Path:
        """Return where the other network's run lies if it lies beside this one's."""
        return self.folder().resolve().parent / f"{self.dataset}_{self.other_network()}"
