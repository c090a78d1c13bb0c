"""Files that are whole or not there: nobody ever reads one that is half written."""

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath

from severstal_xai.errors import InputError

_UNSAFE = re.compile(r'[\x00-\x1f<>:"/\\|?*]')
_WINDOWS_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_NOT_UNICODE = re.compile("[\ud800-\udfff]")
_LONGEST_NAME = 200
"""In bytes: file systems take 255, and a patch's or a temporary name adds to it."""
_TEMPORARY = ".severstal_xai.part"
"""The ending of a file that is being written: one that nobody else gives a file of theirs."""
_CLUTTER = {".DS_Store", "Thumbs.db", "desktop.ini"}
_IS_TEMPORARY = re.compile(rf"\..+\.[0-9]+{re.escape(_TEMPORARY)}", re.DOTALL)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give the place to write a file at; it takes its name, in one step, when all went well.

    What stood at `path` stays until then, and stays for good when the writing fails: a full disk, an
    exception, a kill.
    """
    if not path.parent.is_dir():
        path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}{_TEMPORARY}")
    try:
        yield temporary
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file."""
    with whole_file(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write a whole text file: UTF-8, lines ended by a line feed on every system."""
    write_bytes(path, content.encode())


def write_new(path: Path, content: bytes) -> bool:
    """Write a whole file where there is none, in one step; return whether it was written.

    Of several processes that do so at once one writes, and the others leave its file as it is.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}{_TEMPORARY}")
    try:
        temporary.write_bytes(content)
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            return False
        except OSError:  # a file system without links
            return _create(path, content)
        return True
    finally:
        temporary.unlink(missing_ok=True)


def _create(path: Path, content: bytes) -> bool:
    try:
        with path.open("xb") as stream:
            stream.write(content)
    except FileExistsError:
        return False
    return True


def sync(path: Path) -> None:
    """Make the disk hold what was written to the file, for a file whose loss in a power cut would hurt."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_temporary(path: Path) -> bool:
    """Tell whether the path is a file that `whole_file` was writing, by its name.

    A folder or a link of such a name is somebody else's.
    """
    return bool(_IS_TEMPORARY.fullmatch(path.name)) and path.is_file() and not path.is_symlink()


def is_nobodys(path: Path) -> bool:
    """Tell whether the path is a file that nobody put there: half written by a killed process, or by a file manager."""
    return is_temporary(path) or (path.name in _CLUTTER and path.is_file())


def delete_leftovers(folder: Path) -> None:
    """Delete what a killed process had begun to write anywhere below the folder, and nothing else."""
    for path in folder.rglob(f".*{_TEMPORARY}"):
        if is_temporary(path):
            path.unlink(missing_ok=True)


def sha256(content: bytes) -> str:
    """Return the SHA-256 of the bytes, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def check_name(name: str) -> None:
    r"""Refuse a file name, from outside, that would be a path or that some system cannot store.

    Raises:
        InputError: The name holds a separator, a drive letter or a sign that Windows forbids, is `.` or `..`,
            begins or ends with a blank or a dot, is a Windows device, is not Unicode, or takes more than 200
            bytes in UTF-8.

    Example:
        >>> check_name("0002cc93b.jpg")
        >>> check_name("..\\secret.jpg")
        Traceback (most recent call last):
            ...
        severstal_xai.errors.InputError: '..\\secret.jpg': expected a plain file name, without folders and without any of < > : " | ? *
    """
    if _UNSAFE.search(name) or name in {"", ".", ".."}:
        raise InputError(
            f'{name[:_LONGEST_NAME]!r}: expected a plain file name, without folders and without any of < > : " | ? *'
        )
    size = len(name.encode(errors="surrogatepass"))
    if (
        name != name.strip(" .")
        or _WINDOWS_DEVICE.fullmatch(name)
        or _NOT_UNICODE.search(name)
        or size > _LONGEST_NAME
    ):
        raise InputError(f"{name[:_LONGEST_NAME]!r}: expected a file name that every system can store")


def check_elsewhere(output: Path, kept: Path, what: str) -> None:
    """Refuse an output that lies in a folder which is only read.

    Args:
        output: Where something is to be written.
        kept: The folder that is to stay as it is.
        what: What that folder is, in words.

    Raises:
        InputError: It lies in it, or is it.
    """
    if output.resolve().is_relative_to(kept.resolve()):
        raise InputError(f"output {output}: lies in the {what} {kept}, expected a folder elsewhere")


def inside(root: Path, relative: str) -> Path:
    r"""Return the path `relative` below `root`, and nothing that lies elsewhere.

    Raises:
        InputError: The path is absolute, has a drive letter or a backslash, or leaves the folder, be it by
            `..` or by a link.
    """
    refusal = InputError(f"{relative!r}: expected a path inside the folder {root}")
    if (
        PurePosixPath(relative).is_absolute()
        or PureWindowsPath(relative).drive
        or "\\" in relative
        or "\0" in relative
    ):
        raise refusal
    try:
        path = (root / relative).resolve()
    except RuntimeError as error:  # links in a circle
        raise refusal from error
    if not path.is_relative_to(root.resolve()):
        raise refusal
    return path
