"""The store of verdicts, on SQLite and on PostgreSQL."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from app.audit import main
from app.verdicts.address import VARIABLE, address_of, shown
from app.verdicts.chain import GENESIS, NOTHING, Head, canonical, first_fault, seal
from app.verdicts.readings import Lot, awaiting_second_reading, is_drawn, visible_to
from app.verdicts.records import (
    LONGEST_NOTE,
    Answer,
    Entry,
    Heat,
    Kind,
    Seen,
    Verdict,
    implied_class,
    tidy_name,
    tidy_note,
)
from app.verdicts.rows import entry_of, row_of
from app.verdicts.schema import METADATA, VERSION_TABLE
from app.verdicts.store import Store, StoreAway, Wanted, open_store
from severstal_xai.errors import InputError
from severstal_xai.files import sha256
from tests.app.postgresql import Server, binaries, running

ROOT = Path(__file__).resolve().parents[2]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SEEN = Seen(
    "strip_0",
    "strip",
    "a" * 64,
    3,
    "b" * 64,
    Answer("c" * 64, 3, 0.9),
    (Heat("sise", (("budget", 0.4), ("gate", "hard")), 3, "d" * 64), Heat("grad_cam", (), 3, "e" * 64)),
    blind=True,
)


def verdict(kind: Kind = Kind.AGREE, reader: str = "anna", patch: str = "strip_0", **more: object) -> Verdict:
    seen = replace(SEEN, patch=patch, strip=patch.rpartition("_")[0])
    return Verdict(kind, reader, NOON, seen, **more)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    programs = binaries()
    if programs is None:
        pytest.skip("no PostgreSQL server on this machine (Debian's package postgresql)")
    with running(programs) as found:
        yield found


def emptied(address: str) -> str:
    engine = create_engine(address_of(address), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return address


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a fresh store, of each database."""
    if request.param == "sqlite":
        return str(tmp_path / "new" / "verdicts.sqlite")
    return emptied(request.getfixturevalue("server").address)


@pytest.fixture
def store(address: str) -> Iterator[Store]:
    opened = open_store(address)
    yield opened
    opened.close()


def test_what_is_appended_is_read_back_and_the_chain_holds(store: Store, address: str) -> None:
    given = [
        verdict(note="a scab,\n\tnot a scratch · 酸洗"),
        verdict(Kind.WRONG_CLASS, "björn", label=4),
        replace(verdict(Kind.UNSURE), seen=replace(SEEN, answer=None, heats=(), label=0, mask_sha256="")),
        replace(verdict(), at=datetime(2026, 3, 1, 14, 0, 0, 7, tzinfo=timezone(timedelta(hours=2)))),
    ]
    entries = [store.append(one) for one in given]
    assert [entry.number for entry in entries] == [1, 2, 3, 4]
    assert list(store.entries()) == entries
    assert [entry.verdict for entry in entries] == given
    assert store.head() == Head(4, entries[-1].sha256)
    again = open_store(address)
    assert again.fault() is None
    assert again.fault(entries[1].sha256) is None
    again.close()


