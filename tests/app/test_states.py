"""Every page in every state that is not the usual one says what is wrong and what to do next; every control explains itself."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from streamlit.proto.PageLink_pb2 import PageLink
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from app import loading
from app.patch import layers_in_browser
from app.strip import picture_in_browser
from app.verdicts.address import VARIABLE
from app.verdicts.saved_filters import SavedFilter, add, saved_filters
from app.verdicts.store import open_store
from explain.methods import METHODS
from severstal_xai.checkpoint import MODEL_FILE, WEIGHTS_FILE
from severstal_xai.files import sha256
from severstal_xai.imaging import STRIP_SHAPE, encode_png
from severstal_xai.manifest import MANIFEST_FILE, Manifest, Split, write_manifest
from severstal_xai.operating_point import OPERATING_POINT_FILE
from severstal_xai.predictions import PREDICTIONS_FILE, write_predictions

MAIN = Path(__file__).resolve().parents[2] / "app/main.py"
PAGES = ("", *re.findall(r'url_path="(\w+)"(?!, default)', MAIN.read_text()))
"""All pages that there are, by their addresses; the one that is shown first has none of its own."""
OF_THE_DATA = tuple(page for page in PAGES if page != "new")
"""Those that show the data folder, and verdicts on it: new strips are neither."""
Open = Callable[..., AppTest]


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing cached, and maps that are there at once."""
    st.cache_resource.clear()
    st.cache_data.clear()
    for name in METHODS:
        monkeypatch.setitem(
            METHODS, name, lambda **settings: lambda model, images, targets: images[:, 0] * 0 + 1
        )
    yield
    loading.jobs().close()


@pytest.fixture(autouse=True)
def verdicts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    path = tmp_path / "verdicts.sqlite"
    monkeypatch.setenv(VARIABLE, str(path))
    return path


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch, data: Path, run: Path) -> Open:
    def opened(at: str, *, folders: tuple[Path, Path] | None = None, **address: str) -> AppTest:
        shown, model = folders or (data, run)
        monkeypatch.setattr("sys.argv", ["app/main.py", "--data", str(shown), "--run", str(model)])
        page = AppTest.from_file(str(MAIN), default_timeout=60)
        page._page_hash = calc_hash(at)
        page.query_params.update(address)
        page.run()
        assert loading.jobs().wait_until_idle(60)
        return page.run()

    return opened


@pytest.fixture
def data(made_data: Manifest, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made_data.root, tmp_path / "patches"))


@pytest.fixture
def run(planted_run: Path, made_data: Manifest, tmp_path: Path) -> Path:
    """The planted network, and its answers for the test patches: 0, 3, 2, 3, 3 for the classes 0 to 4."""
    folder = Path(shutil.copytree(planted_run, tmp_path / "planted"))
    test = made_data.of_split(Split.TEST)
    predicted = [0, 3, 2, 3, 3]
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
    weights = json.loads((folder / MODEL_FILE).read_text())["weights_sha256"]
    write_predictions(folder / PREDICTIONS_FILE, table, weights)
    return folder


def words(page: AppTest) -> str:
    """All that the page says outside the components, as it is read."""
    assert not page.exception
    kinds = (page.error, page.warning, page.info, page.subheader, page.markdown, page.caption, page.code)
    return "\n".join(str(element.value) for kind in kinds for element in kind).replace("\\", "")


def controls(page: AppTest) -> Iterator[Any]:
    """All that a user can press, choose or write in, as it was sent to the browser."""
    for block in (page.main, page.sidebar):
        for element in block:
            proto = getattr(element, "proto", None)
            if isinstance(proto, PageLink) or (
                proto is not None and {"id", "help"} <= set(proto.DESCRIPTOR.fields_by_name)
            ):
                yield proto


def mute(page: AppTest) -> list[str]:
    """The labels of the controls that do not explain themselves."""
    assert not page.exception
    return [proto.label for proto in controls(page) if not proto.help.strip()]


def commands(page: AppTest) -> str:
    return "\n".join(element.value for element in page.code)


