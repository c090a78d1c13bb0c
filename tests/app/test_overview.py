"""The overview: what it says of a run, where its numbers lead, and that a run that is chosen is the one that all pages show."""

import importlib
import io
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import streamlit as st
import torch
from hypothesis import given
from hypothesis import strategies as hs
from playwright.sync_api import Page, expect
from streamlit.elements import spinner
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.scriptrunner_utils.script_run_context import ScriptRunContext
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from app import loading
from app.audit import main as export
from app.folders import runs_beside
from app.overview import results
from app.overview import verdicts as judging
from app.overview.comparison import answers_compared, explanations_in_words
from app.overview.comparison import in_words as answers_in_words
from app.overview.confusion import counts_of
from app.overview.evidence import in_words as evidence_in_words
from app.overview.evidence import shown_groups
from app.overview.scores import in_words as scores_in_words
from app.review.rows import FIRST_EVIDENCE, with_verdicts
from app.verdicts.address import VARIABLE
from app.verdicts.agreement import agreements
from app.verdicts.readings import LOT, is_drawn, kinds_in_sight
from app.verdicts.records import Entry, Kind, Seen, Verdict
from app.verdicts.store import open_store
from explain.compare import Comparison, Difference
from explain.evaluation.controls import CONTROLS
from explain.evaluation.evidence import Group, count_groups, groups_of
from explain.evaluation.files import EVIDENCE_FILE, write_evidence
from explain.evaluation.per_patch import ROWS_FILE
from explain.methods import METHODS
from severstal_xai.bootstrap import Measure
from severstal_xai.checkpoint import load_checkpoint, read_card, save_checkpoint
from severstal_xai.errors import InputError
from severstal_xai.manifest import Manifest, Split, write_manifest
from severstal_xai.predictions import PREDICTIONS_FILE, write_predictions
from severstal_xai.scores import SCORES_FILE, RunScores, read_scores

MAIN = str(Path(__file__).resolve().parents[2] / "app/main.py")
Start = Callable[[Path, Path, Path], AbstractContextManager[str]]
OWN, OTHER = [0, 3, 2, 3, 3], [0, 1, 2, 0, 3]
"""What two runs say of the five test patches, one of each class: 0, 2 and 3 are right, and 0, 1 and 2."""


def answer(data: Manifest, run: Path, predicted: list[int]) -> None:
    """Write a run's answers to the test patches, each with a probability of 0.6."""
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
    write_predictions(run / PREDICTIONS_FILE, table, read_card(run).weights_sha256)


def score(run: Path, predicted: list[int]) -> dict[str, Any]:
    """Write a run's scores, as training would but for what nobody here reads."""
    card, counts = read_card(run), np.zeros((5, 5), dtype=int)
    counts[np.arange(5), predicted] += 1
    share = {"value": float(np.trace(counts)) / 5, "low": 0.25, "high": 0.875}
    content: dict[str, Any] = {
        "architecture": card.architecture,
        "epoch": card.epoch,
        "data_checksum": card.data_checksum,
        "compute": {"device": "cpu", "precision": "float32", "reason": ""},
        "test": {
            "confusion": {"counts": counts.tolist()},
            "measures": {
                **dict.fromkeys(("top1", "top3", "balanced_accuracy"), share),
                "recall_3": {"value": 1.0, "low": 1.0, "high": 1.0},
                "precision_3": {"value": 1 / 3, "low": 0.125, "high": 0.5},
                "f1_3": {"value": None, "low": None, "high": None},
            },
        },
    }
    (run / SCORES_FILE).write_text(json.dumps(content))
    return content


def evaluate(data: Manifest, run: Path, predicted: list[int], grad_cam: float) -> None:
    """Write a run's evaluation on the four patches with a defect, with energies that are easy to add up.

    SISE has a tenth of its energy on the defects of classes 1 and 2 and nine tenths on those of 3 and 4; the edges have 0.3
    everywhere, and the two controls that decide where evidence lies 0.2.
    """
    controls = dict.fromkeys(CONTROLS, 0.2) | {"edges": 0.3}
    patches = [patch for patch in data.of_split(Split.TEST) if patch.label]
    rows = [
        {
            "patch": patch.patch,
            "strip": patch.strip,
            "label": patch.label,
            "method": method,
            "prediction": predicted[patch.label],
            "whole": 0.5,
            "image_sha256": patch.image_sha256,
            "mask_sha256": patch.mask_sha256,
            "empty": False,
            "drop": None,
            "increase": None,
            "insertion": None,
            "deletion": None,
            **dict.fromkeys(("energy_pointing", "top_iou", "box_score"), energy),
        }
        for patch in patches
        for method, energy in {
            "sise": 0.1 if patch.label < 3 else 0.9,
            "grad_cam": grad_cam,
            **controls,
        }.items()
    ]
    folder, table = run / loading.EVALUATION, pd.DataFrame(rows)
    folder.mkdir()
    table.to_parquet(folder / ROWS_FILE)
    write_evidence(folder / EVIDENCE_FILE, groups_of(table, "sise"), "sise", read_card(run).weights_sha256)


