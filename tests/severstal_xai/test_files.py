"""Files are whole or not there, names are names, and paths stay in their folder."""

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from severstal_xai.errors import InputError
from severstal_xai.files import (
    check_name,
    delete_leftovers,
    inside,
    is_nobodys,
    sha256,
    sha256_of,
    sync,
    whole_file,
    write_bytes,
    write_new,
    write_text,
)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_written_file_is_there_and_nothing_else(tmp_path: Path) -> None:
    write_bytes(tmp_path / "new folder" / "a.bin", b"content")
    assert (tmp_path / "new folder" / "a.bin").read_bytes() == b"content"
    assert names_in(tmp_path / "new folder") == ["a.bin"]


def test_text_is_written_as_utf_8_with_line_feeds(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "Ränder\n")
    assert (tmp_path / "a.txt").read_bytes() == "Ränder\n".encode()


@pytest.mark.parametrize("links", [True, False])
def test_of_several_that_write_a_new_file_the_first_one_s_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, links: bool
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    if not links:
        monkeypatch.setattr(Path, "hardlink_to", refuse)
    path = tmp_path / "folder" / "a.bin"
    assert write_new(path, b"first")
    assert not write_new(path, b"second")
    assert path.read_bytes() == b"first"
    assert names_in(path.parent) == ["a.bin"]


def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with whole_file(path) as temporary:
        temporary.write_bytes(b"new, half writ")
        assert path.read_bytes() == b"old"
        temporary.write_bytes(b"new, half written")
    assert path.read_bytes() == b"new, half written"


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt(), ValueError()])
def test_a_write_that_fails_keeps_the_old_file_and_leaves_nothing_behind(
    tmp_path: Path, error: BaseException
) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def write() -> None:
        with whole_file(path) as temporary:
            temporary.write_bytes(b"half")
            raise error

    with pytest.raises(type(error)):
        write()
    assert path.read_bytes() == b"old"
    assert names_in(tmp_path) == ["a.bin"]


def test_a_write_that_wrote_nothing_fails_and_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(FileNotFoundError), whole_file(path):
        pass
    assert path.read_bytes() == b"old"


def test_what_a_killed_process_left_is_deleted_and_all_else_stays(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    ours = ("images/.a.png.77.severstal_xai.part", ".manifest.parquet.1.severstal_xai.part")
    for name in (*ours, "images/a.png", "a.part"):
        (tmp_path / name).write_bytes(b"")
    delete_leftovers(tmp_path)
    assert names_in(tmp_path) == ["a.part", "images"]
    assert names_in(tmp_path / "images") == ["a.png"]


def test_a_file_of_the_user_s_that_looks_half_written_stays_and_so_does_a_folder(tmp_path: Path) -> None:
    files = (".thesis.part", ".thesis.7.part", ".severstal_xai.part", "a.7.severstal_xai.part")
    for name in files:
        (tmp_path / name).write_bytes(b"mine")
    (tmp_path / ".folder.part").mkdir()
    (tmp_path / ".folder.7.severstal_xai.part").mkdir()
    (tmp_path / ".link.7.severstal_xai.part").symlink_to(tmp_path / files[0])
    before = names_in(tmp_path)
    delete_leftovers(tmp_path)
    assert names_in(tmp_path) == before


def test_what_nobody_put_there_is_known_by_its_name(tmp_path: Path) -> None:
    for name in (".report.html.77.severstal_xai.part", ".DS_Store", "Thumbs.db", "desktop.ini", "mine.txt"):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in tmp_path.iterdir() if not is_nobodys(path)] == ["mine.txt"]


def test_what_whole_file_leaves_when_killed_counts_as_a_leftover(tmp_path: Path) -> None:
    process = os.fork()
    if not process:
        with whole_file(tmp_path / "a.bin") as temporary:
            temporary.write_bytes(b"half")
            os._exit(0)
    os.waitpid(process, 0)
    assert len(names_in(tmp_path)) == 1
    delete_leftovers(tmp_path)
    assert names_in(tmp_path) == []


