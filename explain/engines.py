"""What answers for the model in the hot loop: the same network, made fast, held against float32 before it is used.

An engine takes a batch of images and returns probabilities. The `reference` is the model itself, in eval mode, in
float32 (or in the format that its weights have). Every other engine is a conversion, made once for a model's
weights and an image's size, and refused where it does not answer as the reference does.
"""

import copy
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from explain.activations import number_format
from explain.openvino_engine import convert
from severstal_xai.errors import InputError

EngineName = Literal["auto", "reference", "openvino", "half"]
Ask = Callable[[Float[Tensor, "batch channels height width"]], Float[Tensor, "batch classes"]]

LARGEST_DIFFERENCE = 0.01
"""The most by which a probability of the probe may differ from the reference's."""
CPU_BATCH = 8
"""Images in a forward pass; on a CPU larger batches are slower, for their memory is mapped anew each time."""
CUDA_BATCH = 64
_KEPT = 2
"""Conversions held; each is as large as its model."""
_PROBES = 8
_PLAIN = (bool, int, float, str, tuple)


@dataclass(frozen=True)
class Engine:
    """A model made ready to be asked about many images of one size.

    Args:
        name: What it is: `reference`, `openvino` or `half`.
        ask: Takes exactly `batch` images on the model's device, float32; returns softmax probabilities, float32.
        batch: How many images it takes.
        reason: Why it was taken, and why a faster one was not.
    """

    name: str
    ask: Ask
    batch: int
    reason: str


def choose_engine(
    model: nn.Module, image: Float[Tensor, "channels height width"], wanted: EngineName = "auto"
) -> Engine:
    """Return the fastest engine that answers for the model as the model itself does.

    Args:
        model: A network in eval mode.
        image: An image of the size that will be asked about; its values do not matter.
        wanted: An engine's name; `auto` tries the fastest of the model's device first, then the next.

    Raises:
        InputError: The engine that was asked for by name cannot be used for this model.
    """
    check_engine(wanted)
    if wanted == "reference":
        return _reference(model, "asked for")
    key = f"{wanted} {fingerprint(model)} {tuple(image.shape)} {image.device}"
    with _CHOOSING:
        if key in _CHOSEN:
            _CHOSEN.move_to_end(key)
        else:
            _CHOSEN[key] = _choose(model, image, wanted)
            while len(_CHOSEN) > _KEPT:
                _CHOSEN.popitem(last=False)
        engine = _CHOSEN[key]
    # The reference is the model that was given: another with the same weights may be gone, or change.
    return _reference(model, engine.reason) if engine.name == "reference" else engine


_CHOOSING = threading.Lock()
_CHOSEN: OrderedDict[str, Engine] = OrderedDict()


def check_engine(name: str) -> None:
    """Refuse what is no engine's name."""
    if name not in get_args(EngineName):
        raise InputError(f"engine is {name!r}, expected one of {', '.join(get_args(EngineName))}")


def fingerprint(model: nn.Module) -> str:
    """Return the SHA-256 of a model's structure, of the plain values its modules hold, and of its weights."""
    digest = hashlib.sha256(f"{type(model).__module__}.{type(model).__qualname__} {model}".encode())
    for name, module in model.named_modules():
        plain = {key: value for key, value in vars(module).items() if isinstance(value, _PLAIN)}
        digest.update(f"{name} {sorted(plain.items())}".encode())
    for name, value in model.state_dict().items():
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _choose(model: nn.Module, image: Tensor, wanted: EngineName) -> Engine:
    reference = _reference(model, "")
    images = probe(image)
    expected = _answers(reference, images)
    refusals = []
    for name in _candidates(wanted, image.device):
        try:
            engine = _MAKERS[name](model, image)
            difference = float((_answers(engine, images) - expected).abs().max())
        except Exception as error:
            refusals.append(
                f"{name} cannot be used ({' '.join(str(error).split())[:200] or type(error).__name__})"
            )
            continue
        if difference <= LARGEST_DIFFERENCE:
            reason = f"probabilities within {difference:.1e} of float32's"
            return Engine(engine.name, engine.ask, engine.batch, "; ".join([*refusals, reason]))
        refusals.append(
            f"{name} is off by {difference:.2g} in a probability, at most {LARGEST_DIFFERENCE} allowed"
        )
    if wanted != "auto":
        raise InputError(f"engine {wanted}: {'; '.join(refusals)}; expected another engine, or auto")
    return _reference(model, "; ".join(refusals))


def _candidates(wanted: EngineName, device: torch.device) -> tuple[str, ...]:
    if wanted != "auto":
        return (wanted,)
    return ("half",) if device.type == "cuda" else ("openvino",)


def probe(image: Float[Tensor, "channels height width"]) -> Float[Tensor, "probes channels height width"]:
    """Return images to hold an engine against: the size of `image`, drawn by lot, the same each time.

    Each is smooth light with grain, under a smooth mask, as masked patches of steel are.
    """
    chance = torch.Generator().manual_seed(0)
    size = (image.shape[1], image.shape[2])

    def smooth(channels: int, cells: int) -> Tensor:
        coarse = torch.rand(_PROBES, channels, cells, cells, generator=chance)
        return nn.functional.interpolate(coarse, size=size, mode="bilinear", align_corners=False)

    light = 3 * smooth(1, 5) - 1.5 + 0.4 * torch.randn(_PROBES, 1, *size, generator=chance)
    return (light.expand(-1, image.shape[0], -1, -1) * smooth(1, 7)).to(image.device)


def _answers(engine: Engine, images: Tensor) -> Tensor:
    answers = []
    for begin in range(0, len(images), engine.batch):
        some = images[begin : begin + engine.batch]
        padded = nn.functional.pad(some, (0, 0, 0, 0, 0, 0, 0, engine.batch - len(some)))
        answers.append(engine.ask(padded)[: len(some)])
    return torch.cat(answers)


def _reference(model: nn.Module, reason: str) -> Engine:
    own_format = number_format(model)

    def ask(images: Tensor) -> Tensor:
        with torch.inference_mode():
            answers: Tensor = model(images.to(own_format))
            return answers.float().softmax(dim=1)

    cuda = any(value.is_cuda for value in model.parameters())
    return Engine("reference", ask, CUDA_BATCH if cuda else CPU_BATCH, reason)


def _openvino(model: nn.Module, image: Tensor) -> Engine:
    infer = convert(copy.deepcopy(model).float(), (CPU_BATCH, *image.shape))

    def ask(images: Tensor) -> Tensor:
        return torch.from_numpy(infer(images.numpy())).softmax(dim=1)

    return Engine("openvino", ask, CPU_BATCH, "")


def _half(model: nn.Module, image: Tensor) -> Engine:
    """The model in half precision, its channels last: float16 on CUDA, bfloat16 on a CPU."""
    half_format = torch.float16 if image.is_cuda else torch.bfloat16
    fast = copy.deepcopy(model).to(half_format).to(memory_format=torch.channels_last)

    def ask(images: Tensor) -> Tensor:
        with torch.inference_mode():
            answers: Tensor = fast(images.to(dtype=half_format, memory_format=torch.channels_last))
            return answers.float().softmax(dim=1)

    return Engine("half", ask, CUDA_BATCH if image.is_cuda else CPU_BATCH, "")


_MAKERS: dict[str, Callable[[nn.Module, Tensor], Engine]] = {"openvino": _openvino, "half": _half}