@pytest.mark.parametrize("at", PAGES)
def test_every_control_explains_itself(open_page: Open, at: str) -> None:
    page = open_page(at)
    if at == "patch":  # the panel of verdicts as it is longest
        page.text_input(key="reader").set_value("Anna").run()
        page.button_group(key="verdict_kind strip03_0").set_value("wrong_class").run()
    if at == "queue":
        page.text_input(key="reader").set_value("Anna").run()
        page.text_input(key="filter name").set_value("Mine").run()
        page.button(key="filter save").click().run()
    labels = [proto.label for proto in controls(page)]
    assert {"Strip", "One patch", "Review queue", "New strips", "Overview"} < set(labels)
    assert not mute(page)


@pytest.mark.parametrize("window", ["", "3"])
def test_every_control_of_an_opened_new_strip_explains_itself(open_page: Open, window: str) -> None:
    page = open_page("new")
    strips = [encode_png(np.full(STRIP_SHAPE, grey, np.uint8)) for grey in (70, 90)]
    page.file_uploader[0].set_value([(f"{place}.png", one, "image/png") for place, one in enumerate(strips)])
    page.run()
    page.query_params["upload"] = sha256(strips[0])
    if window:
        page.query_params["window"] = window
    page.run()
    assert loading.jobs().wait_until_idle(60)
    page.run()
    assert ("Its strip" in {button.label for button in page.button}) == bool(window)
    assert {"Previous", "Next"} < {button.label for button in page.button}
    assert not mute(page)


@pytest.mark.parametrize("at", ["", "queue"])
def test_every_control_of_a_made_report_explains_itself(open_page: Open, at: str) -> None:
    page = open_page(at)
    next(button for button in page.button if button.label == "Make HTML").click().run()
    assert any(proto.label.startswith("Save ") for proto in controls(page))
    assert not mute(page)


@pytest.mark.parametrize(
    ("at", "address"),
    [("overview", {"run": "nowhere"}), ("queue", {"label": "9"}), ("new", {"upload": "0" * 64})],
)
def test_the_way_out_of_a_wrong_address_explains_itself(
    open_page: Open, at: str, address: dict[str, str]
) -> None:
    page = open_page(at, **address)
    assert page.error
    assert page.button
    assert not mute(page)


@pytest.mark.parametrize("html", [layers_in_browser.HTML, picture_in_browser.HTML])
def test_every_control_above_the_pictures_explains_itself(html: str) -> None:
    found = re.findall(r"<(?:button|label)\b[^>]*>", html)
    assert found
    assert [one for one in found if not re.search(r' title="[^"]+"', one)] == []


@pytest.mark.parametrize(
    ("at", "missing"), [*((at, "data") for at in OF_THE_DATA), *((at, "run") for at in PAGES)]
)
def test_a_missing_folder_is_answered_with_the_command_that_fills_it(
    open_page: Open, data: Path, run: Path, at: str, missing: str
) -> None:
    nowhere = data.parent / "nowhere"
    page = open_page(at, folders=(nowhere, run) if missing == "data" else (data, nowhere))
    said = words(page)
    assert ("There are no patches to show." in said) == (missing == "data")
    assert ("There is no trained model to ask." in said) == (missing == "run")
    made_by = "data_prep --source" if missing == "data" else f"training --data {data}"
    assert f"python -m {made_by}" in commands(page)
    assert f"--output {nowhere}" in commands(page)
    assert not page.button, "no demo is offered to who named a folder"


@pytest.mark.parametrize(
    ("at", "file"),
    [
        *((at, MANIFEST_FILE) for at in OF_THE_DATA),
        *((at, file) for at in PAGES for file in (MODEL_FILE, WEIGHTS_FILE)),
    ],
)
def test_a_damaged_folder_is_named(open_page: Open, data: Path, run: Path, at: str, file: str) -> None:
    place = (data if file == MANIFEST_FILE else run) / file
    place.write_bytes(place.read_bytes()[:-10])
    page = open_page(at)
    assert file in words(page)
    assert commands(page)


