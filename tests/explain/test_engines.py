"""Engines answer as the model does, or are not used."""

import copy
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explain import conversions, engines
from explain.engines import Engine, EngineName, ask_all, check_engine, choose_engine, fingerprint, probe
from severstal_xai.errors import InputError
from severstal_xai.imaging import model_input, read_grey
from severstal_xai.model import build_classifier
from severstal_xai.strips import cut, windows

IMAGE = torch.zeros(3, 64, 64)


@pytest.fixture(autouse=True)
def nothing_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No engine was chosen before, and the conversions lie in a folder of the test's own."""
    monkeypatch.setenv(conversions.FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.setattr(engines, "_CHOSEN", type(engines._CHOSEN)())
    return tmp_path / "conversions"


@pytest.fixture
def model() -> nn.Module:
    return build_classifier("resnet18", 5, seed=0).eval().requires_grad_(False)


def small(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(3, 4, 3, stride=2), nn.BatchNorm2d(4), nn.ReLU(), nn.AvgPool2d(31), nn.Flatten()
        ).eval()


def expected_of(model: nn.Module, images: Tensor) -> Tensor:
    with torch.inference_mode():
        answers: Tensor = model.double()(images.double()).softmax(dim=1)
    return answers


@pytest.mark.parametrize(
    ("name", "most"), [("reference", 1e-5), ("openvino", 0.01), ("openvino_float32", 1e-5), ("half", 0.01)]
)
def test_an_engine_answers_as_the_network_in_float64(model: nn.Module, name: EngineName, most: float) -> None:
    images = probe(IMAGE) + 0.1
    engine = choose_engine(model, IMAGE, name)
    assert engine.name == name
    answers = ask_all(engine, images)
    assert answers.dtype == torch.float32
    assert float((answers - expected_of(model, images)).abs().max()) <= most


def test_torchs_compiler_answers_as_the_network_in_float64() -> None:
    if not any(map(shutil.which, engines._COMPILERS)):
        pytest.skip("no C++ compiler")
    model, images = small(), probe(IMAGE)
    engine = choose_engine(model, IMAGE, "compiled")
    assert engine.name == "compiled"
    torch.testing.assert_close(
        ask_all(engine, images).double(), expected_of(model, images), atol=1e-4, rtol=0
    )


def test_the_default_engine_answers_for_real_steel_as_the_network_does(
    model: nn.Module, real_sample: Path
) -> None:
    strips = sorted((real_sample / "train_images").glob("*.jpg"))[:2]
    greys = [cut(read_grey(strip.read_bytes(), (256, 1600)), w) for strip in strips for w in windows()][:8]
    images = torch.from_numpy(np.stack([model_input(grey) for grey in greys]))
    engine = choose_engine(model, images[0])
    assert engine.name == "openvino"
    assert "of float32's" in engine.reason
    assert (
        float((ask_all(engine, images) - expected_of(model, images)).abs().max())
        <= engines.LARGEST_DIFFERENCE
    )


def off_by(difference: float) -> Callable[[engines._Wanted], Engine]:
    """Make an engine that is off by so much in a probability."""

    def make(wanted: engines._Wanted) -> Engine:
        def ask(images: Tensor) -> Tensor:
            with torch.inference_mode():
                answers: Tensor = wanted.model(images).softmax(dim=1)
                answers[3, 1] += difference
            return answers

        return Engine("openvino", ask, 8, "")

    return make


def test_an_engine_that_is_off_by_more_than_the_bound_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "_has_bfloat16", lambda: False)  # else there is one engine more
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    monkeypatch.setitem(engines._MAKERS, "openvino", off_by(0.011))
    chosen = choose_engine(small(), IMAGE)
    assert chosen.name == "reference"
    assert chosen.reason == "openvino is off by 0.011 in a probability, at most 0.01 allowed"
    with pytest.raises(
        InputError, match=r"engine openvino: .* off by 0\.011 .* expected another engine, or auto"
    ):
        choose_engine(small(), IMAGE, "openvino")


def test_an_engine_within_the_bound_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(engines._MAKERS, "openvino", off_by(0.009))
    chosen = choose_engine(small(), IMAGE)
    assert (chosen.name, chosen.reason) == ("openvino", "probabilities within 9.0e-03 of float32's")


def fail(_wanted: engines._Wanted) -> Engine:
    raise RuntimeError("no such\n   instruction")


def test_an_engine_that_fails_is_passed_over_and_the_reason_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "_has_bfloat16", lambda: False)  # else there is one engine more
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    monkeypatch.setitem(engines._MAKERS, "openvino", fail)
    chosen = choose_engine(small(), IMAGE)
    assert (chosen.name, chosen.reason) == ("reference", "openvino cannot be used (no such instruction)")