def test_a_file_is_in_the_mode_that_lets_many_read_while_one_writes_and_stays_so(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.sqlite"
    opened = open_store(str(path))
    for _ in range(2):
        with closing(sqlite3.connect(path)) as another:
            assert another.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        opened.close()
    with closing(sqlite3.connect(path)) as another:
        assert another.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",)
    opened = open_store(str(path))
    with closing(sqlite3.connect(path)) as another:
        assert another.execute("PRAGMA journal_mode").fetchone() == ("wal",), (
            "where another program changed it"
        )
        another.execute("BEGIN")
        assert another.execute("SELECT count(*) FROM verdicts").fetchone() == (0,)
        opened.append(verdict())
        assert another.execute("SELECT count(*) FROM verdicts").fetchone() == (0,), "as it was when it began"
    opened.close()


def test_undo_is_a_record_after_which_what_was_said_before_holds_again(store: Store) -> None:
    first, second = store.append(verdict()), store.append(verdict(Kind.NOT_A_DEFECT))
    assert store.current("strip_0") == [second]
    undo = store.withdraw(second, NOON, "slipped")
    assert store.current("strip_0", "anna") == [first]
    store.withdraw(first, NOON)
    assert store.current() == []
    assert len(store.history("strip_0")) == 4
    assert undo.verdict.withdraws == second.number


def test_only_the_reader_s_own_verdict_that_holds_is_taken_back(store: Store) -> None:
    entry = store.append(verdict())
    undo = store.withdraw(entry, NOON)
    for wrong in (
        replace(undo.verdict, reader="björn"),
        replace(undo.verdict, withdraws=99),
        replace(undo.verdict, withdraws=undo.number),
        replace(undo.verdict, seen=verdict(patch="other_0").seen),
        undo.verdict,
    ):
        with pytest.raises(InputError, match=r"withdraws [0-9]+, expected|taken back already, by record"):
            store.append(replace(wrong, id="0" * 32))
    with pytest.raises(InputError, match="record 2 takes one back"):
        store.withdraw(undo, NOON)
    assert store.head().number == 2


def test_the_same_verdict_appended_again_is_stored_once(store: Store) -> None:
    one = verdict()
    assert store.append(one) == store.append(one)
    with pytest.raises(InputError, match="is that of record 1, expected a new one"):
        store.append(replace(one, note="another"))
    assert store.head().number == 1


def test_records_are_asked_for_by_patch_reader_kind_time_and_number(store: Store) -> None:
    store.append(verdict())
    store.append(replace(verdict(Kind.UNSURE, "björn", "strip_1"), at=NOON + timedelta(hours=1)))
    for wanted, numbers in (
        (Wanted(patch="strip_1"), [2]),
        (Wanted(reader="anna"), [1]),
        (Wanted(kind=Kind.UNSURE), [2]),
        (Wanted(since=NOON + timedelta(minutes=1)), [2]),
        (Wanted(before=NOON + timedelta(minutes=1)), [1]),
        (Wanted(above=1), [2]),
        (Wanted(patch="strip_1", reader="anna"), []),
    ):
        assert [entry.number for entry in store.entries(wanted)] == numbers


def test_the_database_refuses_to_change_or_delete_a_record(store: Store) -> None:
    store.append(verdict())
    engine = store._engine
    for statement in (
        "UPDATE verdicts SET kind = 'unsure'",
        "DELETE FROM verdicts",
        "UPDATE verdicts_head SET number = 0",
        "DELETE FROM verdicts_head",
        *(["TRUNCATE verdicts"] if engine.dialect.name == "postgresql" else []),
    ):
        with (
            pytest.raises(DBAPIError, match=r"never changed|goes on by one"),
            engine.execution_options(writes=True).begin() as connection,
        ):
            connection.execute(text(statement))
    assert store.fault() is None


def test_the_migrations_make_the_tables_that_the_store_uses(store: Store) -> None:
    with store._engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, METADATA) == []


def test_a_database_of_a_later_version_is_refused_in_words(store: Store, address: str) -> None:
    with store._engine.execution_options(writes=True).begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '0099'"))
    with pytest.raises(
        InputError, match="has schema 0099, expected 0003 at most: it was opened by a later version"
    ):
        open_store(address)


def test_eight_processes_that_begin_and_append_at_once_lose_nothing(address: str) -> None:
    processes = [start(address, f"reader{place}", 12) for place in range(8)]
    said = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 8
    acknowledged = sorted(int(line.split()[0]) for one in said for line in one.splitlines())
    assert acknowledged == list(range(1, 97))
    store = open_store(address)
    assert store.fault() is None
    assert len(store.current()) == 96
    store.close()


def test_a_process_killed_while_it_appends_loses_nothing_that_was_acknowledged(address: str) -> None:
    process = start(address, "anna", 100_000)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(25)]
    process.kill()
    lines += process.communicate(timeout=30)[0].splitlines()
    acknowledged = [line.split() for line in lines if len(line.split()) == 2 and len(line.split()[1]) == 64]
    store = open_store(address)
    assert store.fault() is None
    kept = [[str(entry.number), entry.sha256] for entry in store.entries()]
    assert kept[: len(acknowledged)] == acknowledged
    assert len(kept) - len(acknowledged) in {0, 1}
    store.append(verdict())
    assert store.fault() is None
    store.close()


