"""Where a run computes and in which number format, and why."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import conv2d

from severstal_xai.errors import InputError
from training.settings import Device, Precision

Item = TypeVar("Item")

_WORTH_IT = 1.3
"""How many times as fast as float32 bf16 must be to be taken; bf16 is less exact, so a draw is float32's."""

_REPEATS = 8


@dataclass(frozen=True)
class Compute:
    """Where and how a network computes, and this process among those that train it; accelerate drives all of it.

    Args:
        accelerator: Knows the device, the number format of the computation (the weights are float32 in any case)
            and the other processes.
        reason: Why this number format, in words.
    """

    accelerator: Accelerator
    reason: str

    @property
    def device(self) -> torch.device:
        """The CPU or a GPU; each process has its own."""
        device: torch.device = self.accelerator.device
        return device

    @property
    def precision(self) -> Precision:
        """The number format as the settings name it."""
        return "bf16" if self.accelerator.mixed_precision == "bf16" else "float32"

    @property
    def processes(self) -> int:
        """How many processes train together."""
        return int(self.accelerator.num_processes)

    @property
    def index(self) -> int:
        """This process's place among them, from 0."""
        return int(self.accelerator.process_index)

    @property
    def leads(self) -> bool:
        """Whether this process writes the files."""
        return self.index == 0

    def place(self, model: nn.Module) -> nn.Module:
        """Move the model to the device, in the memory layout in which convolutions are fast there.

        On several GPUs its batch statistics become those of the whole batch; on CPUs torch cannot do that, and each
        process takes those of its own part.
        """
        if self.processes > 1 and self.device.type == "cuda":
            model = nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
        return model.to(self.device).to(memory_format=torch.channels_last)

    def shared(self, model: nn.Module) -> nn.Module:
        """Return the placed model as all processes train it: after a backward pass all have the same gradients."""
        prepared: nn.Module = self.accelerator.prepare_model(model)
        return prepared

    def logits(
        self, model: nn.Module, images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch classes"]:
        """Run the model on images that lie anywhere; the logits are float32, on the device."""
        placed = images.to(self.device, memory_format=torch.channels_last, non_blocking=True)
        with self.accelerator.autocast():
            logits: Tensor = model(placed)
        return logits.float()

    def exact_logits(
        self, model: nn.Module, images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch classes"]:
        """Run a model that is not shared in float32, whatever it was trained in: as it is used afterwards."""
        logits: Tensor = model(images.to(self.device, memory_format=torch.channels_last, non_blocking=True))
        return logits

    def backward(self, loss: Float[Tensor, ""]) -> None:
        """Give the weights the gradients of the loss's mean over all processes."""
        self.accelerator.backward(loss)

    def gather(self, item: Item) -> list[Item]:
        """Return the items of all processes in their order, to each; they all must ask for it."""
        if self.processes == 1:
            return [item]
        gathered: list[Item] = gather_object([item])
        return gathered

    def agree(self, due: bool) -> bool:
        """Return what the first process says; they all must ask for it."""
        return self.gather(due)[0]

    def wait(self) -> None:
        """Wait until all processes have come here."""
        self.accelerator.wait_for_everyone()


def choose_compute(device: Device, precision: Precision) -> Compute:
    """Choose the device and the number format.

    Raises:
        InputError: A GPU, or a GPU that computes in bf16, is asked for and there is none.
    """
    place = _choose_device(device)
    if precision == "auto":
        dtype, reason = _fast_precision(place)
    else:
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        reason = "as set"
    if place.type == "cuda" and dtype == torch.bfloat16 and not torch.cuda.is_bf16_supported():
        raise InputError("precision bf16, expected float32: this GPU does not compute in bf16")
    mixed = "bf16" if dtype == torch.bfloat16 else "no"
    return Compute(Accelerator(cpu=place.type == "cpu", mixed_precision=mixed), reason)


def _choose_device(device: Device) -> torch.device:
    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise InputError("device cuda, expected cpu or auto: torch finds no CUDA GPU on this machine")
    return torch.device("cuda" if available and device != "cpu" else "cpu")


def _fast_precision(device: torch.device) -> tuple[torch.dtype, str]:
    if device.type == "cpu":
        return judge_cpu(bf16_features(), seconds_of_a_step)
    if torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.bfloat16, "the GPU computes in bf16"
    return torch.float32, "the GPU has no bf16"


def bf16_features() -> list[str]:
    """Return the CPU's features that compute in bf16, as torch names them; none where torch cannot tell.

    Without one a CPU computes bf16 all the same, in software, tens of times slower.
    """
    features: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return sorted(name for name, present in features.items() if "bf16" in name and present is True)


def judge_cpu(features: Sequence[str], seconds: Callable[[torch.dtype], float]) -> tuple[torch.dtype, str]:
    """Choose the number format on a CPU: by its features, and where it has them by a short trial.

    Example:
        >>> judge_cpu([], lambda dtype: 1.0)
        (torch.float32, 'this CPU has no bf16')
        >>> judge_cpu(["amx_bf16"], lambda dtype: 3.0 if dtype == torch.float32 else 1.0)
        (torch.bfloat16, 'this CPU has amx_bf16; in a trial bf16 was 3.0 times as fast as float32')
    """
    if not features:
        return torch.float32, "this CPU has no bf16"
    gain = seconds(torch.float32) / seconds(torch.bfloat16)
    reason = f"this CPU has {', '.join(features)}; in a trial bf16 was {gain:.1f} times as fast as float32"
    return (torch.bfloat16 if gain >= _WORTH_IT else torch.float32), reason


def seconds_of_a_step(dtype: torch.dtype) -> float:
    """Time a convolution of a ResNet forward and backward on the CPU: the fastest of some, after one to warm up.

    It takes some milliseconds: of a smaller one the threads' start would be measured.
    """
    weights = torch.ones(64, 64, 3, 3, requires_grad=True)
    images = torch.ones(8, 64, 64, 64).to(memory_format=torch.channels_last)
    seconds = []
    for _ in range(1 + _REPEATS):
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            torch.autograd.backward(conv2d(images, weights, padding=1).sum())
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])
