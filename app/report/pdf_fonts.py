"""The fonts of a PDF: DejaVu, which matplotlib brings along, embedded, so that it prints alike everywhere."""

import re
from functools import cache
from pathlib import Path

import matplotlib as mpl
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

from app.report.legible import printable

_FILES = {"Report": "DejaVuSans.ttf", "Report-Bold": "DejaVuSans-Bold.ttf"}
PLAIN, BOLD = _FILES
_BREAK = re.compile(r"[^\S\u00a0]+")
"""Where a line may end."""


def file_of(name: str) -> Path:
    """Return the file of a font."""
    return Path(mpl.get_data_path(), "fonts", "ttf", _FILES[name])


@cache
def font(name: str) -> TTFont:
    """Return a font, read once, known to reportlab by its name from then on."""
    read = TTFont(name, str(file_of(name)))
    pdfmetrics.registerFont(read)
    return read


def shown(text: str) -> str:
    """Return a text in signs that the fonts have; the others are written out by their number."""
    return printable(text, font(PLAIN).face.charToGlyph)


def width_of(text: str, name: str, size: float) -> float:
    """Return how wide a line is, in points."""
    width: float = font(name).stringWidth(text, size)
    return width


def wrapped(text: str, width: float, name: str, size: float) -> tuple[str, ...]:
    r"""Break a text into lines that are no wider than `width`: between words, and within a word that is wider than a line.

    Args:
        text: What is shown; a line feed in it begins a new line.
        width: Points.
        name: The font's.
        size: The font's, in points.

    Example:
        >>> wrapped("a strip", 1000, PLAIN, 10), wrapped("a strip", 30, PLAIN, 10)
        (('a strip',), ('a', 'strip'))
        >>> wrapped("of 9\u00a0%", 25, PLAIN, 10)
        ('of', '9\xa0%')
    """
    lines: list[str] = []
    for paragraph in shown(text).split("\n"):
        line = ""
        for word in filter(None, _BREAK.split(paragraph)):
            longer = f"{line} {word}" if line else word
            if width_of(longer, name, size) <= width:
                line = longer
                continue
            if line:
                lines.append(line)
            *whole, line = _cut(word, width, name, size)
            lines += whole
        lines.append(line)
    return tuple(lines)


def _cut(word: str, width: float, name: str, size: float) -> list[str]:
    """Cut a word into pieces that fit; at least a sign each."""
    if width_of(word, name, size) <= width:
        return [word]
    pieces = [""]
    for sign in word:
        if pieces[-1] and width_of(pieces[-1] + sign, name, size) > width:
            pieces.append("")
        pieces[-1] += sign
    return pieces


def shortened(text: str, width: float, name: str, size: float) -> str:
    """Return a text's beginning and … where the whole is wider than `width`.

    Example:
        >>> shortened("a strip", 1000, PLAIN, 10), shortened("strip after strip", 40, PLAIN, 10)
        ('a strip', 'strip …')
    """
    line = " ".join(shown(text).split())
    if width_of(line, name, size) <= width:
        return line
    while line and width_of(line + "…", name, size) > width:
        line = line[:-1]
    return line + "…"
