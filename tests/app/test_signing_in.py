"""Signing in at a real provider, in a real browser; and what whoever only knows an address gets: nothing."""

import http.client
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from app.access.guard import HEALTH
from app.access.signing import PATHS
from app.access.tickets import COOKIE
from app.verdicts.records import Kind, Seen, Verdict
from app.verdicts.store import open_store
from severstal_xai.manifest import Manifest
from tests.app.hands import patient
from tests.app.provider import provider, write_secrets

Start = Callable[..., AbstractContextManager[str]]
PATCH = "/patch?method=grad_cam&compare=none&patch=strip13_0"


@dataclass(frozen=True)
class Mill:
    """An inspector with a provider.

    Args:
        address: The inspector's.
        secrets: Its file.
        verdicts: Its store.
    """

    address: str
    secrets: Path
    verdicts: Path


@pytest.fixture(scope="module")
def mill(
    made_data: Manifest, planted_run: Path, start: Start, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mill]:
    folder = tmp_path_factory.mktemp("mill")
    secrets = folder / "secrets.toml"
    people = ["vera@mill.example", "ida@mill.example", "eve@mill.example"]
    with provider(people, folder / "provider.txt") as metadata:
        write_secrets(secrets, metadata)
        options = ("--secrets.files", str(secrets))
        with start(made_data.root, planted_run, folder / "log.txt", *options) as address:
            yield Mill(address, secrets, folder / "verdicts.sqlite")


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1366, "height": 768})
    yield patient(context.new_page())
    context.close()


def sign_in(page: Page, name: str) -> None:
    page.get_by_role("link", name="Sign in").click()
    page.get_by_role("button", name=name, exact=True).click()


def asked(mill: Mill, path: str, cookies: str = "", method: str = "GET", **headers: str) -> tuple[int, bytes]:
    """What a program gets that knows the address and sends these cookies."""
    with closing(http.client.HTTPConnection(urlsplit(mill.address).netloc, timeout=30)) as connection:
        connection.request(method, path, headers={"Cookie": cookies} | headers)
        with connection.getresponse() as answer:
            return answer.status, answer.read()


def connects(mill: Mill, cookies: str) -> int:
    """What the server answers to the wish for a connection: 101 where it is granted."""
    handshake = {
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Origin": mill.address,
    }  # fmt: skip
    with closing(http.client.HTTPConnection(urlsplit(mill.address).netloc, timeout=30)) as connection:
        connection.request("GET", "/_stcore/stream", headers={"Cookie": cookies} | handshake)
        with connection.getresponse() as answer:
            return answer.status


def files_among(requests: list[str], mill: Mill) -> list[str]:
    """The paths of all that the pages asked the inspector for, but for what is open to everybody."""
    paths = {urlsplit(url).path for url in requests if url.startswith(mill.address)}
    return sorted(paths - {HEALTH, *PATHS})


def cookies_of(context: BrowserContext) -> str:
    return "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in context.cookies())


def test_an_inspector_signs_in_judges_by_that_name_and_signs_out_for_good(visitor: Page, mill: Mill) -> None:
    kept: list[str] = []
    visitor.on("request", lambda request: kept.append(request.url))
    visitor.goto(mill.address + PATCH)
    expect(visitor.get_by_role("heading", name="Please sign in")).to_be_visible()
    assert "strip" not in visitor.content().replace("strip13_0", "")  # but for the address, to come back to
    assert kept == [mill.address + PATCH]

    sign_in(visitor, "ida")
    expect(visitor.get_by_role("heading", name="Patch strip13_0")).to_be_visible()
    assert visitor.url == mill.address + PATCH  # led back
    expect(visitor.get_by_text("Signed in as ida@mill.example, inspector.")).to_be_visible()
    expect(visitor.get_by_label("Your name")).to_have_count(0)
    visitor.get_by_role("radio", name="agrees").or_(
        visitor.get_by_role("button", name="agrees")
    ).first.click()
    visitor.get_by_role("button", name="Save verdict").click()
    expect(visitor.get_by_text("ida@mill.example, 20", exact=False)).to_be_visible()
    with sqlite3.connect(mill.verdicts) as store:
        assert store.execute("SELECT reader, patch FROM verdicts").fetchall() == [
            ("ida@mill.example", "strip13_0")
        ]

    other = visitor.context.new_page()
    other.goto(f"{mill.address}/queue")
    expect(other.get_by_text("4 patches of 20").or_(other.get_by_text("5 patches of 20"))).to_be_visible()
    files = files_among(kept, mill)
    assert any(path.startswith("/static/") for path in files)
    ticket = cookies_of(visitor.context)
    assert {asked(mill, path, ticket)[0] for path in files if "/_stcore/" not in path} == {200}
    assert {asked(mill, path)[0] for path in files} == {401}
    assert asked(mill, "/queue", ticket)[0] == 200
    assert connects(mill, ticket) == 101

    visitor.get_by_role("link", name="Sign out").click()
    visitor.get_by_role("button", name="End session").click()
    expect(visitor.get_by_role("heading", name="You have signed out")).to_be_visible()
    assert COOKIE not in cookies_of(visitor.context)
    other.get_by_role("button", name="Start over").click()  # a window that is still open
    expect(other.get_by_role("heading", name="Please sign in")).to_be_visible()
    assert asked(mill, "/queue", ticket)[0] == 401  # a copy of the cookie
    assert connects(mill, ticket) == 403
    assert {asked(mill, path, ticket)[0] for path in files} == {401}


