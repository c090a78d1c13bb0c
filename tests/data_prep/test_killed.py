"""A build that is killed, runs out of disk, or meets another one: it ends with the same bytes all the same."""

import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from data_prep import build
from data_prep.journal import JOURNAL_FILE, Journal
from data_prep.staging import STAGING
from data_prep.strip_work import StripRecord, work_on_strip
from severstal_xai.errors import InputError
from severstal_xai.manifest import MANIFEST_FILE, read_manifest

HEADER = "ImageId,ClassId,EncodedPixels\n"
STRIPS = 60

Prepare = Callable[..., int]


def contents(folder: Path) -> dict[str, bytes]:
    """The bytes of every file below the folder, by name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def source(
    tmp_path_factory: pytest.TempPathFactory,
    make_source: Callable[..., Path],
    strip_jpeg: Callable[[int], bytes],
) -> Path:
    """Sixty strips, of ten different pictures, with a defect each; one that is no image, one bad row."""
    names = [f"s{place:02}.jpg" for place in range(STRIPS)]
    rows = [f"{name},{1 + place % 4},{256 * 40 + 1} 9\n" for place, name in enumerate(names)]
    strips = {name: strip_jpeg(place % 10) for place, name in enumerate(names)} | {"broken.jpg": b"no image"}
    csv = HEADER + "".join([*rows, "nobody.jpg,3,1 1\n"])
    return make_source(tmp_path_factory.mktemp("killed") / "source", csv, strips)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, source: Path, prepare: Prepare) -> dict[str, bytes]:
    """What a build gives that nobody interrupts."""
    folder = tmp_path_factory.mktemp("whole") / "patches"
    assert prepare(source, folder) == 0
    return contents(folder)


@pytest.fixture(scope="module")
def whole_small(
    tmp_path_factory: pytest.TempPathFactory, small_source: Path, prepare: Prepare
) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("whole") / "patches"
    assert prepare(small_source, folder) == 0
    return contents(folder)


def command(source: Path, output: Path) -> list[str]:
    return [sys.executable, "-m", "data_prep", f"--source={source}", f"--output={output}", "--workers=2"]


def start(source: Path, output: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command(source, output), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def count_done(output: Path) -> int:
    """The strips that the journal lists, which follow its first line."""
    journal = output / STAGING / JOURNAL_FILE
    return max(0, journal.read_bytes().count(b"\n") - 1) if journal.is_file() else 0


def published(output: Path) -> dict[str, bytes]:
    """What a reader finds: all but what is being built."""
    return {name: content for name, content in contents(output).items() if not name.startswith(f"{STAGING}/")}


def test_a_build_killed_again_and_again_ends_with_the_bytes_of_one_that_was_not(
    tmp_path: Path, source: Path, whole: dict[str, bytes], prepare: Prepare
) -> None:
    """Killed by SIGKILL once each further 5 to 20 strips are done, and after a moment more, drawn by lot."""
    output, chance = tmp_path / "patches", random.Random(7)
    target = kills = 0
    while True:
        target += chance.randint(5, 20)
        process = start(source, output)
        while process.poll() is None and count_done(output) < target:
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.03))
        process.kill()
        if process.wait() != -signal.SIGKILL or (output / MANIFEST_FILE).exists():
            break
        kills += 1
        assert published(output).items() <= whole.items()
        if target >= STRIPS:
            break
    assert kills >= 2
    assert prepare(source, output) == 0
    assert contents(output) == whole


def fail_at_rename(monkeypatch: pytest.MonkeyPatch, fail_at: int) -> list[str]:
    """Let the disk be full at the given renaming, counted from 0; return what was renamed before."""
    renamed: list[str] = []
    rename = Path.replace

    def replace(self: Path, target: Path) -> Path:
        if len(renamed) == fail_at:
            raise OSError(28, "full")
        renamed.append(target.name)
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    return renamed


@pytest.fixture
def renamings(tmp_path: Path, small_source: Path, prepare: Prepare) -> list[str]:
    """What an undisturbed build renames, in its order: each description, then each thing that is published."""
    with pytest.MonkeyPatch.context() as patch:
        renamed = fail_at_rename(patch, -1)
        prepare(small_source, tmp_path / "undisturbed")
    assert renamed[0] == JOURNAL_FILE
    assert renamed[-1] == MANIFEST_FILE
    assert renamed.count("images") == renamed.count("masks") == 1
    assert renamed.count("report.md") == 2
    return renamed


def test_a_build_that_stops_before_any_renaming_ends_with_the_same_bytes(
    tmp_path: Path,
    small_source: Path,
    whole_small: dict[str, bytes],
    prepare: Prepare,
    renamings: list[str],
) -> None:
    for stop in range(len(renamings)):
        output = tmp_path / f"stopped{stop}"
        with pytest.MonkeyPatch.context() as patch:
            fail_at_rename(patch, stop)
            with pytest.raises(OSError, match="full"):
                prepare(small_source, output)
        assert not (output / MANIFEST_FILE).exists()
        assert prepare(small_source, output) == 0
        assert contents(output) == whole_small


def test_old_patches_stand_until_the_new_ones_are_whole(
    tmp_path: Path,
    small_source: Path,
    whole_small: dict[str, bytes],
    prepare: Prepare,
    renamings: list[str],
) -> None:
    """A rebuild with other settings, stopped before each renaming: a reader finds all of the old, or no manifest."""
    output, whole_before = tmp_path / "patches", 0
    for stop in range(len(renamings)):
        prepare(small_source, output, "--offset=0")
        old = contents(output)
        with pytest.MonkeyPatch.context() as patch:
            fail_at_rename(patch, stop)
            with pytest.raises(OSError, match="full"):
                prepare(small_source, output)
        if (output / MANIFEST_FILE).exists():
            assert published(output) == old
            whole_before += 1
    assert prepare(small_source, output) == 0
    assert contents(output) == whole_small
    assert whole_before == renamings.index("images")


def test_a_build_killed_after_its_manifest_is_done(
    tmp_path: Path,
    small_source: Path,
    whole_small: dict[str, bytes],
    prepare: Prepare,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    output = tmp_path / "patches"

    def die(path: Path) -> None:
        assert path == output / STAGING
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", die)
        with pytest.raises(KeyboardInterrupt):
            prepare(small_source, output)
    assert len(read_manifest(output).patches) > 0
    assert published(output) == whole_small
    assert prepare(small_source, output) == 0
    assert contents(output) == whole_small


@pytest.fixture
def begun(tmp_path: Path, small_source: Path, prepare: Prepare) -> Callable[..., Path]:
    """Begin a build whose disk is full when the sixth strip is noted; return its folder."""

    def begin(*flags: str) -> Path:
        add = Journal.add

        def note(self: Journal, record: StripRecord) -> None:
            if len(self.done) == 5:
                raise OSError(28, "full")
            add(self, record)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Journal, "add", note)
            with pytest.raises(OSError, match="full"):
                prepare(small_source, tmp_path / "patches", *flags)
        assert count_done(tmp_path / "patches") == 5
        return tmp_path / "patches"

    return begin


@pytest.mark.parametrize(
    "torn", [b'{"image": "s0', b"\x00\x00\x00", b"\xff\xfe", b"[]\n", b"null\n", b"{}\n"]
)
def test_a_torn_line_of_the_journal_is_cut_off(
    begun: Callable[..., Path],
    small_source: Path,
    whole_small: dict[str, bytes],
    prepare: Prepare,
    torn: bytes,
) -> None:
    output = begun()
    journal = output / STAGING / JOURNAL_FILE
    content = journal.read_bytes()
    journal.write_bytes(content[:-7] + torn if torn.startswith(b"{") else content + torn)
    assert prepare(small_source, output) == 0
    assert contents(output) == whole_small


def test_strips_that_were_done_are_not_done_again(
    begun: Callable[..., Path],
    small_source: Path,
    whole_small: dict[str, bytes],
    prepare: Prepare,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    output, worked = begun(), []

    def work_and_tell(*arguments: Any) -> StripRecord:
        worked.append(arguments[1].image)
        return work_on_strip(*arguments)

    monkeypatch.setattr("data_prep.build.work_on_strip", work_and_tell)
    assert prepare(small_source, output) == 0
    assert len(worked) == 5
    assert contents(output) == whole_small


def test_a_patch_that_was_deleted_while_nothing_ran_is_made_again(
    begun: Callable[..., Path], small_source: Path, whole_small: dict[str, bytes], prepare: Prepare
) -> None:
    output = begun()
    shutil.rmtree(output / STAGING / "masks")
    assert prepare(small_source, output) == 0
    assert contents(output) == whole_small


def test_a_journal_of_other_settings_counts_for_nothing(
    begun: Callable[..., Path], small_source: Path, whole_small: dict[str, bytes], prepare: Prepare
) -> None:
    output = begun("--offset=0")
    assert prepare(small_source, output) == 0
    assert contents(output) == whole_small


@pytest.mark.parametrize("name", ["images/notes.txt", "masks/mine.png", "report/of_mine.png"])
def test_a_file_of_another_hand_is_not_lost(
    tmp_path: Path, small_source: Path, whole_small: dict[str, bytes], prepare: Prepare, name: str
) -> None:
    output = tmp_path / "patches"
    prepare(small_source, output, "--offset=0")
    (output / name).write_bytes(b"mine")
    with pytest.raises(InputError, match=rf"holds '{name}', which is none of its patches"):
        prepare(small_source, output)
    assert (output / name).read_bytes() == b"mine"
    (output / name).unlink()
    assert prepare(small_source, output) == 0
    assert contents(output) == whole_small


@pytest.mark.parametrize(
    "found",
    [
        ("images/notes.txt", None),
        ("images/mine.png", b"damaged"),
        ("masks/mine_0.png", None),
        ("images/s0_0.png/a", None),
    ],
)
def test_a_file_of_another_hand_is_not_lost_where_no_manifest_tells_what_is_ours(
    tmp_path: Path,
    small_source: Path,
    whole_small: dict[str, bytes],
    prepare: Prepare,
    found: tuple[str, bytes | None],
) -> None:
    name, manifest = found
    output = tmp_path / "patches"
    prepare(small_source, output)
    (output / MANIFEST_FILE).unlink()
    if manifest is not None:
        (output / MANIFEST_FILE).write_bytes(manifest)
    mine = output / name
    if mine.parent.is_file():
        mine.parent.unlink()
    mine.parent.mkdir(exist_ok=True)
    mine.write_bytes(b"mine")
    with pytest.raises(InputError, match=rf"holds '{name.removesuffix('/a')}', which is none of its patches"):
        prepare(small_source, output)
    assert mine.read_bytes() == b"mine"
    mine.unlink()
    if mine.parent.name not in {"images", "masks"}:
        mine.parent.rmdir()
    assert prepare(small_source, output) == 0
    assert contents(output) == whole_small


def test_data_in_a_folder_named_from_here_is_replaced(
    tmp_path: Path,
    small_source: Path,
    whole_small: dict[str, bytes],
    prepare: Prepare,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert prepare(small_source, Path("patches"), "--offset=0") == 0
    assert prepare(small_source, Path("patches")) == 0
    assert contents(tmp_path / "patches") == whole_small


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 6 MB, which the patches, of about 20 MB, overflow."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    if (
        os.name != "posix"
        or not mount
        or subprocess.run(
            [mount, "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(disk)], check=False, capture_output=True
        ).returncode
    ):
        pytest.skip("mounting a small disk is not allowed here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_one_line_and_once_it_has_room_the_build_ends_with_the_same_bytes(
    small_disk: Path, source: Path, whole: dict[str, bytes], prepare: Prepare
) -> None:
    output = small_disk / "patches"
    ended = subprocess.run(command(source, output), check=False, capture_output=True, text=True)
    assert ended.returncode == 1
    last = re.split(r"[\r\n]", ended.stderr.strip())[-1]
    assert "No space left on device" in last
    assert "Traceback" not in ended.stderr
    assert set(published(output)) <= {build.LOCK_FILE}
    subprocess.run(["mount", "-o", "remount,size=200m", str(small_disk)], check=True)
    assert prepare(source, output) == 0
    assert contents(output) == whole


def test_a_second_process_is_refused_while_the_first_one_writes(
    tmp_path: Path, small_source: Path, prepare: Prepare
) -> None:
    output = tmp_path / "patches"
    output.mkdir()
    with FileLock(output / build.LOCK_FILE), pytest.raises(InputError, match="another process is writing it"):
        prepare(small_source, output)
    assert prepare(small_source, output) == 0


MEASURED = """
import resource, sys
from data_prep.__main__ import main
assert main(sys.argv[1:]) == 0
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_memory(source: Path, output: Path) -> int:
    """The peak of a process of its own, in bytes: Linux counts in KiB."""
    flags = [f"--source={source}", f"--output={output}", "--workers=2"]
    ended = subprocess.run(
        [sys.executable, "-c", MEASURED, *flags], check=True, capture_output=True, text=True
    )
    return 1024 * int(ended.stdout.split()[-1])


@pytest.mark.skipif(not hasattr(resource, "getrusage"), reason="no measure of a process's memory here")
def test_memory_is_flat_in_the_number_of_strips(
    tmp_path: Path, make_source: Callable[..., Path], strip_jpeg: Callable[[int], bytes]
) -> None:
    """To hold the 200 further strips' pixels takes 200 x 409,600 bytes, 82 MB; less than a fifth is allowed.

    A strip's record, which is held, is of six patches with a dozen short texts each: some 10 KB, 2 MB in all.
    """
    peaks = []
    for count in (40, 240):
        names = [f"s{place:03}.jpg" for place in range(count)]
        rows = "".join(f"{name},3,{256 * 40 + 1} 9\n" for name in names)
        strips = {name: strip_jpeg(place % 10) for place, name in enumerate(names)}
        made = make_source(tmp_path / f"source{count}", HEADER + rows, strips)
        peaks.append(peak_memory(made, tmp_path / f"patches{count}"))
    assert peaks[1] - peaks[0] < 200 * 409_600 / 5
