"""Text that came from elsewhere, so that a page shows all of it: signs that nobody sees or can print are written out."""

import re
import unicodedata
from collections.abc import Container

_CONTROL = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Unicode's categories of signs that have no shape of their own; some turn the text after them round."""
_KEPT = {"\n", "\u200c", "\u200d"}
"""A new line, and what some scripts write between two letters."""
_PLAIN = re.compile(r"[ -~\n]*")


def legible(text: str) -> str:
    r"""Return a text without signs that nobody sees: each is written out by its number; a tab is a blank.

    A name that turns the text after it round, or that no file can hold, so becomes one that can be read.

    Example:
        >>> legible("strip\u202e_0"), legible("a\tb\nc")
        ('strip[U+202E]_0', 'a b\nc')
    """
    if _PLAIN.fullmatch(text):
        return text
    return "".join(map(_seen, text.replace("\r\n", "\n").replace("\t", " ")))


def _seen(sign: str) -> str:
    if sign in _KEPT or unicodedata.category(sign) not in _CONTROL:
        return sign
    return written_out(sign)


def printable(text: str, signs: Container[int]) -> str:
    """Return a legible text in which signs that a font lacks are written out by their number.

    Args:
        text: The text.
        signs: The code points that the font has.

    Example:
        >>> printable("鋼 steel", set(range(128)))
        '[U+92FC] steel'
    """
    if _PLAIN.fullmatch(text):
        return text
    composed = unicodedata.normalize("NFC", text)
    return "".join(
        sign if sign == "\n" or ord(sign) in signs else written_out(sign) for sign in legible(composed)
    )


def written_out(sign: str) -> str:
    """Return a sign by its number.

    Example:
        >>> written_out("鋼")
        '[U+92FC]'
    """
    return f"[U+{ord(sign):04X}]"
