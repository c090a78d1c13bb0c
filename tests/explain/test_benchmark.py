"""The benchmark: what it counts is right, and the command writes what it measured."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from pydantic import TypeAdapter

from explain import benchmark, engines
from explain.benchmark import _alone, main
from explain.case import Case
from explain.engines import Engine
from explain.measure import (
    Agreement,
    BudgetCost,
    EngineCost,
    LibraryCost,
    MethodCost,
    Overhead,
    method_cost,
)
from explain.methods.sise import SISE
from explain.records import Maker
from explain.stages import measured_once, open_stages
from severstal_xai.errors import InputError

CASE = Case(None, None, "resnet18", 64, 0.9, 1, "cpu")


def test_forward_passes_are_counted_whether_a_method_tells_them_or_not() -> None:
    (asked,) = CASE.subjects()
    masks = SISE(0.9).explain(CASE.model(), asked.image, asked.target).forwards
    assert method_cost(CASE, "sise").forwards == masks
    steps = method_cost(CASE, "integrated_gradients").forwards
    assert steps == 50
    looks = method_cost(CASE, "grad_cam").forwards
    assert looks == 1


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
    assert "Measured in one run, begun 2" in table
    assert (output / "benchmark.png").read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in output.iterdir()} == {f"benchmark.{kind}" for kind in ("json", "md", "png")}


def test_a_methods_name_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="method 'guess', expected one of sise"):
        main(["--methods", "guess", "--output", str(tmp_path)])


def test_images_of_no_data_folder_are_drawn_the_same_each_time() -> None:
    first, second = CASE.subjects()[0].image, CASE.subjects()[0].image
    assert torch.equal(first, second)
    assert first.shape == (3, 64, 64)


QUICK = {
    "engine_costs": (EngineCost("openvino", 2.0, 4.0, "fast"), EngineCost("half", None, None, "no bfloat16")),
    "overhead": Overhead("openvino", 10, 1.0, 1.02),
    "library_score_cam_cost": LibraryCost(8.0, 2.0),
    "budget_costs": (BudgetCost(0.4, 1.0, 0.3, (0.99,), (0.98,)),),
    "agreement_with_float64": Agreement((1.0,), (0.1,)),
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Measurements that take no time, in this process; the list tells which were made."""
    made: list[str] = []

    def method(case: Case, name: str) -> MethodCost:
        made.append(name)
        return MethodCost(name, 1.0, 3, 5.0)

    def quick(name: str) -> Callable[..., object]:
        def measured(_case: Case, *_more: object) -> object:
            made.append(name)
            return QUICK[name]

        return measured

    monkeypatch.setattr(benchmark, "_alone", lambda work, *arguments: work(*arguments))
    monkeypatch.setattr(benchmark, "method_cost", method)
    for name in QUICK:
        monkeypatch.setattr(benchmark, name, quick(name))
    return made


def command(output: Path, *more: str) -> int:
    """The command, for two methods of a tiny case."""
    small = ["--architecture", "resnet18", "--size", "64", "--methods", "sise,grad_cam", "--device", "cpu"]
    return main([*small, "--output", str(output), *more])


def kill(output: Path, monkeypatch: pytest.MonkeyPatch, *more: str) -> None:
    """The command, killed after the engines."""

    def killed(_: Case) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(benchmark, "overhead", killed)
        with pytest.raises(KeyboardInterrupt):
            command(output, *more)


def test_a_killed_benchmark_goes_on_and_its_report_says_when_each_stage_was_measured(
    tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kill(tmp_path, monkeypatch)
    assert asked == ["sise", "grad_cam", "engine_costs"]
    assert not (tmp_path / "benchmark.json").exists()
    asked.clear()
    assert command(tmp_path) == 0
    assert asked == ["overhead", "library_score_cam_cost", "budget_costs", "agreement_with_float64"]
    table = (tmp_path / "benchmark.md").read_text()
    assert "**Measured in 2 runs**" in table
    assert re.search(r"\| method_sise +\| \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC +\| 1 of 2 +\|", table)
    assert re.search(r"\| overhead +\| .* UTC +\| 2 of 2 +\|", table)
    told = json.loads((tmp_path / "benchmark.json").read_text())
    whole = tmp_path / "whole"
    assert command(whole) == 0
    at_once = json.loads((whole / "benchmark.json").read_text())
    assert len({one["run"] for one in at_once["times"]}) == 1
    assert told | {"times": 0} == at_once | {"times": 0}, "the figures come back from the files as they were"
    assert "Measured in one run, begun 2" in (whole / "benchmark.md").read_text()


def test_a_finished_benchmark_is_measured_anew(tmp_path: Path, asked: list[str]) -> None:
    command(tmp_path)
    assert not (tmp_path / "stages").exists()
    first = list(asked)
    command(tmp_path)
    assert asked == first * 2


def test_stages_of_another_case_or_machine_are_refused_by_name_and_overwritten_where_asked_for(
    tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kill(tmp_path, monkeypatch, "--mu", "0.5")
    with pytest.raises(
        InputError, match=r"measurements with settings\.mu 0\.5, now 0\.3, expected another --output"
    ):
        command(tmp_path, "--mu", "0.3")
    with monkeypatch.context() as patch:
        patch.setattr(Case, "machine", lambda _: {"processor": "another"})
        with pytest.raises(InputError, match=r"settings\.machine\.processor .*, now another, expected"):
            command(tmp_path, "--mu", "0.5")
    asked.clear()
    assert command(tmp_path, "--mu", "0.3", "--overwrite", "true") == 0
    assert len(asked) == 2 + len(QUICK)
    assert "Measured in one run" in (tmp_path / "benchmark.md").read_text()


def test_a_damaged_stage_is_measured_anew(tmp_path: Path) -> None:
    read = TypeAdapter(int).validate_python
    assert measured_once(tmp_path, "a", "one", read, lambda: 7) == 7
    assert measured_once(tmp_path, "b", "one", read, lambda: 8) == 7
    whole = (tmp_path / "one.json").read_text()
    for damaged in (whole[:-9], "[]", "{}", whole.replace("7", '"seven"')):
        (tmp_path / "one.json").write_text(damaged)
        assert measured_once(tmp_path, "b", "one", read, lambda: 8) == 8


def test_what_is_none_of_the_stages_stays(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text("{}")
    maker = Maker("weights", "label", {})
    for overwrite in (False, True):
        with pytest.raises(InputError, match=r"holds measurements without settings\.yaml"):
            open_stages(tmp_path, maker, overwrite=overwrite)
    assert (tmp_path / "mine.json").exists()
