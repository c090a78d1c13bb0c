"""What the page says and does, without a browser: Streamlit runs it as it would for one."""

import base64
import hashlib
import io
import json
import re
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import streamlit as st
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Selectbox
from streamlit.util import calc_hash

from app import loading, panels
from app.asking.explanations import Failed, Found, Outcome, Passed, Request, Tell
from app.demo.steps import STEPS
from app.patch.account import Account, Step
from app.patch.layers import png_address
from app.review.query import Answer
from app.verdicts import engines
from app.verdicts.address import VARIABLE
from app.verdicts.records import Kind
from app.verdicts.store import open_store
from app.words import how_sure
from explain.methods import METHODS
from severstal_xai.bootstrap import Measure
from severstal_xai.checkpoint import MODEL_FILE, WEIGHTS_FILE
from severstal_xai.imaging import STRIP_SHAPE, read_grey
from severstal_xai.left_out import LeftOutWindow, write_left_out
from severstal_xai.manifest import Manifest, Split, write_manifest
from severstal_xai.operating_point import (
    OPERATING_POINT_FILE,
    ClassPoint,
    Costs,
    Expected,
    OperatingPoint,
    Review,
    as_json,
)
from severstal_xai.overlay import heat_colours
from severstal_xai.predictions import PREDICTIONS_FILE, write_predictions
from severstal_xai.rle import encode_rle

MAIN = str(Path(__file__).resolve().parents[2] / "app/main.py")


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    st.cache_resource.clear()
    st.cache_data.clear()
    yield
    loading.jobs().close()


@pytest.fixture(autouse=True)
def _quick_methods(monkeypatch: pytest.MonkeyPatch) -> None:
    """Maps that are hot everywhere, in no time."""
    for name in METHODS:
        monkeypatch.setitem(
            METHODS, name, lambda **settings: lambda model, images, targets: images[:, 0] * 0 + 1
        )


@pytest.fixture(autouse=True)
def verdicts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The file of a store of this test's own."""
    path = tmp_path / "verdicts.sqlite"
    monkeypatch.setenv(VARIABLE, str(path))
    return path


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch) -> Any:
    def opened(
        data: Path,
        run: Path,
        *more: str,
        address: str | None = None,
        patient: bool = True,
        at: str = "patch",
        **question: str,
    ) -> AppTest:
        monkeypatch.setattr("sys.argv", ["app/main.py", "--data", str(data), "--run", str(run), *more])
        page = go_to(AppTest.from_file(MAIN, default_timeout=60), at)
        if address is not None:
            page.query_params["patch"] = address
        page.query_params.update(question)
        return settled(page.run()) if patient else page.run()

    return opened


def go_to(page: AppTest, name: str) -> AppTest:
    """Go to a page: AppTest goes to files alone, and a page that is a function is told by its address."""
    page._page_hash = calc_hash(name)
    return page


def settled(page: AppTest) -> AppTest:
    """The page once all that it asked for is made; a browser would look again by itself."""
    assert loading.jobs().wait_until_idle(60)
    return page.run()


@pytest.fixture
def data_copy(made_data: Manifest, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made_data.root, tmp_path / "patches"))


@pytest.fixture
def run_copy(planted_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(planted_run, tmp_path / "planted"))


def answer(data: Manifest, run: Path, predicted: list[int]) -> None:
    """Write the model's answers for the test patches, each with a probability of 0.6."""
    test = data.of_split(Split.TEST)
    shares = np.full((len(test), 5), 0.1)
    shares[np.arange(len(test)), predicted] = 0.6
    table = pd.DataFrame(
        {
            "patch": [patch.patch for patch in test],
            "strip": [patch.strip for patch in test],
            "split": str(Split.TEST),
            "label": [patch.label for patch in test],
            "predicted": predicted,
        }
    ).assign(**{f"p{place}": shares[:, place] for place in range(5)})
    weights = json.loads((run / MODEL_FILE).read_text())["weights_sha256"]
    write_predictions(run / PREDICTIONS_FILE, table, weights)


def drawings(page: AppTest) -> list[str]:
    """The components that draw something; one on every page listens for clicks."""
    names = [one.proto.component_name for one in page.get("bidi_component")]
    return [name for name in names if "browser" not in name]


def words(page: AppTest) -> str:
    """All that the page says outside the components."""
    kinds = (page.error, page.warning, page.info, page.subheader, page.markdown, page.caption, page.code)
    return "\n".join(str(element.value) for kind in kinds for element in kind).replace("\xa0", " ")


def pictures(page: AppTest) -> str:
    """The data of the pictures' component, as JSON."""
    (found,) = [
        element.proto for element in page.get("bidi_component") if "layers" in element.proto.component_name
    ]
    return str(found)


def test_the_page_says_which_data_and_which_model_by_the_folders_names(
    open_page: Any, made_data: Manifest, planted_run: Path
) -> None:
    page = open_page(made_data.root, planted_run)
    assert not page.exception
    assert "Model: planted, resnet18, epoch 1" in words(page)
    assert "20 patches" in words(page)
    assert str(planted_run.parent) not in words(page)


def test_an_unknown_argument_is_named(open_page: Any, made_data: Manifest, planted_run: Path) -> None:
    page = open_page(made_data.root, planted_run, "--port", "80")
    said = page.error[0].value
    assert "argument `--port`" in said
    assert "`streamlit run app/main.py -- --data DIR --run DIR [--strips DIR] [--watch DIR]`" in said
    assert "--" not in re.sub(r"`[^`]+`", "", said)  # outside of code the page makes a long dash of it
    assert "streamlit run app/main.py -- --data" in page.code[0].value


