"""How people sign in at this moment, as the files of secrets say, and as they said when the inspector started."""

import functools
import logging
from dataclasses import dataclass
from pathlib import Path

from streamlit import config

from app.access.settings import Access, read_access
from severstal_xai.errors import InputError

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Closed:
    """Nobody is let in: what says who may is missing or wrong.

    Args:
        reason: Why, for the log; it may name a path.
    """

    reason: str


def access_now() -> Access | Closed | None:
    """Return how people sign in and who may do what, as the files say now; None where they need not sign in."""
    found = _access_of_the_files()
    if found is None and must_sign_in():
        return Closed("the sections auth and access were there when the inspector started, and are gone")
    return found


@functools.cache
def must_sign_in() -> bool:
    """Tell whether people had to sign in when this was asked first, at the start: what was closed no later change opens."""
    return _access_of_the_files() is not None


def noted_beside_the_secrets() -> Path:
    """Return the file where it is noted who has signed out."""
    files = _secrets_files()
    return next((path for path in reversed(files) if path.is_file()), files[-1]).with_name("signed_out.txt")


def _secrets_files() -> tuple[Path, ...]:
    return tuple(Path(name).expanduser() for name in config.get_option("secrets.files"))


def _access_of_the_files() -> Access | Closed | None:
    files = _secrets_files()
    return _read(files, int(config.get_option("server.port")), tuple(map(_stamp, files)))


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None  # the reader says what is wrong
    return status.st_size, status.st_mtime_ns


@functools.lru_cache(maxsize=1)
def _read(
    files: tuple[Path, ...],
    port: int,
    stamps: tuple[tuple[int, int] | None, ...],  # noqa: ARG001 (part of the cache's key)
) -> Access | Closed | None:
    try:
        return read_access(files, port)
    except InputError as error:
        _LOG.error("nobody is let in: %s", error)
        return Closed(str(error))
