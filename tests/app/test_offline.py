"""Every page asks no other machine for anything, none reaches it unasked, and it tells of no place on this one but the folders that it shows."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit
from urllib.request import urlopen

import pandas as pd
import psutil
import pytest
import streamlit as st
from playwright.sync_api import ConsoleMessage, Dialog, Page, ViewportSize, expect
from streamlit.runtime.state.query_params_proxy import QueryParamsProxy
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from app import loading
from app.access.__main__ import SECRETS, InitSettings, init
from app.access.guard import NO_ADDRESS
from app.benchmark.served import served
from app.review.query import Query, to_address
from app.verdicts.address import VARIABLE
from explain.methods import METHODS
from severstal_xai.manifest import MANIFEST_FILE, Manifest, Split

ROOT = Path(__file__).resolve().parents[2]
MAIN = str(ROOT / "app/main.py")
SECRET_PLACE = "where_nobody_looks"
NASTY = (
    f"../../{SECRET_PLACE}/shadow",
    f"/{SECRET_PLACE}/shadow",
    f"a/../../{SECRET_PLACE}/shadow",
    f"..\\..\\{SECRET_PLACE}\\shadow",
    "\0",
    "<img src=x onerror=alert(1)>",
    "9" * 5000,
    "é\u202e\U0001f600 ![x](//evil) $x$ `",
)
PAGES_AT_LEAST = {"strip", "patch", "queue"}
SCREENS = (ViewportSize(width=1366, height=768), ViewportSize(width=1920, height=1080))
MAIN_CONTROLS = {
    "": ("Previous", "Next", "Report"),
    "patch": ("Previous", "Next", "Queue", "Its strip"),
    "queue": ("Report", "Save or change"),
    "new": ("Upload",),
    "overview": (),
}
"""Buttons that are to be in sight as a page opens, by its address."""
TOO_WIDE = """
() => {
  const deep = (root) => [...root.querySelectorAll("*")].flatMap((node) => [node, ...(node.shadowRoot ? deep(node.shadowRoot) : [])]);
  const parts = [document.scrollingElement, ...document.querySelectorAll("[data-testid=stMain], [data-testid=stSidebarContent], .dvn-scroller")];
  const wide = parts.filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.className || one.tagName);
  const says = (node) => [...node.childNodes].some((one) => one.nodeType === Node.TEXT_NODE && one.textContent.trim());
  const isControl = (node) => node.matches("button, input:not([type=file]), a, [role=slider], [role=radio]");
  const isCut = (node) => {
    const box = node.getBoundingClientRect();
    if (!node.checkVisibility({opacityProperty: true, visibilityProperty: true}) || box.width < 2 || box.height < 2) return false;
    const isClipped = getComputedStyle(node).overflowX !== "visible" && node.scrollWidth > node.clientWidth + 1;
    return (isControl(node) || says(node)) && (box.left < -1 || box.right > innerWidth + 1 || (says(node) && isClipped));
  };
  return [...wide, ...deep(document.body).filter(isCut).map((node) => node.outerHTML.slice(0, 200))];
}
"""
"""What is wider than its place on the screen, or cut there."""


# In the browser


def pages_of(page: Page, address: str) -> list[str]:
    """The addresses of all pages that the navigation names."""
    page.goto(f"{address}/?method=grad_cam&compare=none")
    links = page.get_by_test_id("stSidebar").get_by_test_id("stPageLink-NavLink")
    expect(links.first).to_be_visible()
    named = [str(link.evaluate("link => link.href")).partition("?")[0] for link in links.all()]
    found = list(dict.fromkeys(named))  # Streamlit keeps a second one of each for narrow windows
    assert {link.rpartition("/")[2] or "strip" for link in found} >= PAGES_AT_LEAST
    return found


def wait_until_drawn(page: Page) -> None:
    expect(page.locator("[data-testid='stApp'][data-test-script-state='notRunning']")).to_be_visible()
    expect(page.locator("h3, [role='alert']").first).to_be_visible()


def server_at(address: str) -> psutil.Process:
    """The process that listens there, one of this test's own."""
    port = int(address.rpartition(":")[2])
    return next(
        process
        for process in psutil.Process().children(recursive=True)
        if any(one.laddr.port == port and one.status == "LISTEN" for one in process.net_connections("inet"))
    )


def test_each_page_fits_the_screen_and_asks_no_other_machine_nor_would_the_browser_let_it(
    page: Page, address: str
) -> None:
    """The fixture `page` holds each request and connection to 127.0.0.1, and `start` each call that the server's Python makes.

    Beside them stands the system's own list of the server's connections, which knows of calls that no Python makes.
    """
    refused: list[str] = []

    def heard(said: ConsoleMessage) -> None:
        if "Content Security Policy" in said.text:
            refused.append(said.text)

    page.on("console", heard)
    server = server_at(address)
    for link in pages_of(page, address):
        page.goto(f"{link}?method=grad_cam&compare=none")
        wait_until_drawn(page)
        ends = [end for one in server.net_connections("inet") for end in (one.laddr, one.raddr) if end]
        assert {end.ip for end in ends} == {"127.0.0.1"}
        for screen in SCREENS:
            page.set_viewport_size(screen)
            for name in MAIN_CONTROLS[urlsplit(link).path.strip("/")]:
                button = page.get_by_role("button", name=name).filter(visible=True).first
                expect(button).to_be_in_viewport(ratio=1)
            page.wait_for_timeout(300)
            assert page.evaluate(TOO_WIDE) == [], (link, screen)
    assert not refused
    asked = page.evaluate(
        "fetch('http://192.0.2.1/').then(() => 'asked', error => String(error))"
    )  # RFC 5737: nobody's address
    assert "TypeError" in asked
    assert "192.0.2.1" in refused[0]