def start(address: str, reader: str, count: int) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-W", "error", str(ROOT / "tests/app/appender.py"), address, reader, str(count)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )


def test_a_file_that_is_away_is_said_to_be_and_used_again_when_it_is_back(tmp_path: Path) -> None:
    folder = tmp_path / "share"
    store = open_store(str(folder / "verdicts.sqlite"))
    store.append(verdict())
    folder.rename(tmp_path / "away")
    for use in (store.head, store.current, lambda: store.append(verdict())):
        with pytest.raises(StoreAway, match=r"verdicts\.sqlite: cannot be reached"):
            use()
    assert not folder.exists()
    (tmp_path / "away").rename(folder)
    assert store.append(verdict()).number == 2
    store.close()


def test_a_server_that_is_away_is_said_to_be_and_used_again_when_it_is_back(server: Server) -> None:
    address = emptied(server.address)
    store = open_store(address)
    store.append(verdict())
    server.stop()
    try:
        for use in (store.head, lambda: store.append(verdict()), lambda: open_store(address)):
            with pytest.raises(StoreAway, match="cannot be reached"):
                use()
    finally:
        server.start()
    assert store.append(verdict()).number == 2
    assert store.fault() is None
    store.close()


def test_a_password_is_in_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "s3cr/t &"
    spelled = "s3cr%2Ft%20%26"
    address = f"postgresql://anna:{spelled}@127.0.0.1:1/steel"
    assert "s3cr" not in shown(address_of(address))
    with pytest.raises(StoreAway) as away:
        open_store(address)
    monkeypatch.setenv(VARIABLE, f"postgresql://anna:{spelled}@127.0.0.1:port/steel")
    with pytest.raises(InputError) as wrong:
        open_store()
    with pytest.raises(InputError) as other:
        open_store(f"mysql://anna:{spelled}@127.0.0.1/steel")
    for error in (away, wrong, other):
        assert secret not in str(error.value)
        assert spelled not in str(error.value)
        assert "\n" not in str(error.value)


def test_what_is_no_store_is_refused_and_left_alone(tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"no database " * 100)
    with pytest.raises(InputError, match="file is not a database"):
        open_store(str(picture))
    assert picture.read_bytes() == b"no database " * 100
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE songs (name TEXT)")
    connection.close()
    with pytest.raises(InputError, match="holds the table 'songs', expected a store of verdicts"):
        open_store(str(other))
    with pytest.raises(InputError, match="no such file"):
        open_store(str(tmp_path / "missing.sqlite"), create=False)
    with pytest.raises(StoreAway):
        open_store(str(picture / "below.sqlite"))
    empty = tmp_path / "empty.sqlite"
    empty.touch()
    with pytest.raises(
        InputError, match=r"holds no verdicts' tables, expected a store .* copy the files ending in -wal"
    ):
        open_store(str(empty), create=False)
    assert not empty.stat().st_size


def test_the_file_alone_holds_what_was_acknowledged_and_a_backup_is_made_while_it_is_used(
    tmp_path: Path,
) -> None:
    path = tmp_path / "verdicts.sqlite"
    store = open_store(str(path))
    entry = store.append(verdict())
    alone = tmp_path / "alone.sqlite"
    alone.write_bytes(path.read_bytes())  # as who copies files does, without SQLite's log beside it
    with closing(open_store(str(alone), create=False)) as copied:
        assert list(copied.entries()) == [entry]
    with store.reading() as connection:
        connection.execute(
            text("SELECT number FROM verdicts")
        ).all()  # a reader holds back what the log may give up
        later = store.append(verdict(Kind.UNSURE, "björn"))
        store.back_up(tmp_path / "backup.sqlite")
    with closing(open_store(str(tmp_path / "backup.sqlite"), create=False)) as backup:
        assert list(backup.entries()) == [entry, later]
        assert backup.fault() is None
    store.close()


