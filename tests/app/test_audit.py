"""What comes out of the verdicts: agreement, exports, a corrected train.csv that data preparation reads."""

import csv
import io
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.metrics import cohen_kappa_score

from app.audit import main
from app.verdicts.agreement import agreements, cohens_kappa
from app.verdicts.corrections import correct
from app.verdicts.export import as_csv
from app.verdicts.records import Entry, Kind, Seen, Verdict
from app.verdicts.store import Store, open_store
from data_prep.__main__ import main as prepare
from severstal_xai.errors import InputError
from severstal_xai.manifest import Manifest, Patch, read_manifest
from severstal_xai.rle import decode_rle, encode_rle, join_rle, part_columns

ROOT = Path(__file__).resolve().parents[2]
NOON = datetime(2026, 3, 1, tzinfo=UTC)


def judge(
    patch: Patch, kind: Kind, reader: str = "anna", label: int | None = None, note: str = ""
) -> Verdict:
    seen = Seen(
        patch.patch, patch.strip, patch.image_sha256, patch.label, patch.mask_sha256, None, (), blind=True
    )
    return Verdict(kind, reader, NOON, seen, label, note)


def block(x: int, width: int = 20) -> str:
    """Rows 50 to 99 of the columns from x on."""
    mask = np.zeros((256, 1600), dtype=bool)
    mask[50:100, x : x + width] = True
    return encode_rle(mask)


def runs(*parts: str) -> str:
    joined = ""
    for part in parts:
        joined = join_rle(joined, part, 256, 1600)
    return joined


WHOLE_COLUMNS = f"{256 * (288 - 2) + 1} {256 * 4}"
"""One run over four whole columns, two on either side of the edge between windows 0 and 1."""
NEW_FORM = "".join(
    [
        "\ufeffImageId,ClassId,EncodedPixels\r\n",
        f"a.jpg,3,{runs(block(100), block(600), block(1400))}\r\n",
        f"b.jpg,1,{block(100)}\n",
        f'c.jpg,2,"{block(100)}"\n',
        "\n",
        f"d.jpg,4,{WHOLE_COLUMNS}\n",
        f"e.jpg,1,{block(900)}",
    ]
)


def strips(folder: Path, annotations: bytes) -> Path:
    (folder / "train_images").mkdir(parents=True)
    chance = np.random.default_rng(0)
    for name in "abcde":
        grey = chance.integers(60, 180, (256, 1600)).astype(np.uint8)
        Image.fromarray(grey).save(folder / f"train_images/{name}.jpg", quality=60)
    (folder / "train.csv").write_bytes(annotations)
    return folder


def prepared(source: Path, output: Path, *more: str) -> Manifest:
    assert prepare(["--source", str(source), "--output", str(output), *more]) == 0
    return read_manifest(output)


def old_form() -> bytes:
    rows = dict(line.rstrip().rsplit(",", 1) for line in NEW_FORM.splitlines()[1:] if line)
    cells = {name.replace(",", "_"): text for name, text in rows.items()}
    lines = [
        f"{image}.jpg_{label},{cells.get(f'{image}.jpg_{label}', '')}"
        for image in "abcde"
        for label in (1, 2, 3, 4)
    ]
    return "\n".join(["ImageId_ClassId,EncodedPixels", *lines, ""]).encode()


