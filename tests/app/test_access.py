"""Who may do what: the rules, the file that holds them, the cookie, and what the pages let a role do."""

import asyncio
import json
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from itsdangerous import URLSafeTimedSerializer
from streamlit import config
from streamlit.testing.v1 import AppTest

from app.access import guard, now
from app.access.__main__ import main
from app.access.answers import as_page, not_let_in
from app.access.guard import Guard
from app.access.hosts import is_known_host
from app.access.roles import Members, Right, Role, Rules, Visitor, visitor_from
from app.access.settings import Access, read_access
from app.access.signed_out import SignedOut
from app.access.signing import wanted_page
from app.access.tickets import COOKIE, ticket_of
from app.demo.building import AtWork, Building, Idle, Reached
from app.discretion import without_folders
from app.verdicts.address import VARIABLE
from app.verdicts.records import Kind, Seen, Verdict
from app.verdicts.saved_filters import SavedFilter, add, saved_filters
from app.verdicts.store import open_store
from severstal_xai.command import WRONG_INPUT
from severstal_xai.errors import InputError
from severstal_xai.manifest import Manifest

SECRET = "of this test alone, forty characters long"
PORT = 8501
ORIGIN = "http://localhost:8501"
AUTH = f"""
[auth]
redirect_uri = "http://localhost:{{port}}/oauth2callback"
cookie_secret = "{SECRET}"
client_id = "inspector"
client_secret = "s"
server_metadata_url = "http://127.0.0.1:9/.well-known/openid-configuration"
"""
ROLES = """
[access]
others = "refused"
[access.viewer]
emails = ["vera@mill.example"]
[access.inspector]
emails = ["Ida@mill.example"]
groups = ["inspectors"]
[access.admin]
emails = ["ada@mill.example"]
"""
MAIN = str(Path(__file__).resolve().parents[2] / "app/main.py")


def person(email: str, **claims: Any) -> dict[str, Any]:
    return {"sub": email, "email": email, "email_verified": True, "is_logged_in": True} | claims


@pytest.fixture
def secrets(tmp_path: Path) -> Iterator[Path]:
    """The file of secrets that Streamlit and we read here, with a provider and roles in it."""
    path = tmp_path / "secrets.toml"
    path.write_text(AUTH + ROLES)
    before = config.get_option("secrets.files")
    config.set_option("secrets.files", [str(path)])
    now.must_sign_in.cache_clear()
    yield path
    config.set_option("secrets.files", before)
    now.must_sign_in.cache_clear()


# Rules


def rules(**settings: Any) -> Rules:
    members = {
        Role.VIEWER: Members(emails=("vera@mill.example",), groups=("inspectors",)),
        Role.INSPECTOR: Members(emails=("Ida@Mill.example",), groups=("inspectors",)),
    }
    return Rules(members, **settings)


def role_of(claims: Mapping[str, Any], **settings: Any) -> Role | None:
    visitor = visitor_from(claims, rules(**settings))
    assert visitor is not None
    return visitor.role


def test_each_role_may_what_the_one_before_may_and_only_viewers_merely_look() -> None:
    rights = [role.rights for role in Role]
    assert rights == [set(), {Right.JUDGE, Right.EXPORT}, set(Right)]
    assert not Visitor("somebody", None).may(Right.JUDGE)


def test_a_persons_greatest_role_counts_by_address_or_group() -> None:
    assert role_of(person("VERA@mill.example")) == Role.VIEWER
    assert role_of(person("ida@mill.example")) == Role.INSPECTOR
    assert role_of(person("eve@mill.example", groups=["smelters", "inspectors"])) == Role.INSPECTOR
    assert role_of(person("eve@mill.example", groups=["Inspectors"])) is None
    assert role_of(person("eve@mill.example", roles="inspectors"), groups_claim="roles") == Role.INSPECTOR
    assert role_of(person("eve@mill.example"), others=Role.VIEWER) == Role.VIEWER