@pytest.fixture
def tampered(tmp_path: Path) -> Callable[[str], Store]:
    """A store of five records in which somebody was with SQLite's own tools."""

    def make(statements: str) -> Store:
        path = tmp_path / "verdicts.sqlite"
        store = open_store(str(path))
        for _ in range(5):
            store.append(verdict())
        store.close()
        connection = sqlite3.connect(path)
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.executescript(statements)
        connection.commit()
        connection.close()
        return open_store(str(path))

    return make


@pytest.mark.parametrize(
    ("statements", "number", "reason"),
    [
        ("UPDATE verdicts SET kind = 'unsure' WHERE number = 3", 3, "altered"),
        ("UPDATE verdicts SET at = '2020-01-01T00:00:00.000000Z' WHERE number = 5", 5, "altered"),
        ("UPDATE verdicts SET blind = 0 WHERE number = 1", 1, "altered"),
        ("UPDATE verdicts SET format = 1 WHERE number = 2", 2, "altered"),
        ("UPDATE verdicts SET beside_method = 'rise' WHERE number = 4", 4, "altered"),
        ("UPDATE verdicts SET note = x'00ff' WHERE number = 2", 2, "altered"),
        ("DELETE FROM verdicts WHERE number = 3", 3, "missing"),
        ("DELETE FROM verdicts WHERE number = 1", 1, "missing"),
        (
            "DELETE FROM verdicts WHERE number = 3; UPDATE verdicts SET number = number - 1 WHERE number > 3",
            3,
            "follow",
        ),
        (
            "UPDATE verdicts SET number = 9 WHERE number = 2; UPDATE verdicts SET number = 2 WHERE number = 4;"
            "UPDATE verdicts SET number = 4 WHERE number = 9",
            2,
            "follow",
        ),
        (
            "UPDATE verdicts SET id = 'x' WHERE number = 5; INSERT INTO verdicts SELECT 6, format, 'y', at, reader, kind, label, note,"
            "withdraws, patch, strip, image_sha256, marked_label, mask_sha256, blind, weights_sha256, predicted, probability, method,"
            "settings, target, map_sha256, beside_method, beside_settings, beside_target, beside_map_sha256, previous_sha256, sha256 FROM verdicts WHERE number = 2",
            5,
            "altered",
        ),
        ("DELETE FROM verdicts WHERE number > 3", 4, "missing"),
        ("UPDATE verdicts_head SET number = 3", 4, "put in"),
    ],
)
def test_a_changed_database_is_found_out_with_the_first_wrong_record(
    tampered: Callable[[str], Store],
    capsys: pytest.CaptureFixture[str],
    statements: str,
    number: int,
    reason: str,
) -> None:
    store = tampered(statements)
    fault = store.fault()
    assert fault is not None
    assert (fault.number, reason in fault.reason) == (number, True), fault
    assert main(["verify", "--store", store.address]) == 1
    told = capsys.readouterr().out
    assert told == f"{store.address}: {fault.reason}\n"
    assert f": record {number} " in told


def test_an_end_cut_off_with_its_head_is_found_by_a_hash_noted_elsewhere(
    tampered: Callable[[str], Store],
) -> None:
    store = tampered(
        "UPDATE verdicts_head SET number = 3, sha256 = (SELECT sha256 FROM verdicts WHERE number = 3);"
        "CREATE TABLE gone AS SELECT * FROM verdicts WHERE number > 3; DELETE FROM verdicts WHERE number > 3"
    )
    assert store.fault() is None
    with store._engine.connect() as connection:
        noted = connection.execute(text("SELECT sha256 FROM gone WHERE number = 5")).scalar()
        earlier = connection.execute(text("SELECT sha256 FROM verdicts WHERE number = 2")).scalar()
    assert store.fault(earlier) is None
    fault = store.fault(noted)
    assert fault is not None
    assert "cut off" in fault.reason


