"""Who is at the page, and what they may do: the pages ask here.

Where no sign-in service is configured everybody at this computer may do everything. Where one is, each page asks anew, so that a role that
is taken away is gone with the next click.
"""

from collections.abc import Callable, Mapping
from html import escape
from typing import Any, TypeVar

import streamlit as st

from app.access.answers import LOGOUT, SIGN_IN, base_path
from app.access.now import Closed, access_now
from app.access.roles import Right, Visitor, visitor_from
from app.access.settings import Access
from app.messages import NO_ROLE, NOBODY_LET_IN, NOT_SIGNED_IN, problem

_WHY_NOT = {
    Right.JUDGE: "Your role lets you look, but not judge: ask who runs the inspector to make you an inspector.",
    Right.EXPORT: "Your role lets you look, but not take files away: ask who runs the inspector to make you an inspector.",
    Right.CONFIGURE: "Only an admin may change this: ask who runs the inspector.",
}
File = TypeVar("File")


def visitor_now() -> Visitor | None:
    """Return who has signed in; None where nobody has, or need not."""
    return _visitor(st.user.to_dict())


def _visitor(claims: Mapping[str, Any]) -> Visitor | None:
    """Return who it is of whom the sign-in service said this, by the rules as they are now."""
    access = access_now()
    if not isinstance(access, Access) or not claims.get("is_logged_in"):
        return None
    return visitor_from(claims, access.rules)


def is_let_in() -> bool:
    """Tell whether the visitor may look at all."""
    if access_now() is None:
        return True
    visitor = visitor_now()
    return visitor is not None and visitor.role is not None


def may(right: Right) -> bool:
    """Tell whether whoever looks at the page may do it."""
    return _may(right, st.user.to_dict())


def _may(right: Right, claims: Mapping[str, Any]) -> bool:
    if access_now() is None:
        return True
    visitor = _visitor(claims)
    return visitor is not None and visitor.may(right)


def while_may(right: Right, make: Callable[[], File]) -> Callable[[], File]:
    """Return what makes a file for whoever looks at the page, as long as they may.

    Streamlit has the file of a download made when it is clicked, in a thread that knows no visitor and asks no page. So who it is for
    is held here, and the right is asked for anew.

    Args:
        right: What it takes.
        make: Makes the file.

    Returns:
        What makes it too, and raises PermissionError where they may not any more.
    """
    claims = st.user.to_dict()

    def made() -> File:
        if not _may(right, claims):
            raise PermissionError(why_not(right))
        return make()

    return made


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
