"""How the pages write classes, shares, and text that came from elsewhere."""

import os
import re
from pathlib import Path

from severstal_xai.classes import CLASSES

_CODE_OR_SIGN = re.compile(r"`([^`]+)`|([^\s`]*--[^\s`]*(?<![:;,.]))|([!-/:-@\[-`{-~])")


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


def inside(text: str, folder: Path) -> str:
    """Return what is said of files with their places inside a folder, which the reader knows or need not know.

    Example:
        >>> inside("/mill/data/masks/a_0.png: cannot be read", Path("/mill/data"))
        'masks/a_0.png: cannot be read'
    """
    return text.replace(f"{folder}{os.sep}", "")


def plain(text: str) -> str:
    r"""Escape text from a file, an address or an exception, so that Markdown shows it letter by letter.

    What stands between backticks, and a word with two hyphens, is set as code: elsewhere the page makes one long
    dash of them, escaped or not, and nobody can type that.

    Example:
        >>> plain("strip_0 ![x](http://a)")
        'strip\\_0 \\!\\[x\\]\\(http\\:\\/\\/a\\)'
        >>> plain("argument --port: not known")
        'argument `--port`\\: not known'
    """
    return _CODE_OR_SIGN.sub(_as_markdown, " ".join(text.split()))


def _as_markdown(found: re.Match[str]) -> str:
    code, word, sign = found.groups()
    return f"\\{sign}" if sign else f"`{code or word}`"
