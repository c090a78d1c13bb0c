"""What answers for the model in the hot loop: the same network, made fast, held against float32 before it is used.

An engine takes a batch of images and returns probabilities. The `reference` is the model itself, in eval mode, in
float32 (or in the format that its weights have). Every other engine is a conversion, made once for a model's
weights and an image's size, and refused where it does not answer as the reference does:

- `openvino` on a CPU, in bfloat16 where the CPU has it, and `openvino_float32`, which never is;
- `compiled`: by torch's own compiler on a CPU, its weights frozen; it takes a C++ compiler and most of a minute;
- `half`: the model in half precision, its channels last.
"""

import copy
import hashlib
import shutil
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from explain.activations import number_format
from explain.openvino_engine import convert
from severstal_xai.errors import InputError

EngineName = Literal["auto", "openvino", "openvino_float32", "compiled", "half", "reference"]
Ask = Callable[[Float[Tensor, "batch channels height width"]], Float[Tensor, "batch classes"]]

LARGEST_DIFFERENCE = 0.01
"""The most by which a probability of the probe may differ from the reference's."""
CPU_BATCH = 8
"""Images in a forward pass; on a CPU larger batches are slower, for their memory is mapped anew each time."""
PRECISE_BATCH = 4
"""The same in OpenVINO's float32, where an image takes as long in a batch of any size: a step is the shorter."""
CUDA_BATCH = 64
_KEPT = 2
"""Conversions held; each is as large as its model."""
_PROBES = 8
_PLAIN = (bool, int, float, str, tuple)


@dataclass(frozen=True)
class Engine:
    """A model made ready to be asked about many images of one size.

    Args:
        name: What it is, one of `EngineName` but `auto`.
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
    checksum = fingerprint(model)
    key = f"{wanted} {checksum} {tuple(image.shape)} {image.device}"
    with _CHOOSING:
        if key in _CHOSEN:
            _CHOSEN.move_to_end(key)
        else:
            _CHOSEN[key] = _choose(_Wanted(model, image, checksum), wanted)
            while len(_CHOSEN) > _KEPT:
                _CHOSEN.popitem(last=False)
        engine = _CHOSEN[key]
    # The reference is the model that was given: another with the same weights may be gone, or change.
    return _reference(model, engine.reason) if engine.name == "reference" else engine


_CHOOSING = threading.Lock()
_CHOSEN: OrderedDict[str, Engine] = OrderedDict()


def usual_engine(device: torch.device) -> str:
    """Return the engine that `auto` takes on a device where nothing speaks against it.

    Example:
        >>> usual_engine(torch.device("cpu"))
        'openvino'
    """
    return next(_candidates("auto", device))


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


@dataclass(frozen=True)
class _Wanted:
    """What an engine is made for: a model, images of one size and, for conversions on disk, the model's checksum."""

    model: nn.Module
    image: Tensor
    checksum: str


def _choose(wanted: _Wanted, name: EngineName) -> Engine:
    reference = _reference(wanted.model, "")
    images = probe(wanted.image)
    expected = ask_all(reference, images)
    refusals = []
    for candidate in _candidates(name, wanted.image.device):
        try:
            engine = _MAKERS[candidate](wanted)
            difference = float((ask_all(engine, images) - expected).abs().max())
        except Exception as error:
            refusals.append(
                f"{candidate} cannot be used ({' '.join(str(error).split())[:200] or type(error).__name__})"
            )
            continue
        if difference <= LARGEST_DIFFERENCE:
            reason = f"probabilities within {difference:.1e} of float32's"
            return Engine(engine.name, engine.ask, engine.batch, "; ".join([*refusals, reason]))
        refusals.append(
            f"{candidate} is off by {difference:.2g} in a probability, at most {LARGEST_DIFFERENCE} allowed"
        )
    if name != "auto":
        raise InputError(f"engine {name}: {'; '.join(refusals)}; expected another engine, or auto")
    return _reference(wanted.model, "; ".join(refusals))


def _candidates(wanted: EngineName, device: torch.device) -> Iterator[str]:
    """Yield the engines to try, the fastest first; after OpenVINO in bfloat16 the next more exact one."""
    if wanted != "auto":
        yield wanted
    elif device.type == "cuda":
        yield "half"
    else:
        yield "openvino"
        if _has_bfloat16():  # else it is the same once more
            yield "openvino_float32"
        if any(map(shutil.which, _COMPILERS)):
            yield "compiled"
        if _has_bfloat16():  # else it is slow
            yield "half"


_COMPILERS = ("g++", "clang++", "cl")


def _has_bfloat16() -> bool:
    """Tell whether the CPU multiplies matrices in bfloat16."""
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))


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


def ask_all(
    engine: Engine, images: Float[Tensor, "images channels height width"]
) -> Float[Tensor, "images classes"]:
    """Ask an engine about any number of images; the last batch is padded."""
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


def _openvino(wanted: _Wanted) -> Engine:
    return _by_openvino("openvino", wanted, precise=False)


def _openvino_float32(wanted: _Wanted) -> Engine:
    return _by_openvino("openvino_float32", wanted, precise=True)


def _by_openvino(name: str, wanted: _Wanted, *, precise: bool) -> Engine:
    batch = PRECISE_BATCH if precise or not _has_bfloat16() else CPU_BATCH
    infer = convert(wanted.model, (batch, *wanted.image.shape), wanted.checksum, precise=precise)

    def ask(images: Tensor) -> Tensor:
        return torch.from_numpy(infer(images.numpy())).softmax(dim=1)

    return Engine(name, ask, batch, "")


def _compiled(wanted: _Wanted) -> Engine:
    """The model through torch's compiler, as a program of its own: nothing is compiled while it is asked."""
    own_format = torch.bfloat16 if _has_bfloat16() else torch.float32
    example = torch.zeros(CPU_BATCH, *wanted.image.shape, dtype=own_format)
    with torch.no_grad(), tempfile.TemporaryDirectory() as folder:
        exported = torch.export.export(copy.deepcopy(wanted.model).to(own_format), (example,))
        package = torch._inductor.aoti_compile_and_package(
            exported, package_path=f"{folder}/model.pt2", inductor_configs={"freezing": True}
        )
        run = torch._inductor.aoti_load_package(package)

    def ask(images: Tensor) -> Tensor:
        with torch.inference_mode():
            answers: Tensor = run(images.to(own_format))
            return answers.float().softmax(dim=1)

    return Engine("compiled", ask, CPU_BATCH, "")


def _half(wanted: _Wanted) -> Engine:
    """The model in half precision, its channels last: float16 on CUDA, bfloat16 on a CPU."""
    cuda = wanted.image.is_cuda
    half_format = torch.float16 if cuda else torch.bfloat16
    fast = copy.deepcopy(wanted.model).to(half_format).to(memory_format=torch.channels_last)

    def ask(images: Tensor) -> Tensor:
        with torch.inference_mode():
            answers: Tensor = fast(images.to(dtype=half_format, memory_format=torch.channels_last))
            return answers.float().softmax(dim=1)

    return Engine("half", ask, CUDA_BATCH if cuda else CPU_BATCH, "")


_MAKERS: dict[str, Callable[[_Wanted], Engine]] = {
    "openvino": _openvino,
    "openvino_float32": _openvino_float32,
    "compiled": _compiled,
    "half": _half,
}