def test_html_in_an_address_stays_text(page: Page, address: str) -> None:
    alerts: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        alerts.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismiss)
    html = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    for link in pages_of(page, address):
        for names in (("patch", "strip", "text"), ("method", "label")):
            page.goto(f"{link}?{urlencode(dict.fromkeys(names, html))}")
            wait_until_drawn(page)
            assert page.locator("img[src='x']").count() == 0
    assert not alerts


# Who reaches it


@pytest.fixture
def user_who_sets_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Streamlit finds no settings of this machine's user, and Python these files wherever it is started."""
    for name in [name for name in os.environ if name.startswith("STREAMLIT_")]:
        monkeypatch.delenv(name)
    for name, value in (("HOME", str(tmp_path)), ("PYTHONPATH", str(ROOT)), ("OMP_NUM_THREADS", "1")):
        monkeypatch.setenv(name, value)


def listens_at(process: int) -> set[str]:
    ends = psutil.Process(process).net_connections("inet")
    return {one.laddr.ip for one in ends if one.status == "LISTEN"}


@pytest.mark.usefixtures("user_who_sets_nothing")
@pytest.mark.parametrize(
    ("options", "expected"), [((), "127.0.0.1"), (("--server.address", "0.0.0.0"), "0.0.0.0")]
)
def test_started_in_any_folder_it_serves_this_computer_alone_unless_it_is_told_otherwise(
    made_data: Manifest, planted_run: Path, tmp_path: Path, options: tuple[str, ...], expected: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with served(made_data.root, planted_run, tmp_path / "log.txt", *options, folder=elsewhere) as inspector:
        assert listens_at(inspector.process) == {expected}


@pytest.mark.usefixtures("user_who_sets_nothing")
def test_where_no_address_is_set_it_serves_nobody_and_says_so_in_a_line(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "app", tmp_path / "app", ignore=shutil.ignore_patterns(".streamlit"))
    quiet = ("--server.headless", "true", "--logger.hideWelcomeMessage", "true")
    ended = subprocess.run(
        [sys.executable, "-m", "streamlit", "run", "app/main.py", "--server.port", "0", *quiet],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (1, NO_ADDRESS + "\n")


@pytest.mark.usefixtures("user_who_sets_nothing")
def test_started_in_any_folder_it_lets_nobody_in_where_the_secrets_beside_it_say_so(
    made_data: Manifest, planted_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(ROOT / "app", tmp_path / "app", ignore=shutil.ignore_patterns("secrets.toml"))
    monkeypatch.setattr("app.benchmark.served.CONFIGS", tmp_path / "configs")
    init(
        InitSettings(
            "http://127.0.0.1:9/.well-known/openid-configuration", "inspector", output=tmp_path / SECRETS
        )
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with (
        served(made_data.root, planted_run, tmp_path / "log.txt", folder=elsewhere) as inspector,
        pytest.raises(HTTPError) as refused,
    ):
        urlopen(f"{inspector.address}/queue", timeout=60)
    refused.value.close()
    assert refused.value.code == 503  # closed: who has which role is not written into it yet


# Without a browser


EVERY_FIELD = Query(
    split=Split.TRAIN, label=1, predicted=1, answer=None, low=0.1, high=0.9, margin_low=0.1, margin_high=0.9, flagged=True, verdict="any", text="a", reverse=True
)  # fmt: skip
"""A query with every field in its address that has one value of another kind than the usual one; the rest is told by the pages."""


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "verdicts.sqlite"))
    yield
    loading.jobs().close()
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture(autouse=True)
def _quick_methods(monkeypatch: pytest.MonkeyPatch) -> None:
    """Maps in no time: what they show is not looked at here."""
    for name in METHODS:
        monkeypatch.setitem(METHODS, name, lambda **settings: lambda model, images, targets: images[:, 0] * 0)


def drawn(
    monkeypatch: pytest.MonkeyPatch, data: Path, run: Path, at: str, address: Mapping[str, str]
) -> AppTest:
    monkeypatch.setattr("sys.argv", ["app/main.py", "--data", str(data), "--run", str(run)])
    page = AppTest.from_file(MAIN, default_timeout=60)
    page._page_hash = calc_hash(at)
    page.query_params.update(address)
    return page.run()


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch, made_data: Manifest, planted_run: Path) -> list[str]:
    """The names of all pages, as they are registered."""
    names: set[str] = set()
    navigation = st.navigation

    def noted(given: list[Any], *, position: Any = "sidebar") -> object:
        names.update(one._url_path for one in given)
        return navigation(given, position=position)

    with monkeypatch.context() as patch:
        patch.setattr(st, "navigation", noted)
        drawn(monkeypatch, made_data.root, planted_run, "patch", {})
    assert names >= PAGES_AT_LEAST
    return sorted(names)


def parameters_of(
    monkeypatch: pytest.MonkeyPatch, made_data: Manifest, planted_run: Path, name: str
) -> list[str]:
    """The parameters that a page looks for in its address."""
    asked: set[str] = set()
    get, holds = QueryParamsProxy.get, QueryParamsProxy.__contains__

    def noted_get(self: QueryParamsProxy, key: str, *default: str) -> object:
        asked.add(key)
        return get(self, key, *default)

    def noted_holds(self: QueryParamsProxy, key: object) -> bool:
        asked.add(str(key))
        return holds(self, key)

    with monkeypatch.context() as patch:
        patch.setattr(QueryParamsProxy, "get", noted_get)
        patch.setattr(QueryParamsProxy, "__contains__", noted_holds)
        drawn(monkeypatch, made_data.root, planted_run, name, {"method": "grad_cam", "compare": "none"})
    query = set(to_address(EVERY_FIELD)) if name == "queue" else set()  # read alike on all pages
    return sorted(asked | query)


def said_by(page: AppTest) -> str:
    """All that goes to the browser."""
    return "\n".join(str(getattr(node, "proto", "")) for node in page._tree)


def test_whatever_the_address_says_no_page_breaks_or_tells_of_another_place(
    monkeypatch: pytest.MonkeyPatch, made_data: Manifest, planted_run: Path, pages: list[str]
) -> None:
    for name in pages:
        parameters = parameters_of(monkeypatch, made_data, planted_run, name)
        for place, parameter in enumerate(parameters):
            for value in (
                NASTY if parameter in {"patch", "strip"} else (NASTY[place % 4], NASTY[4 + place % 4])
            ):
                usual = {"method": "grad_cam", "compare": "none"}
                page = drawn(monkeypatch, made_data.root, planted_run, name, usual | {parameter: value})
                loading.jobs().wait_until_idle(60)
                assert not page.exception, (name, parameter, value)
                told = [*page.error, *page.warning, *page.info, *page.caption, *page.markdown]
                assert not any("Something went wrong" in one.value for one in told), (name, parameter, value)
                if parameter != "text":  # what was searched for stands in its box, and beside it
                    assert not any(SECRET_PLACE in one.value for one in told), (name, parameter, value)
                said = said_by(page)
                assert "Traceback" not in said
                for elsewhere in (ROOT, Path.home(), Path(sys.prefix), Path.cwd()):
                    assert f"{elsewhere}/" not in said, (name, parameter, value)


def damaged(made_data: Manifest, folder: Path, **columns: str) -> Path:
    """A copy of the data, whose list of patches says this of each."""
    shutil.copytree(made_data.root, folder)
    table = pd.read_parquet(folder / MANIFEST_FILE)
    table.assign(**columns).to_parquet(folder / MANIFEST_FILE)
    return folder


@pytest.mark.parametrize("column", ["image", "patch"])
def test_whatever_a_file_is_called_no_page_breaks_or_tells_of_another_place(
    monkeypatch: pytest.MonkeyPatch, made_data: Manifest, planted_run: Path, tmp_path: Path, column: str
) -> None:
    for place, value in enumerate((*NASTY, f"{SECRET_PLACE}/x.png")):
        data = damaged(made_data, tmp_path / f"patches{place}", **{column: value})
        name = sorted(PAGES_AT_LEAST)[place % len(PAGES_AT_LEAST)]
        page = drawn(monkeypatch, data, planted_run, name, {"method": "grad_cam", "compare": "none"})
        assert not page.exception
        assert not any("Something went wrong" in one.value for one in page.error)
        said = said_by(page)
        assert f"/{SECRET_PLACE}" not in said
        assert "Traceback" not in said
        assert f"{ROOT}/" not in said


def test_where_the_verdicts_lie_is_not_told(
    monkeypatch: pytest.MonkeyPatch, made_data: Manifest, planted_run: Path, tmp_path: Path
) -> None:
    (tmp_path / SECRET_PLACE).mkdir()
    (tmp_path / SECRET_PLACE / "verdicts.sqlite").write_text("no database")
    for place in (
        tmp_path / SECRET_PLACE / "verdicts.sqlite",
        f"postgresql://anna:pass@127.0.0.1:9/{SECRET_PLACE}",
    ):
        monkeypatch.setenv(VARIABLE, str(place))
        st.cache_resource.clear()
        page = drawn(
            monkeypatch, made_data.root, planted_run, "patch", {"method": "grad_cam", "compare": "none"}
        )
        assert "The verdicts cannot be read or written now" in page.warning[0].value
        assert SECRET_PLACE not in said_by(page)
