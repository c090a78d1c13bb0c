"""What a page may say of where things lie: inside the folders that it shows, and nothing of the rest of the machine."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from app.folders import folders_from
from app.verdicts.address import address_of, shown
from severstal_xai.errors import InputError

_HIDDEN = "…/"
_MARK = "\ue000"
"""Stands for a folder that may be shown, while the others are hidden; no text of ours has this sign, which is for private use."""
_BEGINS = rf"(?<![\w.~…:/\\{_MARK}])"
_FOLDERS = re.compile(
    "|".join(
        (
            # /…/, C:\…\, \\server\…\ and ~/…/: a name in it may have blanks, so up to the last slash before a sign that ends a path
            rf"""(?:file:/+|(?<!\w)[A-Za-z]:[\\/]+|{_BEGINS}(?:~[\w.-]*)?[\\/]+(?![\\/\s]))(?:(?:(?!\s[/~\\])[^:,;'"()\[\]<>|\n])*[\\/])?""",
            rf"""{_BEGINS}\.{{1,2}}[\\/]+(?:[^\s:,;'"()\[\]<>|]*[\\/])?""",
            r"""[^\s:,;'"()\[\]<>|]*[\\/]\.\.[\\/]+(?:[^\s:,;'"()\[\]<>|]*[\\/])?""",
        )
    )
)


def discreet(text: str) -> str:
    """Return a text without the folders that the inspector was not started with; the log has all of it."""
    try:
        text = text.replace(shown(address_of(None)), "the store of verdicts")
        folders = folders_from(sys.argv[1:], Path())
    except InputError:
        return without_folders(text, ())
    return without_folders(text, [folder for folder in (folders.data, folders.run, folders.strips) if folder])


def without_folders(text: str, kept: Sequence[Path]) -> str:
    r"""Return a text in which of each path the name alone is left, unless it lies in a folder that may be shown.

    Example:
        >>> without_folders("/home/ida/store.sqlite: locked, not /data/a.png", [Path("/data")])
        '…/store.sqlite: locked, not /data/a.png'
        >>> without_folders("patch ../../etc/passwd and a/../../b and C:\\secret\\key", [])
        'patch …/passwd and …/b and …/key'
    """
    text = text.replace(_MARK, " ")
    spelled = {str(path) for folder in kept for path in (folder, folder.absolute(), folder.resolve())}
    roots = sorted(spelled - {".", "/"}, key=len, reverse=True)
    for number, root in enumerate(roots):
        inside = rf"(?<![\w./\\…-]){re.escape(root)}(?![\w.-])(?![^\s:,;'\"()]*[\\/]\.\.(?:[\\/]|$))"
        text = re.sub(inside, f"{_MARK}{number}{_MARK}", text)
    text = _FOLDERS.sub(_HIDDEN, text)
    return re.sub(f"{_MARK}([0-9]+){_MARK}", lambda found: roots[int(found[1])], text)