@pytest.mark.parametrize("verified", [False, None, "true", 1])
def test_an_address_that_the_service_has_not_verified_gives_no_role_and_no_name(verified: object) -> None:
    claims = person("ida@mill.example", email_verified=verified)
    assert visitor_from(claims, rules()) == Visitor("id:ida@mill.example", None)
    assert role_of(claims, unverified_emails=True) == Role.INSPECTOR


def test_nobody_takes_anothers_name_by_choosing_an_identifier() -> None:
    claims = {"sub": "ida@mill.example", "email": "id:x@mill.example", "email_verified": True}
    visitor = visitor_from(claims, rules())
    assert visitor == Visitor("id:ida@mill.example", None)


@pytest.mark.parametrize(
    "claims", [{}, {"sub": ""}, {"sub": 7}, {"sub": "a\u200bb"}, {"sub": "x" * 101}, {"sub": " a"}]
)
def test_whom_the_service_does_not_name_is_nobody(claims: dict[str, Any]) -> None:
    assert visitor_from(claims, rules(others=Role.VIEWER)) is None


# The file


def test_the_file_is_read_as_it_says(secrets: Path) -> None:
    access = read_access([secrets.with_name("absent.toml"), secrets], PORT)
    assert access is not None
    assert (access.origin, access.hours, access.rules.others) == (ORIGIN, 12, None)
    assert access.rules.members[Role.INSPECTOR] == Members(("Ida@mill.example",), ("inspectors",))


def test_without_the_sections_nobody_need_sign_in(tmp_path: Path) -> None:
    (tmp_path / "secrets.toml").write_text("[other]\nkey = 1\n")
    assert read_access([tmp_path / "secrets.toml", tmp_path / "absent.toml"], PORT) is None


