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

import pytest
from filelock import FileLock

from data_prep import build
from data_prep.journal import JOURNAL_FILE
from severstal_xai.errors import InputError
from severstal_xai.files import TEMPORARY
from severstal_xai.imaging import PATCH_SHAPE, read_grey
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
    journal = output / JOURNAL_FILE
    return max(0, journal.read_bytes().count(b"\n") - 1) if journal.is_file() else 0


def check_that_a_reader_sees_whole_files(output: Path, whole: dict[str, bytes]) -> None:
    for name, content in contents(output).items():
        if not name.endswith(TEMPORARY) and name != JOURNAL_FILE:
            assert content == whole[name], name
    assert not (output / MANIFEST_FILE).exists()


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
        check_that_a_reader_sees_whole_files(output, whole)
        if target >= STRIPS:
            break
    assert kills >= 2
    assert prepare(source, output) == 0
    assert contents(output) == whole


def writes(monkeypatch: pytest.MonkeyPatch, fail_at: int, error: BaseException) -> list[str]:
    """Let the renaming of a finished file fail at the given one, counted from 0; return what was renamed before."""
    renamed: list[str] = []
    rename = Path.replace

    def replace(self: Path, target: Path) -> Path:
        if len(renamed) == fail_at:
            raise error
        renamed.append(target.name)
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    return renamed


def test_a_build_that_stops_before_any_of_its_last_files_ends_with_the_same_bytes(
    tmp_path: Path, small_source: Path, whole_small: dict[str, bytes], prepare: Prepare
) -> None:
    """All the places after the strips at which a process can die: between any two of the files that describe."""
    output = tmp_path / "patches"
    with pytest.MonkeyPatch.context() as patch:
        order = writes(patch, -1, OSError())
        prepare(small_source, output)
    described = order[-8:]
    assert described[-1] == MANIFEST_FILE
    assert {"rejected.csv", "settings.yaml", "report.md"} < set(described)
    for stop in range(len(described)):
        (output / MANIFEST_FILE).unlink()
        with pytest.MonkeyPatch.context() as patch:
            # A journal and all patches first, so that only the journal's head and the last files are written.
            writes(
                patch,
                stop if (output / JOURNAL_FILE).exists() else len(order) - 8 + stop,
                OSError(28, "full"),
            )
            with pytest.raises(OSError, match="full"):
                prepare(small_source, output)
        assert not (output / MANIFEST_FILE).exists()
        assert prepare(small_source, output) == 0
        assert contents(output) == whole_small


def test_a_build_killed_after_its_manifest_is_done(
    tmp_path: Path,
    small_source: Path,
    whole_small: dict[str, bytes],
    prepare: Prepare,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    output = tmp_path / "patches"
    unlink = Path.unlink

    def die(self: Path, missing_ok: bool = False) -> None:
        if self.name == JOURNAL_FILE and not missing_ok:
            raise KeyboardInterrupt
        unlink(self, missing_ok)

    monkeypatch.setattr(Path, "unlink", die)
    with pytest.raises(KeyboardInterrupt):
        prepare(small_source, output)
    assert len(read_manifest(output).patches) > 0
    assert prepare(small_source, output) == 0
    assert contents(output) == whole_small


@pytest.mark.parametrize(
    "torn", [b'{"image": "s0', b"\x00\x00\x00", b"\xff\xfe", b"[]\n", b"null\n", b"{}\n"]
)
def test_a_torn_line_of_the_journal_is_cut_off(
    tmp_path: Path, small_source: Path, whole_small: dict[str, bytes], prepare: Prepare, torn: bytes
) -> None:
    output = tmp_path / "patches"
    with pytest.MonkeyPatch.context() as patch:
        writes(patch, 40, OSError(28, "full"))
        with pytest.raises(OSError, match="full"):
            prepare(small_source, output)
    journal = (output / JOURNAL_FILE).read_bytes()
    assert journal.count(b"\n") > 1
    (output / JOURNAL_FILE).write_bytes(journal[:-7] + torn if torn.startswith(b"{") else journal + torn)
    assert prepare(small_source, output) == 0
    assert contents(output) == whole_small


def test_a_patch_that_was_deleted_while_nothing_ran_is_made_again(
    tmp_path: Path, small_source: Path, whole_small: dict[str, bytes], prepare: Prepare
) -> None:
    output = tmp_path / "patches"
    with pytest.MonkeyPatch.context() as patch:
        writes(patch, 40, OSError(28, "full"))
        with pytest.raises(OSError, match="full"):
            prepare(small_source, output)
    shutil.rmtree(output / "masks")
    assert prepare(small_source, output) == 0
    assert contents(output) == whole_small


def test_a_journal_of_other_settings_counts_for_nothing(
    tmp_path: Path, small_source: Path, whole_small: dict[str, bytes], prepare: Prepare
) -> None:
    output = tmp_path / "patches"
    with pytest.MonkeyPatch.context() as patch:
        writes(patch, 40, OSError(28, "full"))
        with pytest.raises(OSError, match="full"):
            prepare(small_source, output, "--offset=0")
    assert prepare(small_source, output) == 0
    assert contents(output) == whole_small


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
    assert not (output / MANIFEST_FILE).exists()
    for path in (output / "images").glob("*.png"):
        read_grey(path.read_bytes(), PATCH_SHAPE)  # whole, though the disk is full
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
