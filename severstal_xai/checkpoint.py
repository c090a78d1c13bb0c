"""A trained model as files: weights (safetensors) and all that is needed to use them (JSON). No pickle."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor, nn

from severstal_xai import imaging
from severstal_xai.classes import CLASSES
from severstal_xai.errors import InputError, about
from severstal_xai.files import sha256_of, sync, whole_file, write_text
from severstal_xai.model import build_classifier

WEIGHTS_FILE = "model.safetensors"
MODEL_FILE = "model.json"
_FORMAT = 1


@dataclass(frozen=True)
class ModelCard:
    """What one must know of a trained model to use it.

    Args:
        architecture: The network's name, as in `severstal_xai.model`.
        data_checksum: SHA-256 of the manifest it was trained on.
        epoch: The epoch, from 1, whose weights these are.
        settings: The training's settings, as they were run.
        weights_sha256: The checksum of the weights' file; filled in by `save_checkpoint`.
    """

    architecture: str
    data_checksum: str
    epoch: int
    settings: dict[str, Any]
    weights_sha256: str = ""


@dataclass(frozen=True)
class Checkpoint:
    """A model in eval mode, on the CPU, in float32, and what is known of it."""

    model: nn.Module
    card: ModelCard


def save_checkpoint(folder: Path, model: nn.Module, card: ModelCard, name: str = "model") -> None:
    """Write `NAME.safetensors`, then `NAME.json` with the weights' checksum: whole files, both."""
    weights = folder / f"{name}.safetensors"
    tensors = {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
    with whole_file(weights) as temporary:
        temporary.write_bytes(safetensors.torch.save(tensors))  # `save_file` would let nobody else read it
        sync(temporary)
    named = dataclasses.replace(card, weights_sha256=sha256_of(weights))
    content = {
        "format": _FORMAT,
        "classes": _classes(),
        "preprocessing": _preprocessing(),
    } | dataclasses.asdict(named)
    write_text(folder / f"{name}.json", json.dumps(content, indent=2) + "\n")


def load_checkpoint(folder: Path, name: str = "model") -> Checkpoint:
    """Load a run folder's model.

    Raises:
        InputError: A file is missing, damaged, of another program or another version, or does not belong to
            the other, or a weight is no finite number; the message names it.
    """
    card = read_card(folder, name)
    weights = folder / f"{name}.safetensors"
    if not weights.is_file():
        raise InputError(f"{weights}: no such file, expected the weights that {name}.json describes")
    if sha256_of(weights) != card.weights_sha256:
        raise InputError(
            f"{weights}: SHA-256 differs from the one in {name}.json, expected the file saved with it"
        )
    with about(weights):
        model = build_classifier(card.architecture, len(CLASSES), seed=0)
        _load_weights(model, weights)
    return Checkpoint(model.eval().requires_grad_(False), card)


def read_card(folder: Path, name: str = "model") -> ModelCard:
    """Read what is known of a run folder's model, without the model.

    Raises:
        InputError: The file is missing, damaged, or of another program or version.
    """
    path = folder / f"{name}.json"
    if not path.is_file():
        raise InputError(f"{path}: no such file, expected a run folder as `python -m training` makes it")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not readable as JSON ({error})") from error
    names = [field.name for field in dataclasses.fields(ModelCard)]
    with about(path):
        if not isinstance(content, dict) or content.get("format") != _FORMAT or set(names) - set(content):
            raise InputError(
                f"not a model description of format {_FORMAT}, expected one that `python -m training` wrote"
            )
        for key, ours in (("classes", _classes()), ("preprocessing", _preprocessing())):
            if content.get(key) != ours:
                raise InputError(f"{key} {content.get(key)}, expected {ours}")
        _check_types(content)
    return ModelCard(**{name: content[name] for name in names})


def _check_types(content: dict[str, Any]) -> None:
    kinds = {"architecture": str, "data_checksum": str, "epoch": int, "settings": dict, "weights_sha256": str}
    for name, kind in kinds.items():
        if not isinstance(content[name], kind):
            raise InputError(f"{name} {content[name]!r}, expected {kind.__name__}")


def _load_weights(model: nn.Module, path: Path) -> None:
    try:
        tensors = safetensors.torch.load_file(path)
    except SafetensorError as error:
        raise InputError(f"not a readable safetensors file ({error})") from error
    for name, tensor in tensors.items():
        _check_finite(name, tensor)
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise InputError(
            f"the weights do not fit the network: {str(error).splitlines()[-1].strip()}"
        ) from error


def _check_finite(name: str, tensor: Tensor) -> None:
    wrong = tensor[~tensor.isfinite()]
    if len(wrong):
        raise InputError(
            f"weights {name} hold {float(wrong[0])} ({len(wrong):,} of {tensor.numel():,} values), expected finite numbers: "
            "the training went astray"
        )


def _classes() -> list[str]:
    return [steel_class.name for steel_class in CLASSES]


def _preprocessing() -> dict[str, list[float]]:
    return {"mean": list(imaging.MEAN), "standard_deviation": list(imaging.STANDARD_DEVIATION)}