WRONG = {
    "not TOML": (AUTH + "[access", "expected a TOML file"),
    "no roles": (AUTH, "auth without access"),
    "no service": (ROLES, "access without auth"),
    "a key too many": (AUTH + ROLES + "[access.boss]\n", "boss: not known, expected one of others"),
    "another's key": (AUTH + "expose_tokens = 'id'\n" + ROLES, "expose_tokens: not known"),
    "short secret": (AUTH.replace(SECRET, "short") + ROLES, "cookie_secret: 5 characters, expected 32"),
    "no client": (AUTH.replace('"inspector"', '""') + ROLES, "client_id: missing or empty"),
    "no callback": (AUTH.replace("/oauth2callback", "/") + ROLES, "ends in /oauth2callback"),
    "read along": (AUTH.replace("127.0.0.1:9", "sso.mill.example") + ROLES, "expected https://"),
    "a list missing": (
        AUTH + ROLES.replace('["inspectors"]', '"inspectors"'),
        "inspector: groups 'inspectors'",
    ),
    "others": (AUTH + ROLES.replace("refused", "admin"), "others 'admin', expected viewer or refused"),
    "no others": (AUTH + ROLES.replace('others = "refused"', ""), "others None, expected text"),
    "no hours": (AUTH + ROLES.replace("[access]", "[access]\nhours = 0"), "hours 0, expected above 0"),
    "true hours": (
        AUTH + ROLES.replace("[access]", "[access]\nhours = true"),
        "hours True, expected a number",
    ),
    "a plain value": (AUTH + "\n[x]\n".join(["", ""]) + "", "auth without access"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_is_refused_in_words_that_name_it(tmp_path: Path, case: str) -> None:
    content, words = WRONG[case]
    path = tmp_path / "secrets.toml"
    path.write_text(content)
    with pytest.raises(InputError, match=r"secrets\.toml: ") as refusal:
        read_access([path], PORT)
    assert words in str(refusal.value)
    assert SECRET not in str(refusal.value)


def test_a_folder_in_the_files_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secrets.toml").mkdir()
    with pytest.raises(InputError, match="expected a TOML file"):
        read_access([tmp_path / "secrets.toml"], PORT)


def test_what_was_closed_when_the_inspector_started_no_change_to_the_file_opens(secrets: Path) -> None:
    assert now.must_sign_in()
    assert isinstance(now.access_now(), Access)
    for content in (AUTH + "[access", "", None):
        secrets.unlink() if content is None else secrets.write_text(content)
        assert isinstance(now.access_now(), now.Closed)
    secrets.write_text(AUTH + ROLES.replace("vera", "eva"))
    access = now.access_now()
    assert isinstance(access, Access)
    assert access.rules.members[Role.VIEWER].emails == ("eva@mill.example",)


def test_the_command_makes_a_secret_of_its_own_that_its_owner_alone_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        "--provider",
        "https://sso.mill.example/.well-known/openid-configuration",
        "--client_id",
        "xai",
    ]
    paths = [tmp_path / "one/secrets.toml", tmp_path / "two/secrets.toml"]
    for path in paths:
        assert main(["init", *arguments, "--output", str(path)]) == 0
        assert path.stat().st_mode & 0o777 == 0o600
        with pytest.raises(InputError, match="client_secret: missing or empty"):
            main(["check", "--file", str(path)])
        path.write_text(path.read_text().replace('client_secret = ""', 'client_secret = "s"'))
    found = [read_access([path], PORT) for path in paths]
    assert all(found)
    assert len({access.cookie_secret for access in found if access}) == 2
    assert min(len(access.cookie_secret) for access in found if access) == 64  # 48 bytes in base64
    assert main(["check", "--file", str(paths[0])]) == 0
    assert "people sign in at http://localhost:8501" in capsys.readouterr().out
    paths[0].chmod(0o644)
    with pytest.raises(InputError, match=r"others may read it \(mode 644\)"):
        main(["check", "--file", str(paths[0])])
    with pytest.raises(InputError, match="is there already"):
        main(["init", *arguments, "--output", str(paths[0])])
    assert WRONG_INPUT == 1


# The cookie


def access_for_tests(hours: float = 12) -> Access:
    members = {Role.VIEWER: Members(("vera@mill.example",)), Role.INSPECTOR: Members(("ida@mill.example",))}
    return Access(SECRET, f"{ORIGIN}/oauth2callback", Rules(members), hours)


def cookie(claims: Mapping[str, Any], secret: str = SECRET, name: str = COOKIE) -> str:
    """A cookie as Streamlit signs it: itsdangerous, its name as salt."""
    content = json.dumps({"origin": ORIGIN, "is_logged_in": True, "provider": "default"} | dict(claims))
    return str(URLSafeTimedSerializer(secret, salt=name).dumps(content))


IDA = cookie(person("ida@mill.example"))


def test_a_cookie_counts_if_this_inspector_signed_it_for_itself() -> None:
    ticket = ticket_of({COOKIE: IDA}, access_for_tests())
    assert ticket is not None
    assert ticket.claims["email"] == "ida@mill.example"


FORGED = {
    "none": "",
    "nonsense": "x.y.z",
    "not ASCII": "é\u20ac",
    "another secret": cookie(person("ida@mill.example"), "x" * 40),
    "another cookie's": cookie(person("ida@mill.example"), name="_streamlit_user_tokens"),
    "another origin": cookie(person("ida@mill.example", origin="http://evil.example")),
    "not signed in": cookie(person("ida@mill.example", is_logged_in=False)),
    "another's content": ".".join(
        [cookie(person("ada@mill.example")).rsplit(".", 2)[0], *IDA.rsplit(".", 2)[1:]]
    ),
    "no object": str(URLSafeTimedSerializer(SECRET, salt=COOKIE).dumps("[1]")),
    "no JSON": str(URLSafeTimedSerializer(SECRET, salt=COOKIE).dumps("{")),
    "parts missing": str(URLSafeTimedSerializer(SECRET, salt=COOKIE).dumps("chunks-2")),
}


@pytest.mark.parametrize("case", FORGED)
def test_a_forged_cookie_is_none(case: str) -> None:
    assert ticket_of({COOKIE: FORGED[case]}, access_for_tests()) is None


def test_a_cookie_is_too_old_after_the_hours_that_the_file_says(monkeypatch: pytest.MonkeyPatch) -> None:
    signed = cookie(person("ida@mill.example"))  # IDA was signed when this file was read
    begun = time.time()
    for hours, counts in ((1.99, True), (2.01, False)):
        monkeypatch.setattr(time, "time", lambda hours=hours: begun + 3600 * hours)
        assert (ticket_of({COOKIE: signed}, access_for_tests(hours=2)) is not None) == counts


def test_a_long_cookie_is_put_together_from_its_parts() -> None:
    content = json.dumps({"origin": ORIGIN, "is_logged_in": True, "sub": "x" * 50})
    parts = {COOKIE: "chunks-2", f"{COOKIE}_1": content[:30], f"{COOKIE}_2": content[30:]}
    signed = {
        name: str(URLSafeTimedSerializer(SECRET, salt=name).dumps(part)) for name, part in parts.items()
    }
    ticket = ticket_of(signed, access_for_tests())
    assert ticket is not None
    assert ticket.claims["sub"] == "x" * 50


def test_a_cookie_that_was_signed_out_counts_no_more_in_any_spelling_nor_after_a_new_start(
    tmp_path: Path,
) -> None:
    """Base64 is read leniently: signs that belong to none in the signature change nothing of it."""
    signed, _, signature = IDA.rpartition(".")
    respelled = f"{signed}.{signature[:5]}!{signature[5:]}"
    access = access_for_tests()
    shown = [{COOKIE: IDA}, {COOKIE: respelled}, {COOKIE: IDA, f"{COOKIE}_1": "beside.it"}]
    tickets = [ticket_of(cookies, access) for cookies in shown]
    assert tickets[0] is not None
    out = SignedOut(tmp_path / "signed_out.txt")
    out.add(tickets[0].fingerprint)
    again = SignedOut(tmp_path / "signed_out.txt")
    for ticket in filter(None, tickets):
        assert ticket.fingerprint in out
        assert ticket.fingerprint in again
    assert (tmp_path / "signed_out.txt").stat().st_mode & 0o777 == 0o600
    other = ticket_of({COOKIE: cookie(person("vera@mill.example"))}, access)
    assert other is not None
    assert other.fingerprint not in again


def test_a_full_disk_and_a_damaged_list_do_not_keep_anybody_from_signing_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "damaged.txt").write_bytes(b"\xff\nx y\n9999999999 abc\n")
    assert "abc" not in SignedOut(tmp_path / "damaged.txt")
    nowhere = SignedOut(tmp_path / "absent/signed_out.txt")
    nowhere.add("abc")
    assert "abc" in nowhere
    assert "stays so until the inspector ends" in caplog.text


