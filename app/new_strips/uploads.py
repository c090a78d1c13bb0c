"""What a session has uploaded: in memory, each content once, and never more than is bounded.

Streamlit holds an upload until its session ends. So what is uploaded is taken from it at once, and what is too much is
refused in words.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from app.new_strips.images import NewImage, Refused, each_once, read_new, refused
from severstal_xai.errors import InputError

MOST_FILES = 200
"""Of a session, wrong ones among them."""
MOST_BYTES = 64 * 2**20
"""Of a session's images."""
MOST_BYTES_OF_ALL = 512 * 2**20
"""Of all sessions' images."""


@dataclass(frozen=True, eq=False)
class Content:
    """A file's bytes, held by who uploaded them."""

    bytes: bytes


class UploadShelf:
    """The uploads of all sessions, each content once; one that nobody holds any longer leaves by itself.

    Safe to share between threads.

    Args:
        most_bytes: How much lies on it at most.
    """

    def __init__(self, most_bytes: int = MOST_BYTES_OF_ALL) -> None:
        self._contents: WeakValueDictionary[str, Content] = WeakValueDictionary()
        self._most_bytes = most_bytes
        self._lock = threading.Lock()

    def put(self, sha256: str, content: bytes) -> Content:
        """Return the content to be held: the one that lies there, else this one.

        Raises:
            InputError: There is no room.
        """
        with self._lock:
            known = self._contents.get(sha256)
            if known is not None:
                return known
            if self.held() + len(content) > self._most_bytes:
                raise InputError(
                    f"the uploads of all who are at work hold {_megabytes(self.held())} of at most "
                    f"{_megabytes(self._most_bytes)}; take it out of a watched folder, or try again later"
                )
            self._contents[sha256] = held = Content(content)
            return held

    def held(self) -> int:
        """Return how many bytes lie on it."""
        return sum(len(content.bytes) for content in list(self._contents.values()))


@dataclass(frozen=True)
class _Taken:
    image: NewImage
    content: Content


@dataclass
class Uploads:
    """One session's.

    Args:
        shelf: Where all sessions' lie.
        most_files: How many files it has at most.
        most_bytes: How many bytes its images have at most.
    """

    shelf: UploadShelf
    most_files: int = MOST_FILES
    most_bytes: int = MOST_BYTES
    _offered: dict[str, _Taken | Refused] = field(default_factory=dict)
    _listed: set[str] = field(default_factory=set)
    _beyond: set[str] = field(default_factory=set)
    _beyond_before: int = 0

    def offer(self, number: str, name: str, content: bytes) -> None:
        """Take a file, or note why not.

        Args:
            number: What the browser knows it by; one that was offered before is not looked at again.
            name: Its name.
            content: Its bytes.
        """
        if number in self._offered:
            return
        if len(self._offered) >= self.most_files:
            self._beyond.add(number)
            return
        self._listed.add(number)
        try:
            image = read_new(name, content)
            self._check_room(image, content)
            self._offered[number] = _Taken(image, self.shelf.put(image.sha256, content))
        except InputError as error:
            self._offered[number] = refused(name, error)

    def _check_room(self, image: NewImage, content: bytes) -> None:
        held = {one.image.sha256: len(one.content.bytes) for one in self._taken()}
        if image.sha256 not in held and sum(held.values()) + len(content) > self.most_bytes:
            raise InputError(
                f"your uploads hold {_megabytes(sum(held.values()))} of at most {_megabytes(self.most_bytes)}; "
                "take some out of the list, or have a folder watched"
            )

    def browser_lists(self, numbers: Iterable[str]) -> None:
        """Forget what the user took out of the browser's list since the last time."""
        now = set(numbers)
        for number in self._listed - now:
            self._offered.pop(number, None)
        self._listed &= now
        self._beyond &= now

    def begin_anew(self) -> None:
        """Note that the browser's list is a new one, empty; what was taken stays."""
        self._listed.clear()
        self._beyond_before += len(self._beyond)
        self._beyond.clear()

    def forget_all(self) -> None:
        """Forget everything."""
        self._offered.clear()
        self._listed.clear()
        self._beyond.clear()
        self._beyond_before = 0

    def _taken(self) -> list[_Taken]:
        return [one for one in self._offered.values() if isinstance(one, _Taken)]

    @property
    def images(self) -> list[NewImage]:
        """What was taken, each content once, in the order of coming."""
        return each_once(one.image for one in self._taken())[0]

    @property
    def refused(self) -> list[Refused]:
        """What was not taken, and why."""
        wrong = [one for one in self._offered.values() if isinstance(one, Refused)]
        return wrong + each_once(one.image for one in self._taken())[1] + self._more()

    def _more(self) -> list[Refused]:
        beyond = self._beyond_before + len(self._beyond)
        if not beyond:
            return []
        count = "1 more file" if beyond == 1 else f"{beyond} more files"
        return [
            Refused(
                count, f"{self.most_files} files are here, expected at most so many at a time; not looked at"
            )
        ]

    def read(self, image: NewImage) -> bytes:
        """Return an image's bytes.

        Raises:
            InputError: It is no longer among the uploads.
        """
        for one in self._taken():
            if one.image.sha256 == image.sha256:
                return one.content.bytes
        raise InputError(f"{image.name}: no longer among the uploads, expected it there")


def _megabytes(count: int) -> str:
    return f"{count / 2**20:.0f} MB"