@pytest.fixture(scope="module")
def whole_runs(
    made_data: Manifest, planted_run: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Two runs beside each other, of unlike weights, with all that the overview reads; a folder without a model, and a link out."""
    folder = tmp_path_factory.mktemp("two_runs")
    own, other = folder / "own", folder / "other"
    shutil.copytree(planted_run, own)
    other.mkdir()
    model, card = (found := load_checkpoint(own)).model, found.card
    with torch.no_grad():
        model.get_submodule("fc").bias[0] = 1  # type: ignore[operator]  # the planted network has 2 there
    save_checkpoint(other, model, card)
    for run, predicted, energy in ((own, OWN, 0.8), (other, OTHER, 0.6)):
        answer(made_data, run, predicted)
        score(run, predicted)
        evaluate(made_data, run, predicted, energy)
    (folder / "notes").mkdir()
    (folder / "link").symlink_to(planted_run)
    return {"own": own, "other": other}


@pytest.fixture
def runs(whole_runs: dict[str, Path], tmp_path: Path) -> dict[str, Path]:
    """A copy that may be damaged."""
    shutil.copytree(whole_runs["own"].parent, tmp_path / "runs", symlinks=True)
    return {name: tmp_path / "runs" / name for name in whole_runs}


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    path = tmp_path / "verdicts.sqlite"
    monkeypatch.setenv(VARIABLE, str(path))
    return path


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch, store: Path) -> Iterator[Any]:
    for name in METHODS:
        monkeypatch.setitem(METHODS, name, lambda **_: lambda model, images, targets: images[:, 0] * 0 + 1)
    st.cache_resource.clear()
    st.cache_data.clear()

    def opened(data: Path, run_folder: Path, *more: str, at: str = "overview", **address: str) -> AppTest:
        folders = ["--data", str(data), "--run", str(run_folder)]
        monkeypatch.setattr("sys.argv", ["app/main.py", *folders, *more])
        page = AppTest.from_file(MAIN, default_timeout=60)
        page.query_params.update(address)
        return go_to(page, at)

    yield opened
    loading.jobs().close()


def go_to(page: AppTest, name: str) -> AppTest:
    """Open a page; AppTest goes to files alone, and a page that is a function is told by its address."""
    page._page_hash = calc_hash(name)
    page.run()
    assert loading.jobs().wait_until_idle(60)
    return page.run()


@dataclass
class Loads:
    """Loads that last until a spinner says what they are.

    Args:
        patch: Puts them in place of the real ones.
        said: What the spinners said.
        waited: The names of the loads that lasted until then.
    """

    patch: pytest.MonkeyPatch
    said: list[str] = field(default_factory=list)
    waited: set[str] = field(default_factory=set)

    def hold(self, place: Any, name: str, words: str) -> None:
        """Let a module's load last until a spinner says these words."""
        load = getattr(place, name)

        def late(*arguments: Any, **more: Any) -> Any:
            end = time.monotonic() + 60
            while words not in self.said:
                assert time.monotonic() < end, words
                time.sleep(0.01)
            self.waited.add(name)
            return load(*arguments, **more)

        self.patch.setattr(place, name, late)

    def hold_the_start(self) -> None:
        """Let the first page of a server find its parts not imported yet, and take long to import them."""
        begin, imported = "app.opening", importlib.import_module
        parts = sys.modules[begin]
        self.patch.delitem(sys.modules, begin)
        self.patch.setattr(importlib, "import_module", lambda name: sys.modules.setdefault(name, parts))
        self.hold(importlib, "import_module", "The inspector is starting: the first page takes a while …")
        late = importlib.import_module
        self.patch.setattr(
            importlib, "import_module", lambda name, *more: (late if name == begin else imported)(name, *more)
        )


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> Loads:
    found = Loads(monkeypatch)
    enqueue = ScriptRunContext.enqueue

    def hear(context: ScriptRunContext, message: ForwardMsg) -> None:
        found.said.extend(one.spinner.text for one in message.delta.new_transient.elements)
        enqueue(context, message)

    monkeypatch.setattr(ScriptRunContext, "enqueue", hear)
    monkeypatch.setattr(spinner, "DELAY_SECS", 0.0)
    return found


def drawings(page: AppTest) -> list[str]:
    """The components that draw something; one on every page listens for clicks."""
    names = [one.proto.component_name for one in page.get("bidi_component")]
    return [name for name in names if "browser" not in name]


def words(page: AppTest) -> str:
    """All that the page says outside the components."""
    kinds = (page.error, page.warning, page.info, page.subheader, page.markdown, page.caption, page.code)
    return "\n".join(str(element.value) for kind in kinds for element in kind).replace("\xa0", " ")


def component(page: AppTest, name: str) -> list[dict[str, Any]]:
    """The data of the components of that name."""
    found = [one.proto for one in page.get("bidi_component") if one.proto.component_name.endswith(name)]
    return [json.loads(one.json) for one in found]


def test_each_load_that_may_take_long_says_meanwhile_what_it_is(
    open_page: Any,
    made_data: Manifest,
    whole_runs: dict[str, Path],
    loads: Loads,
) -> None:
    loads.hold_the_start()
    for place, name, words in (
        (loading, "read_manifest", "Reading the list of patches …"),
        (loading, "load_checkpoint", "Loading the model …"),
        (loading, "known_of", "Reading what is known of the patches …"),
        (results, "read_rows", "Reading the evaluation …"),
        (results, "summarise", "Drawing the intervals …"),
        (results, "compare", "Comparing the runs patch by patch …"),
    ):
        loads.hold(place, name, words)
    page = open_page(made_data.root, whole_runs["own"], against="other")
    assert not page.exception
    assert loads.waited >= {
        "import_module", "read_manifest", "load_checkpoint", "known_of", "read_rows", "summarise", "compare",
    }  # fmt: skip


def test_the_overview_says_what_the_numbers_say(
    open_page: Any, made_data: Manifest, whole_runs: dict[str, Path]
) -> None:
    page = open_page(made_data.root, whole_runs["own"])
    assert not page.exception
    assert not page.error
    assert not page.warning
    said = words(page)
    assert str(whole_runs["own"].parent) not in said
    # 3 of 5 are right; one of five is sound; none of the four defects is called sound
    assert "names **60.0 %** of 5 test patches rightly (25.0 to 87.5)" in said
    assert "Always saying “sound” would be right on 20.0 %: the model is better than that." in said
    assert "calls **0 of 4** patches with a defect sound (0 %)" in said
    # no interval where it has no width, a dash where nothing is known
    assert "| 3 · scratches and scabs | 1 | 100.0 | 33.3 (12.5 to 50.0) | - |" in said
    # SISE: a tenth twice and nine tenths twice, less 0.3: the interval of the difference holds 0, for 1 of 16 lots takes the
    # first two alone. Grad-CAM: 0.5 more everywhere.
    assert "the largest share of its heat on the marked defects: 80.0 %" in said
    assert "the picture's edges*, has 30.0 %" in said
    assert "| SISE | 50.0 (10.0 to 90.0) † |" in said
    assert "| Grad-CAM | 80.0 | 80.0 | 80.0 |" in said
    assert "Not shown to beat such maps by any of the numbers: SISE." in said
    assert (
        "Of 4 patches with a marked defect 2 are named rightly; on **1** of these the evidence lies elsewhere"
        in said
    )
    groups = next(one for one in component(page, "bars") if one["bars"][0]["name"] == "right, but elsewhere")
    assert [bar["value"] for bar in groups["bars"]] == ["1 · 25.0\xa0%"] * 4


def test_patches_without_any_heat_are_counted_by_themselves() -> None:
    rows = [
        {"strip": f"s{place}", "label": 3, "group": group}
        for place, group in enumerate([*list(Group), Group.FOUND_NOTHING, Group.RIGHT_ELSEWHERE])
    ]
    table = pd.DataFrame(rows)
    counts = count_groups(table, seed=0)
    assert evidence_in_words(counts).startswith(
        "On 2 with a marked defect there is no heat at all. Of 5 patches with a marked defect and heat 3 are named rightly; on **2** of"
    )
    assert shown_groups(counts) == list(FIRST_EVIDENCE)
    four = count_groups(table[table["group"] != Group.FOUND_NOTHING], seed=0)
    assert evidence_in_words(four).startswith("Of 5 patches with a marked defect 3 are named rightly")
    assert shown_groups(four) == [group for group in FIRST_EVIDENCE if group != Group.FOUND_NOTHING]


def test_a_cell_counts_the_patches_that_its_link_shows(
    open_page: Any, made_data: Manifest, whole_runs: dict[str, Path]
) -> None:
    page = open_page(made_data.root, whole_runs["own"])
    (matrix,) = component(page, "matrix")
    cells = [(row["name"], cell) for row in matrix["rows"] for cell in row["cells"] if cell["opens"]]
    assert [(name[0], cell["opens"], cell["count"], cell["right"]) for name, cell in cells] == [
        (str(label), f"{label} {predicted}", "1", label == predicted) for label, predicted in enumerate(OWN)
    ]
    assert (
        cells[1][1]["title"]
        == "Marked 1 pitting, the model says 3 scratches and scabs: 1 patch, 100\xa0% of the class"
    )
    for label, predicted in enumerate(OWN):
        queue = open_page(
            made_data.root, whole_runs["own"], at="queue", label=str(label), predicted=str(predicted)
        )
        assert "1 patch of 20" in words(queue)


@given(hs.lists(hs.tuples(hs.integers(0, 4), hs.none() | hs.integers(0, 4), hs.sampled_from(list(Split)))))
def test_each_patch_that_the_model_was_asked_about_is_counted_once(
    patches: list[tuple[int, int | None, Split]],
) -> None:
    known = pd.DataFrame(
        {
            "label": [label for label, _, _ in patches],
            "predicted": pd.array([predicted for _, predicted, _ in patches], dtype="Int64"),
            "split": [str(split) for _, _, split in patches],
        }
    )
    slow = np.zeros((5, 5), dtype=int)
    for label, predicted, split in patches:
        if predicted is not None and split == Split.TEST:
            slow[label, predicted] += 1
    assert (counts_of(known, Split.TEST) == slow).all()
    asked = sum(predicted is not None for _, predicted, _ in patches)
    assert counts_of(known, None).sum() == asked


def test_the_words_on_the_scores_follow_the_interval() -> None:
    counts = np.zeros((5, 5), dtype=int)
    counts[0, 0], counts[3, 0], counts[3, 3] = 6, 1, 3
    for low, high, said in (
        (0.7, 0.95, "the model is better than that"),
        (0.5, 0.95, "**that the model is better cannot be told from these patches**"),
        (0.3, 0.5, "**the model is worse than that**"),
    ):
        words = scores_in_words(RunScores(counts, {"top1": Measure(0.9, low, high)}, ""))
        assert f"would be right on 60.0\xa0%: {said}." in words
        assert "calls **1 of 4** patches with a defect sound (25.0\xa0%)" in words
        assert "0 of 6 sound patches a defect (0\xa0%)" in words


def test_another_run_is_held_against_it_patch_by_patch(
    open_page: Any, made_data: Manifest, whole_runs: dict[str, Path]
) -> None:
    page = open_page(made_data.root, whole_runs["own"], against="other")
    assert not page.exception
    said = words(page)
    # class 3 is right here alone, class 1 there alone: of five patches one up, one down
    assert (
        "**own** is right on **1** where other is wrong, and wrong on **1** where other is right: +0.0 points"
        in said
    )
    assert "no difference that could be told" in said
    changed = page.dataframe[0].value
    assert list(changed["patch"]) == ["strip13_0", "strip33_0"]
    assert [text.split(":")[0] for text in changed["change"]] == ["lost", "gained"]
    assert "The heat of both was evaluated on 4 patches. They are of too few strips to tell." in said
    assert "| Grad-CAM: EBPG % | 60.0 | 80.0 | +20.0 (+20.0 to +20.0) | too few strips to tell |" in said
    assert page.selectbox(key="run against").options == ["none", "other"]
    page.selectbox(key="chosen run").select("other").run()
    assert "A run is not held against itself." in words(page)
    assert not page.error
    page.selectbox(key="run against").select("own").run()
    assert "| Grad-CAM: EBPG % | 80.0 | 60.0 | -20.0 (-20.0 to -20.0) | too few strips to tell |" in words(
        page
    )
    page.selectbox(key="run against").select("").run()
    assert "against" not in page.query_params
    page.query_params["against"] = "../two_runs/own"
    assert "does not lie beside" in page.run().error[0].value
    assert "have judged" in words(page), "the other panels stand"


def test_what_was_gained_and_lost_is_counted_where_both_answered() -> None:
    own = pd.DataFrame(
        {
            "strip": list("abcd"),
            "label": [1, 1, 2, 3],
            "predicted": pd.array([1, 2, 2, None], dtype="Int64"),
        },
        index=["a_0", "b_0", "c_0", "d_0"],
    )
    other = pd.DataFrame({"patch": ["d_0", "c_0", "a_0", "x_0"], "predicted": [3, 2, 4, 1]})
    found = answers_compared(own, other)
    assert (found.patches, found.gained, found.lost) == (2, 1, 0)
    assert found.change.value == 50.0, "one of two"
    assert answers_in_words(found, ("a", "b")).endswith(", too few strips to tell.")
    assert list(found.table.index) == ["a_0"]
    with pytest.raises(InputError, match="no patch was answered by both"):
        answers_compared(own, other[other["patch"] == "x_0"])


def test_changes_of_the_heat_are_counted_and_patches_of_other_marks_named() -> None:
    made = [
        Difference(
            "sise: EBPG %",
            1.0,
            1 + change,
            Measure(change, change - 1, change + 1),
            more_is_better=True,
            strips=strips,
        )
        for change, strips in ((5.0, 5), (5.0, 9), (-5.0, 9), (0.0, 9), (5.0, 4))
    ]
    compared = Comparison(30, 0, 0, 2, tuple(made), {})
    assert explanations_in_words(compared, made) == (
        "The heat of both was evaluated on 30 patches. Left out are 2 whose image or marks are not the same for both. Of 5 measures of how "
        "it agrees with the marks **2** are better now and **1** is worse."
    )
    assert explanations_in_words(compared, made[-1:]).endswith("They are of too few strips to tell.")


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        (SCORES_FILE, ("{", "own/scores.json: the file: Invalid JSON")),
        (SCORES_FILE, ('{"architecture": "resnet18"}', "own/scores.json: epoch: Field required")),
        (
            f"{loading.EVALUATION}/{ROWS_FILE}",
            ("no table", "own/evaluation/per_patch.parquet: not a readable table"),
        ),
        (
            f"{loading.EVALUATION}/{EVIDENCE_FILE}",
            ("no table", "own/evaluation/evidence.csv: not a readable table"),
        ),
        (PREDICTIONS_FILE, ("no table", "own/predictions.parquet: not a readable table")),
        ("operating_point.json", ("{", "own/operating_point.json: the file: Invalid JSON")),
    ],
)
def test_a_damaged_file_is_named_in_its_panel_and_the_others_stand(
    open_page: Any, made_data: Manifest, runs: dict[str, Path], file: str, damage: tuple[str, str]
) -> None:
    content, said = damage
    (runs["own"] / file).write_text(content)
    page = open_page(made_data.root, runs["own"])
    assert not page.exception
    assert not page.error
    warned = "\n".join(one.value.replace("\\", "") for one in page.warning)
    assert said in warned
    assert str(runs["own"].parent) not in words(page).replace("\\", "")
    standing = {
        "names **60.0 %**": SCORES_FILE,
        "Its most frequent mistake": "",
        "the largest share of its heat": loading.EVALUATION,
        "have judged **0 of 5** test patches": "",
    }
    for phrase, of in standing.items():
        assert (phrase in words(page)) == (not of or not file.startswith(of)), phrase


