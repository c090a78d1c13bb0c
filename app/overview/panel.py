"""How a panel of the overview says what it cannot show."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import streamlit as st

from app import messages
from app.messages import Advice
from app.opening import Opened
from severstal_xai.bootstrap import Measure
from severstal_xai.errors import InputError

_TOGETHER = "\xa0"
"""A blank at which no line is broken."""


@contextmanager
def told(advice: Advice, *runs: Path) -> Iterator[None]:
    """Turn an `InputError` into a message in the panel's place, which names the run's file without its folder's place."""
    try:
        yield
    except InputError as error:
        messages.warn(advice, without_places(str(error), *runs))


def absent(advice: Advice) -> None:
    """Say of something that nobody has made yet how to make it."""
    st.info(f"**{advice.title}** {advice.text}")
    if advice.commands:
        st.code("\n".join(advice.commands), language=None)


def tell_remarks(opened: Opened, advice: Advice) -> bool:
    """Say what is missing of that kind, if anything is; return whether it is."""
    found = [detail for what, detail in opened.remarks if what == advice]
    for detail in found:
        messages.warn(advice, without_places(detail, opened.folders.run))
    return bool(found)


def without_places(text: str, *folders: Path) -> str:
    """Return a message without the places of the folders whose files it names.

    Example:
        >>> without_places("/home/anna/runs/one/scores.json: no JSON", Path("/home/anna/runs/one"))
        'one/scores.json: no JSON'
    """
    for folder in folders:
        text = text.replace(f"{folder}{os.sep}", f"{folder.name}/")
    return text


def in_brackets(measure: Measure) -> str:
    r"""Return an interval of a share, in per cent; nothing where there is none, or none that has a width: it promises too much.

    Example:
        >>> in_brackets(Measure(0.5, 0.417, 0.6)), in_brackets(Measure(0.5, float("nan"), float("nan")))
        (' (41.7\xa0to\xa060.0)', '')
    """
    if not measure.low < measure.high:
        return ""
    return f" ({100 * measure.low:.1f}{_TOGETHER}to{_TOGETHER}{100 * measure.high:.1f})"
