"""What a user's hands and eyes do at the inspector, in a real browser."""

import time

from playwright.sync_api import Page, Position, expect

PATIENCE = 180
"""Seconds; a machine that runs other tests beside this one takes long to import torch."""
SELECTS = "[data-testid='stSelectbox']"
HEAD = 37
"""Height of a table's head, in pixels."""


def patient(page: Page) -> Page:
    """A page that waits as long as a busy machine needs, and so does all that is expected of it."""
    page.set_default_timeout(1000 * PATIENCE)
    expect.set_options(timeout=1000 * PATIENCE)
    return page


def choose(page: Page, label: str, option: str) -> None:
    """Choose in a list."""
    # What moves shuts a list: the page as its last run ends and takes away what is stale, and a click at the edge, which scrolls.
    page.locator("[data-test-script-state=notRunning]").wait_for()
    page.wait_for_timeout(500)
    box = page.get_by_role("combobox", name=label)
    box.evaluate("box => box.scrollIntoView({block: 'center'})")
    box.click()
    page.get_by_role("option", name=option, exact=True).click()


def click_row(page: Page, row: int, height: int = 35) -> None:
    """Click a row of the first table; a canvas, it takes a click where it saw the mouse come to rest before.

    Args:
        page: Where.
        row: Its number, from 0.
        height: Of each row, in pixels.
    """
    place = Position(x=240, y=HEAD + height * (row + 0.5))
    table = page.get_by_test_id("stDataFrameResizable").first
    table.hover(position=place)
    page.wait_for_timeout(300)
    table.click(position=place)


def seen(page: Page) -> dict[str, object]:
    """What a view shows: its headings, all that is chosen, its tables, and the pictures with what is laid over them."""
    return {
        "headings": page.get_by_role("heading").all_inner_texts(),
        "choices": page.locator(f"{SELECTS} input").evaluate_all("boxes => boxes.map(box => box.value)"),
        "typed": page.locator("input[type=text]").evaluate_all("boxes => boxes.map(box => box.value)"),
        "sure": page.get_by_test_id("stSlider").all_inner_texts(),
        "turned": page.get_by_role("switch").evaluate_all("boxes => boxes.map(box => box.checked)"),
        "pictures": page.locator("img").evaluate_all("images => images.map(image => image.alt)"),
        "tables": page.locator("table").all_inner_texts(),
        "steps": page.locator("details[open]").count(),
        "address": sorted(page.url.partition("?")[2].split("&")),
    }


def at_rest(page: Page) -> dict[str, object]:
    """What the view shows once it changes no longer: the parts of a page come one after the other."""
    before, now = None, seen(page)
    while now != before:
        page.wait_for_timeout(1000)
        before, now = now, seen(page)
    return now


def at_rest_as(page: Page, expected: dict[str, object]) -> dict[str, object]:
    """What the view shows at rest, once that is what is expected or patience is over: a busy machine leaves pauses between a page's parts."""
    end = time.monotonic() + PATIENCE
    now = at_rest(page)
    while now != expected and time.monotonic() < end:
        now = at_rest(page)
    return now
