"""The parts that need no Streamlit: folders, lists, outlines, explanations."""

import hashlib
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import nn

from app import judging, loading
from app.asking.catalogue import CATALOGUE, request_for
from app.asking.explanations import Failed, Finished, Found, Request, Stage, explain
from app.demo.steps import STEPS
from app.folders import folders_from
from app.jobs import Cancelled, Queued, Running
from app.patch import why
from app.patch.account import Account, Step
from app.patch.layers import Layer, Patchwork, as_data, outline_path
from app.verdicts.records import Heat
from explain.methods import METHODS
from explain.methods.sise import SISE
from severstal_xai.checkpoint import load_checkpoint
from severstal_xai.errors import InputError
from severstal_xai.imaging import model_input
from severstal_xai.manifest import Manifest

REQUEST = Request("sise", (), 0, "weights", "image")
GREY = np.zeros((4, 4), dtype=np.uint8)


def test_nothing_of_the_inspector_stands_in_for_a_library() -> None:
    """Streamlit puts `app/` first on Python's path."""
    ours = {place.stem for place in Path(loading.__file__).parent.iterdir()} - {"__init__", "__pycache__"}
    assert "main" in ours
    assert not ours & {*sys.stdlib_module_names, *packages_distributions()}


def test_folders_are_the_demo_s_then_the_newest_run_s(tmp_path: Path) -> None:
    assert folders_from([], tmp_path).run == tmp_path / "demo/run"
    for time, name in ((1, "new"), (0, "old")):
        place = tmp_path / "runs" / name
        place.mkdir(parents=True)
        (place / "model.json").touch()
        os.utime(place / "model.json", (time, time))
    assert folders_from([], tmp_path).run == tmp_path / "runs/new"
    for step in STEPS:
        assert folders_from([], tmp_path).run == tmp_path / "runs/new", "a demo in the making is not shown"
        (tmp_path / step.result).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / step.result).touch()
    assert folders_from([], tmp_path).run == tmp_path / "demo/run"
    assert folders_from(["--run", "mine"], tmp_path).run == Path("mine")


def test_the_demo_s_data_comes_with_the_demo_s_strips_and_no_other_data_does(tmp_path: Path) -> None:
    assert folders_from([], tmp_path).strips is None, "there are none yet"
    (tmp_path / "demo/strips/train_images").mkdir(parents=True)
    (tmp_path / "mine").mkdir()
    demo, named = str(tmp_path / "demo/patches"), str(tmp_path / "mine")
    for arguments in ([], ["--data", demo], ["--data", f"{named}/../demo/patches"]):
        assert folders_from(arguments, tmp_path).strips == tmp_path / "demo/strips/train_images"
    assert folders_from(["--data", named], tmp_path).strips is None
    assert folders_from(["--data", demo, "--strips", named], tmp_path).strips == tmp_path / "mine"


@pytest.mark.parametrize("arguments", [["--dat", "x"], ["--data"], ["x"], ["--run", "a", "b"]])
def test_wrong_arguments_are_refused_with_the_right_ones(arguments: list[str], tmp_path: Path) -> None:
    with pytest.raises(
        InputError,
        match=r"expected `streamlit run app/main\.py -- --data DIR --run DIR \[--strips DIR\] \[--watch DIR\]`",
    ):
        folders_from(arguments, tmp_path)


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


