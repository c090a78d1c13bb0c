"""The state of a run that is not finished: one file, without pickle, from which it goes on as if it had never stopped.

What an epoch is made of follows from the seed and the epoch's number, what a step draws from the step's. So the state is
the weights, the optimizer's momentum, the place, and what the epoch came to so far.
"""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.optim import SGD

from severstal_xai.errors import InputError
from severstal_xai.files import sync, whole_file
from training.history import Epoch
from training.settings import Precision
from training.tally import Tally

_FORMAT = "1"
_MODEL, _MOMENTUM, _TALLY = "model.", "momentum.", "tally"


@dataclass(frozen=True)
class Place:
    """How far a run has come.

    Args:
        epoch: The epoch that is under way, from 1; one more than there are when all are done.
        tally: What it came to so far.
        epochs: The epochs before it.
    """

    epoch: int = 1
    tally: Tally = dataclasses.field(default_factory=Tally)
    epochs: tuple[Epoch, ...] = ()


@dataclass(frozen=True)
class Begun:
    """A run's state as it was saved.

    Args:
        place: How far it has come.
        settings: Its settings, as plain values.
        data_checksum: SHA-256 of the manifest that it is trained on.
        precision: The number format that it computes in, on whatever machine it goes on.
        weights: The network's weights and statistics, by their names.
        momentum: The optimizer's, by the weights' names; none before the first step.
    """

    place: Place
    settings: dict[str, Any]
    data_checksum: str
    precision: Precision
    weights: dict[str, Tensor]
    momentum: dict[str, Tensor]

    def restore(self, model: nn.Module, optimizer: SGD) -> None:
        """Put weights and momentum where they were, in place: the memory layout stays the model's."""
        model.load_state_dict(self.weights)
        for name, weight in model.named_parameters():
            if name in self.momentum:
                optimizer.state[weight]["momentum_buffer"] = torch.empty_like(weight).copy_(
                    self.momentum[name]
                )


def capture(model: nn.Module, optimizer: SGD) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return a network's weights and its optimizer's momentum, by the weights' names."""
    momentum = {
        name: optimizer.state[weight].get("momentum_buffer")
        for name, weight in model.named_parameters()
        if weight in optimizer.state
    }
    return dict(model.state_dict()), {name: value for name, value in momentum.items() if value is not None}


def save_state(path: Path, begun: Begun) -> None:
    """Write the state: the file is the old one or the new one, whole, at any moment."""
    tensors = {_MODEL + name: value for name, value in begun.weights.items()}
    tensors |= {_MOMENTUM + name: value for name, value in begun.momentum.items()}
    tensors[_TALLY] = begun.place.tally.sums
    described = {
        "format": _FORMAT,
        "epoch": begun.place.epoch,
        "step": begun.place.tally.steps,
        "epochs": [dataclasses.asdict(epoch) for epoch in begun.place.epochs],
        "settings": begun.settings,
        "data_checksum": begun.data_checksum,
        "precision": begun.precision,
    }
    content = safetensors.torch.save(
        {name: value.detach().cpu().contiguous() for name, value in tensors.items()},
        {"state": json.dumps(described)},
    )
    with whole_file(path) as temporary:
        temporary.write_bytes(content)
        sync(temporary)


def load_state(path: Path) -> Begun:
    """Read a state.

    Raises:
        InputError: It is damaged, or of another program or version.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            described = json.loads((file.metadata() or {}).get("state", "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 -- no dict
    except (SafetensorError, ValueError, OSError) as error:
        raise InputError(f"{path}: not a readable state ({error}), expected one that a run wrote") from error
    if not isinstance(described, dict) or described.get("format") != _FORMAT:
        raise InputError(f"{path}: no state of format {_FORMAT}, expected one that this version wrote")
    try:
        return Begun(
            Place(
                described["epoch"],
                Tally(tensors[_TALLY], described["step"]),
                tuple(Epoch(**epoch) for epoch in described["epochs"]),
            ),
            described["settings"],
            described["data_checksum"],
            described["precision"],
            _named(tensors, _MODEL),
            _named(tensors, _MOMENTUM),
        )
    except (KeyError, TypeError) as error:
        raise InputError(f"{path}: {error} is missing or wrong, expected a state that a run wrote") from error


def _named(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


FREE = (
    *("data", "output", "overwrite", "resume", "epochs", "device", "workers", "save_every"),
    "operating_point",
)
"""Settings that may differ when a run goes on: none of them changes what it becomes, or, `epochs`, what came before."""


def check_same(
    begun: Begun, settings: dict[str, Any], data_checksum: str, *, where: Path, free: Sequence[str] = FREE
) -> None:
    """Refuse to go on with a run under other settings or on other data.

    Raises:
        InputError: The message names what differs first.
    """
    for name, value in settings.items():
        before = begun.settings.get(name)
        if name not in free and before != value:
            raise InputError(
                f"{name} is {value}, and the run in {where} was begun with {before}; expected the same to resume it"
            )
    if begun.data_checksum != data_checksum:
        raise InputError(
            f"the run in {where} was begun on other data (manifest {begun.data_checksum[:12]}), and this is "
            f"{data_checksum[:12]}; expected the same to resume it"
        )
    done = len(begun.place.epochs)
    if settings["epochs"] < done:
        raise InputError(
            f"epochs is {settings['epochs']}, and the run in {where} has done {done}; expected as many"
        )