def test_scores_and_evaluations_of_other_weights_are_not_shown(
    open_page: Any, made_data: Manifest, runs: dict[str, Path]
) -> None:
    content = score(runs["own"], OWN)
    (runs["own"] / SCORES_FILE).write_text(json.dumps(content | {"epoch": 7}))
    for name in (ROWS_FILE, EVIDENCE_FILE):
        shutil.copy(runs["other"] / loading.EVALUATION / name, runs["own"] / loading.EVALUATION / name)
    page = open_page(made_data.root, runs["own"])
    warned = "\n".join(one.value.replace("\\", "") for one in page.warning)
    assert "epoch 7, expected the model's, 1" in warned
    assert "evidence.csv: of other weights than the model's" in warned
    assert "names **" not in words(page)
    assert "largest share of its heat" not in words(page)


def test_scores_that_count_other_answers_are_told(
    open_page: Any, made_data: Manifest, runs: dict[str, Path]
) -> None:
    score(runs["own"], OTHER)
    assert "do not belong together" in open_page(made_data.root, runs["own"]).warning[0].value


def test_a_run_of_which_only_the_model_is_there_says_what_to_do(
    open_page: Any, made_data: Manifest, planted_run: Path
) -> None:
    page = open_page(made_data.root, planted_run)
    assert not page.exception
    assert not page.error
    assert not component(page, "matrix")
    assert "python -m explain.evaluate --run runs/NAME --data data/patches" in words(page)
    assert "`python -m training --resume true …`" in words(page)
    assert "No other run lies beside this one." in words(page)
    assert "have judged **0 of 5** test patches" in words(page)


