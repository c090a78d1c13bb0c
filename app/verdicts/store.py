"""The store of verdicts: opened by an address, appended to, read. Nothing in it is ever changed or deleted.

Any number of threads and processes may use one store at once. To append is to hold the chain's end: SQLite's lock for
writing (BEGIN IMMEDIATE), or the row of the head in PostgreSQL; so appends stand in a line and the chain never forks.
A verdict that was acknowledged survives the process and, in so far as the disk keeps its word, a power cut.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Engine,
    Select,
    and_,
    exists,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from app.verdicts.address import address_of, shown, without_secrets
from app.verdicts.chain import Fault, Head, first_fault
from app.verdicts.engines import PATIENCE, carry_over, copy_into, engine_for, make_ready
from app.verdicts.records import Entry, Kind, Verdict, as_text, withdrawal_of
from app.verdicts.rows import entry_of, row_of
from app.verdicts.schema import HEAD, VERDICTS, is_empty, migrate, needs_migration
from severstal_xai.errors import InputError, about
from severstal_xai.files import sync, whole_file

_AT_ONCE = 1000
"""Rows that a long answer is read by."""


class StoreAway(InputError):  # noqa: N818 (it says where the store is)
    """The database cannot be reached now; what was acknowledged before is safe, and a later try may succeed."""


@dataclass(frozen=True)
class Wanted:
    """What records are asked for; None for any.

    Args:
        patch: The patch's name.
        reader: Who judged.
        kind: What was said.
        since: The earliest time.
        before: The time that is too late.
        above: Only records of a larger number.
    """

    patch: str | None = None
    reader: str | None = None
    kind: Kind | None = None
    since: datetime | None = None
    before: datetime | None = None
    above: int = 0


class Store:
    """An open store of verdicts; `open_store` opens one. Safe to share between threads."""

    def __init__(self, url: URL, engine: Engine) -> None:
        self._url = url
        self._engine = engine

    def __repr__(self) -> str:
        return f"Store({self.address!r})"

    @property
    def address(self) -> str:
        """Where it is, for people: without a password."""
        return shown(self._url)

    def append(self, verdict: Verdict) -> Entry:
        """Add a verdict; when this returns, it is kept.

        After `StoreAway` nobody knows whether it was kept: append the same verdict again, it is stored once.

        Raises:
            InputError: It takes back a record that is not there, is another reader's or another patch's, or is taken
                back already; or another verdict has its id.
            StoreAway: The database cannot be reached.
        """
        with self._writing() as connection:
            last = _head(connection)
            known = connection.execute(select(VERDICTS).where(VERDICTS.c.id == verdict.id)).first()
            if known:
                return _same(entry_of(known._asdict()), verdict)
            if verdict.kind == Kind.WITHDRAWN:
                _check_withdrawal(connection, verdict)
            row = row_of(verdict, last)
            connection.execute(insert(VERDICTS), row)
            connection.execute(update(HEAD).values(number=row["number"], sha256=row["sha256"]))
        carry_over(self._engine)
        return Entry(row["number"], verdict, row["sha256"])

    def withdraw(self, entry: Entry, at: datetime, note: str = "") -> Entry:
        """Take a verdict back, by a new record; what its reader had said of the patch before holds again.

        Raises:
            InputError, StoreAway: As `append`.
        """
        return self.append(withdrawal_of(entry, at, note))

    def current(self, patch: str | None = None, reader: str | None = None) -> list[Entry]:
        """Return what holds: of each reader and patch the last verdict that was not taken back, by number.

        Args:
            patch: Of this patch alone; None for all.
            reader: Of this reader alone; None for all.

        Raises:
            StoreAway: The database cannot be reached.
        """
        last = (
            select(func.max(VERDICTS.c.number))
            .where(_holds(), *_asked(Wanted(patch=patch, reader=reader)))
            .group_by(VERDICTS.c.patch, VERDICTS.c.reader)
        )
        return list(self._entries(select(VERDICTS).where(VERDICTS.c.number.in_(last))))

    def history(self, patch: str) -> list[Entry]:
        """Return all records of a patch, withdrawn ones and withdrawals too, by number.

        Raises:
            StoreAway: The database cannot be reached.
        """
        return list(self.entries(Wanted(patch=patch)))

    def entries(self, wanted: Wanted | None = None) -> Iterator[Entry]:
        """Yield the records that are asked for, by number; by default all.

        Raises:
            StoreAway: The database cannot be reached.
        """
        return self._entries(select(VERDICTS).where(*_asked(wanted or Wanted())))

    def judged(self) -> dict[str, frozenset[str]]:
        """Return for each patch that anyone holds a verdict on who does.

        Raises:
            StoreAway: The database cannot be reached.
        """
        return {patch: frozenset(kinds) for patch, kinds in self.standing().items()}

    def standing(self) -> dict[str, dict[str, Kind]]:
        """Return for each patch that anyone holds a verdict on, by reader, what the last one says.

        Not the records: ten times quicker than `current`, for pages that list patches.

        Raises:
            StoreAway: The database cannot be reached.
        """
        column, found = VERDICTS.c, dict[str, dict[str, Kind]]()
        asked = select(column.patch, column.reader, column.kind).where(_holds())
        with self.reading() as connection:
            for patch, reader, kind in connection.execute(_all_of(asked)):
                found.setdefault(patch, {})[reader] = Kind(kind)  # a later one takes the place of an earlier
        return found

    def touched_by(self, reader: str) -> frozenset[str]:
        """Return the patches that a reader ever judged, whether or not it holds.

        Raises:
            StoreAway: The database cannot be reached.
        """
        asked = select(VERDICTS.c.patch).where(VERDICTS.c.reader == reader).distinct()
        with self.reading() as connection:
            return frozenset(connection.scalars(asked))

    def head(self) -> Head:
        """Return where the chain ends, to be noted elsewhere.

        Raises:
            StoreAway: The database cannot be reached.
        """
        with self.reading() as connection:
            return _head(connection)

    def fault(self, noted: str | None = None) -> Fault | None:
        """Find the first record at which the chain is broken; None where it holds.

        Args:
            noted: The hash of a head that was noted earlier, elsewhere.

        Raises:
            StoreAway: The database cannot be reached.
        """
        with self.reading() as connection:
            head = _head(connection)
            with connection.execute(_all_of(select(VERDICTS))) as rows:
                return first_fault((row._asdict() for row in rows), head, noted)

    def back_up(self, path: Path) -> None:
        """Copy the database as it is now into a new file, while others go on writing; SQLite alone.

        Raises:
            InputError: It is a server's: its own tools copy it.
            StoreAway: The database cannot be reached.
        """
        with _reached(self._url), whole_file(path) as temporary:
            copy_into(self._engine, temporary)
            sync(temporary)

    def close(self) -> None:
        """Let go of the database; the store opens it again where it is used again."""
        self._engine.dispose()

    def _entries(self, asked: Select[Any]) -> Iterator[Entry]:
        with self.reading() as connection, connection.execute(_all_of(asked)) as rows:
            for row in rows:
                yield entry_of(row._asdict())

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees one state of the database all through.

        Raises:
            StoreAway: The database cannot be reached.
        """
        with _reached(self._url), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def beside_the_chain(self) -> Iterator[Connection]:
        """Give a connection that may write what is no verdict; what it did is kept when the block ends well.

        Raises:
            StoreAway: The database cannot be reached.
        """
        with _writing(self._url, self._engine) as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """Give a connection that alone may append; what it did is kept when the block ends well."""
        with _writing(self._url, self._engine) as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(select(HEAD).with_for_update())
            yield connection


