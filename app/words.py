"""How the pages write classes, shares, and text that came from elsewhere."""

import re

from severstal_xai.classes import CLASSES

_MARKDOWN_SIGNS = re.compile(r"([!-/:-@\[-`{-~])")


def class_title(class_id: int) -> str:
    """Return a class by number and name.

    Example:
        >>> class_title(3)
        '3 · scratches and scabs'
    """
    return f"{class_id} · {CLASSES[class_id].name}"


def percent(share: float) -> str:
    """Return a share in per cent; what is not quite 0 or 100 never reads as if it were.

    Example:
        >>> percent(0.414), percent(0.0004), percent(0.9999), percent(1.0)
        ('41.4 %', '<0.1 %', '>99.9 %', '100 %')
    """
    if share in {0.0, 1.0}:
        return f"{100 * share:.0f} %"
    if share < 0.001:
        return "<0.1 %"
    return ">99.9 %" if share > 0.999 else f"{100 * share:.1f} %"


def plain(text: str) -> str:
    r"""Escape text from a file, an address or an exception, so that Markdown shows it letter by letter.

    Example:
        >>> plain("strip_0 ![x](http://a)")
        'strip\\_0 \\!\\[x\\]\\(http\\:\\/\\/a\\)'
    """
    return _MARKDOWN_SIGNS.sub(r"\\\1", " ".join(text.split()))