@pytest.mark.parametrize("form", ["new", "old"])
def test_from_strips_by_verdicts_to_a_corrected_file_and_the_labels_that_were_said(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = NEW_FORM.encode() if form == "new" else old_form()
    source = strips(tmp_path / "strips", content)
    manifest = prepared(source, tmp_path / "data")
    address = str(tmp_path / "verdicts.sqlite")
    store = open_store(address)
    say(store, manifest)
    store.close()
    output = tmp_path / "out"
    export = ["export", "--store", address, "--output", str(output)]
    assert main([*export, "--data", str(tmp_path / "data"), "--annotations", str(source / "train.csv")]) == 0
    told = capsys.readouterr().out
    assert "2 patches moved to another class, 2 cleared, 1 confirmed; 3 to look at again" in told
    assert "1 strips hold several classes now" in told
    assert (source / "train.csv").read_bytes() == content

    corrected = (output / "train.csv").read_bytes()
    if form == "new":
        assert corrected.decode() == "".join(
            [
                "\ufeffImageId,ClassId,EncodedPixels\r\n",
                f"a.jpg,3,{runs(block(100), block(1400))}\r\n",
                f"a.jpg,4,{block(600)}\r\n",
                f'c.jpg,2,"{block(100)}"\n',
                "\n",
                f"d.jpg,4,{256 * 288 + 1} {256 * 2}\n",
                f"e.jpg,2,{block(900)}\n",
            ]
        )
    redo = list(csv.DictReader(io.StringIO((output / "to_redo.csv").read_text("utf-8-sig"))))
    assert [(row["patch"], row["reason"]) for row in redo] == [
        ("a_0", "readers differ"),
        ("a_1", "a defect that nobody marked, and is to be marked"),
        ("a_5", "the segment is wrong, and is to be marked anew"),
    ]
    assert redo[0]["verdicts"] == "anna: agree; björn: not_a_defect"
    assert redo[2]["notes"] == "anna: =larger"

    (source / "train.csv").write_bytes(corrected)
    rules = ("--several_classes", "leave_out_patch", "--normal_from", "all")
    after = {patch.patch: patch.label for patch in prepared(source, tmp_path / "after", *rules).patches}
    expected = dict.fromkeys((f"{name}_{index}" for name in "abcde" for index in range(6)), 0)
    expected |= {"a_0": 3, "a_2": 4, "a_5": 3, "c_0": 2, "d_1": 4, "e_3": 2}
    assert after == expected


def say(store: Store, manifest: Manifest) -> None:
    found = manifest.find
    slip = store.append(judge(found("c_0"), Kind.NOT_A_DEFECT))
    for one in (
        judge(found("a_0"), Kind.AGREE),
        judge(found("a_0"), Kind.NOT_A_DEFECT, "björn"),
        judge(found("a_1"), Kind.WRONG_CLASS, label=2),
        judge(found("a_2"), Kind.WRONG_CLASS, label=4),
        judge(found("a_2"), Kind.WRONG_CLASS, "björn", label=4),
        judge(found("a_5"), Kind.SEGMENT_WRONG, note="=larger"),
        judge(found("b_0"), Kind.NOT_A_DEFECT),
        judge(found("c_0"), Kind.AGREE),
        judge(found("d_0"), Kind.NOT_A_DEFECT),
        judge(found("e_3"), Kind.WRONG_CLASS, label=2),
    ):
        store.append(one)
    store.withdraw(slip, NOON)


def test_nothing_is_done_where_the_file_is_not_what_was_judged(tmp_path: Path) -> None:
    source = strips(tmp_path / "strips", NEW_FORM.encode())
    manifest = prepared(source, tmp_path / "data")
    patch = manifest.find("a_0")

    def reasons(content: str, verdict: Verdict) -> list[str]:
        found = correct(content.encode(), [Entry(1, verdict, "")], manifest)
        assert found.content == content.encode()
        return [redo.reason for redo in found.redo]

    away = judge(patch, Kind.NOT_A_DEFECT)
    several = NEW_FORM.replace("\r\nb.jpg", f"\r\na.jpg,1,{block(200)}\r\nb.jpg")
    assert reasons(several, away) == ["the file marks 1, 3 in its window, expected class 3 alone"]
    other = NEW_FORM.replace(block(100), block(101), 1)
    assert "other pixels" in reasons(other, away)[0]
    assert "nothing in its window" in reasons("ImageId,ClassId,EncodedPixels\n", away)[0]
    elsewhere = replace(away, seen=replace(away.seen, image_sha256="f" * 64))
    assert "another image or other marks" in reasons(NEW_FORM, elsewhere)[0]
    unknown = replace(away, seen=replace(away.seen, patch="z_0", strip="z"))
    assert reasons(NEW_FORM, unknown) == ["the data folder has no such patch"]
    assert reasons(NEW_FORM, judge(patch, Kind.UNSURE)) == ["the reader is unsure"]


def test_lines_that_are_wrong_and_bytes_that_are_no_text_stay(tmp_path: Path) -> None:
    wrong = NEW_FORM.encode() + b"\nz.jpg,9,1 1\nq\xff.jpg,1\n\xfe\n"
    source = strips(tmp_path / "strips", NEW_FORM.encode())
    manifest = prepared(source, tmp_path / "data")
    entry = Entry(1, judge(manifest.find("b_0"), Kind.NOT_A_DEFECT), "")
    line = f"b.jpg,1,{block(100)}\n".encode()
    assert correct(wrong, [entry], manifest).content == wrong.replace(line, b"")
    assert correct(wrong, [], manifest).content == wrong


@given(
    st.lists(st.integers(1, 6), max_size=12).map(np.cumsum),
    st.integers(0, 9),
    st.integers(0, 9),
    st.integers(1, 6),
)
def test_an_encoding_is_parted_by_columns_and_joined_again(
    changes: np.ndarray, left: int, right: int, height: int
) -> None:
    left, right = sorted((left, right))
    mask = np.zeros(height * 9, dtype=bool)
    for begin, end in zip(changes[::2], changes[1::2], strict=False):
        mask[begin:end] = True
    picture = mask.reshape(9, height).T
    inside, outside = part_columns(encode_rle(picture), left, right, height, 9)
    expected = picture.copy()
    expected[:, :left] = expected[:, right:] = False
    np.testing.assert_array_equal(decode_rle(inside, height, 9), expected)
    np.testing.assert_array_equal(decode_rle(outside, height, 9), picture & ~expected)
    np.testing.assert_array_equal(decode_rle(join_rle(inside, outside, height, 9), height, 9), picture)


def test_an_export_replaces_nothing_unasked_and_the_original_never(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = strips(tmp_path / "strips", NEW_FORM.encode())
    prepared(source, tmp_path / "data")
    address = str(tmp_path / "verdicts.sqlite")
    open_store(address).close()
    both = ["--data", str(tmp_path / "data"), "--annotations", str(source / "train.csv"), "--store", address]
    for more in ([], ["--overwrite", "true"]):
        with pytest.raises(InputError, match="the original, expected another --output"):
            main(["export", "--output", str(source), *both, *more])
    assert main(["export", "--output", str(tmp_path / "out"), *both]) == 0
    assert (tmp_path / "out/train.csv").read_bytes() == NEW_FORM.encode()
    with pytest.raises(InputError, match="is there already"):
        main(["export", "--output", str(tmp_path / "out"), *both])
    with pytest.raises(InputError, match="--data without --annotations"):
        main(["export", "--output", str(tmp_path / "out"), "--data", "x", "--store", address])


def test_texts_are_no_formulas_in_csv_and_exact_in_parquet(made_data: Manifest, tmp_path: Path) -> None:
    address = str(tmp_path / "verdicts.sqlite")
    store = open_store(address)
    notes = ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "＝1", 'a "scab"; =1\n=2', "fine"]  # noqa: RUF001
    for note in notes:
        store.append(judge(made_data.patches[0], Kind.AGREE, reader="=anna", note=note))
    store.close()
    assert main(["export", "--store", address, "--output", str(tmp_path / "out")]) == 0
    rows = list(
        csv.DictReader(
            io.StringIO((tmp_path / "out/verdicts.csv").read_bytes().decode("utf-8-sig"), newline="")
        )
    )
    for row, note in zip(rows, notes, strict=True):
        assert row["note"] in {note, f"'{note}"}
        assert row["note"].lstrip(" ")[0] not in "=+-@＝"  # noqa: RUF001
        assert row["reader"] == "'=anna"
    assert [row["current"] for row in rows] == ["false"] * 7 + ["true"]
    table = pq.read_table(tmp_path / "out/verdicts.parquet")
    assert table.column("note").to_pylist() == notes
    assert table.column("at").to_pylist() == [NOON] * len(notes)
    assert as_csv([{"x": "a", "y": None}], ["x", "y"]) == '"x","y"\r\n"a",""\r\n'


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=60))
@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::UserWarning")
def test_kappa_is_scikit_learn_s(pairs: list[tuple[int, int]]) -> None:
    first, second = zip(*pairs, strict=True)
    found = cohens_kappa(first, second, ["strip"] * len(first))
    if len({*first, *second}) == 1:
        assert found.kappa is None
        assert "chance does as well" in found.note
    else:
        assert found.kappa is not None
        np.testing.assert_allclose(found.kappa.value, cohen_kappa_score(first, second), atol=1e-12)


