"""The command `python -m training.export`: a trained model for other programs, held against torch before it is kept.

What is exported takes patches as they come from the camera, grey values of 8 bits, and gives probabilities: scaling,
normalising and softmax are inside, so nobody can do them otherwise. The exported bytes themselves are loaded by the runtime
that they are for and asked about real patches; where a probability differs from torch's by more than a bound, nothing is written.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import nn

from severstal_xai.checkpoint import Checkpoint, load_checkpoint
from severstal_xai.classes import CLASSES
from severstal_xai.command import DONE, parse_settings, run
from severstal_xai.errors import InputError, check_range
from severstal_xai.files import check_elsewhere, sha256, write_bytes, write_text
from severstal_xai.imaging import model_input
from severstal_xai.manifest import Manifest, Patch, Split, read_manifest
from severstal_xai.strips import PATCH_SIZE
from training.export_formats import FORMATS, INPUT, OUTPUT, Ask, Deployable
from training.run_folder import EXPORT, EXPORTED

_BATCH = 5
"""Patches asked about together; the last batch is often smaller, so that another size is tried, too."""


@dataclass(frozen=True)
class Settings:
    """Settings of an export.

    Args:
        run: The run folder.
        format: onnx writes `model.onnx`; openvino `model.xml` and `model.bin`.
        data: Data folder whose patches the exported model is held against torch on; null for the run's own.
        output: Folder to write; null for `export` in the run folder.
        overwrite: Whether to replace files of an earlier export.
        bound: By how much a probability may differ at most, 0 to 1.
        patches: On how many patches they are compared, validation and test.
    """

    run: Path
    format: Literal["onnx", "openvino"]
    data: Path | None = None
    output: Path | None = None
    overwrite: bool = False
    bound: float = 1e-4
    patches: int = 64

    def __post_init__(self) -> None:
        check_range("bound", self.bound, 0, 1)
        check_range("patches", self.patches, 1, 10**6)


@dataclass(frozen=True)
class Parity:
    """How near an exported model comes to torch.

    Args:
        patches: On how many patches.
        difference: The largest difference of a probability.
        worst: The patch on which it is so large.
    """

    patches: int
    difference: float
    worst: str


def compare(network: nn.Module, ask: Ask, manifest: Manifest, patches: Sequence[Patch]) -> Parity:
    """Ask torch, the way that all of this project asks it, and the exported model about the same patches."""
    differences = []
    for begin in range(0, len(patches), _BATCH):
        greys = [manifest.read_image(patch) for patch in patches[begin : begin + _BATCH]]
        with torch.inference_mode():
            images = torch.from_numpy(np.stack([model_input(grey) for grey in greys]))
            shares = network(images).softmax(dim=1).numpy()
        differences += np.abs(ask(np.stack(greys)) - shares).max(axis=1).tolist()
    worst = int(np.argmax(differences))  # a NaN is the worst
    return Parity(len(patches), differences[worst], patches[worst].patch)


def choose(manifest: Manifest, count: int) -> list[Patch]:
    """Return so many patches of validation and test, evenly spread over the list, or all there are.

    Raises:
        InputError: There is none.
    """
    there = [patch for patch in manifest.patches if patch.split in {Split.VALIDATION, Split.TEST}]
    if not there:
        raise InputError(f"{manifest.root}: no validation or test patch, expected one at least")
    places = np.unique(np.linspace(0, len(there) - 1, min(count, len(there))).round().astype(int))
    return [there[place] for place in places]


def export(settings: Settings) -> tuple[Path, Parity]:
    """Export a run's model, hold it against torch, and write it.

    Returns:
        The folder, and how near it comes.

    Raises:
        InputError: The run or the data is wrong, a file is there already, or the exported model differs by more
            than the bound: then nothing is written.
    """
    checkpoint = load_checkpoint(settings.run)
    manifest = read_manifest(settings.data or _data_of(settings.run, checkpoint))
    patches = choose(manifest, settings.patches)
    folder, form = settings.output or settings.run / EXPORT, FORMATS[settings.format]
    if folder.exists() and not folder.is_dir():
        raise InputError(f"output {folder}: a file, expected a folder to make")
    check_elsewhere(folder, manifest.root, "data folder")
    there = [name for name in EXPORTED[settings.format] if (folder / name).exists()]
    described = EXPORTED[settings.format][-1] in there
    if there and not (settings.overwrite and described):
        raise InputError(
            f"output {folder}: holds {', '.join(there)} already; expected another folder"
            + (
                ", or --overwrite true"
                if described
                else f": without {EXPORTED[settings.format][-1]} it is no export"
            )
        )
    files = form.make(Deployable(checkpoint.model).eval())
    parity = compare(checkpoint.model, form.load(files), manifest, patches)
    if not parity.difference <= settings.bound:
        raise InputError(
            f"format {settings.format}: a probability of patch {parity.worst} differs from torch's by "
            f"{parity.difference:.3g}, expected at most {settings.bound:g}; nothing was written"
        )
    for name, content in files.items():
        write_bytes(folder / name, content)
    told = describe(settings, checkpoint, manifest, parity) | {
        "runtime": form.runtime(),
        "files": {name: sha256(content) for name, content in files.items()},
    }
    write_text(folder / EXPORTED[settings.format][-1], json.dumps(told, indent=2) + "\n")
    return folder, parity


def _data_of(run: Path, checkpoint: Checkpoint) -> Path:
    data = checkpoint.card.settings.get("data")
    if not isinstance(data, str):
        raise InputError(f"run {run}: its data folder is not known, expected --data DIR")
    return Path(data)


def describe(
    settings: Settings, checkpoint: Checkpoint, manifest: Manifest, parity: Parity
) -> dict[str, object]:
    """Return what one must know to use the files, as plain values."""
    return {
        "architecture": checkpoint.card.architecture,
        "weights_sha256": checkpoint.card.weights_sha256,
        "input": {
            "name": INPUT,
            "type": "uint8",
            "shape": ["patches", PATCH_SIZE, PATCH_SIZE],
            "meaning": "grey values as in the image file, whole numbers 0 to 255; axes patch, height, width",
        },
        "output": {
            "name": OUTPUT,
            "type": "float32",
            "shape": ["patches", len(CLASSES)],
            "meaning": "the probability of each class, in their order; they add up to 1",
        },
        "classes": [steel.name for steel in CLASSES],
        "parity": asdict(parity)
        | {
            "bound": settings.bound,
            "beside": f"torch {torch.__version__}, float32",
            "data_checksum": manifest.checksum,
        },
    }


def main() -> int:
    """Export, and say how near it comes."""
    settings = parse_settings(
        Settings,
        command="python -m training.export",
        description="Export a trained model to ONNX or OpenVINO, held against torch on real patches.",
    )
    folder, parity = export(settings)
    print(
        f"Written to {folder}; on {parity.patches} patches its probabilities differ from torch's by "
        f"{parity.difference:.2g} at most (bound {settings.bound:g})"
    )
    return DONE


if __name__ == "__main__":
    run(main)