# The guard, without a server


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run it in a thread of its own: the browser's tests leave theirs with a loop that runs."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, coroutine).result()


async def _app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "bytes": message["bytes"]})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"cache-control", b"public")]})
    await send({"type": "http.response.body", "body": b"steel"})


def asked(path: str, access: object, **headers: str) -> tuple[int, dict[str, str], str]:
    """What the guard answers to a request, before an app that answers `steel` to everything."""
    said: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        said.append(message)

    fields = {"host": "localhost:8501", "accept": "text/html"} | headers
    scope = {
        "type": "http", "method": "GET", "path": path.partition("?")[0], "query_string": path.partition("?")[2].encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in fields.items()],
    }  # fmt: skip
    run(Guard(_app, SignedOut(None), lambda: access)(scope, receive, send))  # type: ignore[arg-type,return-value]
    body = b"".join(message.get("body", b"") for message in said)
    found = {name.decode(): value.decode() for name, value in said[0]["headers"]}
    return said[0]["status"], found, body.decode()


PATHS = [
    "/", "/patch?patch=a_0", "/queue", "/media/0123456789abcdef.png", "/_stcore/upload_file/s/f", "/_stcore/host-config",
    "/_stcore/metrics", "/_stcore/health/", "/_stcore/health/../../media/a", "//_stcore/health", "/static/js/index.js",
    "/component/a/b.js", "/_stcore/agent/mcp", "/anything", "/auth/login/../../queue", "/oauth2callback/x",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_who_has_not_signed_in_gets_nothing_but_the_way_in(path: str) -> None:
    for headers in ({}, {"cookie": f"{COOKIE}={FORGED['another secret']}"}, {"accept": "*/*"}):
        status, found, body = asked(path, access_for_tests(), **headers)
        assert status == 401
        assert "steel" not in body
        assert found["cache-control"] == "no-store"


def test_everybody_may_ask_whether_the_inspector_runs() -> None:
    assert asked("/_stcore/health", access_for_tests())[0] == 200
    assert asked("/_stcore/health", now.Closed("x"))[0] == 200


def test_who_has_signed_in_gets_the_page_and_the_browser_keeps_no_copy() -> None:
    status, headers, body = asked("/media/a.png", access_for_tests(), cookie=f"{COOKIE}={IDA}")
    assert (status, body, headers["cache-control"]) == (200, "steel", "no-store")
    assert asked("/static/a.js", access_for_tests(), cookie=f"{COOKIE}={IDA}")[1]["cache-control"] == "public"


def test_who_has_no_role_is_told_by_what_name_and_can_sign_out() -> None:
    eve = cookie(person("eve@mill.example"))
    status, _, body = asked("/queue", access_for_tests(), cookie=f"{COOKIE}={eve}")
    assert status == 403
    assert "eve@mill.example, who has no role here" in body
    assert 'href="/auth/logout"' in body


def test_while_the_file_is_wrong_nobody_gets_anything_nor_reads_its_path() -> None:
    status, _, body = asked("/", now.Closed("/srv/secrets.toml: damaged"), cookie=f"{COOKIE}={IDA}")
    assert status == 503
    assert "Nobody can be let in now" in body
    assert "/srv" not in body


def test_where_nobody_need_sign_in_all_pass_and_the_browser_is_told_to_ask_no_other_machine() -> None:
    status, headers, body = asked("/media/a.png", None)
    assert (status, body, headers["cache-control"]) == (200, "steel", "public")
    policy = headers["content-security-policy"]
    assert "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval' ws://localhost:8501" in policy
    assert "http" not in policy


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("localhost:8501", True), ("127.0.0.1", True), ("[::1]:8501", True), ("LOCALHOST", True), ("localhost.", True),
        ("evil.example", False), ("localhost.evil.example", False), ("evil@localhost", False), ("localhost/x", False), ("", False),
    ],
)  # fmt: skip
def test_the_inspector_answers_by_its_own_names_alone(host: str, known: bool) -> None:
    assert is_known_host(host, None) == known
    assert asked("/", None, host=host)[0] == (200 if known else 421)