def test_kappa_s_interval_holds_its_value_and_is_not_given_where_it_would_promise_too_much() -> None:
    chance = np.random.default_rng(0)
    first = chance.integers(0, 3, 400).tolist()
    second = [one if chance.random() < 0.7 else int(chance.integers(0, 3)) for one in first]
    strips_of = [f"s{place // 2}" for place in range(400)]
    found = cohens_kappa(first, second, strips_of)
    assert found.kappa is not None
    assert found.kappa.low < 0.7 < found.kappa.high, "they agree by chance alone on the other 30 %"
    assert 0.05 < found.kappa.high - found.kappa.low < 0.2
    assert "never disagreed" in cohens_kappa(first, first, strips_of).note
    assert "10 are needed" in cohens_kappa(first, second, ["s"] * 400).note
    assert cohens_kappa([], [], []).note == "no patch that both judged"


def test_only_blind_verdicts_that_hold_on_the_same_marks_are_compared(made_data: Manifest) -> None:
    first, second, third, fourth = made_data.patches[4:8]
    said = [
        judge(first, Kind.AGREE),
        judge(first, Kind.NOT_A_DEFECT, "björn"),
        judge(second, Kind.AGREE),
        judge(second, Kind.UNSURE, "björn"),
        judge(third, Kind.AGREE),
        judge(third, Kind.AGREE, "björn"),
        judge(fourth, Kind.AGREE),
        judge(fourth, Kind.AGREE, "björn"),
    ]
    said[5] = replace(said[5], seen=replace(said[5].seen, image_sha256="f" * 64))
    entries = [Entry(place, one, "") for place, one in enumerate(said, start=1)]
    seeing = replace(judge(first, Kind.AGREE, "björn"), seen=replace(said[1].seen, blind=False))
    undo = replace(said[7], kind=Kind.WITHDRAWN, withdraws=8)
    entries += [Entry(9, seeing, ""), Entry(10, undo, "")]
    (blind,) = agreements(entries)
    assert blind.readers == ("anna", "björn")
    assert (blind.kinds.patches, blind.kinds.agreed, blind.classes.patches, blind.other_marks) == (
        2,
        0.0,
        1,
        1,
    )
    (all_of_them,) = agreements(entries, blind_only=False)
    assert (all_of_them.kinds.patches, all_of_them.kinds.agreed) == (2, 0.5)