@pytest.mark.parametrize(
    "wrong",
    [
        {"counts": [[1]]},
        {"counts": [[0] * 5] * 5},
        {"counts": [[-1] * 5] * 5},
        {"counts": [[1.5] * 5] * 5},
    ],
)
def test_a_confusion_matrix_that_is_none_is_refused(runs: dict[str, Path], wrong: dict[str, Any]) -> None:
    content = score(runs["own"], OWN)
    content["test"]["confusion"] = wrong
    (runs["own"] / SCORES_FILE).write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"scores\.json: test\.confusion\.counts"):
        read_scores(runs["own"], read_card(runs["own"]))


@pytest.mark.parametrize("value", ["1.5", "-0.1", "NaN", '"high"'])
def test_a_score_that_is_no_share_is_refused(runs: dict[str, Path], value: str) -> None:
    content = json.dumps(score(runs["own"], OWN)).replace('"value": 0.6', f'"value": {value}')
    (runs["own"] / SCORES_FILE).write_text(content)
    with pytest.raises(InputError, match=r"scores\.json: "):
        read_scores(runs["own"], read_card(runs["own"]))


def test_runs_that_lie_beside_and_hold_a_model_may_be_shown(whole_runs: dict[str, Path]) -> None:
    assert list(runs_beside(whole_runs["own"])) == ["own", "other"]
    assert list(runs_beside(whole_runs["other"])) == ["other", "own"]
    assert list(runs_beside(Path("/nowhere/at/all"))) == ["all"]


