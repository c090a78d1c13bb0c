"""A new strip's file, checked as strictly as data preparation checks its own."""

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from severstal_xai.errors import InputError
from severstal_xai.files import check_name, sha256
from severstal_xai.imaging import PATCH_SHAPE, STRIP_SHAPE, read_grey
from severstal_xai.strips import Window, cut, windows

LARGEST_FILE = 16 * 2**20
"""In bytes, as `severstal_xai.imaging` reads them at most."""
UPLOADED = "upload"
"""Where an uploaded image comes from; one of the watched folder comes from the folder's name."""
_ENDINGS = (".jpeg", ".jpg", ".png")
_THUMBNAIL_WIDTH, _QUALITY = 320, 75
_LONGEST = 300
Grey = UInt8[np.ndarray, "height width"]


@dataclass(frozen=True)
class NewImage:
    """A strip, or a patch by itself, that is fit to be shown to the model.

    Args:
        name: Its file's name.
        sha256: Its file's checksum.
        is_strip: Whether it is a whole strip, with six windows; else it is a patch, which is one.
        thumbnail: A small picture of it, as the browser takes it.
    """

    name: str
    sha256: str
    is_strip: bool
    thumbnail: str

    @property
    def stem(self) -> str:
        """Its name without the ending: what its patches would be called after."""
        return PurePosixPath(self.name).stem

    @property
    def windows(self) -> tuple[Window, ...]:
        """Where the model looks."""
        return windows() if self.is_strip else (Window(0, 0),)


@dataclass(frozen=True)
class Refused:
    """A file that was not taken.

    Args:
        name: Its name, as text that can be shown.
        reason: What is wrong, and what was expected.
    """

    name: str
    reason: str


def refused(name: str, reason: object) -> Refused:
    """Note a file that was not taken, its name and the reason as text that can be shown and written down."""
    return Refused(_writable(name)[:_LONGEST], _writable(str(reason))[:_LONGEST])


def _writable(text: str) -> str:
    """Spell out what is no Unicode: bytes of a file name that its system could not read."""
    return text.encode(errors="backslashreplace").decode()


def check_image_name(name: str) -> None:
    """Refuse a name that data preparation would refuse.

    Raises:
        InputError: It is a path, cannot be stored everywhere, or does not end as a JPEG's or PNG's.

    Example:
        >>> check_image_name("0002cc93b.JPG")
        >>> check_image_name("0002cc93b.bmp")
        Traceback (most recent call last):
            ...
        severstal_xai.errors.InputError: ends in '.bmp', expected one of .jpeg, .jpg, .png
    """
    check_name(name)
    ending = PurePosixPath(name).suffix
    if ending.lower() not in _ENDINGS:
        found = f"ends in {ending!r}" if ending else "has no ending"
        raise InputError(f"{found}, expected one of {', '.join(_ENDINGS)}")


def read_new(name: str, content: bytes) -> NewImage:
    """Check a file, its name and its whole content.

    Raises:
        InputError: It is not what data preparation would take, nor a patch by itself.
    """
    check_image_name(name)
    grey = grey_of(content)
    return NewImage(name, sha256(content), grey.shape == STRIP_SHAPE, thumbnail(grey))


def grey_of(content: bytes) -> Grey:
    """Return a file's grey values: a strip's or a patch's.

    Raises:
        InputError: Its content is neither.
    """
    return read_grey(content, STRIP_SHAPE, PATCH_SHAPE)


def parts(image: NewImage, grey: Grey) -> tuple[Grey, ...]:
    """Return what the windows show, from left to right."""
    if not image.is_strip:
        return (grey,)
    return tuple(np.ascontiguousarray(cut(grey, window)) for window in image.windows)


def thumbnail(grey: Grey) -> str:
    """Return a small picture, 320 pixels wide or as high as such a strip, as an address that holds it."""
    small = Image.fromarray(grey).reduce(STRIP_SHAPE[1] // _THUMBNAIL_WIDTH)
    content = io.BytesIO()
    small.save(content, "JPEG", quality=_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode()


def each_once(images: Iterable[NewImage]) -> tuple[list[NewImage], list[Refused]]:
    """Keep the first of the images that are the same file, and say of the others whose twin they are.

    Example:
        >>> a, b = NewImage("a.png", "12ab", True, ""), NewImage("b.png", "12ab", True, "")
        >>> each_once([a, b])[1]
        [Refused(name='b.png', reason='the same file as a.png, which is listed')]
    """
    first: dict[str, NewImage] = {}
    twins = []
    for image in images:
        if first.setdefault(image.sha256, image) is not image:
            twin = first[image.sha256]
            twins.append(refused(image.name, f"the same file as {twin.name}, which is listed"))
    return list(first.values()), twins


def remarks(images: Sequence[tuple[str, NewImage]]) -> list[str]:
    """Return what is to be told of images beside others: the same file elsewhere, or another file of the same name.

    Args:
        images: Where each comes from, and the image.

    Returns:
        A remark each, in their order; empty where there is nothing to tell.

    Example:
        >>> a, b = NewImage("a.png", "12ab", True, ""), NewImage("A.jpg", "34cd", True, "")
        >>> remarks([("upload", a), ("mill", b)])
        ['A.jpg (mill) would have the same patches', 'a.png (upload) would have the same patches']
    """
    same: dict[str, list[int]] = {}
    for place, (_, image) in enumerate(images):
        for key in (image.sha256, image.stem.casefold()):
            same.setdefault(key, []).append(place)
    return [
        "; ".join(
            _remark(image, *images[other])
            for other in sorted({*same[image.sha256], *same[image.stem.casefold()]} - {place})
        )
        for place, (_, image) in enumerate(images)
    ]


def _remark(image: NewImage, source: str, other: NewImage) -> str:
    """Say what another image is to this one; data preparation refuses both of a name."""
    what = "is the same file" if other.sha256 == image.sha256 else "would have the same patches"
    return f"{other.name} ({source}) {what}"