@pytest.mark.parametrize("at", OF_THE_DATA)
def test_model_and_data_that_do_not_match_are_told(
    open_page: Open, data: Path, made_data: Manifest, at: str
) -> None:
    write_manifest(data, made_data.patches[1:])
    said = words(open_page(at))
    assert "This model was trained on other data than is shown here." in said
    assert "show a run together with the data folder" in said
    assert "go on with the run" not in said, "that would not help"


@pytest.mark.parametrize("at", OF_THE_DATA)
def test_a_database_that_is_away_is_told_and_the_rest_is_shown(
    open_page: Open, verdicts: Path, at: str, caplog: pytest.LogCaptureFixture
) -> None:
    verdicts.write_bytes(b"no database, but long enough to be taken for one by its size alone" * 20)
    page = open_page(at)
    assert "The verdicts cannot be read or written now." in words(page)
    assert "Ask who runs the inspector whether its database is there and whole" in words(page)
    assert any("file is not a database" in record.getMessage() for record in caplog.records)
    if at == "queue":
        assert "Saved filters cannot be read or written now." in words(page)
        assert page.dataframe


def test_without_masks_each_page_that_shows_them_says_what_to_do(open_page: Open, data: Path) -> None:
    shutil.rmtree(data / "masks")
    strip = open_page("", strip="strip33")
    assert "No window of it can be shown." in words(strip)
    patch, queue = open_page("patch", patch="strip33_0"), open_page("queue", look="pictures")
    for page, title in (
        (strip, "Not all of this strip can be shown."),
        (patch, "This patch cannot be shown."),
        (queue, "Not all of these pictures can be shown."),
    ):
        assert title in words(page)
        assert "python -m data_prep.verify --data" in commands(page)
        assert "python -m data_prep --source" in commands(page)
    for page in (strip, patch):
        assert "masks/strip33_0.png" in words(page)
    sound = open_page("", strip="strip03")  # it has no mask
    assert not commands(sound)
    (sheet,) = [
        element.proto for element in queue.get("bidi_component") if "tiles" in element.proto.component_name
    ]
    problems = [tile["problem"] for tile in json.loads(sheet.json)["tiles"]]
    assert sum(map(bool, problems)) == 4  # of the five test patches one is sound and has no mask


@pytest.mark.parametrize(
    ("missing", "address", "command"),
    [
        (PREDICTIONS_FILE, {}, "python -m training --resume true"),
        ("evaluation", {"group": "right_elsewhere"}, "python -m explain.evaluate"),
        (OPERATING_POINT_FILE, {"flagged": "yes"}, "python -m training.operating_point"),
    ],
)
def test_what_nobody_has_made_yet_is_told_with_the_command_that_makes_it(
    open_page: Open, run: Path, missing: str, address: dict[str, str], command: str
) -> None:
    (run / missing).unlink(missing_ok=True)
    page = open_page("queue", **address)
    assert command in commands(page)
    assert page.info


def test_a_queue_that_is_empty_for_its_filters_says_so(open_page: Open) -> None:
    page = open_page("queue", label="1", answer="right")
    assert "No patch matches. Widen the filters on the left, or start over." in words(page)
    assert not commands(page)


@pytest.mark.parametrize("at", [page for page in PAGES if page in {"", "patch", "queue"}])
def test_a_page_says_that_nothing_matches(open_page: Open, at: str) -> None:
    said = words(open_page(at, label="1", answer="right"))
    assert re.search(r"No (strip|patch) matches\.", said)


@pytest.mark.parametrize("wrong", [{"look": "upside_down"}, {"look": "pictures", "sheet": "0"}])
def test_a_wrong_look_or_sheet_is_refused_in_words(open_page: Open, wrong: dict[str, str]) -> None:
    said = words(open_page("queue", **wrong))
    assert "The address asks for something that this page does not know." in said