@pytest.mark.parametrize(
    "name", ["..", "../two_runs/other", "/etc", "other/", "notes", "link", "", "own\x00"]
)
def test_an_address_of_no_run_beside_is_refused_in_words(
    open_page: Any, made_data: Manifest, whole_runs: dict[str, Path], name: str
) -> None:
    page = open_page(made_data.root, whole_runs["own"], run=name)
    assert not page.exception
    assert "names a run that does not lie beside" in page.error[0].value
    assert not drawings(page)


@pytest.mark.parametrize("at", ["overview", "queue", "patch", ""])
def test_who_was_refused_a_run_gets_the_usual_one_at_a_click(
    open_page: Any, made_data: Manifest, whole_runs: dict[str, Path], at: str
) -> None:
    page = open_page(made_data.root, whole_runs["own"], at=at, run="<b>no")
    assert r"\<b\>no" in page.error[0].value
    page.button(key="usual run").click().run()
    assert not page.error
    assert "run" not in page.query_params


def test_a_chosen_run_is_the_one_that_all_pages_show(
    open_page: Any, made_data: Manifest, whole_runs: dict[str, Path], store: Path
) -> None:
    page = open_page(made_data.root, whole_runs["own"])
    page.selectbox(key="chosen run").select("other").run()
    assert page.query_params["run"] in ("other", ["other"])
    assert "Run other" in words(page)
    assert "calls **1 of 4** patches with a defect sound" in words(page)
    page = go_to(page, "queue")
    assert [link.proto.query_string for link in page.sidebar.get("page_link")] == ["run=other"] * 5
    table = page.dataframe[0].value.set_index("patch")["model"]
    assert [int(table[f"strip{label}3_0"][0]) for label in range(5)] == OTHER
    page.button[0].click().run()
    assert page.query_params["run"] in ("other", ["other"]), "to take filters back does not change the model"
    page = go_to(page, "patch")
    page.text_input(key="reader").set_value("Anna").run()
    page.button_group(key="verdict_kind strip13_0").set_value(Kind.UNSURE).run()
    page.button(key="verdict_save").click().run()
    (entry,) = open_store(str(store)).history("strip13_0")
    assert entry.verdict.seen.answer
    assert entry.verdict.seen.answer.weights_sha256 == read_card(whole_runs["other"]).weights_sha256
    page = go_to(page, "overview")
    page.selectbox(key="chosen run").select("own").run()
    assert "run" not in page.query_params
    assert "Model: own" in words(go_to(page, "patch"))


