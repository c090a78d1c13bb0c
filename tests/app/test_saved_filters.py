"""Saved filters: in the store, on SQLite and on PostgreSQL, and in the order in which a reader finds them."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import pytest
from alembic import command
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, insert, text, update

from app.review.query import NO_VERDICT, Answer, Query, Sort, from_text, to_text
from app.review.shelf import BUILT_IN, chosen_of, shelf_of
from app.verdicts.address import address_of
from app.verdicts.chain import FIELDS, NOTHING, seal
from app.verdicts.engines import engine_for
from app.verdicts.records import Entry, Kind, Seen, Verdict
from app.verdicts.rows import row_of
from app.verdicts.saved_filters import (
    MOST,
    Damaged,
    SavedFilter,
    add,
    put_into,
    remove,
    rename,
    saved_filters,
)
from app.verdicts.schema import HEAD, VERDICTS, _config
from app.verdicts.store import Store, StoreAway, _writing, open_store
from explain.evaluation.evidence import Group
from severstal_xai.errors import InputError
from severstal_xai.manifest import Split
from tests.app.postgresql import Server, binaries, running

VERDICT = Verdict(
    Kind.AGREE,
    "anna",
    datetime(2026, 3, 1, 12, tzinfo=UTC),
    Seen("strip_0", "strip", "a" * 64, 3, "b" * 64, None, (), blind=True),
)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    programs = binaries()
    if programs is None:
        pytest.skip("no PostgreSQL server on this machine (Debian's package postgresql)")
    with running(programs) as found:
        yield found


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a fresh store, of each database."""
    if request.param == "sqlite":
        return str(tmp_path / "verdicts.sqlite")
    address: str = request.getfixturevalue("server").address
    engine = create_engine(address_of(address), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return address


@pytest.fixture
def store(place: str) -> Iterator[Store]:
    opened = open_store(place)
    yield opened
    opened.close()


def test_filters_are_kept_changed_and_deleted_by_their_owner_alone(store: Store, place: str) -> None:
    mine = SavedFilter("anna", "Scabs · 酸洗", "label=3")
    theirs = SavedFilter("björn", "scabs · 酸洗", "label=3&sort=doubt")
    for one in (mine, theirs):
        add(store, one)
    again = open_store(place)
    assert saved_filters(again) == [mine, theirs]
    again.close()
    renamed = rename(store, mine, "Alone")
    changed = put_into(store, renamed, "split=all")
    assert saved_filters(store) == [changed, theirs]
    assert changed == replace(mine, name="Alone", address="split=all")
    stolen = replace(theirs, owner="anna")
    for change in (
        lambda: rename(store, stolen, "Mine now"),
        lambda: put_into(store, stolen, ""),
        lambda: remove(store, "anna", theirs.id),
    ):
        with pytest.raises(InputError, match="gone, or another reader's"):
            change()
    remove(store, "anna", mine.id)
    assert saved_filters(store) == [theirs]
    with pytest.raises(InputError, match="gone"):
        rename(store, changed, "Too late")


def test_a_reader_has_a_name_once_however_it_is_written(store: Store) -> None:
    first, second = SavedFilter("anna", "Scabs", ""), SavedFilter("anna", "Pits", "")
    add(store, first)
    add(store, second)
    with pytest.raises(InputError, match="name 'SCABS': a saved filter of yours has it, expected another"):
        add(store, SavedFilter("anna", "SCABS", "label=1"))
    with pytest.raises(InputError, match="expected another name"):
        rename(store, second, "scabs")
    rename(store, first, "SCABS")  # its own name, written otherwise
    assert [one.name for one in saved_filters(store)] == ["Pits", "SCABS"]


def test_of_many_who_save_the_same_name_at_once_one_does(store: Store) -> None:
    def save(_: int) -> bool:
        try:
            add(store, SavedFilter("anna", "Scabs", ""))
        except InputError:
            return False
        return True

    with ThreadPoolExecutor(8) as people:
        assert sum(people.map(save, range(8))) == 1


def test_a_reader_has_so_many_filters_at_most(store: Store) -> None:
    for number in range(MOST):
        add(store, SavedFilter("anna", f"{number}", ""))
    with pytest.raises(InputError, match=f"anna has {MOST} saved filters, expected fewer"):
        add(store, SavedFilter("anna", "one more", ""))
    add(store, SavedFilter("björn", "one more", ""))


def test_filters_are_no_part_of_the_chain(store: Store) -> None:
    store.append(VERDICT)
    head = store.head()
    saved = SavedFilter("anna", "Scabs", "")
    add(store, saved)
    remove(store, "anna", saved.id)
    assert store.head() == head
    assert store.fault() is None


def test_a_store_of_the_first_version_keeps_its_verdicts_and_takes_filters_and_more_verdicts(
    place: str,
) -> None:
    url = address_of(place)
    engine = engine_for(url, create=True)
    with _writing(url, engine) as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    row = row_of(VERDICT, NOTHING) | {"format": 1}
    row["sha256"] = seal(NOTHING.sha256, row)
    with _writing(url, engine) as connection:
        connection.execute(
            insert(VERDICTS).values({name: row[name] for name in (*FIELDS[1], "previous_sha256", "sha256")})
        )
        connection.execute(update(HEAD).values(number=1, sha256=row["sha256"]))
    engine.dispose()
    new = open_store(place)
    assert list(new.entries()) == [Entry(1, VERDICT, row["sha256"])]
    new.append(replace(VERDICT, id="1" * 32))
    assert new.fault() is None
    add(new, SavedFilter("anna", "Scabs", ""))
    assert len(saved_filters(new)) == 1
    new.close()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": ""}, "name of 0 characters, expected 1 to 100"),
        ({"name": "x" * 101}, "name of 101 characters"),
        ({"name": "a\u202eb"}, r"name holds the control character U\+202E"),
        ({"name": "a\x00b"}, r"U\+0000"),
        ({"name": " a"}, "name ' a', expected 'a'"),
        ({"owner": ""}, "owner of 0 characters"),
        ({"address": "label=ü"}, "expected at most 2000 characters as addresses hold them"),
        ({"address": "x" * 2001}, "expected at most 2000"),
    ],
)
def test_what_is_no_saved_filter_is_refused_in_words(change: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(SavedFilter("anna", "Scabs", ""), **change)


def test_a_damaged_one_and_one_of_a_later_version_are_told_and_the_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.sqlite"
    store = open_store(str(path))
    add(store, SavedFilter("anna", "Good", "label=3"))
    with sqlite3.connect(path) as other:
        for row in (
            ("1", "anna", "Bad", "bad", "label=9"),
            ("2", "björn", "Later", "later", "label=3&furnace=7"),
            ("3", "björn", b"\x00\xff", "x", "label=3"),
            ("4", "anna", "Two\nlines", "y", "label=3"),
        ):
            other.execute("INSERT INTO saved_filters VALUES (?, ?, ?, ?, ?)", row)
    other.close()
    found = saved_filters(store)
    shelf = shelf_of(found, "anna")
    assert [one.title for one in shelf.openable] == [*BUILT_IN, "Good"]
    assert sum(isinstance(one, Damaged) for one in found) == 2
    assert sorted(one.id for one in shelf.own if isinstance(one, SavedFilter)) == sorted(
        one.id for one in found if isinstance(one, SavedFilter) and one.owner == "anna"
    )
    told = "\n".join(shelf.trouble)
    assert "“Bad” of anna cannot be opened: address: label '9', expected 0 to 4" in told
    assert "“Later” of björn cannot be opened: query: 'furnace' is not known" in told
    assert "a later version may have saved it" in told
    assert len(shelf.trouble) == 4
    remove(store, "anna", "1")
    remove(store, "anna", "4")
    assert len(saved_filters(store)) == 3
    store.close()


def test_a_database_that_is_away_is_said_to_be(tmp_path: Path) -> None:
    folder = tmp_path / "share"
    store = open_store(str(folder / "verdicts.sqlite"))
    folder.rename(tmp_path / "away")
    for use in (lambda: saved_filters(store), lambda: add(store, SavedFilter("anna", "Scabs", ""))):
        with pytest.raises(StoreAway, match="cannot be reached"):
            use()
    store.close()


def test_a_reader_s_own_come_before_others_which_bear_their_names() -> None:
    found = [SavedFilter("björn", "A", "label=1"), SavedFilter("anna", "B", "label=2")]
    anna, nobody = shelf_of(found, "anna"), shelf_of(found, "")
    assert [one.title for one in anna.openable] == [*BUILT_IN, "B", "A · by björn"]
    assert anna.own == (found[1],)
    assert [one.title for one in nobody.openable][-2:] == ["A · by björn", "B · by anna"]
    assert nobody.own == ()
    assert chosen_of(anna.openable, Query(label=2), None) == found[1].id
    assert chosen_of(anna.openable, Query(label=4), found[1].id) is None


def test_the_built_in_ones_ask_for_what_they_say() -> None:
    assert [
        (query.group, query.answer, query.verdict, query.sort, query.split) for query in BUILT_IN.values()
    ] == [
        (Group.RIGHT_ELSEWHERE, None, None, Sort.EVIDENCE, Split.TEST),
        (None, Answer.MISSED, None, Sort.DOUBT, Split.TEST),
        (None, Answer.FALSE_ALARM, None, Sort.DOUBT, Split.TEST),
        (None, None, NO_VERDICT, Sort.PROBABILITY, Split.TEST),
    ]


def test_what_an_earlier_version_kept_still_means_the_same() -> None:
    """It knew no margins, and these orders alone; a query is kept as what differs from the usual one."""
    assert from_text("") == Query()
    assert from_text("split=all&low=0.2&high=0.9&reverse=yes") == Query(
        split=None, low=0.2, high=0.9, reverse=True
    )
    for sort in ("evidence", "name", "probability", "margin", "doubt"):
        assert from_text(f"sort={sort}").sort == sort


@given(st.dictionaries(st.sampled_from(["label", "text", "sort", "other"]), st.text(max_size=30)))
def test_a_kept_query_is_read_back_or_refused_in_words(fields: dict[str, str]) -> None:
    try:
        query = from_text(urlencode(fields, errors="replace"))
    except InputError:
        return
    assert from_text(to_text(query)) == query


@pytest.mark.parametrize("kept", ["label=1&label=2", "label", "&".join(["label=1"] * 500), "\x00", "%ff=%fe"])
def test_what_is_no_query_is_refused(kept: str) -> None:
    with pytest.raises(InputError, match="query"):
        from_text(kept)
