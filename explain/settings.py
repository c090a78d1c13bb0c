"""The settings of `python -m explain`; their defaults are in `configs/explain.yaml`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from explain.explainer import Explainer
from explain.methods import METHODS
from explain.methods.sise import SISE
from severstal_xai.errors import InputError, check_range

Target = Literal["auto", "label", "prediction", "0", "1", "2", "3", "4"]


@dataclass(frozen=True)
class ExplainSettings:
    """What to explain, and by which methods.

    Args:
        run: The run folder that `python -m training` made.
        data: A data folder, whose patches are explained; or null.
        images: Image files, or folders of them: strips of 1600 x 256 or patches of 256 x 256 pixels.
        split: Which patches of the data folder.
        patches_per_class: At most so many of each class, drawn by lot; null is all.
        target: The class to explain; auto is the ground truth's for patches, for images the predicted defect, or
            the likeliest one where the prediction is sound.
        methods: Names of methods, with commas between them.
        sise: SISE's settings.
        output: The folder for the maps; null is RUN/maps. Maps that it holds already are kept and not made again.
        overwrite: Whether to delete maps of these methods that were made with other settings.
        at_once: How many images each method is given together, to share its batches; null is one on a CPU, eight on
            a GPU. A killed run loses what it had of these, and its maps may differ by an engine's rounding from those of
            a run that was not killed.
        device: Where the model runs; auto takes a GPU where there is one.
    """

    run: Path
    data: Path | None
    images: list[Path]
    split: Literal["train", "validation", "test"]
    patches_per_class: int | None
    target: Target
    methods: str
    sise: SISE
    output: Path | None
    overwrite: bool
    at_once: int | None
    device: Literal["auto", "cpu", "cuda"]

    def __post_init__(self) -> None:
        if bool(self.data) == bool(self.images):
            raise InputError(f"--data {self.data} and --images {self._named()}: expected one of the two")
        if self.patches_per_class is not None:
            check_range("patches_per_class", self.patches_per_class, 1)
        if self.at_once is not None:
            check_range("at_once", self.at_once, 1)
        if self.target == "label" and self.images:
            raise InputError(
                "target is label, expected prediction or a class for images: nobody knows their labels"
            )
        self.explainers()

    def _named(self) -> str:
        return " ".join(map(str, self.images)) or "none"

    def explainers(self) -> dict[str, Explainer]:
        """Return the methods by their names."""
        return explainers_of(self.methods, self.sise)


def explainers_of(methods: str, sise: SISE) -> dict[str, Explainer]:
    """Return methods by their names.

    Args:
        methods: Their names, with commas between them.
        sise: The settings of one of them; the others have the paper's.

    Raises:
        InputError: A name that is none or that comes twice, or none at all.
    """
    if not methods.strip():
        raise InputError(
            f"methods {methods!r}, expected one or more of {', '.join(METHODS)}, with commas between them"
        )
    names = [name.strip() for name in methods.split(",")]
    for name in names:
        if not name:
            raise InputError(f"methods {methods!r}, expected a name before and after each comma")
        if name not in METHODS:
            raise InputError(f"method {name!r}, expected one of {', '.join(METHODS)}")
        if names.count(name) > 1:
            raise InputError(f"method {name!r} is named {names.count(name)} times, expected once")
    own = {"sise": sise}
    return {name: own.get(name) or METHODS[name]() for name in names}