def test_a_viewer_looks_but_cannot_judge_and_goes_when_the_role_is_taken_away(
    visitor: Page, mill: Mill
) -> None:
    visitor.goto(mill.address + PATCH)
    sign_in(visitor, "vera")
    expect(visitor.get_by_role("heading", name="Patch strip13_0")).to_be_visible()
    expect(visitor.get_by_text("Your role lets you look, but not judge", exact=False)).to_be_visible()
    expect(visitor.get_by_role("button", name="Save verdict")).to_have_count(0)
    expect(visitor.get_by_alt_text("Patch strip13_0 with the heat of Grad-CAM", exact=False)).to_be_visible()
    visitor.get_by_role("link", name="Review queue").click()
    visitor.get_by_test_id("stDataFrame").hover()
    expect(visitor.get_by_role("button", name="Search")).to_be_visible()
    expect(visitor.get_by_role("button", name="Download as CSV")).to_be_hidden()
    visitor.go_back()
    expect(visitor.get_by_role("heading", name="Patch strip13_0")).to_be_visible()
    before = mill.secrets.read_text()
    try:
        mill.secrets.write_text(before.replace("vera@", "somebody@"))
        visitor.keyboard.press(
            "Alt+ArrowRight"
        )  # to the next patch, unless the page has asked by itself before
        expect(visitor.get_by_role("heading", name="You are not let in")).to_be_visible()
        mill.secrets.write_text(before + "boss = 1\n")
        visitor.reload()
        expect(visitor.get_by_role("heading", name="Nobody can be let in now")).to_be_visible()
        assert str(mill.secrets.parent) not in visitor.content()
    finally:
        mill.secrets.write_text(before)
    visitor.reload()
    expect(visitor.get_by_role("heading", name="Patch strip13_0")).to_be_visible()


def test_a_file_that_is_made_on_a_click_is_made_for_who_has_signed_in(visitor: Page, mill: Mill) -> None:
    seen = Seen("strip03_0", "strip03", "a" * 64, 0, "", None, (), blind=True)
    with closing(open_store(str(mill.verdicts))) as store:
        store.append(Verdict(Kind.AGREE, "björn", datetime.now(UTC), seen))
    visitor.goto(f"{mill.address}/overview")
    sign_in(visitor, "ida")
    with visitor.expect_download() as file:
        visitor.get_by_role("button", name="Verdicts (CSV)").click()
    assert "björn" in file.value.path().read_text(encoding="utf-8")


def test_whom_the_provider_knows_and_the_inspector_does_not_is_not_let_in(visitor: Page, mill: Mill) -> None:
    visitor.goto(mill.address)
    sign_in(visitor, "eve")
    expect(
        visitor.get_by_text("You have signed in as eve@mill.example, who has no role here", exact=False)
    ).to_be_visible()
    ticket = cookies_of(visitor.context)
    assert asked(mill, "/queue", ticket)[0] == 403
    assert connects(mill, ticket) == 403


def test_without_a_cookie_no_page_file_upload_or_connection_is_to_be_had(mill: Mill) -> None:
    for path in ("/", "/patch", "/queue", "/nothing", "/media/x.png", "/_stcore/host-config", "/_stcore/metrics", "/static/js/a.js",
                 "/component/x/y", "/_stcore/bidi-components/x", "/app/static/x", "/%2e%2e/etc/passwd", "/_stcore/health%2f..%2f..%2fmedia"):  # fmt: skip
        assert asked(mill, path)[0] == 401, path
    for method in ("PUT", "POST", "DELETE", "OPTIONS", "HEAD"):
        assert asked(mill, "/_stcore/upload_file/s/f", method=method)[0] == 401, method
    assert connects(mill, "") == 403
    assert connects(mill, f"{COOKIE}=forged") == 403
    assert asked(mill, "/_stcore/health") == (200, b"ok")
    assert asked(mill, "/queue", Host="evil.example")[0] == 421


def test_a_callback_that_nobody_began_signs_nobody_in(visitor: Page, mill: Mill) -> None:
    for query in ("?code=1&state=forged", "?error=access_denied&error_description=no&state=1"):
        visitor.goto(f"{mill.address}/oauth2callback{query}")
        expect(visitor.get_by_role("heading", name="Signing in did not work")).to_be_visible()
    assert COOKIE not in cookies_of(visitor.context)


def test_a_provider_that_does_not_answer_is_told_in_words(
    visitor: Page, made_data: Manifest, planted_run: Path, start_for_trouble: Start, tmp_path: Path
) -> None:
    write_secrets(tmp_path / "secrets.toml", "http://127.0.0.1:9/.well-known/openid-configuration")
    options = ("--secrets.files", str(tmp_path / "secrets.toml"))
    with start_for_trouble(made_data.root, planted_run, tmp_path / "log.txt", *options) as address:
        visitor.goto(address)
        visitor.get_by_role("link", name="Sign in").click()
        expect(visitor.get_by_role("heading", name="The sign-in service does not answer")).to_be_visible()
        assert "Traceback" not in visitor.content()
    assert "Error during OAuth authorization redirect" in (tmp_path / "log.txt").read_text()
    assert json.dumps(str(tmp_path)) not in visitor.content()
