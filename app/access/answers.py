"""What the inspector says to who is not let in: pages of its own, plain HTML that asks for nothing else."""

from dataclasses import dataclass
from html import escape
from urllib.parse import quote

from starlette.responses import HTMLResponse, PlainTextResponse, Response
from streamlit import config

SIGN_IN = "/sign-in"
"""Begins the signing in; ours."""
LOGOUT = "/auth/logout"
"""Streamlit's."""
NEXT = "next"
"""Where to go after signing in, in the address of `SIGN_IN`."""
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; base-uri 'none'"
)
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Steel inspector</title>
<link rel="icon" href="data:,">
<style>
body {{ margin: 0; min-height: 100vh; display: grid; place-content: center; background: #eef0f2; color: #22272b;
  font: 1rem/1.5 system-ui, 'Segoe UI', 'Liberation Sans', sans-serif; }}
main {{ width: min(26rem, 90vw); box-sizing: border-box; padding: 2rem; background: #fff; border: 1px solid #c9ced3; border-radius: 4px; }}
h1 {{ margin: 0 0 0.3rem; font-size: 0.9rem; font-weight: 600; color: #5b646c; }}
h2 {{ margin: 0 0 0.8rem; font-size: 1.35rem; line-height: 1.3; }}
p {{ margin: 0 0 1.2rem; overflow-wrap: anywhere; }}
a {{ display: inline-block; padding: 0.45rem 1rem; border-radius: 4px; background: #2f5d7c; color: #fff; text-decoration: none; }}
a:focus-visible {{ outline: 3px solid #9cc3dd; outline-offset: 2px; }}
</style>
</head>
<body><main><h1>Steel inspector</h1><h2>{title}</h2><p>{text}</p>{link}</main></body>
</html>
"""


@dataclass(frozen=True)
class Answer:
    """What is said.

    Args:
        status: HTTP's.
        title: What is the matter, in a few words.
        text: What to do next.
        action: What the link says; empty where nothing can be done here.
        target: Where the link leads.
    """

    status: int
    title: str
    text: str
    action: str = ""
    target: str = ""


ASK = Answer(
    401,
    "Please sign in",
    "The inspector shows nothing before. You are taken to your company's sign-in, and back to the page that you asked for.",
    "Sign in",
    SIGN_IN,
)
SIGNED_OUT = Answer(
    200,
    "You have signed out",
    "On a computer that others use, close the browser's windows, too.",
    "Sign in again",
    SIGN_IN,
)
FAILED = Answer(
    401,
    "Signing in did not work",
    "It was broken off, took too long, or was begun in another window. Try again; if it fails again, ask who runs the inspector: its log "
    "says why.",
    "Try again",
    SIGN_IN,
)
AWAY = Answer(
    502,
    "The sign-in service does not answer",
    "So nobody can sign in now. Try again in a minute; if it stays so, ask who runs the inspector: its log says why.",
    "Try again",
    SIGN_IN,
)
CLOSED = Answer(
    503,
    "Nobody can be let in now",
    "What says who may use the inspector is missing or wrong. Ask who runs it: its log says what is wrong, and so does "
    "python -m app.access check.",
)
WRONG_HOST = Answer(
    421,
    "The inspector does not answer by this name",
    "It answers on this computer alone, at http://localhost. Who wants it to answer by another name starts it with "
    "`--server.allowedHosts NAME`.",
)


def base_path() -> str:
    """Return what stands before every path: empty unless the inspector is not at the top of its address."""
    base = str(config.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{base}" if base else ""


def not_let_in(name: str) -> Answer:
    """Return what is said to a person whom the sign-in service knows and the inspector does not."""
    return Answer(
        403,
        "You are not let in",
        f"You have signed in as {name}, who has no role here. Ask who runs the inspector for one, or sign in as somebody else.",
        "Sign out",
        LOGOUT,
    )


def as_page(answer: Answer, base: str, wanted: str = "") -> Response:
    """Return an answer for a browser's window.

    Args:
        answer: What is said.
        base: What stands before every path of the inspector's; empty as a rule.
        wanted: The page that was asked for, to come back to.
    """
    target = base + answer.target + (f"?{NEXT}={quote(wanted, safe='')}" if wanted else "")
    link = f'<a href="{escape(target)}">{escape(answer.action)}</a>' if answer.action else ""
    page = _PAGE.format(title=escape(answer.title), text=escape(answer.text), link=link)
    return HTMLResponse(
        page, answer.status, {"Cache-Control": "no-store", "Content-Security-Policy": _POLICY}
    )


def as_line(answer: Answer) -> Response:
    """Return an answer for a program, or for a part of a page."""
    return PlainTextResponse(f"{answer.title}.", answer.status, {"Cache-Control": "no-store"})