def test_a_record_that_is_no_verdict_any_more_is_named(tampered: Callable[[str], Store]) -> None:
    store = tampered("UPDATE verdicts SET kind = 'fine' WHERE number = 3")
    with pytest.raises(
        InputError, match=r"record 3 of the store of verdicts: holds no verdict .* app\.audit verify"
    ):
        list(store.entries())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reader": ""}, "reader of 0 characters"),
        ({"reader": " anna"}, "expected 'anna'"),
        ({"reader": "anna\u202e"}, r"control character U\+202E"),
        ({"note": "x" * (LONGEST_NOTE + 1)}, "note of 2001 characters"),
        ({"note": "a\x00b"}, r"control character U\+0000"),
        ({"note": "\ud800"}, r"control character U\+D800"),
        ({"note": "a\u202eb"}, r"U\+202E, which turns the direction of the text"),
        ({"at": datetime(2026, 1, 1)}, "expected a time with its zone"),
        ({"label": 2}, "expected one with wrong_class alone"),
        ({"kind": Kind.WRONG_CLASS}, "label None, expected 1 to 4"),
        ({"kind": Kind.WRONG_CLASS, "label": 0}, "label 0, expected 1 to 4"),
        ({"kind": Kind.WRONG_CLASS, "label": 3}, "another class than the patch is marked as"),
        ({"kind": Kind.WITHDRAWN}, "withdraws 0, expected 1 or more"),
        ({"withdraws": 1}, "expected it with withdrawn alone"),
        ({"id": "x"}, "expected 32 hexadecimal digits"),
    ],
)
def test_what_is_no_verdict_is_refused_in_words(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(verdict(), **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"patch": "../x_0"}, "expected a plain file name"),
        ({"strip": "other"}, "expected the one in its name"),
        ({"label": 5}, "label 5, expected 0 to 4"),
        ({"image_sha256": "A" * 64}, "expected 64 hexadecimal digits"),
        ({"label": 0}, "expected none for class 0"),
        ({"heats": SEEN.heats * 2}, "4 maps in sight, expected 2 at most"),
    ],
)
def test_what_nobody_can_have_seen_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(SEEN, **change)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="probability nan"):
        Answer("c" * 64, 1, float("nan"))


@pytest.mark.parametrize(
    ("kind", "label", "marked", "implied"),
    [
        (Kind.AGREE, None, 3, 3),
        (Kind.AGREE, None, 0, 0),
        (Kind.WRONG_CLASS, 4, 3, 4),
        (Kind.NOT_A_DEFECT, None, 3, 0),
        (Kind.SEGMENT_WRONG, None, 3, 3),
        (Kind.SEGMENT_WRONG, None, 0, None),
        (Kind.UNSURE, None, 3, None),
    ],
)
def test_a_verdict_implies_a_class(kind: Kind, label: int | None, marked: int, implied: int | None) -> None:
    seen = replace(SEEN, label=marked, mask_sha256="b" * 64 if marked else "")
    assert implied_class(replace(verdict(kind, label=label), seen=seen)) == implied


words = st.text(st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp")), max_size=60)
settings = st.lists(
    st.tuples(
        words.map(lambda name: "n" + name),
        st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**70), 2**70) | words,
    ),
    max_size=3,
)


@st.composite
def verdicts(draw: st.DrawFn) -> Verdict:
    answer = Answer("c" * 64, draw(st.integers(0, 4)), draw(st.floats(0, 1)))
    heats = [
        Heat("sise", tuple(draw(settings)), 1, "d" * 64),
        Heat("rise", tuple(draw(settings)), 2, "e" * 64),
    ]
    seen = replace(
        SEEN,
        answer=draw(st.sampled_from([answer, None])),
        heats=tuple(heats[: draw(st.integers(0, 2))]),
        blind=draw(st.booleans()),
    )
    name = draw(words.map(tidy_name).filter(bool))
    zone = timezone(timedelta(minutes=draw(st.integers(-700, 700))))
    at = draw(st.datetimes(datetime(1990, 1, 1), datetime(2200, 1, 1))).replace(tzinfo=zone)
    return Verdict(Kind.UNSURE, name, at, seen, note=tidy_note(draw(words)))


