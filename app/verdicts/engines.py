"""SQLAlchemy's engines, set so that what was acknowledged is kept and a database that is away is noticed soon."""

import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, DisconnectionError, OperationalError
from sqlalchemy.pool import QueuePool

from severstal_xai.errors import InputError

PATIENCE = 10
"""Seconds that an append waits for those before it."""
_REACH = 5
"""Seconds after which a server that does not answer is away."""


def engine_for(url: URL, *, create: bool) -> Engine:
    """Return the engine for an address.

    Args:
        url: As `address_of` returns it.
        create: Whether a SQLite file that is not there is made.

    Raises:
        InputError: There is no such file.
    """
    if url.drivername == "sqlite":
        return _sqlite(Path(str(url.database)), url, create=create)
    return _postgresql(url)


def _postgresql(url: URL) -> Engine:
    ours = {
        "connect_timeout": str(_REACH),
        "application_name": "severstal-xai",
        "keepalives_idle": "30",
        "tcp_user_timeout": str(1000 * 2 * _REACH),
    }
    engine = create_engine(
        url.update_query_dict({name: value for name, value in ours.items() if name not in url.query}),
        pool_pre_ping=True,
        hide_parameters=True,  # notes and names stay out of messages
        isolation_level="READ COMMITTED",
    )

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if not connection.get_execution_options().get("writes"):
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")

    return engine


def _sqlite(path: Path, url: URL, *, create: bool) -> Engine:
    path = path.absolute()  # the process may go elsewhere
    if create:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    elif not path.is_file():
        raise InputError(f"{url.database}: no such file, expected a store of verdicts")
    engine = create_engine(
        url,
        # `mode=rw`: where the file has gone, SQLite must not make an empty one in its place
        creator=lambda: sqlite3.connect(
            f"{path.as_uri()}?mode=rw",
            uri=True,
            timeout=PATIENCE,
            isolation_level=None,
            check_same_thread=False,
        ),
        poolclass=QueuePool,
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def connect(opened: sqlite3.Connection, record: Any) -> None:
        record.info["file"] = _identity(path)
        opened.execute(
            "PRAGMA synchronous = FULL"
        )  # in WAL mode NORMAL may lose the last ones in a power cut

    @event.listens_for(engine, "checkout")
    def checkout(opened: sqlite3.Connection, record: Any, proxy: Any) -> None:  # noqa: ARG001 (SQLAlchemy's call)
        """Notice that the file has gone or is another: SQLite would go on writing into what nobody will find."""
        if record.info["file"] != _identity(path):
            raise DisconnectionError("the file was moved or replaced")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if not options.get("bare"):  # the mode of the journal is set outside of transactions
            connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("writes") else "BEGIN")

    return engine


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def carry_over(engine: Engine) -> None:
    """Have SQLite move what its log holds into the file itself as far as readers allow, so that a copy of the file alone lacks little.

    What was acknowledged is safe in the log meanwhile: where this cannot be done now, the next one does it.
    """
    if engine.dialect.name != "sqlite":
        return
    with suppress(DBAPIError), engine.connect().execution_options(bare=True) as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")


def copy_into(engine: Engine, path: Path) -> None:
    """Copy a SQLite database as it is now into another file, whatever is written meanwhile.

    Raises:
        InputError: The database is a server's.
    """
    if engine.dialect.name != "sqlite":
        raise InputError(
            f"a {engine.dialect.name} database, expected a SQLite file; a server is copied by pg_dump"
        )
    with closing(sqlite3.connect(path)) as target, engine.connect() as connection:
        source = connection.connection.driver_connection
        if not isinstance(source, sqlite3.Connection):
            raise TypeError(f"connection {type(source)}, expected SQLite's")
        source.backup(target)


def make_ready(engine: Engine) -> None:
    """Set a SQLite file to write-ahead logging, which lets many read while one writes; it stays so.

    While another process does the same or holds the file, SQLite refuses at once, whatever its timeout: so it is
    asked again.
    """
    if engine.dialect.name != "sqlite":
        return
    deadline = time.monotonic() + PATIENCE
    with engine.connect().execution_options(bare=True) as connection:
        while connection.exec_driver_sql("PRAGMA journal_mode").scalar() != "wal":
            try:
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            except OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
