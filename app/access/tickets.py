"""The cookie that Streamlit gives who has signed in: whose it is, and whether it still counts."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from streamlit.auth_util import get_cookie_with_chunks
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from app.access.settings import Access

COOKIE = USER_COOKIE_NAME


@dataclass(frozen=True)
class Ticket:
    """A cookie that was signed by this inspector and is not too old.

    Args:
        claims: What the sign-in service says of the person.
        fingerprint: Names the ticket without being one.
    """

    claims: Mapping[str, Any]
    fingerprint: str


def ticket_of(cookies: Mapping[str, str], access: Access) -> Ticket | None:
    """Return the ticket among a request's cookies; None where there is none that counts."""
    read: list[str] = []

    def content(name: str) -> bytes | None:
        value = cookies.get(name, "")
        read.append(value)
        signed = value.encode("latin-1", "replace")
        return decode_signed_value(access.cookie_secret, name, signed, access.hours / 24)

    said = get_cookie_with_chunks(content, COOKIE)
    if said is None:
        return None
    try:
        claims = json.loads(said)
    except ValueError:
        return None
    if (
        not isinstance(claims, dict)
        or claims.get("origin") != access.origin
        or not claims.get("is_logged_in")
    ):
        return None
    return Ticket(claims, _fingerprint(read))


def _fingerprint(values: Sequence[str]) -> str:
    """Return a hash of what is signed in a cookie, or in the parts of a long one, and of nothing that was put beside it.

    Of a signature itself there are many spellings, all of them good.
    """
    signed = [value.rpartition(".")[0] for value in values]
    return hashlib.sha256("\n".join(signed).encode()).hexdigest()
