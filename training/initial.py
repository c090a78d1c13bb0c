"""The network as it is before the first step: random, with ImageNet's weights, or with another run's."""

from pathlib import Path

from torch import Tensor, nn

from severstal_xai.checkpoint import load_checkpoint
from severstal_xai.classes import CLASSES
from severstal_xai.errors import InputError
from severstal_xai.model import build_classifier, imagenet_weights
from training.settings import Settings


def initial_network(settings: Settings) -> nn.Module:
    """Build the network that training begins with.

    Raises:
        InputError: The weights to begin with are not there, or are of another network.
    """
    network = build_classifier(settings.architecture, len(CLASSES), settings.seed)
    if settings.initial == "random":
        return network
    new_head = settings.new_head or settings.initial == "imagenet"
    head = head_of(network) if new_head else None
    taken = {
        name: value
        for name, value in _weights(settings).items()
        if head is None or not name.startswith(f"{head}.")
    }
    network.load_state_dict(network.state_dict() | taken)
    return network


def _weights(settings: Settings) -> dict[str, Tensor]:
    if settings.initial == "imagenet":
        return imagenet_weights(settings.architecture)
    checkpoint = load_checkpoint(Path(settings.initial))
    if checkpoint.card.architecture != settings.architecture:
        raise InputError(
            f"initial {settings.initial}: a {checkpoint.card.architecture}, expected a {settings.architecture}, "
            "as architecture says"
        )
    return dict(checkpoint.model.state_dict())


def head_of(network: nn.Module) -> str:
    """Return the name of the last layer, which gives the classes.

    Example:
        >>> head_of(build_classifier("resnet18", 5, seed=0))
        'fc'
    """
    names: list[str] = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    return names[-1]