def test_the_checksum_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    (tmp_path / "a.bin").write_bytes(content)
    sync(tmp_path / "a.bin")
    assert sha256_of(tmp_path / "a.bin") == sha256(content) == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    "name", ["0002cc93b.jpg", "a_0.png", "Streifen 7 (übel).png", "x" * 196 + ".jpg", "a,b"]
)
def test_a_plain_file_name_is_accepted(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "a/b.jpg", "/a.jpg", "../a.jpg", "a\\b.jpg", "..\\a.jpg", "C:a.jpg", "C:\\a.jpg"),
        *("a\0.jpg", "a\n.jpg", "a\t.jpg", "a?.jpg", "a*.jpg", 'a".jpg', "a<b.jpg", "a|b.jpg", "a:b.jpg"),
        *(" a.jpg", "a.jpg ", ".hidden.jpg", "a.jpg.", "con", "CON.jpg", "nul.png", "lpt1.jpg", "Aux.tar.gz"),
        *("x" * 201, "ü" * 101, "a\udcff.jpg", "a\ud800.jpg"),
    ],
)
def test_a_name_that_is_a_path_or_that_some_system_cannot_store_is_refused(name: str) -> None:
    with pytest.raises(InputError):
        check_name(name)


def test_a_refused_name_is_shown_in_one_short_line() -> None:
    with pytest.raises(InputError) as caught:
        check_name("a\nb" + "x" * 5000)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=30))
def test_a_name_that_is_accepted_can_be_written_in_its_folder(
    tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    folder = tmp_path_factory.getbasetemp() / "names"
    try:
        check_name(name)
    except InputError:
        return
    write_bytes(folder / name, b"content")
    assert [path.read_bytes() for path in folder.iterdir()] == [b"content"]
    (folder / name).unlink()


@pytest.mark.parametrize(
    "relative", ["a.png", "images/a.png", "images/../a.png", "./a.png", "images/..b/a.png"]
)
def test_a_path_inside_the_folder_is_returned(tmp_path: Path, relative: str) -> None:
    assert inside(tmp_path, relative) == (tmp_path / relative).resolve()


@pytest.mark.parametrize(
    "relative",
    [
        *("../a.png", "a/../../b.png", "..", "images/../../x", "/etc/passwd", "//server/share/a.png"),
        *("..\\a.png", "a\\b.png", "C:\\a.png", "C:a.png", "c:/a.png", "\\\\server\\a.png", "a\0b"),
        "../" * 40 + "etc/passwd",
    ],
)
def test_a_path_that_leaves_the_folder_is_refused(tmp_path: Path, relative: str) -> None:
    with pytest.raises(InputError, match="expected a path inside the folder"):
        inside(tmp_path, relative)


def test_the_folder_beside_that_begins_with_the_same_name_is_outside(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data2").mkdir()
    with pytest.raises(InputError):
        inside(tmp_path / "data", "../data2/a.png")


def test_a_link_that_leads_out_is_refused_and_one_that_stays_is_followed(tmp_path: Path) -> None:
    root = tmp_path / "data"
    root.mkdir()
    (tmp_path / "secret.png").write_bytes(b"")
    (root / "own.png").write_bytes(b"")
    (root / "out.png").symlink_to(tmp_path / "secret.png")
    (root / "folder").symlink_to(tmp_path)
    (root / "stays.png").symlink_to(root / "own.png")
    assert inside(root, "stays.png") == (root / "own.png").resolve()
    for relative in ("out.png", "folder/secret.png"):
        with pytest.raises(InputError):
            inside(root, relative)


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(InputError):
        inside(tmp_path, "a/x.png")


def test_a_folder_that_is_itself_reached_by_a_link_is_fine(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert inside(tmp_path / "link", "a.png") == (tmp_path / "real" / "a.png").resolve()
