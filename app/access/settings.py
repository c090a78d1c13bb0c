"""Whether people must sign in, where, and who has which role: the sections `auth` and `access` of `app/.streamlit/secrets.toml`.

`auth` is Streamlit's, for `st.login`; it is read when the inspector starts. `access` is ours, and read anew whenever it was changed.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from app.access.roles import Members, Role, Rules
from severstal_xai.errors import InputError, about, check_range

CALLBACK = "/oauth2callback"
"""Where the sign-in service sends people back to; Streamlit's."""
REFUSED = "refused"
_SHORTEST_SECRET = 32
"""In characters."""
_MOST_HOURS = 24 * 30
"""Streamlit's cookie lasts no longer."""
LOCAL = {"localhost", "127.0.0.1", "::1"}
_AUTH = ("redirect_uri", "cookie_secret", "client_id", "client_secret", "server_metadata_url")
_AUTH_BESIDES = ("client_kwargs",)
_ACCESS = ("others", "hours", "groups_claim", "unverified_emails", *Role)


@dataclass(frozen=True)
class Access:
    """How people sign in, and who may do what.

    Args:
        cookie_secret: What the cookies are signed with.
        redirect_uri: Where the sign-in service sends people back to, in the inspector.
        rules: Who has which role.
        hours: How long after it was begun a visit ends.
    """

    cookie_secret: str
    redirect_uri: str
    rules: Rules
    hours: float = 12.0

    @property
    def origin(self) -> str:
        """Return the inspector's address, without anything after the host."""
        address = urlsplit(self.redirect_uri)
        return f"{address.scheme}://{address.netloc}"


def read_access(files: Sequence[Path], port: int) -> Access | None:
    """Return how people sign in; None where they need not.

    Args:
        files: The files of secrets, as Streamlit reads them: where several have a section, the last one's counts.
        port: The inspector's, for `{port}` in its address.

    Raises:
        InputError: A file cannot be read, or says something that is not understood. Then nobody is to be let in.
    """
    sections: dict[str, tuple[Path, Any]] = {}
    for path in files:
        sections |= {name: (path, value) for name, value in _parse(path).items()}
    if "auth" not in sections:
        if "access" in sections:
            raise InputError(f"{sections['access'][0]}: access without auth, expected both or neither")
        return None
    path, auth = sections["auth"]
    with about(f"{path}: auth"):
        secret, address = _auth(auth, port)
    if "access" not in sections:
        raise InputError(f"{path}: auth without access, expected a section that says who has which role")
    path, access = sections["access"]
    with about(f"{path}: access"):
        return Access(secret, address, *_access(access))


def _parse(path: Path) -> Mapping[str, Any]:
    try:
        if not path.exists():
            return {}
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path}: {_reason(error)}, expected a TOML file") from error


def _reason(error: Exception) -> str:
    return (error.strerror or "cannot be read") if isinstance(error, OSError) else str(error)


def _auth(section: Any, port: int) -> tuple[str, str]:
    _check_keys(section, (*_AUTH, *_AUTH_BESIDES))
    for name in _AUTH:
        if not isinstance(section.get(name), str) or not section[name]:
            raise InputError(f"{name}: missing or empty, expected text")
    if len(section["cookie_secret"]) < _SHORTEST_SECRET:
        raise InputError(
            f"cookie_secret: {len(section['cookie_secret'])} characters, expected {_SHORTEST_SECRET} or more, made by chance "
            "(`python -m app.access init` makes them)"
        )
    address = section["redirect_uri"].replace("{port}", str(port))
    _check_address("redirect_uri", address)
    _check_address("server_metadata_url", section["server_metadata_url"])
    if urlsplit(address).path[-len(CALLBACK) :] != CALLBACK:
        raise InputError(f"redirect_uri {address}, expected an address that ends in {CALLBACK}")
    return section["cookie_secret"], address


def _check_address(name: str, address: str) -> None:
    """Refuse an address over which others could read along: encrypted, unless it stays on this machine."""
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError as error:
        raise InputError(f"{name} {address}: not an address, expected https://…") from error
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and host in LOCAL)):
        raise InputError(f"{name} {address}, expected https://… (http://… on this machine alone)")


def _access(section: Any) -> tuple[Rules, float]:
    _check_keys(section, _ACCESS)
    others = _taken(section, "others", str, "text")
    if others not in {Role.VIEWER, REFUSED}:
        raise InputError(f"others {others!r}, expected {Role.VIEWER} or {REFUSED}")
    hours = _taken(section, "hours", int | float, "a number", 12)
    check_range("hours", hours, 0, _MOST_HOURS, above=True)
    rules = Rules(
        {role: _members(role, section[role]) for role in Role if role in section},
        None if others == REFUSED else Role.VIEWER,
        _taken(section, "groups_claim", str, "text", "groups"),
        _taken(section, "unverified_emails", bool, "true or false", usual=False),
    )
    return rules, float(hours)


def _taken(section: Mapping[str, Any], name: str, kind: Any, words: str, usual: Any = None) -> Any:
    value = section.get(name, usual)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise InputError(f"{name} {value!r}, expected {words}")
    return value


def _members(role: Role, section: Any) -> Members:
    with about(role):
        _check_keys(section, ("emails", "groups"))
        return Members(_texts(section, "emails"), _texts(section, "groups"))


def _texts(section: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = section.get(name, [])
    if not isinstance(value, list) or not all(
        isinstance(one, str) and one.strip() == one != "" for one in value
    ):
        raise InputError(f'{name} {value!r}, expected a list of texts such as ["ada@mill.example"]')
    return tuple(value)


def _check_keys(section: Any, known: Sequence[str]) -> None:
    if not isinstance(section, dict):
        raise InputError(f"{section!r}, expected a section")
    unknown = [name for name in section if name not in known]
    if unknown:
        raise InputError(f"{unknown[0]}: not known, expected one of {', '.join(known)}")