def test_the_command_verifies_notes_and_compares(
    made_data: Manifest, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    address = str(tmp_path / "verdicts.sqlite")
    monkeypatch.setenv("SEVERSTAL_XAI_VERDICTS", address)
    store = open_store()
    for patch in made_data.patches[:3]:
        for reader in ("anna", "björn"):
            last = store.append(judge(patch, Kind.AGREE, reader))
    assert main(["head"]) == 0
    assert capsys.readouterr().out == f"{last.sha256}\n"
    assert main(["verify", "--head", last.sha256]) == 0
    assert "6 records, the chain holds, which holds the noted one" in capsys.readouterr().out
    assert main(["verify", "--head", "f" * 64]) == 1
    assert "has the noted hash" in capsys.readouterr().out
    assert main(["backup", "--output", str(tmp_path / "copy.sqlite")]) == 0
    assert f"copy.sqlite: {last.number} records, the chain holds" in capsys.readouterr().out
    with pytest.raises(InputError, match=r"copy.sqlite: is there already, expected a new file"):
        main(["backup", "--output", str(tmp_path / "copy.sqlite")])
    assert main(["agreement"]) == 0
    assert "| anna and björn | verdict | 3 | 100.0% | not defined |" in capsys.readouterr().out
    store.close()
    spoil(tmp_path / "verdicts.sqlite", "UPDATE verdicts SET kind = 'unsure' WHERE number = 3")
    command = [sys.executable, "-m", "app.audit", "verify"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert (ended.returncode, ended.stderr) == (1, "")
    assert ended.stdout.startswith(f"{address}: record 3 was altered")
    with pytest.raises(InputError, match="--head 'x', expected 64 hexadecimal digits"):
        main(["verify", "--head", "x"])
    for wrong in ([], ["undo"], ["verify", "--nothing"]):
        with pytest.raises(SystemExit) as stopped:
            main(wrong)
        assert stopped.value.code == 2
        assert capsys.readouterr().err.count("\n") == 1


def spoil(path: Path, statement: str) -> None:
    """Change a store with SQLite's own tools, in which its triggers are no bar."""
    with closing(sqlite3.connect(path)) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(statement)
        connection.commit()
