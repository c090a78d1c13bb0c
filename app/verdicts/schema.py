"""The database's tables as the store uses them, and the way to them from any earlier version (Alembic)."""

import threading

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    Column,
    Connection,
    Double,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    inspect,
    text,
)

from severstal_xai.errors import InputError

METADATA = MetaData()
VERDICTS = Table(
    "verdicts",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("format", Integer, nullable=False),
    Column("id", Text, nullable=False, unique=True),
    Column("at", Text, nullable=False),
    Column("reader", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("label", Integer),
    Column("note", Text, nullable=False),
    Column("withdraws", Integer, unique=True),
    Column("patch", Text, nullable=False),
    Column("strip", Text, nullable=False),
    Column("image_sha256", Text, nullable=False),
    Column("marked_label", Integer, nullable=False),
    Column("mask_sha256", Text, nullable=False),
    Column("blind", Integer, nullable=False),
    Column("weights_sha256", Text),
    Column("predicted", Integer),
    Column("probability", Double),
    Column("method", Text),
    Column("settings", Text),
    Column("target", Integer),
    Column("map_sha256", Text),
    Column("beside_method", Text),
    Column("beside_settings", Text),
    Column("beside_target", Integer),
    Column("beside_map_sha256", Text),
    Column("previous_sha256", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Index("verdicts_by_patch", "patch", "reader", "number"),
    Index("verdicts_by_reader", "reader", "number"),
)
"""Plain types alone, so that what is read back is what was sealed: times are text, truth is 0 or 1."""
HEAD = Table(
    "verdicts_head",
    METADATA,
    Column("only", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, nullable=False),
    Column("sha256", Text, nullable=False),
)
"""One row: where the chain ends. To append is to hold it."""
SAVED_FILTERS = Table(
    "saved_filters",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("folded", Text, nullable=False),
    Column("address", Text, nullable=False),
    UniqueConstraint("owner", "folded", name="saved_filters_once"),
)
"""Beside the chain, and no part of it: what is in it may be changed. `folded` is the name, large and small letters alike."""
VERSION_TABLE = "verdicts_schema"
_SCRIPTS = "app.verdicts:migrations"
_ONE_AT_A_TIME = threading.Lock()
"""Alembic keeps what it works on in its module, for all threads."""
_LOCK = 0x5E7E125A
"""PostgreSQL's advisory lock under which one process alone migrates."""


def needs_migration(connection: Connection) -> bool:
    """Tell whether a database is empty or of an earlier version.

    Raises:
        InputError: It is of a later version than this program knows.
    """
    script = ScriptDirectory.from_config(_config())
    version = _version(connection)
    newest = script.get_current_head()
    known = {revision.revision for revision in script.walk_revisions()}
    if version is not None and version not in known:
        raise InputError(
            f"the store of verdicts has schema {version}, expected {newest} at most: it was opened by a later version "
            "of this program, which must be used from then on"
        )
    return version != newest


def is_empty(connection: Connection) -> bool:
    """Tell whether a database holds no table: nobody ever kept a verdict there."""
    return not inspect(connection).get_table_names()


def migrate(connection: Connection) -> None:
    """Bring a database up to the newest version, inside the transaction that the connection is in.

    On SQLite the transaction must hold the lock for writing (BEGIN IMMEDIATE); on PostgreSQL a lock is taken here. So
    of two processes that open a fresh database one makes the tables and the other finds them.

    Raises:
        InputError: The file is another program's database.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    if not needs_migration(connection):
        return
    if _version(connection) is None and connection.dialect.name == "sqlite":
        others = inspect(connection).get_table_names()
        if others:
            raise InputError(f"holds the table {others[0]!r}, expected a store of verdicts or a new file")
    config = _config()
    config.attributes["connection"] = connection
    with _ONE_AT_A_TIME:
        command.upgrade(config, "head")


def _version(connection: Connection) -> str | None:
    return MigrationContext.configure(
        connection, opts={"version_table": VERSION_TABLE}
    ).get_current_revision()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", _SCRIPTS)
    return config