def test_missing_folders_are_answered_with_the_commands_that_make_them(
    open_page: Any, made_data: Manifest, planted_run: Path, tmp_path: Path
) -> None:
    no_data = open_page(tmp_path / "nothing", planted_run)
    assert "no patches to show" in words(no_data)
    assert str(tmp_path / "nothing") in words(no_data)
    assert "python -m data_prep " in words(no_data)
    no_model = open_page(made_data.root, tmp_path / "nothing")
    assert "no trained model" in words(no_model)
    assert "python -m training " in words(no_model)


@pytest.mark.parametrize("file", [MODEL_FILE, WEIGHTS_FILE])
def test_a_damaged_model_is_named(open_page: Any, made_data: Manifest, run_copy: Path, file: str) -> None:
    (run_copy / file).write_bytes((run_copy / file).read_bytes()[:-10])
    page = open_page(made_data.root, run_copy)
    assert not page.exception
    assert file.replace(".", r"\.") in page.error[0].value


def test_a_model_of_other_data_is_shown_with_a_warning(
    open_page: Any, data_copy: Path, made_data: Manifest, planted_run: Path
) -> None:
    write_manifest(data_copy, made_data.patches[1:])
    page = open_page(data_copy, planted_run)
    assert "trained on other data" in page.warning[0].value
    assert pictures(page)
    assert not open_page(made_data.root, planted_run).warning


def test_data_prepared_anew_is_seen(
    open_page: Any, data_copy: Path, made_data: Manifest, planted_run: Path
) -> None:
    page = open_page(data_copy, planted_run)
    write_manifest(data_copy, [patch for patch in made_data.patches if patch.label != 0])
    assert "not in this data" in words(page.run())  # the patch of class 0 that was shown
    assert len(page.selectbox(key="chosen patch").options) == 4


def test_an_address_of_no_patch_shows_no_patch(
    open_page: Any, made_data: Manifest, planted_run: Path
) -> None:
    page = open_page(made_data.root, planted_run, address="../../etc/passwd")
    assert "names a patch that is not in this data" in words(page)
    assert not drawings(page)
    page.selectbox(key="chosen patch").select("strip23_0").run()
    assert page.query_params["patch"] == "strip23_0"
    assert "not in this data" not in words(page)