def test_the_inspector_answers_by_the_name_that_the_sign_in_service_sends_people_to() -> None:
    access = Access(SECRET, "https://inspector.mill.example/oauth2callback", Rules())
    assert is_known_host("inspector.mill.example", access)
    assert not is_known_host("inspector.mill.example", None)


def connected(messages: int, access: Any, **headers: str) -> list[dict[str, Any]]:
    """What comes back over a connection that sends so many messages."""
    said: list[dict[str, Any]] = []
    coming = [{"type": "websocket.connect"}] + messages * [{"type": "websocket.receive", "bytes": b"steel"}]

    async def receive() -> dict[str, Any]:
        return coming.pop(0) if coming else {"type": "websocket.disconnect", "code": 1000}

    async def send(message: Any) -> None:
        said.append(message)

    fields = {"host": "localhost:8501"} | headers
    scope = {
        "type": "websocket", "path": "/_stcore/stream", "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in fields.items()],
    }  # fmt: skip
    run(Guard(_app, SignedOut(None), access)(scope, receive, send))
    return said


def test_no_connection_is_made_without_a_cookie() -> None:
    said = connected(1, access_for_tests)
    assert [message["type"] for message in said] == ["websocket.close"]


def test_a_connection_ends_with_the_first_message_after_the_role_is_gone() -> None:
    """The app would send back what came; the window is told to load its page again instead."""
    answers = [access_for_tests(), access_for_tests(), Access(SECRET, f"{ORIGIN}/oauth2callback", Rules())]
    said = connected(2, lambda: answers.pop(0) if len(answers) > 1 else answers[0], cookie=f"{COOKIE}={IDA}")
    kinds = [message["type"] for message in said]
    assert kinds == ["websocket.accept", "websocket.send", "websocket.send", "websocket.close"]
    assert said[1]["bytes"] == b"steel"
    assert said[2]["bytes"] == guard._load_again()