def test_a_run_of_other_data_is_shown_with_the_warning(
    open_page: Any, made_data: Manifest, runs: dict[str, Path], tmp_path: Path
) -> None:
    data = shutil.copytree(made_data.root, tmp_path / "patches")
    write_manifest(data, made_data.patches[1:])
    page = open_page(data, runs["own"], run="other")
    assert "trained on other data" in page.warning[0].value
    assert "**not** the data shown here" in words(page)
    page.selectbox(key="split").select(Split.VALIDATION).run()
    assert "training asks about those of its own data alone" in words(page)
    assert "choose on the left a run that was trained on these patches" in words(page), "what to do next"
    assert "streamlit run app/main.py -- --data data/patches --run runs/NAME" in [
        one.value for one in page.code
    ]
    assert not component(page, "matrix")


NAMES = [f"strip{label}{copy}_0" for label in range(5) for copy in range(4)]
KINDS = hs.sampled_from([kind for kind in Kind if kind != Kind.WITHDRAWN])
STANDING = hs.dictionaries(
    hs.sampled_from(NAMES), hs.dictionaries(hs.sampled_from(["Anna", "Ben", "Cleo"]), KINDS, min_size=1)
)


@given(STANDING, hs.data())
def test_what_others_said_of_a_patch_that_is_to_be_read_blindly_changes_nothing(
    standing: dict[str, dict[str, Kind]], draw: Any
) -> None:
    known = pd.DataFrame({"label": [int(name[5]) for name in NAMES]}, index=NAMES)

    def told(said: dict[str, dict[str, Kind]]) -> judging.Progress:
        touched = {patch for patch, kinds in said.items() if "Anna" in kinds}
        kinds = kinds_in_sight(said, touched, "Anna", LOT)
        series = pd.Series({patch: " ".join(some) for patch, some in kinds.items()}, dtype=str)
        return judging.progress_of(with_verdicts(known, series), said)

    hidden = {patch for patch, kinds in standing.items() if is_drawn(patch, LOT) and "Anna" not in kinds}
    other = {
        patch: {reader: draw.draw(KINDS) for reader in kinds} if patch in hidden else kinds
        for patch, kinds in standing.items()
    }
    progress = told(standing)
    assert told(other) == progress
    assert progress.hidden == len(hidden)
    assert progress.judged == len(standing)
    assert progress.left == len(NAMES) - len(standing) + len(hidden)


