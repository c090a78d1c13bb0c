"""Reports as the pages offer them: made on request, of what the page shows, no more than the reader may see."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from playwright.sync_api import Browser, Page, expect
from pypdf import PdfReader
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from app import loading
from app.judging import READER
from app.report import buttons as report_buttons
from app.report import sources as report_sources
from app.report.of_strip import of_strip
from app.report.record import Report
from app.verdicts.address import VARIABLE
from app.verdicts.readings import Lot
from app.verdicts.records import Kind, Seen, Verdict
from app.verdicts.store import open_store
from explain.methods import METHODS
from severstal_xai.manifest import Manifest

MAIN = str(Path(__file__).resolve().parents[2] / "app/main.py")
Visit = Callable[..., AppTest]


@pytest.fixture
def visit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, made_data: Manifest, planted_run: Path
) -> Iterator[Visit]:
    """Open a page, its maps hot everywhere and made in no time, its verdicts in a store of its own."""
    st.cache_resource.clear()
    st.cache_data.clear()
    monkeypatch.setenv(VARIABLE, str(tmp_path / "verdicts.sqlite"))
    for name in METHODS:
        monkeypatch.setitem(
            METHODS, name, lambda **settings: lambda model, images, targets: images[:, 0] * 0 + 1
        )

    def visited(name: str, run: Path = planted_run, reader: str = "", **address: str) -> AppTest:
        monkeypatch.setattr("sys.argv", ["app/main.py", "--data", str(made_data.root), "--run", str(run)])
        page = AppTest.from_file(MAIN, default_timeout=60)
        page._page_hash = calc_hash("" if name == "strip" else name)
        page.query_params.update(address)
        page.session_state[READER] = reader
        page.run()
        assert loading.jobs().wait_until_idle(60)
        return page.run()

    yield visited
    loading.jobs().close()


def make(page: AppTest, kind: str) -> bytes:
    """Click on the button that makes a report; return the file."""
    (button,) = [one for one in page.button if one.label == f"Make {kind}"]
    button.click().run()
    assert not page.exception
    made = page.session_state[report_buttons._MADE]
    content: bytes = made.content
    return content


def judge(data: Manifest, name: str, reader: str = "Anna") -> None:
    patch = data.find(name)
    seen = Seen(name, patch.strip, patch.image_sha256, patch.label, patch.mask_sha256, None, (), blind=True)
    store = open_store()
    store.append(Verdict(Kind.AGREE, reader, datetime.now(UTC), seen, note="<b>sure</b>"))
    store.close()


def test_a_strip_s_report_holds_the_checksums_and_the_model_s_answer(
    visit: Visit, made_data: Manifest, planted_run: Path
) -> None:
    page = visit("strip", strip="strip33")
    html = make(page, "HTML").decode()
    patch = made_data.find("strip33_0")
    weights = json.loads((planted_run / "model.json").read_text())["weights_sha256"]
    for checksum in (made_data.checksum, weights, patch.image_sha256, patch.mask_sha256):
        assert checksum in html
    grey = made_data.read_image(patch)
    shares = loading.probabilities(loading.open_model(planted_run), patch.image_sha256, grey)
    for share in shares:
        assert f">{share:.1%}".replace("%", "\xa0%") in html or share < 0.001 or share > 0.999
    assert f"hottest pixel {shares[3]:.2f}" in html.lower()  # the map is 1 everywhere
    assert str(made_data.root.parent) not in html
    assert make(page, "PDF").startswith(b"%PDF")


def test_a_report_is_made_when_it_is_asked_for_and_forgotten_when_the_page_changes(
    visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def counted(*given: Any) -> Report:
        asked.append("made")
        return of_strip(*given)

    monkeypatch.setattr(report_buttons, "of_strip", counted)
    page = visit("strip", strip="strip33")
    assert not asked
    assert not page.get("download_button")
    make(page, "PDF")
    assert asked == ["made"]
    (save,) = page.get("download_button")
    assert re.fullmatch(r"Save strip\\_strip33\\.pdf \(\d+\.\d MB\)", save.proto.label)
    page.run()
    assert asked == ["made"]
    assert not page.get("download_button")


def test_a_report_tells_of_a_patch_read_twice_only_what_its_reader_may_know(
    visit: Visit, made_data: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = Lot(share=1.0)
    monkeypatch.setattr(report_sources, "LOT", everything)
    monkeypatch.setattr(loading, "LOT", everything)
    visit("strip")
    judge(made_data, "strip33_0")
    for reader in ("", "Bert"):
        told = make(visit("strip", reader=reader, strip="strip33"), "HTML").decode()
        assert "kept back" in told
        assert "sure" not in told.replace("how sure", "")
        queue = make(visit("queue", reader=reader), "HTML").decode()
        assert "<td>agrees</td>" not in queue
    own = make(visit("strip", reader="Anna", strip="strip33"), "HTML").decode()
    assert "&lt;b&gt;sure&lt;/b&gt;" in own
    assert "those that Anna may see" in own
    assert "<td>agrees</td>" in make(visit("queue", reader="Anna"), "HTML").decode()


def test_without_its_database_the_report_says_so(
    visit: Visit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(VARIABLE, "")
    (tmp_path / "file").touch()
    page = visit("strip", strip="strip33")
    st.cache_resource.clear()
    monkeypatch.setenv(VARIABLE, str(tmp_path / "file/verdicts.sqlite"))
    html = make(page, "HTML").decode()
    assert "The verdicts could not be read when this report was made" in html
    assert str(tmp_path) not in html


def test_the_queue_s_report_has_heat_where_it_is_made_or_is_to_be_made(
    visit: Visit, made_data: Manifest
) -> None:
    page = visit("queue")
    told = make(page, "HTML").decode()
    assert (
        "All patches are pictured, none of them with the heat of Grad-CAM. Those without are hatched" in told
    )
    assert told.count("no heat: it was not made yet") == 5
    (toggle,) = [one for one in page.toggle if one.label == "Make heat that is missing"]
    toggle.set_value(True).run()
    told = make(page, "HTML").decode()
    assert "All patches are pictured, 5 of them with the heat of Grad-CAM." in told
    assert loading.jobs().wait_until_idle(1)
    (box,) = [one for one in page.selectbox if one.label == "Heat in the pictures"]
    box.set_value("none").run()
    assert "All patches are pictured, without heat." in make(page, "HTML").decode()


def test_the_queue_s_report_is_that_of_its_address(visit: Visit) -> None:
    told = make(visit("queue", label="3", split="all"), "HTML").decode()
    assert "<h1>4 patches of 20</h1>" in told
    assert "Part of the data: all patches. Marked as: 3 · scratches and scabs." in told
    assert told.count("<td>strip3") == 4


def test_of_no_patch_no_report_is_offered(visit: Visit) -> None:
    assert not [one for one in visit("queue", text="nobody").button if one.label == "Make PDF"]


def test_a_report_is_saved_by_the_browser_and_the_html_asks_for_nothing(
    page: Page, browser: Browser, address: str, tmp_path: Path
) -> None:
    page.goto(f"{address}/?strip=strip33")
    expect(page.get_by_alt_text("Patch strip33_0 with the heat of Grad-CAM", exact=False)).to_be_visible()
    page.get_by_role("button", name="Report").click()
    saved = {}
    for kind in ("PDF", "HTML"):
        page.get_by_role("button", name=f"Make {kind}").click()
        with page.expect_download() as download:
            page.get_by_role("button", name=f"Save strip_strip33.{kind.lower()}").click()
        saved[kind] = tmp_path / download.value.suggested_filename
        download.value.save_as(saved[kind])
    assert saved["PDF"].read_bytes().startswith(b"%PDF")
    page.goto(f"{address}/queue?label=3&split=all&sort=name")
    page.get_by_role("button", name="Report").click()
    page.get_by_role("button", name="Make PDF").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save patches_").click()
    assert re.fullmatch(r"patches_\d{4}-\d\d-\d\d\.pdf", download.value.suggested_filename)
    told = PdfReader(download.value.path()).pages[0].extract_text()
    assert "4 patches of 20" in told
    assert all(f"strip3{copy}_0" in told for copy in range(4))
    reader = browser.new_context(offline=True)
    asked: list[str] = []
    reader.on("request", lambda request: asked.append(request.url))
    alone = reader.new_page()
    said: list[str] = []
    alone.on("console", lambda message: said.append(message.text))
    alone.goto(saved["HTML"].as_uri())
    expect(alone.get_by_role("heading", name="Strip strip33")).to_be_visible()
    shown = alone.evaluate("[...document.images].map(image => image.complete && image.naturalWidth)")
    assert shown == [256, 1600, 1600, 256, 256]
    assert [url for url in asked if not url.startswith("data:")] == [saved["HTML"].as_uri()]
    assert not said
    reader.close()