def open_store(given: str | None = None, *, create: bool = True) -> Store:
    """Open the store of verdicts and bring its schema up to date; a new SQLite file is made with its folders.

    Args:
        given: The address; None for the environment's, else the usual file: see `address_of`.
        create: Whether a SQLite file that is not there is made, and tables in a database that has none.

    Raises:
        InputError: No such address or file, one without verdicts' tables, another program's database, or one of a later version.
        StoreAway: The database cannot be reached.
    """
    url = address_of(given)
    with _reached(url):
        engine = engine_for(url, create=create)
        try:
            _bring_up_to_date(url, engine, create=create)
        except BaseException:
            engine.dispose()
            raise
    return Store(url, engine)


def _bring_up_to_date(url: URL, engine: Engine, *, create: bool) -> None:
    try:
        with about(shown(url)):
            if not create:
                _refuse_empty(engine)
            make_ready(engine)
            with engine.connect() as connection:
                due = needs_migration(connection)
            if due:
                with _writing(url, engine) as connection:
                    migrate(connection)
    except (OperationalError, InterfaceError):
        raise
    except DBAPIError as error:  # a file that is no database, a database that this user may not use
        said = without_secrets(str(error.orig), url)
        raise InputError(f"{shown(url)}: cannot be used ({said}), expected a store of verdicts") from error


