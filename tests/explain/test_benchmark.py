"""The benchmark: what it counts is right, and the command writes what it measured."""

import json
import os
from pathlib import Path

import pytest
import torch

from explain import engines
from explain.benchmark import _alone, main
from explain.case import Case
from explain.engines import Engine
from explain.measure import method_cost
from explain.methods.sise import SISE
from severstal_xai.errors import InputError

CASE = Case(None, None, "resnet18", 64, 0.9, 1, "cpu")


def test_forward_passes_are_counted_whether_a_method_tells_them_or_not() -> None:
    (asked,) = CASE.subjects()
    masks = SISE(0.9).explain(CASE.model(), asked.image, asked.target).forwards
    assert method_cost(CASE, "sise").forwards == masks
    steps = method_cost(CASE, "integrated_gradients").forwards
    assert steps == 50


def test_a_measurement_has_a_process_of_its_own() -> None:
    assert _alone(os.getpid) != os.getpid()


def without_compiler(_wanted: object) -> Engine:
    raise RuntimeError("no compiler")


def test_the_command_writes_figures_table_and_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("explain.benchmark._alone", lambda work, *arguments: work(*arguments))  # sooner
    monkeypatch.setattr("explain.engines.shutil.which", lambda _name: None)
    monkeypatch.setitem(engines._MAKERS, "compiled", without_compiler)
    output = tmp_path / "benchmark"
    small = ["--architecture", "resnet18", "--size", "64", "--mu", "0.95", "--methods", "sise,grad_cam"]
    assert main([*small, "--output", str(output), "--device", "cpu"]) == 0
    measured = json.loads((output / "benchmark.json").read_text())
    assert [one["method"] for one in measured["methods"]] == ["sise", "grad_cam"]
    assert all(one["seconds"] > 0 and one["forwards"] > 0 for one in measured["methods"])
    assert measured["overhead"]["ratio"] > 0.5
    by_name = {one["engine"]: one for one in measured["engines"]}
    assert by_name.keys() == {"openvino", "openvino_float32", "compiled", "half", "reference"}
    assert by_name["compiled"]["milliseconds"] is None
    assert "no compiler" in by_name["compiled"]["reason"]
    assert by_name["reference"]["speed"] == 1
    assert [one["budget"] for one in measured["budgets"]] == [0.1, 0.4]
    assert all(0 < one["share"] < 0.6 and one["spearman"][0] > 0.5 for one in measured["budgets"])
    assert measured["agreement"]["spearman"][0] > 0.99
    table = (output / "benchmark.md").read_text()
    assert "9.21" in table, "the paper's Table 7: SISE, ResNet-50"
    assert (output / "benchmark.png").read_bytes().startswith(b"\x89PNG")


def test_a_methods_name_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="method 'guess', expected one of sise"):
        main(["--methods", "guess", "--output", str(tmp_path)])


def test_images_of_no_data_folder_are_drawn_the_same_each_time() -> None:
    first, second = CASE.subjects()[0].image, CASE.subjects()[0].image
    assert torch.equal(first, second)
    assert first.shape == (3, 64, 64)