@pytest.mark.parametrize(
    "address",
    ["https://evil.example", "//evil.example", "/\\evil.example", "/a\\b", "/a\nb", "javascript:alert(1)", "evil", "", "/" + 2000 * "a"],
)  # fmt: skip
def test_nobody_is_led_elsewhere_after_signing_in(address: str) -> None:
    assert wanted_page(address) == ""


def test_a_name_with_html_in_it_stays_text() -> None:
    page = bytes(as_page(not_let_in("<img src=x>@a"), "").body).decode()
    assert "<img" not in page
    assert "&lt;img src=x&gt;" in page


# The pages


@pytest.fixture
def open_page(
    secrets: Path, made_data: Manifest, planted_run: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Any:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "verdicts.sqlite"))
    st.cache_resource.clear()  # the store of verdicts is this test's own
    monkeypatch.setattr("sys.argv", ["app/main.py", "--data", str(made_data.root), "--run", str(planted_run)])

    def opened(at: str, **user: Any) -> AppTest:
        from streamlit.util import calc_hash

        page = AppTest.from_file(MAIN, default_timeout=60)
        page._page_hash = calc_hash("" if at == "strip" else at)
        page.query_params.update({"method": "grad_cam", "compare": "none"})
        page.user = user or {"is_logged_in": False}
        return page.run()

    return opened


@pytest.fixture
def open_patch(open_page: Any) -> Any:
    return partial(open_page, "patch")


def words(page: AppTest) -> str:
    parts = [*page.error, *page.info, *page.warning, *page.markdown, *page.caption, *page.subheader]
    return "\n".join(str(part.value) for part in parts)