def test_how_far_two_others_agree_is_told_of_many_patches_alone() -> None:
    def entry(number: int, reader: str) -> Entry:
        name = f"s{number // 2}_0"
        seen = Seen(name, f"s{number // 2}", "a" * 64, 0, "", None, (), blind=True)
        return Entry(number, Verdict(Kind.AGREE, reader, datetime.now(UTC), seen), "")

    for patches, told in ((judging.FEWEST - 1, 0), (judging.FEWEST, 1)):
        found = agreements(entry(number, ("Anna", "Ben")[number % 2]) for number in range(2 * patches))
        assert len(found) == 1
        assert len(judging.may_be_told(found, "Cleo")) == told
        assert len(judging.may_be_told(found, "")) == told
        assert len(judging.may_be_told(found, "Ben")) == 1


def test_the_judging_is_told_by_kind_by_class_and_by_what_waits(
    open_page: Any, made_data: Manifest, whole_runs: dict[str, Path], store: Path
) -> None:
    assert [name for name in NAMES if is_drawn(name, LOT)] == ["strip22_0", "strip40_0"]
    written = open_store(str(store))
    for name, kind in (
        ("strip33_0", Kind.NOT_A_DEFECT),
        ("strip03_0", Kind.AGREE),
        ("strip40_0", Kind.UNSURE),
    ):
        patch = made_data.find(name)
        seen = Seen(
            name, patch.strip, patch.image_sha256, patch.label, patch.mask_sha256, None, (), blind=True
        )
        written.append(Verdict(kind, "Anna", datetime.now(UTC), seen))
    page = open_page(made_data.root, whole_runs["own"])
    said = words(page)
    assert "Inspectors have judged **2 of 5** test patches (40.0 %)." in said
    assert "Of all 20 patches 3 are judged." in said
    assert "**3** are left to do" in said
    everywhere = open_page(made_data.root, whole_runs["own"], split="all")
    everywhere.session_state["reader"] = "Ben"
    everywhere.run()
    assert "Inspectors have judged **3 of 20** patches" in words(everywhere)
    assert "Of 1 of these you are not told what was said" in words(everywhere)
    assert "1 patch waits for your second reading" in words(everywhere)
    kinds, classes = component(everywhere, "bars")[-2:]
    assert {bar["name"]: bar["value"] for bar in kinds["bars"]} == {
        **dict.fromkeys(("wrong class", "segment wrong", "unsure"), "0"),
        "agrees": "1",
        "not a defect": "1",
    }
    assert classes["bars"][4]["value"] == "0 of 4", "strip40_0 is left to Ben"
    assert classes["bars"][-1]["value"] == "2 of 20"