class Bright(nn.Module):
    """A network whose evidence for class 1 is pixels brighter than 1 of its input, and nothing else; class 0 is its opposite.

    A white square over a tenth of the patch is evidence of 0.13, and as likely as not where it were 0.06.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bright = nn.Conv2d(3, 2, 1)
        with torch.no_grad():
            self.bright.weight[0], self.bright.weight[1] = 1 / 3, -1 / 3
            self.bright.bias = nn.Parameter(torch.full((2,), -1.0))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = self.bright(nn.functional.avg_pool2d(images, 4)).relu()
        bright, dark = features.mean(dim=(2, 3)).T
        return torch.stack([dark - bright + 0.06, bright - dark - 0.06], dim=1) * 8


@pytest.mark.parametrize("method", CATALOGUE)
def test_each_method_that_is_offered_finds_the_evidence_with_the_least_effort(method: str) -> None:
    square = np.zeros((128, 128), dtype=bool)
    square[30:70, 60:100] = True  # so small that blur takes the evidence away
    grey = np.where(square, 255, 105).astype(np.uint8)
    outcome = explain(request_for(method, "fast", 1, "bright", "square"), Bright().eval(), grey)
    assert isinstance(outcome, Found)
    saliency = outcome.saliency
    assert saliency.shape == grey.shape
    assert saliency.dtype == np.float32
    assert saliency.min() >= 0
    assert saliency.max() <= 1
    hottest = np.argsort(saliency, axis=None)[-grey.size // 20 :]  # half as many as the square's
    assert square.ravel()[hottest].mean() > 0.64  # by lot a tenth


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


def test_an_account_tells_what_each_block_did_and_its_last_sum_is_the_map(
    made_data: Manifest, planted_run: Path
) -> None:
    model = load_checkpoint(planted_run).model
    grey = made_data.read_image(made_data.find("strip33_0"))
    outcome = explain(Request("sise", (), 3, "weights", "image"), model, grey)
    assert isinstance(outcome, Found)
    account = outcome.account
    assert account is not None
    assert account.asked == account.features == 5, "one feature of each block speaks for the planted class"
    assert account.seconds > 0
    blocks = SISE().explain(model, torch.from_numpy(model_input(grey)), 3).blocks
    for step, block in zip(account.steps, blocks, strict=True):
        assert (step.layer, step.features, step.threshold) == (block.layer, block.masks, block.threshold)
        np.testing.assert_allclose(step.found / 255, block.visualization, atol=1 / 255)
    assert account.steps[0].gate is None
    for step, block in zip(account.steps[1:], blocks[1:], strict=True):
        np.testing.assert_array_equal(step.gate, 255 * block.gate)
    np.testing.assert_allclose(account.steps[-1].fused / 255, outcome.saliency, atol=1 / 255)


def test_a_class_that_no_feature_speaks_for_has_an_account_that_says_so(
    made_data: Manifest, planted_run: Path
) -> None:
    model = load_checkpoint(planted_run).model
    grey = made_data.read_image(made_data.find("strip33_0"))
    outcome = explain(Request("sise", (("budget", 0.4),), 1, "weights", "image"), model, grey)
    assert isinstance(outcome, Found)
    assert outcome.account is not None
    assert outcome.account.features == 0
    assert "there was nothing to ask about" in why.story(outcome.account, "1 · pitting", "openvino")
    cells = why.as_data(Patchwork("a", GREY, GREY > 0, (1, 2, 3), ()), outcome, "1 · pitting", 0.1)[
        "pictures"
    ]
    assert [cell.get("words") for cell in cells if cell["state"] == "cold"] == [
        *["No feature here speaks for this class."] * 5,
        *["It lets nothing through."] * 4,
        *["Nothing is left."] * 5,
    ]


def test_an_unusual_engine_is_told_with_its_reason() -> None:
    step = Step("relu", 3, 0.5, GREY, None, GREY)
    account = Account((step,), 3, "reference", "openvino is off by 0.2", 11.0)
    said = why.story(account, "1 · pitting", "openvino")
    assert "asked about all of them (3 forward passes)" in said
    assert "It took 11 s." in said
    assert (
        r"torch itself in full precision answered for the model, not OpenVINO as usual: openvino is off by 0\.2."
        in said
    )


def test_failed_waiting_cancelled_first_and_cold_are_kinds_of_picture_of_their_own() -> None:
    cold = Found(np.zeros((4, 4), dtype=np.float32), asked=8)
    states = (
        cold,
        Failed("no memory"),
        Queued(0),
        Running(Stage.LOOKING, None, None, None),
        Running(Stage.LOOKING, None, None, cold),
        Cancelled(None),
        Cancelled(cold),
    )
    layers = tuple(Layer("SISE", state, 1.0) for state in states)
    _, *pictures = as_data(Patchwork("a", GREY, GREY > 0, (1, 2, 3), layers))["pictures"]
    kinds = ["ready", "failed", "pending", "pending", "first", "cancelled", "first"]
    assert [picture["state"] for picture in pictures] == kinds
    with_heat = [True, False, False, False, True, False, True]
    assert ["heat" in picture for picture in pictures] == with_heat
    assert pictures[1]["words"] == "no memory"
    assert [pictures[place]["note"] for place in (4, 6)] == [
        "first map, from 8 questions",
        "cancelled, from 8 questions",
    ]


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


def test_a_verdict_is_kept_with_the_whole_maps_of_those_in_sight() -> None:
    first, whole = np.zeros((2, 2), dtype=np.float32), np.ones((2, 2), dtype=np.float32)
    other = Request("grad_cam", (), 3, "weights", "image")
    sharpening = Running(Stage.PREPARING, None, None, Found(first, asked=8))
    assert judging.heats_of([(REQUEST, sharpening), (other, Queued(before=0))]) == ()
    beside = Heat("grad_cam", (), 3, hashlib.sha256(whole.tobytes()).hexdigest())
    assert judging.heats_of([(REQUEST, sharpening), (other, Found(whole))]) == (beside,)
    asked, also = judging.heats_of([(REQUEST, Found(first)), (other, Found(whole))])
    assert (asked.method, asked.sha256) == ("sise", hashlib.sha256(first.tobytes()).hexdigest())
    assert also == beside
