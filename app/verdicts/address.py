"""Where the verdicts are: one address, of a SQLite file or of a PostgreSQL database; passwords stay out of messages."""

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from severstal_xai.errors import InputError

VARIABLE = "SEVERSTAL_XAI_VERDICTS"
"""The environment's variable that names the address."""
DEFAULT = Path("verdicts") / "verdicts.sqlite"
"""Not in a run folder: a verdict is about the data, outlives a run, and names the weights that were in use."""
_EXPECTED = "expected the path of a file, or postgresql://USER@HOST/DATABASE"
_SECRET = {"password", "passfile", "sslpassword"}
_POSTGRESQL = {"postgresql", "postgres", "postgresql+psycopg"}


def address_of(given: str | None, environment: Mapping[str, str] = os.environ) -> URL:
    """Return the store's address: the one that is given, else the environment's, else that of the usual file.

    Args:
        given: The path of a SQLite file, `sqlite:///PATH`, or `postgresql://USER:PASSWORD@HOST/DATABASE`; PostgreSQL's
            own ways to a password (`PGPASSWORD`, `~/.pgpass`) keep it off the command line.
        environment: The process's.

    Raises:
        InputError: It is no such address; the message holds nothing of it that could be a password.

    Example:
        >>> address_of("postgresql://anna@db/steel", {}).drivername
        'postgresql+psycopg'
        >>> address_of(None, {}).database
        'verdicts/verdicts.sqlite'
    """
    text = given or environment.get(VARIABLE) or str(DEFAULT)
    if "://" not in text:
        return URL.create("sqlite", database=text)
    scheme = text.partition("://")[0]
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise InputError(f"address {scheme[:20]}://…: not an address, {_EXPECTED}") from error.with_traceback(
            None
        )
    if url.drivername in _POSTGRESQL:
        return url.set(drivername="postgresql+psycopg")
    if url.drivername != "sqlite" or url.query or url.host or not url.database:
        raise InputError(f"address {shown(url)}: neither a file nor PostgreSQL's, {_EXPECTED}")
    return url


def shown(url: URL) -> str:
    """Return an address for people: a file's path, or without any password.

    Example:
        >>> shown(address_of("postgresql://anna:secret@db/steel?sslpassword=hidden", {}))
        'postgresql://anna:***@db/steel?sslpassword=***'
    """
    if url.drivername == "sqlite" and url.database:
        return url.database
    query = {name: "***" if name.lower() in _SECRET else value for name, value in url.query.items()}
    plain = url.set(drivername=url.drivername.partition("+")[0], query=query)
    return unquote(plain.render_as_string(hide_password=True))


def without_secrets(text: str, url: URL) -> str:
    """Return what a driver said, in one line, without the address's passwords in any spelling."""
    secrets = [url.password, *(url.query.get(name) for name in _SECRET)]
    for secret in secrets:
        if isinstance(secret, str) and secret:
            for spelling in {secret, quote(secret), quote(secret, safe=""), quote_plus(secret)}:
                text = text.replace(spelling, "***")
    return " ".join(text.split())
