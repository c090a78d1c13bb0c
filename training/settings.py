"""The settings of a training run; their defaults are the paper's, in `configs/training.yaml`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from severstal_xai.classes import CLASSES
from severstal_xai.errors import InputError, check_range
from severstal_xai.model import Architecture
from severstal_xai.operating_point import Costs
from severstal_xai.strips import PATCH_SIZE

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "float32", "bf16"]
Sampling = Literal["natural", "balanced"]

PAPER: dict[str, object] = {
    "architecture": "resnet101",
    "epochs": 40,
    "learning_rate": 0.1,
    "halve_every": 5,
    "patches_per_class": None,
    "sampling": "natural",
}
"""What the SISE paper (appendix "ResNet-101") gives; each other setting is ours."""


@dataclass(frozen=True)
class Augmentation:
    """How much chance changes a training patch; 0 switches a change off.

    Args:
        horizontal_flip: Probability that left and right change places.
        vertical_flip: Probability that top and bottom change places.
        shift: Pixels by which the patch moves at most, each way; what moves in is mirrored.
        brightness: Share of the grey range (0 to 1) that is added or taken away at most.
        contrast: Share (0 to 1) by which grey values are stretched or squeezed at most.
        noise: Standard deviation of Gaussian noise at most, in grey values.
    """

    horizontal_flip: float
    vertical_flip: float
    shift: int
    brightness: float
    contrast: float
    noise: float

    def __post_init__(self) -> None:
        for name in ("horizontal_flip", "vertical_flip", "brightness", "contrast"):
            check_range(f"augmentation.{name}", getattr(self, name), 0, 1)
        check_range("augmentation.shift", self.shift, 0, PATCH_SIZE // 2)
        check_range("augmentation.noise", self.noise, 0, 128)


@dataclass(frozen=True)
class Loss:
    """What training makes small; the defaults are the paper's categorical cross-entropy.

    Args:
        class_weights: none; balanced, which gives each class the same share of the loss; or a number for each class.
        focal_gamma: The focal loss's exponent, 0 to 10: how much less a patch counts that is known surely; 0 is
            cross-entropy.
        label_smoothing: Share, 0 to below 1, of each label that is spread over all classes.
    """

    class_weights: Literal["none", "balanced"] | list[float]
    focal_gamma: float
    label_smoothing: float

    def __post_init__(self) -> None:
        if not isinstance(self.class_weights, str):
            if len(self.class_weights) != len(CLASSES):
                raise InputError(
                    f"loss.class_weights has {len(self.class_weights)} numbers, expected {len(CLASSES)}, one a class"
                )
            for weight in self.class_weights:
                check_range("loss.class_weights", weight, 0, 1e6)
            if not any(self.class_weights):
                raise InputError("loss.class_weights are all 0, expected one at least above")
        check_range("loss.focal_gamma", self.focal_gamma, 0, 10)
        check_range("loss.label_smoothing", self.label_smoothing, 0, 0.9999)
        if self.focal_gamma and self.label_smoothing:
            raise InputError(
                f"loss.focal_gamma is {self.focal_gamma} and loss.label_smoothing {self.label_smoothing}, expected one "
                "of the two to be 0: one seeks sure answers where the other avoids them"
            )


@dataclass(frozen=True)
class Settings:
    """All of a training run's settings.

    Args:
        data: Data folder, as `python -m data_prep` writes it.
        output: Run folder to write.
        overwrite: Whether to replace the run that the output folder holds.
        resume: Whether to go on with the run that the output folder holds, if it holds one.
        save_every: Minutes after which the run's state is saved, besides after each epoch.
        architecture: The network.
        initial: Its weights at the beginning: random; imagenet, torchvision's, but for the last layer; or the run
            folder of a model of the same architecture.
        new_head: Whether the last layer begins at random also where a run's weights are taken.
        epochs: Times that the training patches are gone through.
        learning_rate: Learning rate of the first epoch.
        halve_every: Epochs after which the learning rate is halved, again and again.
        momentum: Momentum of SGD, 0 to below 1.
        weight_decay: Weight decay (L2) of SGD.
        batch_size: Patches in a step.
        patches_per_class: At most so many patches of a class in an epoch, drawn anew for each; null for all.
        sampling: natural takes each patch once in an epoch; balanced each class as often as another, the patches of
            rare classes again and again.
        loss: What training makes small.
        augmentation: How much chance changes a training patch.
        operating_point: What wrong answers cost: for the thresholds that are chosen at the end.
        seed: The same seed on the same machine's CPU gives the same weights.
        device: Where to compute; auto takes a GPU where there is one.
        precision: Number format to compute in; auto takes bf16 where the machine is fast at it.
        workers: Processes that load patches; 0 loads in the training process itself.
    """

    data: Path
    output: Path
    overwrite: bool
    resume: bool
    save_every: float
    architecture: Architecture
    initial: str
    new_head: bool
    epochs: int
    learning_rate: float
    halve_every: int
    momentum: float
    weight_decay: float
    batch_size: int
    patches_per_class: int | None
    sampling: Sampling
    loss: Loss
    augmentation: Augmentation
    operating_point: Costs
    seed: int
    device: Device
    precision: Precision
    workers: int | Literal["auto"]

    def __post_init__(self) -> None:
        if self.overwrite and self.resume:
            raise InputError("overwrite and resume are both true, expected one of the two at most")
        if not self.initial:
            raise InputError("initial is empty, expected random, imagenet or a run folder")
        check_range("save_every", self.save_every, 0)
        check_range("epochs", self.epochs, 1, 10_000)
        check_range("learning_rate", self.learning_rate, 0, 10, above=True)
        check_range("halve_every", self.halve_every, 1, 10_000)
        check_range("momentum", self.momentum, 0, 0.9999)
        check_range("weight_decay", self.weight_decay, 0, 1)
        check_range("batch_size", self.batch_size, 1, 4096)
        check_range("seed", self.seed, 0, 2**63 - 1)
        if self.patches_per_class is not None:
            check_range("patches_per_class", self.patches_per_class, 1, 10**9)
        if self.workers != "auto":
            check_range("workers", self.workers, 0, 256)
