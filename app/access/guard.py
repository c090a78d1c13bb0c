"""The guard before every request: page, file, download, upload and connection.

Streamlit's own `st.login` guards what a script draws and nothing else: whoever has the address of a picture or of a download gets it, the
program of the pages is sent to everybody, and a session begins before anybody has signed in. So this stands before all of it.
"""

import asyncio
from collections.abc import Callable, Mapping
from urllib.parse import quote

from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import config
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from app.access import signing
from app.access.answers import ASK, CLOSED, WRONG_HOST, Answer, as_line, as_page, base_path, not_let_in
from app.access.hosts import is_known_host
from app.access.now import Closed, access_now, must_sign_in, noted_beside_the_secrets
from app.access.roles import visitor_from
from app.access.settings import Access
from app.access.signed_out import SignedOut
from app.access.tickets import ticket_of

HEALTH = "/_stcore/health"
"""Says that the inspector runs, and nothing else: to everybody."""
NO_ADDRESS = (
    "server.address: not set, expected 127.0.0.1 for this computer alone, as app/.streamlit/config.toml has it, or another after "
    "--server.address"
)
_NO_PAGES = ("/_stcore/", "/media/", "/component/", "/static/")
"""What a browser asks for in the course of a page: the answer is no page."""
_GOING_AWAY, _POLICY_VIOLATION = 1001, 1008
"""Why a connection is closed, in the numbers of RFC 6455."""
_LEAVING = 3.0
"""Seconds."""
_CAREFUL = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "SAMEORIGIN",
}


class Guard:
    """Lets pass who may, and answers the others.

    Args:
        app: What is guarded, by ASGI.
        signed_out: Whose tickets count no more.
        access: Says how people sign in now.
    """

    def __init__(
        self, app: ASGIApp, signed_out: SignedOut, access: Callable[[], Access | Closed | None] = access_now
    ) -> None:
        self._app = app
        self._signed_out = signed_out
        self._signing = signing.Signing(app, signed_out)
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        request, base = HTTPConnection(scope), base_path()
        path, access = scope["path"].removeprefix(base), self._access()
        if not is_known_host(request.headers.get("host"), access):
            await _say(WRONG_HOST, request, receive, send)
        elif access is None or path == HEALTH:
            await self._app(scope, receive, _careful(send, request))
        elif isinstance(access, Closed):
            await _say(CLOSED, request, receive, send)
        elif path in signing.PATHS and scope["type"] == "http":
            answer = await self._signing.answer(path, base, request, receive, access)
            await answer(scope, receive, send)
        elif refusal := self._refusal(request.cookies, access):
            await _say(refusal, request, receive, send)
        elif scope["type"] == "websocket":
            await self._watched(request.cookies, receive, send, scope)
        else:
            await self._app(scope, receive, _careful(send, request, private=not path.startswith("/static/")))

    def _refusal(self, cookies: Mapping[str, str], access: Access) -> Answer | None:
        """Return what to say to who may not pass; None to who may."""
        ticket = ticket_of(cookies, access)
        if ticket is None or ticket.fingerprint in self._signed_out:
            return ASK
        visitor = visitor_from(ticket.claims, access.rules)
        if visitor is None:
            return not_let_in("somebody without a name")
        return None if visitor.role else not_let_in(visitor.name)

    def _has_signed_out(self, cookies: Mapping[str, str]) -> bool:
        access = self._access()
        ticket = ticket_of(cookies, access) if isinstance(access, Access) else None
        return ticket is not None and ticket.fingerprint in self._signed_out

    def _is_still_let_in(self, cookies: Mapping[str, str]) -> bool:
        access = self._access()
        return isinstance(access, Access) and self._refusal(cookies, access) is None

    async def _watched(self, cookies: Mapping[str, str], receive: Receive, send: Send, scope: Scope) -> None:
        """Hand a connection on until its ticket counts no more: what comes after is not read, and the window is sent to sign in."""
        over = False

        async def next_message() -> Message:
            nonlocal over
            message = await receive()
            if message["type"] != "websocket.receive" or self._is_still_let_in(cookies):
                return message
            if self._has_signed_out(cookies) and await _leaves(receive):
                return {"type": "websocket.disconnect", "code": _GOING_AWAY}
            await send({"type": "websocket.send", "bytes": _load_again()})
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
            over = True
            return {"type": "websocket.disconnect", "code": _POLICY_VIOLATION}

        async def send_while_open(message: Message) -> None:
            if not over:
                await send(message)

        await self._app(scope, next_message, send_while_open)


async def _leaves(receive: Receive) -> bool:
    """Tell whether a window goes by itself, as the one does in which somebody has just signed out.

    It is on its way to the sign-in service then, and to be told to load its page again would call it back.
    """
    try:
        async with asyncio.timeout(_LEAVING):
            while (await receive())["type"] != "websocket.disconnect":
                pass  # what it says on its way is not read
    except TimeoutError:
        return False
    return True


def guards() -> list[Middleware]:
    """Return what `st.App` puts before all that it serves.

    Streamlit opens its port before it asks for this: for all networks where no address is set. So nothing is served then.

    Raises:
        SystemExit: It is not said at which of this computer's addresses to serve.
    """
    if not config.get_option("server.address"):
        raise SystemExit(NO_ADDRESS)
    kept = noted_beside_the_secrets() if must_sign_in() else None
    return [Middleware(Guard, signed_out=SignedOut(kept))]


async def _say(answer: Answer, request: HTTPConnection, receive: Receive, send: Send) -> None:
    """Answer who may not pass: a window by a page, which leads back to what was asked for, all else by a line."""
    scope = request.scope
    if scope["type"] == "websocket":
        await receive()  # the wish to connect
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
        return
    base, path = base_path(), scope["path"]
    is_page = "text/html" in request.headers.get("accept", "") and not path.startswith(
        tuple(base + part for part in _NO_PAGES)
    )
    said = (
        as_page(answer, base, _wanted(request, base) if answer is ASK else "") if is_page else as_line(answer)
    )
    await said(scope, receive, send)


def _wanted(request: HTTPConnection, base: str) -> str:
    """Return the page that was asked for, as an address of the inspector's; empty for the first page, where one comes to anyway."""
    query = request.scope["query_string"].decode("latin-1")
    page = quote(request.scope["path"].removeprefix(base), safe="/") + (f"?{query}" if query else "")
    return "" if page == "/" else signing.wanted_page(page)


def _careful(send: Send, request: HTTPConnection, *, private: bool = False) -> Send:
    """Return what sends an answer with word to the browser: ask no other machine for anything, and be no part of another's page.

    Args:
        send: What sends it.
        request: What is answered.
        private: Whether the browser must keep no copy: the next person at this computer could read it.
    """
    host = request.headers.get("host", "")
    own = f"'self' data: blob: 'unsafe-inline' 'unsafe-eval' ws://{host} wss://{host}"
    policy = (
        f"default-src {own}; frame-ancestors 'self'; base-uri 'self'; object-src 'none'; form-action 'self'"
    )

    async def send_carefully(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update(_CAREFUL)
            headers["Content-Security-Policy"] = policy
            if private:
                headers["Cache-Control"] = "no-store"
        await send(message)

    return send_carefully


def _load_again() -> bytes:
    """Return the message that makes a window load its page again; it then meets the guard."""
    message = ForwardMsg()
    message.auth_redirect.url = ""
    return bytes(message.SerializeToString())
