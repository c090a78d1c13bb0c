"""The parts that need no Streamlit: folders, lists, outlines, explanations."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import nn

from app.choice import Filter, matching
from app.explanations import Failed, Finished, Found, Request, explain
from app.folders import folders_from
from app.layers import Layer, Patchwork, as_data, outline_path
from explain.methods import METHODS
from explain.methods.sise import SISE
from severstal_xai.checkpoint import load_checkpoint
from severstal_xai.errors import InputError
from severstal_xai.imaging import model_input
from severstal_xai.manifest import Manifest, Split

REQUEST = Request("sise", (), 0, "weights", "image")
GREY = np.zeros((4, 4), dtype=np.uint8)


def test_folders_are_the_demo_s_then_the_newest_run_s(tmp_path: Path) -> None:
    assert folders_from([], tmp_path).run == tmp_path / "demo/run"
    for time, name in ((1, "new"), (0, "old")):
        place = tmp_path / "runs" / name
        place.mkdir(parents=True)
        (place / "model.json").touch()
        os.utime(place / "model.json", (time, time))
    assert folders_from([], tmp_path).run == tmp_path / "runs/new"
    (tmp_path / "demo/run").mkdir(parents=True)
    (tmp_path / "demo/run/model.json").touch()
    assert folders_from([], tmp_path).run == tmp_path / "demo/run"
    assert folders_from(["--run", "mine"], tmp_path).run == Path("mine")


@pytest.mark.parametrize("arguments", [["--dat", "x"], ["--data"], ["x"], ["--run", "a", "b"]])
def test_wrong_arguments_are_refused_with_the_right_ones(arguments: list[str], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected `streamlit run app/main\.py -- --data DIR --run DIR`"):
        folders_from(arguments, tmp_path)


def test_a_list_is_narrowed_by_split_class_and_mistakes(made_data: Manifest) -> None:
    patches = made_data.patches
    assert matching(patches, Filter(Split.TEST, 2), {}) == ["strip23_0"]
    assert len(matching(patches, Filter(Split.TRAIN), {})) == 10
    predicted = {"strip13_0": 1, "strip23_0": 4}
    assert matching(patches, Filter(Split.TEST, only_mistakes=True), predicted) == ["strip23_0"]


@given(arrays(bool, st.tuples(st.integers(1, 6), st.integers(1, 6))))
def test_an_outline_has_a_line_wherever_inside_meets_outside(mask: np.ndarray) -> None:
    padded = np.pad(mask, 1).astype(int)
    expected = np.abs(np.diff(padded, axis=0)).sum() + np.abs(np.diff(padded, axis=1)).sum()
    length = 0
    for line in outline_path(mask).split("M")[1:]:
        start, end = line.replace("V", "H").split("H")
        x, y = start.split(" ")
        length += int(end) - int(y if "V" in line else x)
    assert length == expected


@pytest.mark.parametrize(
    "values", [torch.full((1, 4, 4), torch.nan), torch.full((1, 4, 4), 2.0), torch.zeros(1, 2, 2)]
)
def test_a_map_that_is_no_map_has_failed(values: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    method: Any = lambda: lambda model, images, targets: values  # noqa: E731
    monkeypatch.setitem(METHODS, "sise", method)
    assert isinstance(explain(REQUEST, nn.Identity(), GREY), Failed)


def test_visitors_who_ask_at_once_get_what_each_would_get_alone(
    made_data: Manifest, planted_run: Path
) -> None:
    model = load_checkpoint(planted_run).model
    grey = made_data.read_image(made_data.find("strip33_0"))
    requests = [Request("grad_cam", (), target, "weights", "image") for target in (3, 3, 3, 3)]
    with ThreadPoolExecutor(4) as visitors:
        outcomes = list(visitors.map(lambda request: explain(request, model, grey), requests))
    alone = explain(requests[0], model, grey)
    assert isinstance(alone, Found)
    for outcome in outcomes:
        assert isinstance(outcome, Found)
        np.testing.assert_array_equal(outcome.saliency, alone.saliency)


def test_sise_within_a_budget_tells_how_well_its_map_stands_for_the_whole_one(
    made_data: Manifest, planted_run: Path
) -> None:
    model = load_checkpoint(planted_run).model
    grey = made_data.read_image(made_data.find("strip33_0"))
    outcome = explain(Request("sise", (("budget", 0.4),), 3, "weights", "image"), model, grey)
    image = torch.from_numpy(model_input(grey))
    expected = SISE(budget=0.4).explain(model, image, 3)
    assert isinstance(outcome, Found)
    assert outcome.agreement == expected.agreement
    np.testing.assert_array_equal(outcome.saliency, expected.saliency.numpy())


def test_failed_waiting_and_cold_are_three_kinds_of_picture() -> None:
    cold = Found(np.zeros((4, 4), dtype=np.float32))
    layers = tuple(Layer("SISE", outcome, 1.0, "wait") for outcome in (cold, Failed("no memory"), None))
    pictures = as_data(Patchwork("a", GREY, GREY > 0, (1, 2, 3), layers))["pictures"]
    assert [picture["state"] for picture in pictures] == ["bare", "ready", "failed", "pending"]
    assert ["heat" in picture for picture in pictures] == [False, True, False, False]
    assert pictures[2]["words"] == "no memory"


def test_the_explanation_longest_unused_makes_room() -> None:
    finished = Finished(max_entries=2)
    first, second, third = (Request("sise", (), target, "weights", "image") for target in range(3))
    for request in (first, second):
        finished.put(request, Failed(""))
    finished.get(first)
    finished.put(third, Failed(""))
    assert [finished.get(request) is None for request in (first, second, third)] == [False, True, False]
    finished.forget(first)
    assert finished.get(first) is None
