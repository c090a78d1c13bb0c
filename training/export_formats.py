"""The formats that a model is exported to: how its files are made, and how another program loads them."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor, nn

from severstal_xai.imaging import MEAN, STANDARD_DEVIATION
from severstal_xai.openvino_runtime import import_openvino
from severstal_xai.strips import PATCH_SIZE

INPUT, OUTPUT = "patches", "probabilities"
"""The names of the exported model's input and output."""

Greys = UInt8[np.ndarray, "patches height width"]
Shares = Float32[np.ndarray, "patches classes"]
Ask = Callable[[Greys], Shares]


class Deployable(nn.Module):
    """A classifier from grey values to probabilities: (patches, 256, 256) of uint8 to (patches, 5)."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(MEAN).reshape(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(STANDARD_DEVIATION).reshape(1, 3, 1, 1))

    def forward(self, patches: Tensor) -> Tensor:
        """Return the softmax probabilities."""
        scaled = patches.float().unsqueeze(1) / 255
        logits: Tensor = self.network((scaled - self.mean) / self.deviation)
        return logits.softmax(dim=1)


@dataclass(frozen=True)
class Format:
    """A format to export to.

    Args:
        make: Makes the files, by their names, of a model.
        load: Loads them as another program would.
        runtime: Names the program that loads them, with its version.
    """

    make: Callable[[nn.Module], dict[str, bytes]]
    load: Callable[[Mapping[str, bytes]], Ask]
    runtime: Callable[[], str]


def make_onnx(model: nn.Module) -> dict[str, bytes]:
    """Make an ONNX file."""
    program = torch.onnx.export(
        model,
        (_example(),),
        dynamo=True,
        dynamic_shapes=({0: torch.export.Dim(INPUT)},),
        input_names=[INPUT],
        output_names=[OUTPUT],
        verbose=False,
    )
    assert program is not None
    return {"model.onnx": program.model_proto.SerializeToString()}


def load_onnx(files: Mapping[str, bytes]) -> Ask:
    """Load an ONNX file into ONNX Runtime, on the CPU."""
    import onnxruntime  # noqa: PLC0415 -- half a second that not every command needs

    onnxruntime.disable_telemetry_events()  # on Windows it would report to its makers
    session = onnxruntime.InferenceSession(files["model.onnx"], providers=["CPUExecutionProvider"])

    def ask(patches: Greys) -> Shares:
        shares: Shares = session.run([OUTPUT], {INPUT: patches})[0]
        return shares

    return ask


def make_openvino(model: nn.Module) -> dict[str, bytes]:
    """Make OpenVINO's pair of files, in float32."""
    openvino = import_openvino()
    with torch.no_grad():
        program = torch.export.export(model, (_example(),), dynamic_shapes=({0: torch.export.Dim(INPUT)},))
        graph = openvino.convert_model(program)
    graph.reshape([-1, PATCH_SIZE, PATCH_SIZE])
    graph.inputs[0].get_tensor().set_names({INPUT})
    graph.outputs[0].get_tensor().set_names({OUTPUT})
    with tempfile.TemporaryDirectory() as folder:
        openvino.save_model(graph, Path(folder) / "model.xml", compress_to_fp16=False)
        return {name: (Path(folder) / name).read_bytes() for name in ("model.bin", "model.xml")}


def load_openvino(files: Mapping[str, bytes]) -> Ask:
    """Load OpenVINO's files, to compute in float32 on the CPU."""
    openvino = import_openvino()
    weights = openvino.Tensor(np.frombuffer(files["model.bin"], dtype=np.uint8))
    core = openvino.Core()
    graph = core.read_model(files["model.xml"], weights)
    compiled = core.compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def ask(patches: Greys) -> Shares:
        shares: Shares = compiled({INPUT: patches})[OUTPUT]
        return shares

    return ask


def _onnx_runtime() -> str:
    import onnxruntime  # noqa: PLC0415 -- as above

    return f"ONNX Runtime {onnxruntime.__version__}"


def _openvino_runtime() -> str:
    return f"OpenVINO {import_openvino().__version__}"


FORMATS: Mapping[str, Format] = {
    "onnx": Format(make_onnx, load_onnx, _onnx_runtime),
    "openvino": Format(make_openvino, load_openvino, _openvino_runtime),
}


def _example() -> Tensor:
    return torch.zeros(2, PATCH_SIZE, PATCH_SIZE, dtype=torch.uint8)