def test_sheets_are_turned_by_the_address_and_the_last_stands_for_those_that_are_gone(
    open_page: Open, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("app.views.review_queue._SHEET", 8)

    def names(page: AppTest) -> list[str]:
        (sheet,) = [one.proto for one in page.get("bidi_component") if "tiles" in one.proto.component_name]
        return [tile["name"] for tile in json.loads(sheet.json)["tiles"]]

    address = {"split": "all", "sort": "name", "look": "pictures"}
    assert names(open_page("queue", **address, sheet="2"))[0] == "strip20_0"  # 20 patches: the ninth
    page = open_page("queue", **address, sheet="99")
    assert names(page) == ["strip40_0", "strip41_0", "strip42_0", "strip43_0"]
    assert "Sheet 3 of 3." in words(page)
    assert "a number goes to that sheet, the arrows to the one before or after" in words(page)
    page.selectbox(key="label").select(1).run()
    assert "sheet" not in page.query_params
    assert "Session State" not in caplog.text


def test_a_saved_filter_is_opened_from_the_list_and_the_address_holds_it(
    open_page: Open, verdicts: Path
) -> None:
    page = open_page("queue")
    assert page.selectbox(key="saved filter").value is None
    page.selectbox(key="saved filter").select_index(1).run()  # missed defects
    assert dict(page.query_params) in (
        {"answer": "missed", "sort": "doubt"},
        {"answer": ["missed"], "sort": ["doubt"]},
    )
    assert page.selectbox(key="answer").value == "missed"
    page.selectbox(key="answer").select("wrong").run()
    assert page.selectbox(key="saved filter").value is None, "it is not that one any longer"


def test_a_filter_is_saved_changed_deleted_and_put_back(open_page: Open, verdicts: Path) -> None:
    page = open_page("queue", label="3")
    assert "To save a filter, write your name." in words(page)
    page.text_input(key="reader").set_value(" Anna ").run()

    def save(name: str) -> None:
        page.text_input(key="filter name").set_value(name).run()
        page.button(key="filter save").click().run()

    def kept() -> list[tuple[str, str]]:
        return [
            (one.name, one.address)
            for one in saved_filters(open_store(str(verdicts)))
            if isinstance(one, SavedFilter)
        ]

    save("  ")
    assert "name of 0 characters, expected 1 to 100" in words(page)
    save("a" * 101)
    assert "name of 101 characters, expected 1 to 100" in words(page), (
        "what is too long is not cut in silence"
    )
    save("Missed Defects")
    assert "a built-in filter has it" in words(page)
    save(" My  *scabs* ")
    assert kept() == [("My *scabs*", "label=3")]
    save("my *SCABS*")
    assert "a saved filter of yours has it, expected another name" in words(page)
    assert page.text_input(key="filter name").value == "my *SCABS*", "what was typed stays"
    page.selectbox(key="label").select(4).run()
    page.button(key="filter replace").click().run()
    assert kept() == [("My *scabs*", "label=4")]
    assert page.selectbox(key="saved filter").value == page.selectbox(key="filter own").value
    page.text_input(key="filter new name").set_value("Plates").run()
    page.button(key="filter rename").click().run()
    assert kept() == [("Plates", "label=4")]
    page.button(key="filter delete").click().run()
    assert kept() == []
    page.button(key="filter back").click().run()
    assert kept() == [("Plates", "label=4")]
    assert not [button for button in page.button if button.key == "filter back"]


def test_others_open_a_filter_but_do_not_change_it_and_a_broken_one_is_told(
    open_page: Open, verdicts: Path
) -> None:
    store = open_store(str(verdicts))
    good = SavedFilter("Ben", "<b>Pits</b>", "label=1")
    for one in (good, replace(good, id="0" * 32, name="From tomorrow", address="furnace=7")):
        add(store, one)
    page = open_page("queue")
    page.text_input(key="reader").set_value("Anna").run()
    assert page.selectbox(key="saved filter").options[-1] == "<b>Pits</b> · by Ben"
    assert not [button for button in page.button if button.key == "filter delete"]
    assert "“From tomorrow” of Ben cannot be opened: query: 'furnace' is not known" in words(page)
    page.selectbox(key="saved filter").select(good.id).run()
    assert page.selectbox(key="label").value == 1
