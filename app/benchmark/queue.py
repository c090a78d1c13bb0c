"""The review queue under a user's hand: narrowed, scrolled, its sheets turned; timed until what must then be seen is drawn."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pandas as pd

from app.benchmark.clicks import PAUSE, option
from app.benchmark.clock import KEY, PATIENCE, PRESSED, WHEEL, Wanted, measured
from app.benchmark.queue_steps import (
    ALL,
    BY_MARGIN,
    FROM_THE_END,
    IN_SIGHT,
    SHEET,
    Step,
    by_choice,
    by_margin,
    by_name,
    sheets,
    steps,
    wheel_turns,
)
from app.review import filters
from app.review.query import Query, to_address
from app.review.rows import narrowed
from app.review.sheets import LOOK, QueueLook

if TYPE_CHECKING:
    from playwright.sync_api import Page

_MARGIN, _NAME = "Margin to the second class", "Name holds"
"""Titles of filters, as the page has them."""
_Doing = tuple[str, Callable[[], object]]
"""What a user does, as the browser calls it, and what does it."""


@dataclass(frozen=True)
class Asked:
    """What is measured.

    Args:
        page: Where; a page `with_a_clock`.
        address: The inspector's.
        known: What `known_to` gives.
        clicks: How many are timed.
    """

    page: "Page"
    address: str
    known: pd.DataFrame
    clicks: int


def narrowed_by_choice(asked: Asked, field: str, look: QueueLook) -> list[float]:
    """Choose one after the other in a filter's list."""
    title, _ = filters.choices(field)
    seen = IN_SIGHT if look == QueueLook.TABLE else SHEET
    way = steps(asked.known, by_choice(asked.known, field), ALL, seen, asked.clicks)
    _open(asked, ALL, look)
    return _walk(asked.page, way, look, lambda step: (PRESSED, option(asked.page, title, step.choice).click))


def narrowed_by_margin(asked: Asked) -> list[float]:
    """Raise and lower the least margin, by the keys of its slider."""
    way = steps(asked.known, by_margin(), BY_MARGIN, IN_SIGHT, asked.clicks)
    _open(asked, BY_MARGIN, QueueLook.TABLE)

    def ready(step: Step) -> _Doing:
        asked.page.get_by_role("slider", name=_MARGIN).first.focus()
        return KEY, partial(asked.page.keyboard.press, step.choice)

    return _walk(asked.page, way, QueueLook.TABLE, ready)


def narrowed_by_name(asked: Asked) -> list[float]:
    """Look for one name after the other."""
    way = steps(asked.known, by_name(asked.known, asked.clicks + 1), ALL, IN_SIGHT, asked.clicks)
    _open(asked, ALL, QueueLook.TABLE)

    def ready(step: Step) -> _Doing:
        asked.page.get_by_role("textbox", name=_NAME).fill(step.choice)
        return KEY, partial(asked.page.keyboard.press, "Enter")

    return _walk(asked.page, way, QueueLook.TABLE, ready)


def sheets_turned(asked: Asked) -> list[float]:
    """Turn the sheets of pictures, which nobody saw before."""
    way = sheets(asked.known, asked.clicks)
    _open(asked, FROM_THE_END, QueueLook.PICTURES)
    forwards = asked.page.get_by_role("button", name="Next page")
    return _walk(asked.page, way, QueueLook.PICTURES, lambda _: (PRESSED, forwards.click))


def scrolled(asked: Asked) -> list[float]:
    """Turn the wheel over the table, and wait for the last row that must then be seen whole: it is drawn after the others."""
    rows = narrowed(asked.known, ALL).index
    turns = list(wheel_turns(len(rows), asked.clicks))
    _open(asked, ALL, QueueLook.TABLE)
    asked.page.get_by_test_id("stDataFrame").hover()
    times = []
    for pixels, last in turns:
        _rest(asked.page)
        times.append(wheel_turned(asked.page, pixels, str(rows[last])))
    return times


def wheel_turned(page: "Page", pixels: int, last: str, patience: int = PATIENCE) -> float:
    """Turn the wheel, and time it until this row is drawn."""
    return measured(page, Wanted(written=(last,)), WHEEL, partial(page.mouse.wheel, 0, pixels), patience)


def _walk(page: "Page", way: Sequence[Step], look: QueueLook, ready: Callable[[Step], _Doing]) -> list[float]:
    """Take one step after the other; return the times of those that bring something new."""
    times = []
    for step in way:
        _rest(page)
        event, act = ready(step)
        taken = measured(page, wanted_of(step, look), event, act)
        if step.new:
            times.append(taken)
    return times


def wanted_of(step: Step, look: QueueLook) -> Wanted:
    """Return what must be there after a step: in a table the rows that are new written, among pictures the new ones decoded."""
    above = f"^{re.escape(step.heading)}$"
    if look == QueueLook.TABLE:
        return Wanted((above,), written=step.new, at_rest=True)
    return Wanted((above, *(f"^Open {re.escape(name)}$" for name in step.new)), at_rest=True)


def _rest(page: "Page") -> None:
    page.locator("[data-test-script-state=notRunning]").wait_for()
    page.wait_for_timeout(PAUSE)


def _open(asked: Asked, query: Query, look: QueueLook) -> None:
    """Open the queue, and wait until its first row is written, or its first picture there."""
    first = str(narrowed(asked.known, query).index[0])
    asked.page.goto(f"{asked.address}/queue?{urlencode({**to_address(query), LOOK: look})}")
    if look == QueueLook.TABLE:
        asked.page.wait_for_function("first => window.written.has(first)", arg=first)
    else:
        asked.page.get_by_title(f"Open {first}", exact=True).wait_for()