def test_where_bfloat16_is_too_coarse_the_next_more_exact_engine_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on a CPU with bfloat16, for a network whose answers it moves."""
    monkeypatch.setattr(engines, "_has_bfloat16", lambda: True)
    monkeypatch.setitem(engines._MAKERS, "openvino", off_by(0.2))
    chosen = choose_engine(small(), IMAGE)
    assert chosen.name == "openvino_float32"
    assert chosen.reason.startswith("openvino is off by 0.2 in a probability, at most 0.01 allowed; prob")


@pytest.mark.parametrize(
    ("bfloat16", "compiler", "order"),
    [
        (True, True, ["openvino", "openvino_float32", "compiled", "half"]),
        (True, False, ["openvino", "openvino_float32", "half"]),
        (False, True, ["openvino", "compiled"]),
        (False, False, ["openvino"]),
    ],
)
def test_the_order_on_a_cpu_is_that_of_what_it_has(
    monkeypatch: pytest.MonkeyPatch, bfloat16: bool, compiler: bool, order: list[str]
) -> None:
    monkeypatch.setattr(engines, "_has_bfloat16", lambda: bfloat16)
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}" if compiler else None)
    assert list(engines._candidates("auto", torch.device("cpu"))) == order
    assert list(engines._candidates("auto", torch.device("cuda"))) == ["half"]


def test_no_engine_of_another_name() -> None:
    with pytest.raises(InputError, match=r"engine is 'fast', expected one of auto, openvino, .*, reference"):
        check_engine("fast")


def test_a_fingerprint_is_that_of_weights_statistics_structure_and_plain_values() -> None:
    model = small()
    assert fingerprint(model) == fingerprint(copy.deepcopy(model))
    seen = {fingerprint(model), fingerprint(small(1))}
    with torch.no_grad():
        model.get_parameter("0.bias")[2] += 1e-6
    seen.add(fingerprint(model))
    model.get_buffer("1.running_var")[0] *= 2
    seen.add(fingerprint(model))
    model.get_submodule("1").eps = 1e-3  # type: ignore[assignment]
    seen.add(fingerprint(model))
    assert len(seen) == 5


def test_a_conversion_is_made_once_for_a_model_and_anew_for_other_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = []
    make = engines._MAKERS["openvino"]

    def count(wanted: engines._Wanted) -> Engine:
        made.append(wanted.checksum)
        return make(wanted)

    monkeypatch.setitem(engines._MAKERS, "openvino", count)
    model = small()
    first = choose_engine(model, IMAGE)
    assert choose_engine(copy.deepcopy(model), IMAGE) is first
    with torch.no_grad():
        model.get_parameter("0.weight").mul_(1.5)
    second = choose_engine(model, IMAGE)
    assert len(made) == 2
    images = probe(IMAGE)
    torch.testing.assert_close(
        ask_all(second, images).double(), expected_of(model, images), atol=0.01, rtol=0
    )


def test_a_program_that_starts_anew_finds_the_conversion_on_the_disk(
    nothing_is_known: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, images = small(), probe(IMAGE)
    before = ask_all(choose_engine(model, IMAGE, "openvino"), images)
    engines._CHOSEN.clear()
    assert len(list(nothing_is_known.iterdir())) == 1

    def export_again(*_arguments: object) -> None:
        raise AssertionError("converted once more")

    monkeypatch.setattr(torch.export, "export", export_again)
    assert torch.equal(ask_all(choose_engine(model, IMAGE, "openvino"), images), before)
    with pytest.raises(
        InputError, match="converted once more"
    ):  # images of another size are another conversion
        choose_engine(model, torch.zeros(3, 66, 66), "openvino")


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "another archive", "a folder"])
def test_a_damaged_conversion_is_made_anew(nothing_is_known: Path, damage: str) -> None:
    model, images = small(), probe(IMAGE)
    before = ask_all(choose_engine(model, IMAGE, "openvino"), images)
    engines._CHOSEN.clear()
    (path,) = nothing_is_known.iterdir()
    content = bytearray(path.read_bytes())
    path.unlink()
    if damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        content[200] ^= 255  # within the first part
        path.write_bytes(content)
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "a folder":
        path.mkdir()
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("hello.txt", "hello")
    assert torch.equal(ask_all(choose_engine(model, IMAGE, "openvino"), images), before)


def test_where_nothing_can_be_kept_the_engine_works_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv(conversions.FOLDER_VARIABLE, str(tmp_path / "file"))
    assert choose_engine(small(), IMAGE, "openvino").name == "openvino"


def test_the_few_conversions_that_were_used_last_are_kept(nothing_is_known: Path) -> None:
    seen: set[Path] = set()
    for age, key in enumerate("dcba"):
        conversions.keep(key, {"part": key.encode()})
        (path,) = set(nothing_is_known.iterdir()) - seen
        os.utime(path, (1000.0 - age, 1000.0 - age))  # "a" is the oldest
        seen.add(path)
    assert conversions.find("a") == {"part": b"a"}  # used: younger than the others now
    for key in "efg":
        conversions.keep(key, {"part": key.encode()})
        time.sleep(0.02)
    found = {key for key in "abcdefg" if conversions.find(key)}
    assert found == {"a", "e", "f", "g"}
    assert len(list(nothing_is_known.iterdir())) == 4


def test_openvino_reports_to_nobody() -> None:
    """Its package for that is not even imported."""
    program = (
        "import sys, torch; from torch import nn; from explain.engines import choose_engine;"
        "model = nn.Sequential(nn.Conv2d(3, 2, 3), nn.AvgPool2d(6), nn.Flatten()).eval();"
        "print(choose_engine(model, torch.zeros(3, 8, 8), 'openvino').name, sys.modules['openvino_telemetry'])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["openvino", "None"]