def test_of_a_long_list_the_nearest_are_offered_and_any_can_be_typed(
    open_page: Any, made_data: Manifest, planted_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.chooser._LISTED", 3)
    page = open_page(made_data.root, planted_run)
    offered = page.selectbox(key="chosen patch")
    assert [option.split(" ")[0] for option in offered.options] == ["strip03_0", "strip13_0", "strip23_0"]
    assert "5 in the list" in offered.label
    type_in(offered, "STRIP43")
    assert page.query_params["patch"] == "strip43_0"
    type_in(page.selectbox(key="chosen patch"), "no such")
    assert page.query_params["patch"] == "strip43_0"
    assert "No name in the list holds" in page.toast[0].value


def type_in(box: Selectbox[str], text: str) -> None:
    """Do as the browser does with what is none of the options: AppTest itself knows options alone."""
    box.options.append(text)
    box.select(text).run()


def test_an_address_wins_over_the_filters(open_page: Any, made_data: Manifest, planted_run: Path) -> None:
    page = open_page(made_data.root, planted_run, address="strip41_0")
    assert page.selectbox(key="split").value == Split.TRAIN
    assert page.selectbox(key="chosen patch").value == "strip41_0"
    page.selectbox(key="split").select(Split.VALIDATION).run()
    assert page.query_params["patch"] == "strip02_0"


def test_only_mistakes_are_listed_where_the_predictions_are_known(
    open_page: Any, made_data: Manifest, run_copy: Path
) -> None:
    answer(made_data, run_copy, [0, 3, 2, 3, 3])
    page = open_page(made_data.root, run_copy)
    assert "strip13_0 · class 1 → 3" in page.selectbox(key="chosen patch").options
    page.selectbox(key="answer").select(Answer.WRONG).run()
    assert page.selectbox(key="chosen patch").options == [
        "strip13_0 · class 1 → 3",
        "strip43_0 · class 4 → 3",
    ]
    assert page.query_params["answer"] == "wrong"


def test_a_damaged_table_of_predictions_is_named(open_page: Any, made_data: Manifest, run_copy: Path) -> None:
    (run_copy / "predictions.parquet").write_text("no table")
    assert r"predictions\.parquet" in open_page(made_data.root, run_copy).warning[0].value


def test_text_from_an_address_stays_text(open_page: Any, made_data: Manifest, planted_run: Path) -> None:
    page = open_page(
        made_data.root, planted_run, address="![x](http://example.org/x.png) <script> :material/home:"
    )
    (said,) = [error.value for error in page.error]
    assert said.endswith(r"\!\[x\]\(http\:\/\/example\.org\/x\.png\) \<script\> \:material\/home\:")


def test_a_failed_explanation_looks_failed_and_can_be_tried_again(
    open_page: Any, made_data: Manifest, planted_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    working = METHODS["sise"]

    def failing(**settings: float) -> Any:
        def method(*_: object) -> torch.Tensor:
            raise RuntimeError("secret detail")

        return method

    monkeypatch.setitem(METHODS, "sise", failing)
    page = open_page(made_data.root, planted_run)
    assert not page.exception
    assert '"state":"failed"' in pictures(page).replace("\\", "").replace(" ", "")
    assert "secret detail" not in pictures(page) + words(page)
    monkeypatch.setitem(METHODS, "sise", working)
    (again,) = [button for button in page.button if button.label == "Make SISE after all"]
    again.click().run()
    settled(page)
    assert '"state":"failed"' not in pictures(page).replace("\\", "").replace(" ", "")


@pytest.mark.parametrize("agreement", [0.973, 1.0])
def test_a_map_from_a_part_of_the_questions_is_called_a_preview(
    open_page: Any, made_data: Manifest, planted_run: Path, monkeypatch: pytest.MonkeyPatch, agreement: float
) -> None:
    found = Found(np.ones((256, 256), dtype=np.float32), agreement)
    monkeypatch.setattr("app.views.patch.explain", lambda *_: found)
    said = words(open_page(made_data.root, planted_run))
    assert ("SISE is a preview" in said) == (agreement < 1)
    assert ("Its estimated agreement with the whole map: 0.97" in said) == (agreement < 1)


def test_a_bug_of_ours_shows_no_traceback(
    open_page: Any, made_data: Manifest, planted_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("secret detail")

    monkeypatch.setattr(panels, "heading", broken)
    page = open_page(made_data.root, planted_run)
    assert not page.exception
    assert "a fault of the program, not yours" in words(page)
    assert "secret detail" not in words(page)


def write_point(run: Path, weights: str | None = None, threshold: float | None = 0.9) -> None:
    """Thresholds for the planted network: class 3 is flagged from 90 % on, the others from a half on."""
    held = weights or json.loads((run / MODEL_FILE).read_text())["weights_sha256"]
    expected = Expected(patches=12, misses=Measure(0.25, 0.125, 0.5), alarms=Measure(0.5, 0.25, 1.5))
    point = OperatingPoint(
        held,
        Costs((10.0,) * 4, (1.0,) * 4, None),
        tuple(
            ClassPoint(
                label, threshold if label == 3 else 0.5, "a note" if label == 2 else "", expected, expected
            )
            for label in (1, 2, 3, 4)
        ),
        Review(Measure(2.0, 1.0, 3.0), Measure(0.1, 0.05, 0.2)),
        Review(Measure(2.5, 1.5, 3.5), None),
    )
    (run / OPERATING_POINT_FILE).write_text(json.dumps(as_json(point)))


def test_the_page_says_whether_a_patch_is_flagged(
    open_page: Any, made_data: Manifest, run_copy: Path
) -> None:
    write_point(run_copy)
    bright = open_page(made_data.root, run_copy, address="strip33_0")
    assert "**Flagged** for an inspector to look at: 3 · scratches and scabs." in words(bright)
    sound = open_page(made_data.root, run_copy, address="strip03_0")
    assert "**Not flagged**: no defect is as probable as its threshold." in words(sound)
    assert (
        "| 3 · scratches and scabs | 90.0 % | 25.0 % of 12 (12.5 % to 50.0 %) | 0.50 (0.25 to 1.50) |"
        in words(sound)
    )
    assert "2.5 of the six patches of a strip are flagged (1.5 to 3.5)" in words(sound)
    assert "2 · edge bars: a note." in words(sound)


def test_without_a_threshold_a_class_is_flagged_where_it_is_the_answer(
    open_page: Any, made_data: Manifest, run_copy: Path
) -> None:
    write_point(run_copy, threshold=None)
    page = open_page(made_data.root, run_copy, address="strip33_0")
    assert "**Flagged** for an inspector to look at: 3 · scratches and scabs." in words(page)
    assert "when it is the answer" in words(page)


def test_a_model_without_thresholds_flags_nothing_and_says_so(
    open_page: Any, made_data: Manifest, planted_run: Path
) -> None:
    page = open_page(made_data.root, planted_run, address="strip33_0")
    assert "lagged**" not in words(page)
    assert "No thresholds are set for this model" in words(page)


def test_thresholds_of_another_model_are_not_used(
    open_page: Any, made_data: Manifest, run_copy: Path
) -> None:
    write_point(run_copy, weights="of another model")
    page = open_page(made_data.root, run_copy, address="strip33_0")
    assert not page.exception
    assert "of other weights than the model" in page.warning[0].value
    assert "lagged**" not in words(page)
    assert pictures(page)


def bars(page: AppTest, name: str) -> dict[str, dict[str, Any]]:
    """The bars of the drawing that has one of that name, by their names, in their order."""
    drawn = [
        json.loads(one.proto.json)["bars"]
        for one in page.get("bidi_component")
        if "bars" in one.proto.component_name
    ]
    (found,) = [several for several in drawn if name in [bar["name"] for bar in several]]
    return {bar["name"]: bar for bar in found}


def picture_data(page: AppTest) -> dict[str, Any]:
    """The data of the pictures' component."""
    (found,) = [one.proto for one in page.get("bidi_component") if "layers" in one.proto.component_name]
    data: dict[str, Any] = json.loads(found.json)
    return data


def pixels(address: str) -> np.ndarray:
    """What a picture's address holds."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).convert("RGB"))


def test_a_threshold_is_a_line_across_its_class_s_bar(
    open_page: Any, made_data: Manifest, run_copy: Path
) -> None:
    without = open_page(made_data.root, run_copy, address="strip33_0")
    assert {bar["line"] for bar in bars(without, "0 · sound").values()} == {None}
    assert "The line across a bar" not in words(without)
    write_point(run_copy)
    page = open_page(made_data.root, run_copy, address="strip33_0")
    drawn = bars(page, "0 · sound")
    assert [bar["line"] for bar in drawn.values()] == [None, 0.5, 0.5, 0.9, 0.5]
    assert drawn["3 · scratches and scabs"]["line_title"] == "flagged from 90.0\xa0% on"
    assert drawn["3 · scratches and scabs"]["share"] > 0.9
    assert "The line across a bar is the threshold: from there on the patch is flagged." in words(page)


def test_a_patch_has_the_same_probability_on_its_own_page_and_on_its_strip_s(
    open_page: Any, made_data: Manifest, run_copy: Path
) -> None:
    answer(made_data, run_copy, [0, 3, 2, 3, 3])
    strip = strip_data(open_page(made_data.root, run_copy, at="", label="4"))
    first = strip["panes"][0]
    assert first["lines"][0] == "probability 60.0\xa0%"
    page = open_page(made_data.root, run_copy, address=first["patch"])
    assert "with a probability of 60.0 %" in words(page)


def test_a_model_that_is_nearly_sure_is_never_said_to_be_sure() -> None:
    """In float32 a softmax over logits 20 apart is exactly 1."""

    class NearlySure(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.tensor([[20.0, 0, 0, 0, 0]])

    sure, *others = loading.ask(NearlySure(), np.zeros((256, 256), np.uint8))
    assert (sure, *others) == pytest.approx((1 / (1 + 4 * np.exp(-20)), *[np.exp(-20)] * 4), abs=1e-15)
    assert sure < 1
    assert (how_sure(sure), how_sure(1.0), how_sure(others[0])) == (">99.9\xa0%", ">99.9\xa0%", "<0.1\xa0%")


def test_how_much_heat_lies_on_the_defect_stands_beside_what_a_map_that_knows_nothing_reaches(
    open_page: Any, made_data: Manifest, planted_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The defect is a square of 60 pixels at row and column 100; the maps are as large as it."""
    on, half = torch.zeros(1, 256, 256), torch.zeros(1, 256, 256)
    on[:, 100:160, 100:160] = 1
    half[:, 100:130, 100:160] = half[:, :30, :60] = 1
    for name, made in (("grad_cam", on), ("sise", half)):
        monkeypatch.setitem(METHODS, name, lambda made=made, **settings: lambda model, images, targets: made)
    page = open_page(made_data.root, planted_run, address="strip33_0")
    drawn = bars(page, "a map that knows nothing")
    assert list(drawn) == ["SISE", "Grad-CAM", "a map that knows nothing"]
    assert [bar["share"] for bar in drawn.values()] == [0.5, 1.0, 3600 / 65536]
    assert [bar["value"] for bar in drawn.values()] == ["50.0\xa0%", "100\xa0%", "5.5\xa0%"]
    assert "The defect covers 3,600 of 65,536 pixels, so a map that knows nothing scores 5.5 %." in words(
        page
    )
    sound = open_page(made_data.root, planted_run, address="strip03_0")
    assert "nothing to compare the heat with" in words(sound)
    with pytest.raises(ValueError, match="not enough values"):
        bars(sound, "a map that knows nothing")


def test_the_legend_shows_the_colours_of_the_heat_from_0_to_1_and_says_what_they_mean(
    open_page: Any, made_data: Manifest, planted_run: Path
) -> None:
    data = picture_data(open_page(made_data.root, planted_run, address="strip33_0"))
    scale = pixels(data["legend"])
    assert (scale == heat_colours(np.arange(256)[None] / 255)).all()
    assert scale[0, 0].sum() < 30, "black is nothing"
    assert scale[0, -1].sum() > 600, "pale yellow is much"
    assert data["scale"]["end"] == "1"
    assert data["scale"]["meaning"].startswith("One scale for all patches")


def test_a_clean_patch_looks_cold_however_hot_a_method_s_map_is(
    open_page: Any, whole_strips: Any, planted_run: Path
) -> None:
    """The maps are 1 everywhere. On clean steel the planted network's logits are 2 for sound and 0 for the four defects."""
    page = open_page(whole_strips.data.root, planted_run, address="calm_2")
    assert "The model agrees: **0 · sound**" in words(page)
    likeliest = 1 / (np.exp(2) + 4)
    _, *heats = picture_data(page)["pictures"]
    assert [heat["title"] for heat in heats] == ["SISE", "Grad-CAM"]
    for heat in heats:
        assert heat["note"] == f"hottest pixel {likeliest:.2f}"
        shown = pixels(heat["heat"])
        assert (shown == heat_colours(np.full((256, 256), likeliest, np.float32))).all()
        assert shown.sum(axis=2).max() < 150, "nearly black"
    hot = open_page(whole_strips.data.root, planted_run, address="broad_4")
    assert pixels(picture_data(hot)["pictures"][1]["heat"]).sum(axis=2).min() > 500, (
        "the same map where the model is sure"
    )


STEPPED = Account(
    steps=(
        Step("relu", 12, 0.5, np.full((256, 256), 255, np.uint8), None, np.full((256, 256), 255, np.uint8)),
        Step("layer1", 0, 0.0, *[np.zeros((256, 256), np.uint8)] * 3),
    ),
    asked=8,
    engine="openvino",
    reason="",
    seconds=2.5,
)


def opened_section(page: AppTest) -> AppTest:
    """The page with its section "Why, step by step" opened."""
    page.session_state["why"] = True
    return page.run()


def steps(page: AppTest) -> list[str]:
    """The data of the section's pictures, as JSON."""
    found = [one.proto for one in page.get("bidi_component") if "browser" not in one.proto.component_name]
    return [str(one) for one in found if "steps" in one.component_name]


def test_the_steps_of_sise_are_shown_to_who_asks_for_them(
    open_page: Any, made_data: Manifest, planted_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Found(np.ones((256, 256), dtype=np.float32), 0.97, STEPPED)
    monkeypatch.setattr("app.views.patch.explain", lambda *_: found)
    page = open_page(made_data.root, planted_run)
    assert not steps(page), "closed at first: nothing is made"
    page = opened_section(page)
    assert "**12** features of the network speak for **3 · scratches and scabs**" in words(page)
    assert "asked about **8** of them" in words(page)
    assert "It took 2.5 s (OpenVINO answered for the model)." in words(page)
    (shown,) = steps(page)
    for said in (
        "12 features",
        "No feature here speaks for this class.",
        "It lets nothing through.",
        "Nothing is left.",
    ):
        assert said in shown
    page.button(key="Next patch").click().run()
    settled(page)
    assert len(steps(page)) == 1, "it stays open with the next patch"


def test_a_map_without_an_account_has_no_steps_and_neither_has_a_failed_one(
    open_page: Any, made_data: Manifest, planted_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for outcome in (Found(np.ones((256, 256), dtype=np.float32)), Failed("no memory")):
        st.cache_resource.clear()
        monkeypatch.setattr("app.views.patch.explain", lambda *_, outcome=outcome: outcome)
        page = opened_section(open_page(made_data.root, planted_run))
        assert not page.exception
        assert not [one for one in page.expander if "step by step" in one.label]
        assert not steps(page)


class Slow:
    """Explanations of SISE that stand still until they are let go on; others are made at once."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()

    def explain(self, request: Request, _model: object, _grey: object, tell: Tell) -> Outcome:
        if request.method != "sise":
            return Found(np.ones((256, 256), dtype=np.float32))
        tell(Passed(8, 100))
        tell(Found(np.ones((256, 256), dtype=np.float32), asked=8))
        self.begun.set()
        assert self.go_on.wait(60)
        tell(Passed(100, 100))
        return Found(np.ones((256, 256), dtype=np.float32), asked=100)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    made = Slow()
    monkeypatch.setattr("app.views.patch.explain", made.explain)
    yield made
    made.go_on.set()


def progress_of(page: AppTest) -> list[str]:
    return [str(one.proto) for one in page.get("progress")]


def test_an_explanation_at_work_shows_its_first_map_its_progress_and_what_is_ready(
    open_page: Any, made_data: Manifest, planted_run: Path, slow: Slow
) -> None:
    page = open_page(made_data.root, planted_run, patient=False)
    assert slow.begun.wait(60)
    page.run()
    assert not page.exception
    shown = pictures(page).replace("\\", "").replace(" ", "")
    assert '"state":"first"' in shown
    assert "firstmap,from8questions" in shown
    assert '"state":"ready"' in shown, "Grad-CAM's"
    (told,) = progress_of(page)
    assert "SISE** · 8 of at most 100 steps" in told
    assert page.selectbox(key="class").value == "usual", "the page is whole, also on the left"
    slow.go_on.set()
    settled(page)
    assert not progress_of(page)
    assert '"state":"first"' not in pictures(page).replace("\\", "").replace(" ", "")


def test_a_cancelled_explanation_says_so_and_can_be_made_after_all(
    open_page: Any, made_data: Manifest, planted_run: Path, slow: Slow
) -> None:
    page = open_page(made_data.root, planted_run, patient=False)
    assert slow.begun.wait(60)
    page.run()
    page.button(key="cancel SISE").click().run()
    assert not page.exception
    assert not progress_of(page)
    assert "cancelled,from8questions" in pictures(page).replace(" ", "")
    slow.go_on.set()
    settled(page)
    assert "cancelled,from8questions" in pictures(page).replace(" ", ""), "it stays cancelled"
    page.button(key="again").click().run()
    settled(page)
    assert "cancelled," not in pictures(page)


def test_another_patch_lets_the_last_one_s_explanation_go(
    open_page: Any, made_data: Manifest, planted_run: Path, slow: Slow
) -> None:
    page = open_page(made_data.root, planted_run, patient=False)
    assert slow.begun.wait(60)
    slow.begun.clear()
    page.button(key="Next patch").click().run()
    slow.go_on.set()
    settled(page)
    page.button(key="Previous patch").click()
    slow.go_on.clear()
    slow.begun.clear()
    page.run()
    assert slow.begun.wait(60), "it is made anew: the first was dropped when another waited"


def test_any_two_methods_are_chosen_and_the_address_tells_which(
    open_page: Any, made_data: Manifest, planted_run: Path
) -> None:
    page = open_page(made_data.root, planted_run, method="rise", compare="layer_cam", effort="fast")
    assert page.selectbox(key="method").value == "rise"
    assert all(title in pictures(page) for title in ("RISE", "LayerCAM"))
    assert "RISE: 1,000 questions to the model." in words(page)
    page.selectbox(key="effort").select("paper").run()
    assert "RISE: 4,000 questions to the model." in words(page)
    page.selectbox(key="method").select("xgrad_cam").run()
    assert "These methods have one effort." in words(page)
    assert page.query_params["effort"] == "paper", "kept for the next method that has several"
    page.selectbox(key="method").select("sise").run()
    page.selectbox(key="effort").select("fast").run()
    page.selectbox(key="compare").select("smooth_grad").run()
    assert "SISE: At most a fifth of the questions" in words(page)
    assert "SmoothGrad: 10 noisy copies." in words(page)
    assert "method" not in page.query_params, "the usual one needs no word in the address"
    assert page.selectbox(key="effort").value == "fast"
    page.selectbox(key="compare").select("none").run()
    settled(page)
    assert page.query_params["compare"] == "none"
    assert "LayerCAM" not in pictures(page)
    page.selectbox(key="class").select("1").run()
    assert page.query_params["class"] == "1"
    assert "speaks for **1 · pitting**" in words(page)


def test_a_method_is_not_compared_with_itself(open_page: Any, made_data: Manifest, planted_run: Path) -> None:
    page = open_page(made_data.root, planted_run, compare="rise")
    page.selectbox(key="method").select("rise").run()
    assert page.selectbox(key="compare").value == "grad_cam"
    page.selectbox(key="method").select("grad_cam").run()
    assert page.selectbox(key="compare").value == "sise"


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": "../../etc/passwd"},
        {"compare": "sise"},
        {"effort": "1.0"},
        {"class": "7"},
        {"effort": "none", "method": "rise"},
    ],
)
def test_what_the_address_asks_wrongly_is_refused_in_words(
    open_page: Any, made_data: Manifest, planted_run: Path, wrong: dict[str, str]
) -> None:
    page = open_page(made_data.root, planted_run, **wrong)
    assert not page.exception
    assert "asks for what there is not" in page.error[0].value
    assert not drawings(page)
    name = next(iter(wrong))
    if page.selectbox(key="method").value:
        return
    page.selectbox(key=name).select("rise").run()
    assert not page.error


def test_a_verdict_is_kept_with_what_was_in_sight_and_can_be_taken_back(
    open_page: Any, made_data: Manifest, planted_run: Path, verdicts: Path
) -> None:
    page = open_page(made_data.root, planted_run, address="strip33_0")
    assert "write your name" in words(page)
    page.text_input(key="reader").set_value("A" * 101).run()
    assert "The name has 101 characters, and 100 are kept" in words(page)
    assert not page.button_group
    page.text_input(key="reader").set_value("  Anna  M.").run()
    assert "Nobody has judged this patch yet" in words(page)
    page.button_group(key="verdict_kind strip33_0").set_value(Kind.AGREE).run()
    page.text_area(key="verdict_note strip33_0").set_value("x" * 2100).run()
    assert "The note has 2,100 characters, and 2,000 are kept" in words(page)
    assert page.button(key="verdict_save").disabled
    page.button_group(key="verdict_kind strip33_0").set_value(Kind.WRONG_CLASS).run()
    assert page.selectbox(key="verdict_label strip33_0").value is None
    assert page.button(key="verdict_save").disabled
    page.selectbox(key="verdict_label strip33_0").select(4).run()
    page.text_area(key="verdict_note strip33_0").set_value("a torn\nplate *").run()
    page.button(key="verdict_save").click().run()
    (entry,) = open_store(str(verdicts)).history("strip33_0")
    verdict, patch = entry.verdict, made_data.find("strip33_0")
    assert (verdict.reader, verdict.kind, verdict.label, verdict.note) == (
        "Anna M.",
        Kind.WRONG_CLASS,
        4,
        "a torn\nplate *",
    )
    seen = verdict.seen
    assert (seen.image_sha256, seen.mask_sha256, seen.label) == (patch.image_sha256, patch.mask_sha256, 3)
    assert seen.answer
    assert seen.answer.predicted == 3
    assert [heat.method for heat in seen.heats] == ["sise", "grad_cam"]
    assert seen.heats[0].sha256 == hashlib.sha256(np.ones((256, 256), dtype=np.float32).tobytes()).hexdigest()
    assert r"**wrong class**, it is 4 · torn plates  \n“a torn  \nplate \*”" in words(page).replace(
        "\n", r"\n"
    )
    assert not page.text_area  # the question is asked anew
    page.button(key="verdict_undo").click().run()
    assert "takes record 1 back" in words(page)
    assert not open_store(str(verdicts)).current()


def test_what_is_not_saved_yet_waits_at_its_patch(
    open_page: Any, made_data: Manifest, planted_run: Path, verdicts: Path
) -> None:
    page = open_page(made_data.root, planted_run, address="strip33_0")
    page.text_input(key="reader").set_value("Anna").run()
    page.button_group(key="verdict_kind strip33_0").set_value(Kind.WRONG_CLASS).run()
    page.selectbox(key="verdict_label strip33_0").select(4).run()
    page.text_area(key="verdict_note strip33_0").set_value("half a note").run()
    page.button(key="Previous patch").click().run()
    assert not page.text_area
    page.button(key="Next patch").click().run()
    assert page.text_area(key="verdict_note strip33_0").value == "half a note"
    assert page.selectbox(key="verdict_label strip33_0").value == 4
    assert not page.button(key="verdict_save").disabled


def test_who_works_through_what_nobody_judged_goes_on_with_the_next_of_it(
    open_page: Any, made_data: Manifest, planted_run: Path, verdicts: Path
) -> None:
    page = open_page(made_data.root, planted_run, verdict="none", split="all", sort="name", label="3")
    names = page.selectbox(key="chosen patch").options
    page.text_input(key="reader").set_value("Anna").run()
    page.button(key="Next patch").click().run()
    judged = page.query_params["patch"]
    page.button_group(key=f"verdict_kind {judged}").set_value(Kind.AGREE).run()
    page.button(key="verdict_save").click().run()
    now = {name: page.query_params[name] for name in ("patch", "verdict", "label")}
    assert now == {"patch": judged, "verdict": "none", "label": "3"}
    assert page.selectbox(key="chosen patch").options == names
    page.button(key="Next patch").click().run()
    assert page.query_params["patch"] != judged
    left = page.selectbox(key="chosen patch").options
    assert left == [name for name in names if not name.startswith(judged)]


def test_a_verdict_that_cannot_be_saved_stays_on_the_page(
    open_page: Any, made_data: Manifest, planted_run: Path, verdicts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "PATIENCE", 0.5)
    page = open_page(made_data.root, planted_run, address="strip33_0")
    page.text_input(key="reader").set_value("Ben").run()
    page.button_group(key="verdict_kind strip33_0").set_value(Kind.AGREE).run()
    page.text_area(key="verdict_note strip33_0").set_value("sure").run()
    lock = sqlite3.connect(verdicts, isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    page.button(key="verdict_save").click().run(timeout=120)
    lock.execute("ROLLBACK")
    assert "This was not saved" in words(page)
    assert page.text_area(key="verdict_note strip33_0").value == "sure"
    page.button(key="verdict_save").click().run()
    (entry,) = open_store(str(verdicts)).history("strip33_0")
    assert entry.verdict.note == "sure"
    assert "This was not saved" not in words(page)
    lock.execute("BEGIN EXCLUSIVE")
    page.button(key="verdict_undo").click().run(timeout=120)
    lock.execute("ROLLBACK")
    assert "This was not saved" in words(page)
    assert len(open_store(str(verdicts)).history("strip33_0")) == 1


def test_without_its_database_the_page_says_so_and_shows_the_rest(
    open_page: Any, made_data: Manifest, planted_run: Path, verdicts: Path
) -> None:
    verdicts.write_text(
        "no database, but long enough to be taken for one by who looks at its size alone" * 20
    )
    page = open_page(made_data.root, planted_run, address="strip33_0")
    assert "verdicts cannot be read or written now" in words(page)
    assert "People marked it **3" in words(page)


def test_the_queue_lists_what_its_address_asks_for(
    open_page: Any, made_data: Manifest, run_copy: Path
) -> None:
    answer(made_data, run_copy, [0, 3, 2, 3, 3])
    page = open_page(made_data.root, run_copy, answer="wrong", sort="name", at="queue")
    assert "2 patches of 20" in words(page)
    table = page.dataframe[0].value
    assert list(table["patch"]) == ["strip13_0", "strip43_0"]
    assert list(table["answer"]) == ["confused", "confused"]
    page.selectbox(key="label").select(1).run()
    assert list(page.dataframe[0].value["patch"]) == ["strip13_0"]
    assert dict(page.query_params)["label"] in ("1", ["1"])


def test_next_follows_the_order_of_the_address_and_its_margins(
    open_page: Any, made_data: Manifest, run_copy: Path
) -> None:
    answer(made_data, run_copy, [0, 3, 2, 3, 3])
    page = open_page(made_data.root, run_copy, address="strip13_0", sort="answer")
    page.button(key="Next patch").click().run()
    assert "Patch strip43_0" in words(page).replace("\\", ""), "the other wrong answer"
    page = open_page(made_data.root, run_copy, margin_low="0.6", at="queue")
    assert "No patch matches." in words(page), "0.6 less 0.1 is each patch's margin"
    page = open_page(made_data.root, run_copy, margin_low="0.4", margin_high="0.6", at="patch")
    assert "From the queue: Margin to the second class: 40 % to 60 %." in words(page).replace("\\", "")


def test_the_queue_refuses_an_address_in_words(open_page: Any, made_data: Manifest, run_copy: Path) -> None:
    page = open_page(made_data.root, run_copy, low="2", at="queue")
    assert "low '2', expected a number from 0 to 1" in page.error[0].value.replace("\\", "")
    page.button[0].click().run()
    assert not page.error


def strip_data(page: AppTest) -> dict[str, Any]:
    """The data of the strip's component."""
    (found,) = [
        element.proto for element in page.get("bidi_component") if "strip" in element.proto.component_name
    ]
    data: dict[str, Any] = json.loads(found.json)
    return data


def test_the_page_begins_with_a_strip_and_says_of_each_window_what_is_known(
    open_page: Any, made_data: Manifest, run_copy: Path
) -> None:
    answer(made_data, run_copy, [0, 3, 2, 3, 3])
    page = open_page(made_data.root, run_copy, at="", label="4")
    assert page.query_params["strip"] in ("strip43", ["strip43"])
    assert "People marked **4 · torn plates**. Of 1 window the model finds a defect on **1**." in words(page)
    strip = strip_data(page)
    first, *others = strip["panes"]
    assert (first["patch"], first["title"]) == ("strip43_0", "3 · scratches and scabs")
    assert first["lines"] == ["probability 60.0\xa0%", "marked 4 · torn plates"]
    assert first["heat"]["note"] == "hottest pixel 0.60", (
        "the map is 1, and the heat its answer's probability"
    )
    assert [one["title"] for one in others] == ["Not in the data"] * 5
    assert [outline["title"] for outline in strip["outlines"]] == ["4 · torn plates"]
    assert page.button(key="Next strip").disabled


def test_a_strip_goes_on_to_the_next_and_a_damaged_patch_leaves_the_others(
    open_page: Any, data_copy: Path, planted_run: Path
) -> None:
    (data_copy / "images/strip13_0.png").write_bytes(b"not an image")
    page = open_page(data_copy, planted_run, at="", sort="name")
    assert "Strip strip03" in words(page)
    page.button(key="Next strip").click()
    page = settled(page.run())
    assert "No window of it can be shown." in words(page)
    assert strip_data(page)["panes"][0]["title"] == "Cannot be shown"
    assert "13" in strip_data(page)["panes"][0]["lines"][0]


def without_windows(data: Manifest, folder: Path, *names: str) -> Path:
    """A copy of the data in which these patches are no patches."""
    shutil.copytree(data.root, folder)
    write_manifest(folder, [patch for patch in data.patches if patch.patch not in names])
    return folder


def png(image: np.ndarray) -> str:
    return png_address(np.ascontiguousarray(image))


def test_with_the_strips_themselves_the_whole_of_a_strip_is_seen_and_asked_about(
    open_page: Any, whole_strips: Any, planted_run: Path, tmp_path: Path
) -> None:
    data = without_windows(whole_strips.data, tmp_path / "patches", "broad_1", "broad_2")
    square = encode_rle(whole_strips.data.read_mask(whole_strips.data.find("broad_1")))
    absent = [
        LeftOutWindow("broad_1", 1, 100.0, "for a reason", {1: square}),
        LeftOutWindow("broad_2", 0, 80.0, "for no defect", {}),
    ]
    write_left_out(data, absent)
    whole = read_grey((whole_strips.strips / "broad.png").read_bytes(), STRIP_SHAPE)

    page = open_page(data, planted_run, at="", strip="broad")
    strip = strip_data(page)
    assert len(strip["gaps"]) == 2, "the margins"
    assert [pane["title"] for pane in strip["panes"]].count("Not in the data") == 2
    assert strip["panes"][1]["lines"] == ["marked 1 · pitting; left out: for a reason"]
    assert strip["panes"][2]["lines"] == ["left out: for no defect"]
    assert (
        "People marked **1 · pitting** and **3 · scratches and scabs** on 2 windows, 1 of them left out of the data."
        in words(page)
    )
    outlines = {
        outline["title"]: outline["path"].startswith(f"M{column} {row}H{column + whole_strips.side}")
        for (_, row, column), outline in zip(whole_strips.squares, strip["outlines"], strict=True)
    }
    assert outlines == {"1 · pitting": True, "3 · scratches and scabs": True}
    in_part = whole.copy()
    in_part[:, :32] = in_part[:, 288:800] = in_part[:, 1568:] = 0
    assert strip["image"] == png(in_part)

    page = open_page(data, planted_run, "--strips", str(whole_strips.strips), at="", strip="broad")
    strip = strip_data(page)
    assert strip["image"] == png(whole)
    assert not strip["gaps"]
    assert all(pane["seen"] and pane["heat"]["state"] == "ready" for pane in strip["panes"])
    assert [pane["patch"] for pane in strip["panes"]] == ["broad_0", "", "", "broad_3", "broad_4", "broad_5"]
    assert strip["panes"][1]["title"] == "3 · scratches and scabs", (
        "the bright square in a window that is no patch"
    )
    assert strip["panes"][1]["lines"][1] == "marked 1 · pitting; left out: for a reason"
    assert strip["panes"][2]["title"] == "0 · sound"
    assert "Of 6 windows the model finds a defect on **2**." in words(page)


def test_data_of_an_earlier_version_tells_what_is_marked_on_left_out_windows_but_not_where(
    open_page: Any, whole_strips: Any, planted_run: Path, tmp_path: Path
) -> None:
    data = without_windows(whole_strips.data, tmp_path / "patches", "broad_1", "broad_2", "broad_4")
    (data / "left_out.csv").write_text(
        "patch,label,mean_grey,reason\nbroad_1,1,100.0,several classes\nbroad_4,3,100.0,several classes\n"
    )
    page = open_page(data, planted_run, at="", strip="broad")
    assert (
        "People marked **1 · pitting** and **3 · scratches and scabs** on 2 windows, all of them left out of the data."
        in words(page)
    )
    strip = strip_data(page)
    assert strip["panes"][1]["lines"] == ["marked 1 · pitting; left out: several classes"]
    assert strip["panes"][2]["lines"] == ["left out: the data does not say why"]
    assert not strip["outlines"]
    assert "broad · class 1 and 3" in page.selectbox(key="chosen strip").options
    assert "Where the marks of left-out windows lie is not known." in "\n".join(
        one.value for one in page.info
    )


def test_a_strip_of_the_same_name_from_elsewhere_is_refused_in_words(
    open_page: Any, whole_strips: Any, planted_run: Path, tmp_path: Path
) -> None:
    shutil.copy(whole_strips.strips / "calm.png", tmp_path / "broad.png")
    page = open_page(whole_strips.data.root, planted_run, "--strips", str(tmp_path), at="", strip="broad")
    assert not page.exception
    said = "\n".join(warning.value for warning in page.warning).replace("\\", "")
    assert "The picture of the whole strip cannot be shown." in said
    assert "broad.png: window 1 differs from patch broad_0" in said
    assert len(strip_data(page)["gaps"]) == 2


@pytest.fixture
def home_of_a_demo(tmp_path: Path, whole_strips: Any, planted_run: Path) -> Path:
    """A project's folder with the demo in it, as its steps leave it."""
    home = tmp_path / "home"
    shutil.copytree(whole_strips.data.root, home / "demo/patches")
    shutil.copytree(whole_strips.strips, home / "demo/strips/train_images")
    shutil.copytree(planted_run, home / "demo/run")
    for step in STEPS:
        (home / step.result).parent.mkdir(parents=True, exist_ok=True)
        (home / step.result).touch()
    return home


@pytest.mark.parametrize("arguments", [[], ["--data", "demo/patches", "--run", "demo/run"]])
def test_the_demo_shows_its_whole_strips_without_being_told_where_they_lie(
    home_of_a_demo: Path, whole_strips: Any, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(home_of_a_demo)
    monkeypatch.setattr("sys.argv", ["app/main.py", *arguments])
    page = go_to(AppTest.from_file(MAIN, default_timeout=60), "")
    page.query_params["strip"] = "calm"
    strip = strip_data(settled(page.run()))
    assert strip["image"] == png(read_grey((whole_strips.strips / "calm.png").read_bytes(), STRIP_SHAPE))
    assert not strip["gaps"]


def test_an_address_of_no_strip_shows_none(open_page: Any, made_data: Manifest, planted_run: Path) -> None:
    page = open_page(made_data.root, planted_run, at="", strip="../../etc/passwd")
    assert "names a strip that is not in this data" in words(page)
    assert not drawings(page)
