"""Where a run computes and in which number format, and why."""

import time
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import conv2d

from severstal_xai.errors import InputError
from training.settings import Device, Precision

_WORTH_IT = 1.3
"""How many times as fast as float32 bf16 must be to be taken; bf16 is less exact, so a draw is float32's."""


@dataclass(frozen=True)
class Compute:
    """Where and how a network computes.

    Args:
        device: The CPU or a GPU.
        dtype: `torch.float32` or `torch.bfloat16`; the weights are float32 either way.
        reason: Why, in words.
    """

    device: torch.device
    dtype: torch.dtype
    reason: str

    @property
    def precision(self) -> str:
        """The number format as the settings name it."""
        return "bf16" if self.dtype == torch.bfloat16 else "float32"

    def place(self, model: nn.Module) -> nn.Module:
        """Move the model to the device, in the memory layout in which convolutions are fast there."""
        return model.to(self.device).to(memory_format=torch.channels_last)

    def logits(
        self, model: nn.Module, images: Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch classes"]:
        """Run the model on images that lie anywhere; the logits are float32, on the device."""
        placed = images.to(self.device, memory_format=torch.channels_last, non_blocking=True)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.dtype == torch.bfloat16):
            logits: Tensor = model(placed)
        return logits.float()


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
    return Compute(place, dtype, reason)


def _choose_device(device: Device) -> torch.device:
    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise InputError("device cuda, expected cpu or auto: torch finds no CUDA GPU on this machine")
    return torch.device("cuda" if available and device != "cpu" else "cpu")


def _fast_precision(device: torch.device) -> tuple[torch.dtype, str]:
    if device.type == "cuda":
        supported = torch.cuda.is_bf16_supported(including_emulation=False)
        return (
            (torch.bfloat16, "the GPU computes in bf16")
            if supported
            else (torch.float32, "the GPU has no bf16")
        )
    return judge_trial(seconds_of_a_step(torch.float32), seconds_of_a_step(torch.bfloat16))


def judge_trial(float32: float, bf16: float) -> tuple[torch.dtype, str]:
    """Choose by the seconds that a trial took in each number format.

    Example:
        >>> judge_trial(float32=0.02, bf16=0.3)
        (torch.float32, 'in a trial on this CPU bf16 took 15.0 times as long as float32')
    """
    reason = f"in a trial on this CPU bf16 took {bf16 / float32:.1f} times as long as float32"
    return (torch.bfloat16 if float32 > _WORTH_IT * bf16 else torch.float32), reason


def seconds_of_a_step(dtype: torch.dtype, repeats: int = 3) -> float:
    """Time a small convolution forward and backward on the CPU; the fastest of some repeats.

    Asked of the machine and not of its list of features: a CPU that lacks bf16 runs it all the same, in
    software, tens of times slower.
    """
    weights = torch.ones(32, 32, 3, 3, requires_grad=True)
    images = torch.ones(2, 32, 32, 32).to(memory_format=torch.channels_last)
    seconds = []
    for _ in range(repeats + 1):  # the first one warms up
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            torch.autograd.backward(conv2d(images, weights, padding=1).sum())
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])
