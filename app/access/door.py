"""Who is at the page now, and what they may do: the pages ask here.

Where no sign-in service is configured everybody at this computer may do everything. Where one is, each page asks anew, so that a role that
is taken away is gone with the next click.
"""

import functools
import logging
from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from streamlit import config

from app.access.roles import Right, Visitor, visitor_from
from app.access.settings import Access, read_access
from severstal_xai.errors import InputError

_LOG = logging.getLogger(__name__)


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


def _access_of_the_files() -> Access | Closed | None:
    files = tuple(Path(name).expanduser() for name in config.get_option("secrets.files"))
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
    if not isinstance(access, Access) or not st.user.is_logged_in:
        return None
    return visitor_from(st.user.to_dict(), access.rules)


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
