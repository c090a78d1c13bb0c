"""Exported models: what other programs load answers as torch does, or is not there."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from severstal_xai.checkpoint import ModelCard, load_checkpoint, save_checkpoint
from severstal_xai.errors import InputError
from severstal_xai.files import sha256_of
from severstal_xai.imaging import model_input
from severstal_xai.manifest import Manifest, Split, write_manifest
from severstal_xai.model import build_classifier
from severstal_xai.openvino_runtime import import_openvino
from training import export as exporting
from training.export import Settings, choose, compare, export, main
from training.export_formats import FORMATS, Deployable
from training.run_folder import EXPORTED, check_output, clear

BOTH = pytest.mark.parametrize("kind", ["onnx", "openvino"])


@pytest.fixture(scope="module")
def made_run(made_data: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder whose network answers differently for different patches."""
    folder = tmp_path_factory.mktemp("run")
    network = build_classifier("resnet18", 5, seed=1)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # statistics other than those that do nothing
            module.running_mean = torch.linspace(-0.2, 0.2, module.num_features)
            module.running_var = torch.linspace(0.5, 2, module.num_features)
    save_checkpoint(
        folder, network, ModelCard("resnet18", made_data.checksum, 1, {"data": str(made_data.root)})
    )
    return folder


@pytest.fixture(scope="module")
def exported(made_run: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folder of each format's export."""
    folders = {kind: tmp_path_factory.mktemp(kind) for kind in FORMATS}
    for kind, folder in folders.items():
        export(Settings(made_run, kind, output=folder))  # type: ignore[arg-type]
    return folders


def ask_onnx(folder: Path, greys: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    answers: np.ndarray = session.run(["probabilities"], {"patches": greys})[0]
    return answers


def ask_openvino(folder: Path, greys: np.ndarray) -> np.ndarray:
    core = import_openvino().Core()
    compiled = core.compile_model(str(folder / "model.xml"), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    answers: np.ndarray = compiled({"patches": greys})["probabilities"]
    return answers


ASK = {"onnx": ask_onnx, "openvino": ask_openvino}


@BOTH
@pytest.mark.parametrize("count", [1, 3, 20])
def test_the_files_answer_as_torch_for_any_number_of_patches(
    kind: str, count: int, made_run: Path, exported: dict[str, Path], made_data: Manifest
) -> None:
    greys = np.stack([made_data.read_image(patch) for patch in made_data.patches[:count]])
    network = load_checkpoint(made_run).model
    with torch.inference_mode():
        images = torch.from_numpy(np.stack([model_input(grey) for grey in greys]))
        expected = network.double()(images.double()).softmax(dim=1).numpy()
    found = ASK[kind](exported[kind], greys)
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() < 1e-5
    if count == 20:
        assert np.abs(expected - expected.mean(axis=0)).max() > 0.01  # they do differ


@BOTH
def test_the_description_tells_what_one_must_know(
    kind: str, made_run: Path, exported: dict[str, Path], made_data: Manifest
) -> None:
    folder = exported[kind]
    assert sorted(path.name for path in folder.iterdir()) == sorted(EXPORTED[kind])
    told = json.loads((folder / f"{kind}.json").read_text())
    assert told["weights_sha256"] == load_checkpoint(made_run).card.weights_sha256
    assert told["files"] == {
        path.name: sha256_of(path) for path in folder.iterdir() if path.suffix != ".json"
    }
    assert told["parity"]["patches"] == 10  # all of validation and test
    assert told["parity"]["difference"] <= told["parity"]["bound"] == 1e-4
    assert told["parity"]["data_checksum"] == made_data.checksum


class Wrong(torch.nn.Module):
    """Answers a little differently."""

    def __init__(self, model: torch.nn.Module, factor: float) -> None:
        super().__init__()
        self.model, self.factor = model, factor

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        answers: torch.Tensor = self.model(patches) * self.factor
        return answers


@pytest.mark.parametrize("factor", [1.01, float("nan")])
def test_a_model_that_answers_otherwise_is_not_written(
    factor: float,
    made_run: Path,
    exported: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usual = FORMATS["onnx"]
    made = usual.make(Wrong(Deployable(load_checkpoint(made_run).model), factor).eval())
    wrong = dataclasses.replace(usual, make=lambda _: made)
    monkeypatch.setattr(exporting, "FORMATS", {"onnx": wrong})
    settings = Settings(made_run, "onnx", output=tmp_path / "new")
    with pytest.raises(InputError, match=r"differs from torch's by (0\.0|nan).*nothing was written"):
        export(settings)
    assert not (tmp_path / "new").exists()

    before = shutil.copytree(exported["onnx"], tmp_path / "before")
    contents = {path.name: path.read_bytes() for path in before.iterdir()}
    with pytest.raises(InputError, match="nothing was written"):
        export(dataclasses.replace(settings, output=before, overwrite=True))
    assert {path.name: path.read_bytes() for path in before.iterdir()} == contents


def test_the_bound_is_the_users(made_run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected at most 1e-12; nothing was written"):
        export(Settings(made_run, "openvino", output=tmp_path / "new", bound=1e-12))
    assert not (tmp_path / "new").exists()


def test_the_worst_patch_is_named(made_data: Manifest, made_run: Path) -> None:
    network = load_checkpoint(made_run).model
    odd = made_data.patches[7]
    shade = made_data.read_image(odd)

    def ask(greys: np.ndarray) -> np.ndarray:
        images = torch.from_numpy(np.stack([model_input(grey) for grey in greys]))
        answers: np.ndarray = network(images).softmax(dim=1).numpy()
        return answers + np.array([[0.25 * np.array_equal(grey, shade)] for grey in greys], dtype=np.float32)

    parity = compare(network, ask, made_data, made_data.patches)
    assert parity.worst == odd.patch
    assert parity.difference == pytest.approx(0.25, abs=1e-6)


def test_patches_are_spread_over_validation_and_test(made_data: Manifest) -> None:
    assert {patch.split for patch in choose(made_data, 4)} == {Split.VALIDATION, Split.TEST}
    assert len(choose(made_data, 4)) == 4
    assert len(choose(made_data, 1000)) == 10


def test_earlier_files_stay_unless_they_may_go(
    made_run: Path, tmp_path: Path, exported: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = Path(shutil.copytree(exported["onnx"], tmp_path / "there"))
    contents = (there / "model.onnx").read_bytes()
    arguments = f"export --run {made_run} --format onnx --output {there}".split()
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(InputError, match=r"holds model\.onnx, onnx\.json already; expected another folder"):
        main()
    (there / "model.onnx").write_bytes(b"old")
    monkeypatch.setattr("sys.argv", [*arguments, "--overwrite", "true"])
    assert main() == 0
    assert len((there / "model.onnx").read_bytes()) == len(contents)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"run": Path("nowhere")}, "nowhere.*no such file, expected a run folder"),
        ({"data": Path("nowhere")}, "nowhere"),
        ({"bound": -1.0}, "bound -1.0, expected 0 or more, at most 1"),
        ({"bound": float("nan")}, "bound nan, expected"),
        ({"patches": 0}, "patches 0, expected 1 or more"),
    ],
)
def test_wrong_settings(made_run: Path, changes: dict[str, Any], words: str) -> None:
    arguments: dict[str, Any] = {"run": made_run, "format": "onnx"}
    with pytest.raises(InputError, match=words):
        export(Settings(**(arguments | changes)))


def test_an_output_that_is_no_place_for_it_is_refused(
    made_run: Path, made_data: Manifest, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file: a file, expected a folder to make"):
        export(Settings(made_run, "onnx", output=tmp_path / "file"))
    with pytest.raises(InputError, match="lies in the data folder"):
        export(Settings(made_run, "onnx", output=made_data.root / "images"))


def test_what_no_export_wrote_is_not_overwritten(made_run: Path, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_text("mine")
    with pytest.raises(InputError, match=r"holds model\.onnx already.*without onnx\.json it is no export"):
        export(Settings(made_run, "onnx", output=tmp_path, overwrite=True))
    assert (tmp_path / "model.onnx").read_text() == "mine"


@BOTH
def test_an_image_of_another_size_is_refused(kind: str, exported: dict[str, Path]) -> None:
    strip = np.zeros((1, 256, 1600), dtype=np.uint8)
    with pytest.raises(Exception, match=r"incompatible|Got invalid dimensions"):  # each runtime has its own
        ASK[kind](exported[kind], strip)


def test_data_without_a_patch_to_compare_on_is_refused(
    made_data: Manifest, made_run: Path, tmp_path: Path
) -> None:
    data = Path(shutil.copytree(made_data.root, tmp_path / "patches"))
    write_manifest(data, [patch for patch in made_data.patches if patch.split == Split.TRAIN])
    with pytest.raises(InputError, match="no validation or test patch"):
        export(Settings(made_run, "onnx", data=data))


def test_a_run_whose_data_is_not_known_wants_it(made_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(made_run, tmp_path / "run"))
    described = json.loads((run / "model.json").read_text())
    (run / "model.json").write_text(json.dumps(described | {"settings": {}}))
    with pytest.raises(InputError, match="data folder is not known, expected --data DIR"):
        export(Settings(run, "onnx"))


def test_an_export_goes_with_the_run_that_it_is_of(
    made_run: Path, exported: dict[str, Path], tmp_path: Path
) -> None:
    run = Path(shutil.copytree(made_run, tmp_path / "run"))
    shutil.copytree(exported["onnx"], run / "export")
    check_output(run, data=tmp_path / "patches", overwrite=True)
    clear(run)
    assert not list((run / "export").iterdir())
    (run / "export" / "mine.txt").write_text("")
    shutil.copy(made_run / "model.json", run)
    with pytest.raises(InputError, match="'export', which no run writes"):
        check_output(run, data=tmp_path / "patches", overwrite=True)


def test_onnx_runtime_reports_to_nobody(monkeypatch: pytest.MonkeyPatch, exported: dict[str, Path]) -> None:
    asked: list[str] = []
    monkeypatch.setattr(onnxruntime, "disable_telemetry_events", lambda: asked.append("off"))
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *_, **__: asked.append("load"))
    FORMATS["onnx"].load({"model.onnx": b""})
    assert asked == ["off", "load"]
