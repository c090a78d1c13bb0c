"""Clicks from patch to patch and from strip to strip, and how long the browser takes to show what was asked for."""

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from app.asking.catalogue import CATALOGUE
from app.benchmark.clock import PRESSED, Wanted, measured

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

PAUSE = 1000
"""Milliseconds between a page at rest and the next click."""
_QUICK = "method=grad_cam&compare=none"
GRAD_CAM, SISE = CATALOGUE["grad_cam"].title, CATALOGUE["sise"].title
_TEST = "split=test&sort=name"
_TRAIN = "split=train&sort=name"


def patches_once_more(page: "Page", address: str, clicks: int) -> list[float]:
    """Go on through so many patches, that their maps by Grad-CAM are made; then back, and time it."""
    return _there_and_back(page, f"{address}/patch?{_QUICK}&{_TEST}", clicks, [GRAD_CAM])


def patches_as_they_open_once_more(page: "Page", address: str, clicks: int) -> list[float]:
    """As `patches_once_more`, on the page as it opens: SISE and Grad-CAM side by side."""
    return _there_and_back(page, f"{address}/patch?{_TEST}", clicks, [GRAD_CAM, SISE])


def strips_once_more(page: "Page", address: str, clicks: int) -> list[float]:
    """As `patches_once_more`, with strips: all heats of a strip are there."""
    return _there_and_back(page, f"{address}/?{_TEST}", clicks, [GRAD_CAM])


def first_maps(page: "Page", address: str, clicks: int) -> list[float]:
    """Ask for SISE alone on patches for which nobody has asked, and time until a map of it is there, be it a first one."""
    return _first_heats(page, f"{address}/patch?compare=none&{_TEST}&reverse=yes", SISE, clicks)


def first_maps_of_any(page: "Page", address: str, clicks: int) -> list[float]:
    """As `first_maps`, on the page as it opens, two methods side by side: until a map of either is there."""
    return _first_heats(page, f"{address}/patch?{_TRAIN}", ".*", clicks)


def go(page: "Page", button: str, titles: Sequence[str], pause: int = PAUSE) -> None:
    """Go on, without a clock, until the next one's heat by these methods is there and nothing is being made."""
    before = _subject(page)
    page.get_by_role("button", name=re.compile(f"^{button}")).click()
    page.wait_for_function(
        "before => [...document.querySelectorAll('h3')].some(h => /^(Patch|Strip) /.test(h.textContent) && h.textContent.trim() !== before)",
        arg=before,
    )
    wait_for_heat(page, titles)
    page.wait_for_timeout(pause)


def wait_for_heat(page: "Page", titles: Sequence[str]) -> None:
    """Wait for the heat of the patch or the strip that the heading names: the one before is still shown when the heading comes."""
    kind, _, name = _subject(page).partition(" ")
    window = r"_\d" if kind == "Strip" else ""
    for title in titles:
        page.get_by_alt_text(
            re.compile(f"^Patch {re.escape(name)}{window} with the heat of {title};")
        ).first.wait_for()
    settled(page)


def option(page: "Page", title: str, words: str) -> "Locator":
    """Open a list, and return what can be chosen in it by these words.

    A page that is still drawn shuts an open list, and so does one that scrolls to it.
    """
    page.locator("[data-test-script-state=notRunning]").wait_for()
    page.wait_for_timeout(PAUSE)
    box = page.get_by_role("combobox", name=title)
    box.evaluate("box => box.scrollIntoView({block: 'center'})")
    box.click()
    choice = page.get_by_role("option", name=words, exact=True)
    choice.wait_for()
    return choice


def settled(page: "Page") -> None:
    """Wait until nothing more is being made for the page: it offers no more to cancel."""
    page.get_by_role("button", name=re.compile("^Cancel")).first.wait_for(state="detached")


def _there_and_back(page: "Page", address: str, clicks: int, titles: Sequence[str]) -> list[float]:
    page.goto(address)
    wait_for_heat(page, titles)
    shown = [_heats(page)]
    for _ in range(clicks):
        go(page, "Next", titles)
        shown.append(_heats(page))
    return [_timed(page, "Previous", [f"^{re.escape(heat)}$" for heat in heats]) for heats in shown[-2::-1]]


def _first_heats(page: "Page", address: str, method: str, clicks: int) -> list[float]:
    page.goto(address)
    page.get_by_alt_text(re.compile(f"heat of {method}")).first.wait_for()
    settled(page)  # what was asked for before is made, too
    times = []
    for _ in range(clicks):
        before = re.escape(_subject(page))
        times.append(_timed(page, "Next", [f"^(?!{before} )Patch .* with (the|a first) heat of {method}"]))
    return times


def _subject(page: "Page") -> str:
    """Return the heading that names the patch or the strip."""
    return page.get_by_role("heading", name=re.compile("^(Patch|Strip) ")).first.inner_text().strip()


def _heats(page: "Page") -> list[str]:
    alts: list[str] = page.get_by_alt_text("with the heat of").evaluate_all(
        "images => images.map(image => image.alt)"
    )
    return alts


def _timed(page: "Page", button: str, said: Iterable[str]) -> float:
    page.wait_for_timeout(PAUSE)
    target = page.get_by_role("button", name=re.compile(f"^{button}"))
    return measured(page, Wanted(tuple(said)), PRESSED, target.click)
