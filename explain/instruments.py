"""What a benchmark measures with: clocks that wait for the GPU, a count of forward passes, the memory's peak."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psutil
import torch
from jaxtyping import Float
from torch import Tensor, nn

from explain.engines import Engine

_MIB = 2**20


def bare_seconds(engine: Engine, image: Float[Tensor, "channels height width"], forwards: int) -> float:
    """Return what so many forward passes take by themselves, in full batches of one buffer."""
    buffer = image[None].repeat(engine.batch, 1, 1, 1)
    engine.ask(buffer)
    batches = -(-forwards // engine.batch)
    synchronize(image.device)
    began = time.perf_counter()
    for _ in range(batches):
        engine.ask(buffer)
    synchronize(image.device)
    return (time.perf_counter() - began) * forwards / (batches * engine.batch)


@dataclass
class Count:
    """How many images have passed."""

    images: int = 0


@contextmanager
def counted_forwards() -> Iterator[Count]:
    """Count the images that pass a first convolution, that of any copy of the network too."""
    count = Count()

    def look(module: nn.Module, inputs: Any) -> None:
        if isinstance(module, nn.Conv2d) and module.in_channels == 3:
            count.images += len(inputs[0])

    hook = nn.modules.module.register_module_forward_pre_hook(look)
    try:
        yield count
    finally:
        hook.remove()


@dataclass
class Peak:
    """The most memory so far, beyond that at the beginning."""

    mib: float = 0.0


@contextmanager
def peak_memory(device: torch.device) -> Iterator[Peak]:
    """Measure the highest memory beyond that at the beginning: the GPU's own count, or the process's every 5 ms."""
    peak = Peak()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        yield peak
        peak.mib = (torch.cuda.max_memory_allocated() - before) / _MIB
        return
    process, done = psutil.Process(), threading.Event()
    before = process.memory_info().rss

    def watch() -> None:
        while not done.wait(0.005):
            peak.mib = max(peak.mib, (process.memory_info().rss - before) / _MIB)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()


def synchronize(device: torch.device) -> None:
    """Wait for a GPU to have done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize()
