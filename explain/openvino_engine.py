"""A network as OpenVINO runs it on a CPU."""

import contextlib
import copy
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from torch import nn

from explain import conversions
from severstal_xai.openvino_runtime import import_openvino

Infer = Callable[[Float32[np.ndarray, "batch channels height width"]], Float32[np.ndarray, "batch classes"]]

_GRAPH, _WEIGHTS = "graph.xml", "graph.bin"


def convert(model: nn.Module, shape: tuple[int, int, int, int], checksum: str, *, precise: bool) -> Infer:
    """Convert a network for batches of one shape, or take its conversion from the disk.

    Args:
        model: A network in eval mode; it is copied.
        shape: Batch, channels, height and width.
        checksum: The network's.
        precise: Whether to compute in float32 in any case; else in bfloat16 where the CPU has the instructions.

    Returns:
        A function from images to logits, for any thread.
    """
    openvino = import_openvino()
    core = openvino.Core()
    graph = _graph(openvino, core, model, shape, checksum)
    capabilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    fast = "bf16" if "BF16" in capabilities and not precise else "f32"
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


def _graph(
    openvino: Any, core: Any, model: nn.Module, shape: tuple[int, int, int, int], checksum: str
) -> Any:
    """Return the network's graph, made once for a checksum and a shape; damaged ones are made anew."""
    key = f"openvino {openvino.__version__} torch {torch.__version__} {shape} {checksum}"
    parts = conversions.find(key)
    if parts is not None and parts.keys() == {_GRAPH, _WEIGHTS}:
        weights = openvino.Tensor(np.frombuffer(parts[_WEIGHTS], dtype=np.uint8))
        return core.read_model(parts[_GRAPH], weights)
    with torch.no_grad():
        exported = torch.export.export(copy.deepcopy(model).float(), (torch.zeros(shape),))
        graph = openvino.convert_model(exported)
    with contextlib.suppress(OSError), tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / _GRAPH
        openvino.save_model(graph, path, compress_to_fp16=False)
        conversions.keep(key, {name: (Path(folder) / name).read_bytes() for name in (_GRAPH, _WEIGHTS)})
    return graph
