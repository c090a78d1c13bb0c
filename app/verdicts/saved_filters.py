"""Saved filters: names for what the review queue shows. They lie beside the verdicts and are no part of their chain.

What one reader saves all may open; only who saved it may change or delete it. What is kept of a query is its address, as text:
`app.review.query` knows what that says, the store does not.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.verdicts.records import LONGEST_NAME, check_line, tidy_name
from app.verdicts.schema import SAVED_FILTERS
from app.verdicts.store import Store
from severstal_xai.errors import InputError

MOST = 100
"""Saved filters of one reader: a list that a person still reads."""
LONGEST_ADDRESS = 2000
"""In characters."""


@dataclass(frozen=True)
class SavedFilter:
    """A query with a name.

    Args:
        owner: The reader who saved it.
        name: Its name, as `tidy_name` writes one; no two of a reader's differ in large and small letters alone.
        address: The query, as an address holds it after its `?`.
        id: Names it for good.
    """

    owner: str
    name: str
    address: str
    id: str = field(default_factory=lambda: uuid4().hex)

    def __post_init__(self) -> None:
        for what, line in (("owner", self.owner), ("name", self.name)):
            check_line(what, line)
            if line != tidy_name(line):
                raise InputError(f"{what} {line!r}, expected {tidy_name(line)!r}")
        if len(self.address) > LONGEST_ADDRESS or not (self.address.isascii() and self.address.isprintable()):
            raise InputError(
                f"address {self.address[:40]!r}, expected at most {LONGEST_ADDRESS} characters as addresses hold them"
            )


@dataclass(frozen=True)
class Damaged:
    """What lies in the place of a saved filter and is none: somebody changed the database.

    Args:
        owner: Whose it is, if that can be told.
        name: What it is called, if that can be told.
        reason: What is wrong with it.
        id: As a saved filter's.
    """

    owner: str
    name: str
    reason: str
    id: str


def saved_filters(store: Store) -> list[SavedFilter | Damaged]:
    """Return all saved filters, by their names, then their owners'.

    Raises:
        StoreAway: The database cannot be reached.
    """
    with store.reading() as connection:
        found = [_read(row._asdict()) for row in connection.execute(select(SAVED_FILTERS))]
    return sorted(found, key=lambda one: (one.name.casefold(), one.owner, one.id))


def add(store: Store, saved: SavedFilter) -> None:
    """Keep a new one.

    Raises:
        InputError: Its owner has one of that name, or as many as there may be.
        StoreAway: The database cannot be reached.
    """
    column = SAVED_FILTERS.c
    try:
        with store.beside_the_chain() as connection:
            counted = select(func.count()).select_from(SAVED_FILTERS).where(column.owner == saved.owner)
            if connection.execute(counted).scalar_one() >= MOST:
                raise InputError(f"{saved.owner} has {MOST} saved filters, expected fewer: delete one first")
            connection.execute(insert(SAVED_FILTERS), _row(saved))
    except IntegrityError as error:
        raise _twice(saved) from error


def rename(store: Store, saved: SavedFilter, name: str) -> SavedFilter:
    """Give one another name.

    Raises:
        InputError: The name is none, its owner has another of that name, or it is gone.
        StoreAway: The database cannot be reached.
    """
    return _changed(store, replace(saved, name=name))


def put_into(store: Store, saved: SavedFilter, address: str) -> SavedFilter:
    """Let one stand for another query.

    Raises:
        InputError: The address is none, or the filter is gone.
        StoreAway: The database cannot be reached.
    """
    return _changed(store, replace(saved, address=address))


def remove(store: Store, owner: str, which: str) -> None:
    """Delete one, by its id, of this owner's.

    Raises:
        InputError: This owner has no such one.
        StoreAway: The database cannot be reached.
    """
    with store.beside_the_chain() as connection:
        gone = delete(SAVED_FILTERS).where(SAVED_FILTERS.c.id == which, SAVED_FILTERS.c.owner == owner)
        _expect_one(connection.execute(gone).rowcount)


def _changed(store: Store, saved: SavedFilter) -> SavedFilter:
    column = SAVED_FILTERS.c
    change = update(SAVED_FILTERS).where(column.id == saved.id, column.owner == saved.owner)
    try:
        with store.beside_the_chain() as connection:
            _expect_one(connection.execute(change.values(_row(saved))).rowcount)
    except IntegrityError as error:
        raise _twice(saved) from error
    return saved


def _expect_one(changed: int) -> None:
    if changed != 1:
        raise InputError("the saved filter is gone, or another reader's: expected one of your own")


def _twice(saved: SavedFilter) -> InputError:
    return InputError(f"name {saved.name!r}: a saved filter of yours has it, expected another name")


def _row(saved: SavedFilter) -> dict[str, str]:
    return {
        "id": saved.id,
        "owner": saved.owner,
        "name": saved.name,
        "folded": saved.name.casefold(),
        "address": saved.address,
    }


def _read(row: Mapping[str, Any]) -> SavedFilter | Damaged:
    try:
        return SavedFilter(row["owner"], row["name"], row["address"], row["id"])
    except (InputError, TypeError, ValueError, AttributeError) as error:
        owner, name, which = (str(row[column])[:LONGEST_NAME] for column in ("owner", "name", "id"))
        return Damaged(owner, name, str(error), which)
