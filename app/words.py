"""How the pages write classes, shares, and text that came from elsewhere."""

import os
import re
from pathlib import Path

import pandas as pd

from severstal_xai.classes import CLASSES

PER_CENT = "\N{NO-BREAK SPACE}%"
_NEXT_TO_NOTHING = 1e-12
_CODE_OR_SIGN = re.compile(r"`([^`]+)`|([^\s`]*--[^\s`]*(?<![:;,.]))|([!-/:-@\[-`{-~])")


def class_title(class_id: int) -> str:
    """Return a class by number and name.

    Example:
        >>> class_title(3)
        '3 · scratches and scabs'
    """
    return f"{class_id} · {CLASSES[class_id].name}"


def percent(share: float) -> str:
    r"""Return a share in per cent; what is not quite 0 or 100 never reads as if it were, and no line ends before the sign.

    Example:
        >>> [percent(share).replace("\xa0", " ") for share in (0.414, 0.0004, 0.9999, 1.0)]
        ['41.4 %', '<0.1 %', '>99.9 %', '100 %']
    """
    if share in {0.0, 1.0}:
        return f"{100 * share:.0f}{PER_CENT}"
    if share < 0.001:
        return f"<0.1{PER_CENT}"
    return f">99.9{PER_CENT}" if share > 0.999 else f"{100 * share:.1f}{PER_CENT}"


def how_sure(share: float) -> str:
    r"""Return a model's probability in per cent: no softmax is quite 0 or 1, though a number may be too coarse to tell.

    Example:
        >>> [how_sure(share).replace("\xa0", " ") for share in (0.414, 1.0, 0.0)]
        ['41.4 %', '>99.9 %', '<0.1 %']
    """
    return percent(min(max(share, _NEXT_TO_NOTHING), 1 - _NEXT_TO_NOTHING))


IN_TABLE = "%.1f %%"
"""How a table writes what `for_table` returns."""


def for_table(shares: "pd.Series[float]") -> "pd.Series[float]":
    """Return shares as numbers of per cent, for a table that is sorted by them; what is not quite 100 is no more than 99.9.

    Example:
        >>> for_table(pd.Series([0.414, 0.99996, 1.0])).tolist()
        [41.4, 99.9, 100.0]
    """
    return (100 * shares).round(1).mask(shares.between(0.999, 1, inclusive="neither"), 99.9)


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