@given(st.lists(verdicts(), min_size=1, max_size=4))
def test_a_verdict_comes_back_from_its_row_and_a_chain_of_them_holds(given_verdicts: list[Verdict]) -> None:
    rows, last = [], NOTHING
    for one in given_verdicts:
        row = row_of(one, last)
        assert entry_of(row) == Entry(last.number + 1, one, row["sha256"])
        rows.append(row)
        last = Head(row["number"], row["sha256"])
    assert first_fault(rows, last) is None
    for place, row in enumerate(rows):
        changed = [*rows[:place], row | {"note": row["note"] + "!"}, *rows[place + 1 :]]
        fault = first_fault(changed, last)
        assert fault is not None
        assert fault.number == place + 1


def test_a_seal_is_sha256_of_the_hash_before_and_the_content() -> None:
    row = row_of(replace(verdict(), id="0" * 32), NOTHING)
    expected = (
        b'[1,2,"00000000000000000000000000000000","2026-03-01T12:00:00.000000Z","anna","agree",null,"",null,"strip_0","strip",'
        b'"%s",3,"%s",1,"%s",3,0.9,"sise","[[\\"budget\\",0.4],[\\"gate\\",\\"hard\\"]]",3,"%s","grad_cam","[]",3,"%s"]'
    ) % tuple(letter * 64 for letter in (b"a", b"b", b"c", b"d", b"e"))
    assert canonical(row) == expected
    assert row["sha256"] == seal(GENESIS, row) == sha256(b"0" * 64 + b"\n" + expected)


def test_a_seal_of_before_there_were_two_maps_holds_and_its_record_can_hold_no_second_one() -> None:
    row = row_of(replace(verdict(), seen=replace(SEEN, heats=SEEN.heats[:1])), NOTHING) | {"format": 1}
    old = row | {"sha256": seal(GENESIS, row)}
    assert len(json.loads(canonical(old))) == 22
    head = Head(1, old["sha256"])
    assert first_fault([old], head) is None
    assert entry_of(old).verdict.seen.heats == SEEN.heats[:1]
    fault = first_fault([old | {"beside_map_sha256": "e" * 64}], head)
    assert fault is not None
    assert "altered" in fault.reason


def test_a_second_reader_sees_nothing_of_the_first_until_they_have_judged(tmp_path: Path) -> None:
    store, everyone, nobody = open_store(str(tmp_path / "v.sqlite")), Lot(1.0), Lot(0.0)
    assert visible_to(store, "anna", "strip_0", everyone).blind
    first = store.append(verdict())
    assert visible_to(store, "anna", "strip_0", everyone).entries == (first,)
    hidden = visible_to(store, "björn", "strip_0", everyone)
    assert (hidden.entries, hidden.blind, hidden.hidden) == ((), True, 1)
    shown_to_him = visible_to(store, "björn", "strip_0", nobody)
    assert (shown_to_him.entries, shown_to_him.blind) == ((first,), False)
    assert awaiting_second_reading(store, "björn", everyone) == ("strip_0",)
    assert awaiting_second_reading(store, "anna", everyone) == ()
    assert awaiting_second_reading(store, "björn", nobody) == ()
    second = store.append(verdict(Kind.UNSURE, "björn"))
    seen = visible_to(store, "björn", "strip_0", everyone)
    assert (seen.entries, seen.blind) == ((first, second), False)
    assert awaiting_second_reading(store, "carla", everyone) == ()
    store.withdraw(second, NOON)
    assert not visible_to(store, "björn", "strip_0", everyone).blind
    assert awaiting_second_reading(store, "björn", everyone) == ()
    assert awaiting_second_reading(store, "carla", everyone) == ("strip_0",)
    store.close()


def test_the_lot_draws_its_share_and_another_seed_others() -> None:
    names = [f"strip{place}_0" for place in range(4000)]
    drawn = {seed: {name for name in names if is_drawn(name, Lot(0.25, seed))} for seed in (0, 1)}
    # of 4,000 draws at 1/4 the standard deviation is 27: five of them are 137
    assert all(abs(len(some) - 1000) < 137 for some in drawn.values())
    assert drawn[0] != drawn[1]
    assert drawn[0] < {name for name in names if is_drawn(name, Lot(0.5, 0))}
