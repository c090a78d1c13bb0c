"""The classifier; the one module that knows torchvision's models."""

from pathlib import Path
from typing import Literal, get_args

import torch
import torch.hub
import torchvision.models
from jaxtyping import Float, Float64
from torch import Tensor, nn

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


def probabilities(logits: Float[Tensor, "images classes"]) -> Float64[Tensor, "images classes"]:
    """Return the softmax probabilities, in float64 whatever the logits are: in float32 what is nearly sure reads as sure.

    Example: with 20 between them, float32 has exactly 1.
        >>> logits = torch.tensor([[20.0, 0.0]])
        >>> bool(logits.softmax(dim=1)[0, 0] == 1), bool(probabilities(logits)[0, 0] == 1)
        (True, False)
    """
    return logits.double().softmax(dim=1)


def imagenet_weights(architecture: str) -> dict[str, Tensor]:
    """Return torchvision's ImageNet weights (its first set), from its cache or from the network.

    Raises:
        InputError: They are not in the cache and cannot be fetched; the message says where to put them.
    """
    weights = torchvision.models.get_model_weights(architecture)["IMAGENET1K_V1"]
    try:
        tensors: dict[str, Tensor] = weights.get_state_dict(
            progress=False, check_hash=True, map_location="cpu", weights_only=True
        )
    except (
        Exception
    ) as error:  # of the network, of the file system, or whatever a damaged file makes of unpickling
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(
            f"the ImageNet weights of {architecture} cannot be had ({reason}), expected a connection to "
            f"{weights.url}, or that file in {Path(torch.hub.get_dir()) / 'checkpoints'}"
        ) from error
    return tensors