def test_all_verdicts_are_a_file_of_what_the_reader_may_know_as_the_command_writes_it(
    open_page: Any,
    made_data: Manifest,
    whole_runs: dict[str, Path],
    store: Path,
    made_on_click: dict[str, Callable[[], Any]],
) -> None:
    said = (
        ("strip33_0", "Anna", Kind.NOT_A_DEFECT),
        ("strip40_0", "Anna", Kind.UNSURE),
        ("strip40_0", "Ben", Kind.AGREE),
        ("strip22_0", "Ben", Kind.SEGMENT_WRONG),
        ("strip33_0", "Anna", Kind.AGREE),
    )
    written = open_store(str(store))
    for name, reader, kind in said:
        seen = Seen(name, name[:-2], "a" * 64, int(name[5]), "b" * 64, None, (), blind=True)
        written.append(Verdict(kind, reader, datetime.now(UTC), seen))
    assert [name for name in NAMES if is_drawn(name, LOT)] == ["strip22_0", "strip40_0"]

    def file_for(reader: str) -> bytes:
        page = open_page(made_data.root, whole_runs["own"])
        page.session_state["reader"] = reader
        page.run()
        assert not page.exception
        assert "`python -m app.audit export` writes all of it" in words(page)
        content = made_on_click.pop("verdicts.csv")()
        assert isinstance(content, bytes)
        return content

    def numbers(content: bytes) -> list[int]:
        return pd.read_csv(io.BytesIO(content))["number"].tolist()

    assert numbers(file_for("Anna")) == [1, 2, 3, 5], "strip22_0 is left to Anna"
    assert numbers(file_for("Cleo")) == numbers(file_for("")) == [1, 5]
    output = store.with_name("out")
    assert export(["export", "--store", str(store), "--output", str(output)]) == 0
    assert file_for("Ben") == (output / "verdicts.csv").read_bytes(), "Ben has judged both"


def test_a_click_in_the_matrix_opens_the_queue_and_the_run_is_carried_from_page_to_page(
    page: Page, start: Start, made_data: Manifest, whole_runs: dict[str, Path], tmp_path: Path
) -> None:
    with start(made_data.root, whole_runs["own"], tmp_path / "log.txt") as address:
        page.goto(f"{address}/overview?run=other&against=own")
        expect(page.get_by_role("heading", name="Run other")).to_be_visible()
        missed = "Marked 3 scratches and scabs, the model says 0 sound: 1 patch, 100\xa0% of the class"
        cell = page.get_by_role("button", name=missed)
        cell.focus()
        cell.press("Enter")
        expect(page.get_by_role("heading", name="1 patch of 20")).to_be_visible()
        assert sorted(page.url.partition("?")[2].split("&")) == ["label=3", "predicted=0", "run=other"]
        page.get_by_role("link", name="Overview").click()
        expect(page.get_by_role("heading", name="Run other")).to_be_visible()
        expect(page.get_by_text("Model: other")).to_be_visible()
        page.get_by_role("button", name="right, but elsewhere").click()
        # there classes 1 and 2 are right, and SISE has a tenth of its heat on both defects
        expect(page.get_by_role("heading", name="2 patches of 20")).to_be_visible()
        page.go_back()
        expect(page.get_by_role("heading", name="Run other")).to_be_visible()
        page.get_by_role("combobox", name="Run (2 to choose from)").click()
        page.get_by_role("option", name="own", exact=True).click()
        expect(page.get_by_role("heading", name="Run own")).to_be_visible()
        page.get_by_role("link", name="Review queue").click()
        expect(page.get_by_role("combobox", name="Part of the data")).to_be_visible()
        assert "run=" not in page.url