def test_without_signing_in_no_page_runs(open_patch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.loading.open_data", lambda root: pytest.fail("the page ran"))
    for user in ({}, person("eve@mill.example"), person("ida@mill.example", email_verified=False)):
        page = open_patch(**user)
        assert not page.exception
        assert ("You have not signed in" in words(page)) == (not user)
        assert ("You are not let in" in words(page)) == bool(user)
        assert not page.selectbox


def test_a_viewer_looks_and_is_told_why_there_is_nothing_to_judge_with(open_patch: Any) -> None:
    page = open_patch(**person("vera@mill.example"))
    assert "Patch strip03" in words(page)
    assert "Your role lets you look, but not judge" in words(page)
    assert not page.text_input
    assert "verdict_save" not in [button.key for button in page.button]


@pytest.mark.parametrize("at", ["queue", "strip"])
def test_a_viewer_is_told_why_there_is_no_report_to_take_away(open_page: Any, at: str) -> None:
    for who, may_not in (("vera", True), ("ida", False)):
        page = open_page(at if at == "queue" else "", **person(f"{who}@mill.example"))
        assert ("Your role lets you look, but not take files away" in words(page)) == may_not
        assert ("report pdf" in [button.key for button in page.button]) != may_not


def test_a_viewer_takes_nothing_away_of_new_strips_either(open_page: Any, made_data: Manifest) -> None:
    strip = made_data.patches[0]
    upload = ("a.png", (made_data.root / strip.image).read_bytes(), "image/png")
    for who, may_not in (("vera", True), ("ida", False)):
        page = open_page("new", **person(f"{who}@mill.example"))
        page.file_uploader[0].set_value([upload]).run()
        assert not page.exception
        assert page.dataframe[0].value["file"].tolist() == ["a.png"]
        labels = {one.proto.label for one in page.get("download_button")}
        assert ("Results (CSV)" in labels) != may_not
        assert ("Your role lets you look, but not take files away" in words(page)) == may_not


def test_who_is_no_admin_is_told_who_may_build_the_demo(
    open_page: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["app/main.py"])
    for who, may_build in (("ida", False), ("ada", True)):
        page = open_page("", **person(f"{who}@mill.example"))
        assert "There is nothing to show yet" in words(page)
        assert ("demo_build" in [button.key for button in page.button]) == may_build
        assert ("Only an admin may change this" in words(page)) != may_build


def test_a_viewer_opens_saved_filters_and_saves_none(open_page: Any) -> None:
    page = open_page("queue", **person("vera@mill.example"))
    assert "Your role lets you open saved filters, but not save any" in words(page)
    assert page.selectbox(key="saved filter").options
    assert "filter save" not in [button.key for button in page.button]


def test_an_inspectors_verdict_carries_the_name_that_was_signed_in_with(
    open_patch: Any, tmp_path: Path
) -> None:
    page = open_patch(**person("ida@mill.example"))
    assert not page.text_input  # no name to type
    page.button_group(key="verdict_kind strip03_0").set_value("agree").run()
    page.button(key="verdict_save").click().run()
    entries = open_store(str(tmp_path / "verdicts.sqlite")).entries()
    assert [entry.verdict.reader for entry in entries] == ["ida@mill.example"]


def test_who_lost_the_role_since_the_button_was_drawn_saves_nothing(
    open_patch: Any, secrets: Path, tmp_path: Path
) -> None:
    page = open_patch(**person("ida@mill.example"))
    page.button_group(key="verdict_kind strip03_0").set_value("agree").run()
    secrets.write_text(AUTH + ROLES.replace("Ida@", "nobody@").replace("vera@", "ida@"))
    page.button(key="verdict_save").click().run()
    assert "Your role lets you look, but not judge" in words(page)
    assert open_store(str(tmp_path / "verdicts.sqlite")).head().number == 0


def take_away(secrets: Path, role: str) -> None:
    """Make the viewer of who has a role, while a page of theirs is open."""
    name = {"inspector": "Ida", "admin": "ada"}[role]
    secrets.write_text(AUTH + ROLES.replace(f"{name}@", "nobody@").replace("vera@", f"{name.lower()}@"))


@pytest.mark.parametrize("role", ["kept", "taken away"])
@pytest.mark.parametrize("click", ["save", "replace", "rename", "delete", "back"])
def test_who_lost_the_role_since_the_button_was_drawn_changes_no_saved_filter(
    open_page: Any, secrets: Path, tmp_path: Path, click: str, role: str
) -> None:
    store = open_store(str(tmp_path / "verdicts.sqlite"))
    add(store, SavedFilter("ida@mill.example", "Mine", "label=3"))
    page = open_page("queue", **person("ida@mill.example"))
    if click == "back":
        page.button(key="filter delete").click().run()
    page.text_input(key="filter name").set_value("Another")
    if click != "back":
        page.text_input(key="filter new name").set_value("Renamed")
    before = saved_filters(store)
    if role == "taken away":
        take_away(secrets, "inspector")
    page.button(key=f"filter {click}").click().run()
    assert not page.exception
    assert (saved_filters(store) == before) == (role == "taken away")
    assert ("Your role lets you open saved filters, but not save any" in words(page)) == (
        role == "taken away"
    )


DEMO_STATES = {"build": Idle(), "cancel": AtWork(Reached(1), 0.1, 60.0)}
"""In which each button is drawn."""


@pytest.mark.parametrize("role", ["kept", "taken away"])
@pytest.mark.parametrize("click", DEMO_STATES)
def test_who_lost_the_role_since_the_button_was_drawn_builds_and_cancels_no_demo(
    open_page: Any, secrets: Path, monkeypatch: pytest.MonkeyPatch, click: str, role: str
) -> None:
    done: list[str] = []
    monkeypatch.setattr(Building, "state", lambda building: DEMO_STATES[click])
    monkeypatch.setattr(Building, "begin", lambda building: done.append("build"))
    monkeypatch.setattr(Building, "cancel", lambda building: done.append("cancel"))
    monkeypatch.chdir(secrets.parent)
    monkeypatch.setattr("sys.argv", ["app/main.py"])
    page = open_page("", **person("ada@mill.example"))
    if role == "taken away":
        take_away(secrets, "admin")
    page.button(key=f"demo_{click}").click().run()
    assert not page.exception
    assert done == ([click] if role == "kept" else [])


def test_who_lost_the_role_since_the_button_was_drawn_gets_no_file_of_new_strips(
    open_page: Any, made_data: Manifest, secrets: Path, made_on_click: dict[str, Callable[[], Any]]
) -> None:
    upload = ("a.png", (made_data.root / made_data.patches[0].image).read_bytes(), "image/png")
    wrong = ("b.png", b"no image", "image/png")
    page = open_page("new", **person("ida@mill.example"))
    page.file_uploader[0].set_value([upload, wrong]).run()
    page.run()
    with ThreadPoolExecutor(1) as thread:
        for kind, name in ((".csv", "a.png"), ("_not_taken.csv", "b.png"), (".html", "b.png")):
            content = thread.submit(made_on_click.pop(f"new_strips{kind}")).result()
            assert name in (content if isinstance(content, str) else content.decode())
        assert made_on_click.keys() == {"new_strips.pdf"}
    page.run()
    take_away(secrets, "inspector")
    refuses(made_on_click, "new_strips.csv", "new_strips_not_taken.csv", "new_strips.pdf", "new_strips.html")


def refuses(made_on_click: dict[str, Callable[[], Any]], *files: str) -> None:
    assert made_on_click.keys() == set(files)
    with ThreadPoolExecutor(1) as thread:
        for make in made_on_click.values():
            with pytest.raises(PermissionError, match="Your role lets you look, but not take files away"):
                thread.submit(make).result()


def test_all_verdicts_are_a_file_for_who_may_take_files_away(
    open_page: Any, secrets: Path, tmp_path: Path, made_on_click: dict[str, Callable[[], Any]]
) -> None:
    seen = Seen("strip03_0", "strip03", "a" * 64, 0, "", None, (), blind=True)
    open_store(str(tmp_path / "verdicts.sqlite")).append(
        Verdict(Kind.AGREE, "björn", datetime.now(UTC), seen)
    )
    page = open_page("overview", **person("vera@mill.example"))
    assert "Your role lets you look, but not take files away" in words(page)
    assert not made_on_click
    open_page("overview", **person("ida@mill.example"))
    with ThreadPoolExecutor(1) as thread:
        assert '"björn","agree"' in thread.submit(made_on_click["verdicts.csv"]).result().decode()
    take_away(secrets, "inspector")
    refuses(made_on_click, "verdicts.csv")


@pytest.mark.parametrize("at", ["queue", "strip"])
def test_who_lost_the_role_since_the_button_was_drawn_gets_no_report(
    open_page: Any, secrets: Path, at: str
) -> None:
    for role in ("kept", "taken away"):
        page = open_page(at if at == "queue" else "", **person("ida@mill.example"))
        if role == "taken away":
            take_away(secrets, "inspector")
        page.button(key="report html").click().run()
        assert not page.exception
        saves = [one.proto.label for one in page.get("download_button")]
        assert any(label.startswith("Save ") for label in saves) == (role == "kept")


def test_a_path_elsewhere_is_told_by_its_name_alone() -> None:
    data = Path("/data/my set")
    kept = "/data/my set/images/a_0.png: damaged"
    assert without_folders(kept, [data]) == kept
    for text in ("/data/my set/../../etc/shadow", "/data/my setx/shadow", "~root/shadow", "file:///etc/shadow", "'/etc/shadow'",
                 "//etc/shadow", "\ue0000\ue000/etc/shadow", "/home/My Folder/shadow", "a\\..\\..\\etc\\shadow", "D:\\etc\\shadow"):  # fmt: skip
        shown = without_folders(text, [data])
        assert shown.strip("'").endswith("…/shadow"), shown
        assert "etc" not in shown.replace("data", ""), shown
        assert "home" not in shown
