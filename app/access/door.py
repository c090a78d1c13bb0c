"""Who is at the page now, and what they may do: the pages ask here.

Where no sign-in service is configured everybody at this computer may do everything. Where one is, each page asks anew, so that a role that
is taken away is gone with the next click.
"""

import functools
import logging
from dataclasses import dataclass
from html import escape
from pathlib import Path

import streamlit as st
from streamlit import config

from app.access.answers import LOGOUT, SIGN_IN, base_path
from app.access.roles import Right, Visitor, visitor_from
from app.access.settings import Access, read_access
from app.messages import NO_ROLE, NOBODY_LET_IN, NOT_SIGNED_IN, problem
from severstal_xai.errors import InputError

_LOG = logging.getLogger(__name__)
_WHY_NOT = {
    Right.JUDGE: "Your role lets you look, but not judge: ask who runs the inspector to make you an inspector.",
    Right.EXPORT: "Your role lets you look, but not take files away: ask who runs the inspector to make you an inspector.",
    Right.CONFIGURE: "Only an admin may change this: ask who runs the inspector.",
}


@dataclass(frozen=True)
class Closed:
    """Nobody is let in: what says who may is missing or wrong.

    Args:
        reason: Why, for the log; it may name a path.
    """

    reason: str


def access_now() -> Access | Closed | None:
    """Return how people sign in and who may do what, as the files say now; None where they need not sign in."""
    found = _access_of_the_files()
    if found is None and must_sign_in():
        return Closed("the sections auth and access were there when the inspector started, and are gone")
    return found


@functools.cache
def must_sign_in() -> bool:
    """Tell whether people had to sign in when this was asked first, at the start: what was closed no later change opens."""
    return _access_of_the_files() is not None


def noted_beside_the_secrets() -> Path:
    """Return the file where it is noted who has signed out."""
    files = _secrets_files()
    return next((path for path in reversed(files) if path.is_file()), files[-1]).with_name("signed_out.txt")


def _secrets_files() -> tuple[Path, ...]:
    return tuple(Path(name).expanduser() for name in config.get_option("secrets.files"))


def _access_of_the_files() -> Access | Closed | None:
    files = _secrets_files()
    return _read(files, int(config.get_option("server.port")), tuple(map(_stamp, files)))


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None  # the reader says what is wrong
    return status.st_size, status.st_mtime_ns


@functools.lru_cache(maxsize=1)
def _read(
    files: tuple[Path, ...],
    port: int,
    stamps: tuple[tuple[int, int] | None, ...],  # noqa: ARG001 (part of the cache's key)
) -> Access | Closed | None:
    try:
        return read_access(files, port)
    except InputError as error:
        _LOG.error("nobody is let in: %s", error)
        return Closed(str(error))


def visitor_now() -> Visitor | None:
    """Return who has signed in; None where nobody has, or need not."""
    access = access_now()
    if not isinstance(access, Access) or not st.user.get("is_logged_in"):
        return None
    return visitor_from(st.user.to_dict(), access.rules)


def is_let_in() -> bool:
    """Tell whether the visitor may look at all."""
    if access_now() is None:
        return True
    visitor = visitor_now()
    return visitor is not None and visitor.role is not None


def may(right: Right) -> bool:
    """Tell whether whoever looks at the page may do it."""
    if access_now() is None:
        return True
    visitor = visitor_now()
    return visitor is not None and visitor.may(right)


def visitor_name() -> str | None:
    """Return what the visitor's verdicts are signed with; None where nobody signs in and a name is typed."""
    visitor = visitor_now()
    return visitor.name if visitor else None


def why_not(right: Right) -> str:
    """Return in a sentence why the visitor may not do it, and what helps.

    Example:
        >>> why_not(Right.JUDGE)
        'Your role lets you look, but not judge: ask who runs the inspector to make you an inspector.'
    """
    return _WHY_NOT[right]


def say_why_not_let_in() -> None:
    """Say in place of every page that the visitor must sign in, or is not let in.

    The guard says so before, to whoever comes; this is for who was let in and is not any more, and where the guard does not stand.
    """
    visitor = visitor_now()
    if isinstance(access_now(), Closed):
        problem(NOBODY_LET_IN)
    elif visitor is None:
        problem(NOT_SIGNED_IN)
        _link("Sign in", SIGN_IN)
    else:
        problem(NO_ROLE, f"You have signed in as {visitor.name}.")
        _link("Sign out", LOGOUT)


def draw_visitor() -> None:
    """Draw who has signed in, what they are, and the way out; nothing where nobody need sign in."""
    visitor = visitor_now()
    if visitor is None or visitor.role is None:
        return
    st.html(
        f'<p style="margin: 0; font-size: 0.85rem; overflow-wrap: anywhere;" title="Signing out ends your visit in all windows of this browser.">'
        f"Signed in as <b>{escape(visitor.name)}</b>, {visitor.role}. "
        f'<a href="{escape(base_path() + LOGOUT)}" target="_self" style="color: inherit;">Sign out</a></p>'
    )  # a link works though the page is busy


def _link(words: str, path: str) -> None:
    st.html(f'<a href="{escape(base_path() + path)}" target="_self">{escape(words)}</a>')