def _refuse_empty(engine: Engine) -> None:
    with engine.connect() as connection:
        if is_empty(connection):
            raise InputError(
                "holds no verdicts' tables, expected a store of verdicts; of a store in use copy the files ending in "
                "-wal and -shm with it, or make the copy by `python -m app.audit backup`"
            )


@contextmanager
def _writing(url: URL, engine: Engine) -> Iterator[Connection]:
    with _reached(url), engine.execution_options(writes=True).begin() as connection:
        if connection.dialect.name == "postgresql":
            # Not the reader's one state: that of the moment when the line before us has moved on.
            connection.execute(text(f"SET LOCAL lock_timeout = '{PATIENCE}s'"))
        yield connection


@contextmanager
def _reached(url: URL) -> Iterator[None]:
    """Turn what drivers raise for a database that is away, locked for long, or full into `StoreAway`."""
    try:
        yield
    except NoConnectionFree as error:
        raise StoreAway(f"{shown(url)}: too many use it at once, expected one to finish") from error
    except DBAPIError as error:
        if not (isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated):
            raise
        said = without_secrets(str(error.orig), url)
        raise StoreAway(
            f"{shown(url)}: cannot be reached ({said}), expected a database that answers"
        ) from error
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("psycopg"):
            raise
        raise InputError(
            f"{shown(url)}: needs psycopg, expected it installed: pip install 'severstal-xai[postgresql]'"
        ) from error
    except OSError as error:
        raise StoreAway(
            f"{error.filename or shown(url)}: {error.strerror}, expected the store of verdicts"
        ) from error


def _all_of(asked: Select[Any]) -> Select[Any]:
    """Ask for rows by number, a part at a time."""
    return asked.order_by(VERDICTS.c.number).execution_options(yield_per=_AT_ONCE)


def _head(connection: Connection) -> Head:
    row = connection.execute(select(HEAD.c.number, HEAD.c.sha256)).first()
    if row is None:
        raise InputError("the store of verdicts has lost its head, expected one: its table was emptied")
    return Head(row.number, row.sha256)


def _holds() -> ColumnElement[bool]:
    """Say in SQL that a record is a verdict and was not taken back."""
    later = VERDICTS.alias()
    return and_(
        VERDICTS.c.kind != str(Kind.WITHDRAWN), ~exists().where(later.c.withdraws == VERDICTS.c.number)
    )


def _asked(wanted: Wanted) -> list[ColumnElement[bool]]:
    column = VERDICTS.c
    equal = {"patch": wanted.patch, "reader": wanted.reader, "kind": wanted.kind and str(wanted.kind)}
    conditions = [column[name] == value for name, value in equal.items() if value is not None]
    if wanted.since is not None:
        conditions.append(column.at >= as_text(wanted.since))
    if wanted.before is not None:
        conditions.append(column.at < as_text(wanted.before))
    if wanted.above:
        conditions.append(column.number > wanted.above)
    return conditions


def _same(known: Entry, verdict: Verdict) -> Entry:
    if known.verdict != verdict:
        raise InputError(f"id {verdict.id} is that of record {known.number}, expected a new one")
    return known


def _check_withdrawal(connection: Connection, verdict: Verdict) -> None:
    row = (
        connection.execute(select(VERDICTS).where(VERDICTS.c.number == verdict.withdraws)).mappings().first()
    )
    if (
        row is None
        or row["reader"] != verdict.reader
        or row["patch"] != verdict.seen.patch
        or row["kind"] == str(Kind.WITHDRAWN)
    ):
        raise InputError(
            f"withdraws {verdict.withdraws}, expected the number of a verdict of {verdict.reader} on {verdict.seen.patch}"
        )
    taken = select(VERDICTS.c.number).where(VERDICTS.c.withdraws == verdict.withdraws)
    by = connection.scalar(taken)
    if by is not None:
        raise InputError(
            f"record {verdict.withdraws} was taken back already, by record {by}; expected one that holds"
        )
