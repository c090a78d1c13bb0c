"""The classifier; the one module that knows torchvision's models."""

from typing import Literal, get_args

import torch
import torchvision.models
from torch import nn

from severstal_xai.errors import InputError

Architecture = Literal["resnet18", "resnet34", "resnet50", "resnet101", "vgg16"]
"""Networks to train, by torchvision's names; the paper's is ResNet-101."""

ARCHITECTURES: tuple[str, ...] = get_args(Architecture)


def build_classifier(architecture: str, classes: int, seed: int) -> nn.Module:
    """Build a network with random weights.

    Args:
        architecture: One of `ARCHITECTURES`.
        classes: Outputs (logits), one a class.
        seed: The same seed gives the same weights; the caller's random state is left as it was.

    Raises:
        InputError: An architecture that is none of them.
    """
    if architecture not in ARCHITECTURES:
        raise InputError(f"architecture {architecture!r}, expected one of {', '.join(ARCHITECTURES)}")
    with torch.random.fork_rng(devices=[]):  # torchvision initialises from the global generator
        torch.manual_seed(seed)
        model: nn.Module = torchvision.models.get_model(architecture, weights=None, num_classes=classes)
    return model
