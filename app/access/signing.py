"""Signing in and out: Streamlit does it, and this says what came of it in words, leads back, and notes who has left."""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive
from streamlit.auth_util import encode_provider_token

from app.access.answers import AWAY, FAILED, LOGOUT, NEXT, SIGN_IN, SIGNED_OUT, as_page
from app.access.settings import CALLBACK, Access
from app.access.signed_out import SignedOut
from app.access.tickets import COOKIE, ticket_of

LOGIN = "/auth/login"
"""Streamlit's: leads to the sign-in service."""
PATHS = (SIGN_IN, LOGIN, LOGOUT, CALLBACK)
_WANTED = "severstal_xai_wanted"
"""The cookie that holds the page to come back to."""
_PATIENCE = 600
"""Seconds that signing in may take."""
_OWN_PAGE = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]{0,1900}")
"""A path of the inspector's: nothing that a browser takes for another server."""


@dataclass(frozen=True)
class Signing:
    """Answers requests for one of `PATHS`.

    Args:
        app: Streamlit, which does the signing in.
        signed_out: Where it is noted who has signed out.
    """

    app: ASGIApp
    signed_out: SignedOut

    async def answer(
        self, path: str, base: str, request: HTTPConnection, receive: Receive, access: Access
    ) -> Response:
        """Return the answer to a request.

        Args:
            path: Which of `PATHS`.
            base: What stands before every path.
            request: The request.
            receive: Its body.
            access: How people sign in.
        """
        if path == SIGN_IN:
            return _begin(base, request, access)
        if path == LOGOUT:
            ticket = ticket_of(request.cookies, access)
            if ticket is not None:
                self.signed_out.add(ticket.fingerprint)
        said = await _asked(self.app, request, receive)
        if path == LOGIN and said.status_code >= 400:
            return as_page(AWAY, base)
        if path != CALLBACK:
            return said
        if _is_signed_in(said):
            return _led_back(said, base, request, access)
        begun = "state" in request.query_params or "error" in request.query_params
        return _with_cookies_of(said, as_page(FAILED if begun else SIGNED_OUT, base))


def wanted_page(text: str) -> str:
    r"""Return a page of the inspector's to go to; empty for what is none, or might lead elsewhere.

    Example:
        >>> wanted_page("/patch?patch=a_0"), wanted_page("//evil.example"), wanted_page("/\\evil.example"), wanted_page("https://a")
        ('/patch?patch=a_0', '', '', '')
    """
    return text if _OWN_PAGE.fullmatch(text) else ""


def _begin(base: str, request: HTTPConnection, access: Access) -> Response:
    """Lead to the sign-in service, and note where to come back to."""
    to = RedirectResponse(f"{base}{LOGIN}?provider={quote(encode_provider_token('default'))}", 302)
    wanted = wanted_page(request.query_params.get(NEXT, ""))
    secure = access.redirect_uri.startswith("https:")
    if wanted:
        to.set_cookie(
            _WANTED, quote(wanted, safe=""), _PATIENCE, httponly=True, samesite="lax", secure=secure
        )
    else:
        to.delete_cookie(_WANTED)
    to.headers["Cache-Control"] = "no-store"
    return to


async def _asked(app: ASGIApp, request: HTTPConnection, receive: Receive) -> Response:
    """Return what the app answers."""
    status, body, headers = 500, b"", list[tuple[bytes, bytes]]()

    async def keep(message: Message) -> None:
        nonlocal status, body, headers
        if message["type"] == "http.response.start":
            status, headers = message["status"], list(message["headers"])
        elif message["type"] == "http.response.body":
            body += message.get("body", b"")

    await app(request.scope, receive, keep)
    said = Response(body, status)
    said.raw_headers = headers
    said.headers["Cache-Control"] = "no-store"
    return said


def _cookies_set(said: Response) -> list[str]:
    return [value.decode("latin-1") for name, value in said.raw_headers if name.lower() == b"set-cookie"]


def _is_signed_in(said: Response) -> bool:
    """Tell whether the answer hands out a ticket; a cookie that is taken back has no value."""
    return any(re.match(rf'{COOKIE}=[^;"\s]', cookie) for cookie in _cookies_set(said))


def _led_back(said: Response, base: str, request: HTTPConnection, access: Access) -> Response:
    """Return the answer that hands out the ticket, so that it leads to the page that was asked for."""
    wanted = wanted_page(unquote(request.cookies.get(_WANTED, "")))
    to = RedirectResponse(f"{base}{wanted}" if wanted else f"{base}/", 302)
    to.delete_cookie(_WANTED)
    encrypted = access.redirect_uri.startswith("https:")
    for cookie in _cookies_set(said):
        to.raw_headers.append((b"set-cookie", (cookie + ("; Secure" if encrypted else "")).encode("latin-1")))
    to.headers["Cache-Control"] = "no-store"
    return to


def _with_cookies_of(said: Response, page: Response) -> Response:
    page.raw_headers.extend((b"set-cookie", cookie.encode("latin-1")) for cookie in _cookies_set(said))
    return page
