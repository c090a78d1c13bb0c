"""A network as OpenVINO runs it on a CPU; the one module that knows OpenVINO.

**No telemetry**: OpenVINO reports each import and each conversion to its makers over the network, if its package
`openvino_telemetry` can be imported. An inspection machine reports to nobody: the package is hidden while
OpenVINO is imported, which then takes its own stand-in that does nothing.
"""

import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from torch import nn

Infer = Callable[[Float32[np.ndarray, "batch channels height width"]], Float32[np.ndarray, "batch classes"]]

_TELEMETRY = "openvino_telemetry"


def convert(model: nn.Module, shape: tuple[int, int, int, int]) -> Infer:
    """Convert a network for batches of one shape.

    It computes in bfloat16 where the CPU has the instructions, else in float32.

    Args:
        model: A network of our own, in eval mode and float32: the conversion patches it.
        shape: Batch, channels, height and width.

    Returns:
        A function from images to logits, for any thread.
    """
    openvino = _import_without_telemetry()
    with torch.no_grad():
        graph = openvino.convert_model(torch.export.export(model, (torch.zeros(shape),)))
    core = openvino.Core()
    fast = "bf16" if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "f32"
    compiled = core.compile_model(
        graph, "CPU", {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": fast}
    )
    requests = threading.local()

    def infer(images: np.ndarray) -> np.ndarray:
        if not hasattr(requests, "own"):
            requests.own = compiled.create_infer_request()
        answers: np.ndarray = requests.own.infer({0: images})[0]
        return answers.copy()  # the request's own memory, which its next answer overwrites

    return infer


def _import_without_telemetry() -> Any:
    loaded: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]  # None is Python's "do not import"
    loaded.setdefault(_TELEMETRY, None)
    import openvino  # noqa: PLC0415 -- here, behind the guard, and a second of start-up that not everyone needs

    return openvino
