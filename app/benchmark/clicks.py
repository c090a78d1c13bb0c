"""What a user does at the inspector, and how long the browser takes to show what was asked for.

Times are taken in the page, from the click to the frame after which all of it is there: the way to the inspector and back, its work,
and the browser's drawing. Every wait has an end: Playwright raises its own `TimeoutError`.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.benchmark.served import Served

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

_WAIT = 120_000
"""Milliseconds for whatever the page is to show."""
_PAUSE = 1000
"""Milliseconds between a page at rest and the next click."""
_QUICK = "method=grad_cam&compare=none"
_TEST = "split=test&sort=name"
_TRAIN = "split=train&sort=name"
_TENTHS = 10

_TIMED = """
async (target, [wanted, atRest, patience]) => {
  const deep = (root) => [root, ...[...root.querySelectorAll("*")].flatMap((node) => (node.shadowRoot ? deep(node.shadowRoot) : []))];
  const said = () => deep(document).flatMap((root) => [
    ...[...root.querySelectorAll("img")].filter((image) => image.complete && !image.hidden).map((image) => image.alt),
    ...[...root.querySelectorAll("h1, h2, h3")].map((heading) => heading.textContent.trim()),
  ]);
  const idle = () => !atRest || document.querySelector("[data-testid=stApp]").dataset.testScriptState === "notRunning";
  const there = () => { const words = said(); return wanted.every((one) => words.some((word) => new RegExp(one).test(word))) && idle(); };
  const begin = performance.now();
  target.click();
  while (!there()) {
    if (performance.now() - begin > patience) return -1;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await new Promise(requestAnimationFrame);
  return performance.now() - begin;
}
"""
"""Click; return the milliseconds until pictures and headings say all that is wanted, and (`atRest`) the page is made; -1: too late.

It looks fifty times a second, not at every frame: a browser without a GPU that is asked for frames takes a sixth of a core for them,
from the model that is waited for.
"""

_LONGEST_FRAME = """
async (milliseconds) => {
  let [begin, last, longest] = [performance.now(), performance.now(), 0];
  while (last - begin < milliseconds) {
    const now = await new Promise(requestAnimationFrame);
    longest = Math.max(longest, now - last);
    last = now;
  }
  return longest;
}
"""


def patches_once_more(page: "Page", inspector: Served, clicks: int) -> list[float]:
    """Go on through so many patches, that their maps are made; then back, and time it."""
    return _there_and_back(page, f"{inspector.address}/patch?{_QUICK}&{_TEST}", clicks)


def strips_once_more(page: "Page", inspector: Served, clicks: int) -> list[float]:
    """As `patches_once_more`, with strips: all heats of a strip are there."""
    return _there_and_back(page, f"{inspector.address}/?{_TEST}", clicks)


def first_maps(page: "Page", inspector: Served, clicks: int) -> list[float]:
    """Ask for SISE alone on patches for which nobody has asked, and time until a map of it is there, be it a first one."""
    return _first_heats(page, f"{inspector.address}/patch?compare=none&{_TEST}&reverse=yes", "SISE", clicks)


def first_maps_of_any(page: "Page", inspector: Served, clicks: int) -> list[float]:
    """As `first_maps`, on the page as it opens, two methods side by side: until a map of either is there."""
    return _first_heats(page, f"{inspector.address}/patch?{_TRAIN}", ".*", clicks)


def queue_narrowed(
    page: "Page", inspector: Served, clicks: int, headings: Sequence[tuple[str, str]]
) -> list[float]:
    """Choose one class after the other, and time until the queue is drawn.

    Args:
        page: Where.
        inspector: Who is asked.
        clicks: How often.
        headings: The words of the list "Marked as", each with the heading that must follow.
    """
    page.goto(f"{inspector.address}/queue?split=all")
    page.get_by_text("Click a row").wait_for()
    times = []
    for place in range(clicks):
        option, heading = headings[place % len(headings)]
        page.wait_for_timeout(_PAUSE)
        page.get_by_role("combobox", name="Marked as").click()
        choice = page.get_by_role("option", name=option, exact=True)
        choice.wait_for()
        times.append(_measured(page, choice, [f"^{re.escape(heading)}$"], at_rest=True))
    return times


def queue_scrolled(page: "Page", inspector: Served, clicks: int) -> list[float]:
    """Turn the wheel over the table, and return the longest times without a new frame."""
    page.goto(f"{inspector.address}/queue?split=all")
    page.get_by_text("Click a row").wait_for()
    page.locator("[data-testid=stDataFrame]").hover()
    page.wait_for_timeout(_PAUSE)
    times = []
    for _ in range(clicks):
        page.mouse.wheel(0, 2000)
        times.append(float(page.evaluate(_LONGEST_FRAME, 600)))
    return times


def memory_over(page: "Page", inspector: Served, clicks: int) -> list[float]:
    """Click on through the patches; return the inspector's memory, in MB, after each tenth of the clicks."""
    _open(page, f"{inspector.address}/patch?{_QUICK}&split=all&sort=name")
    every = max(1, clicks // _TENTHS)
    memory = []
    for place in range(clicks):
        _go(page, "Next", pause=0)
        if (place + 1) % every == 0:
            memory.append(inspector.memory())
    return memory


def settled(page: "Page") -> None:
    """Wait until nothing more is being made for the page: it offers no more to cancel."""
    page.get_by_role("button", name=re.compile("^Cancel")).first.wait_for(state="detached")


def patient(page: "Page") -> "Page":
    """Return the page, with an end to each of its waits."""
    page.set_default_timeout(_WAIT)
    return page


def _there_and_back(page: "Page", address: str, clicks: int) -> list[float]:
    _open(page, address)
    shown = [_heats(page)]
    for _ in range(clicks):
        _go(page, "Next")
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


def _open(page: "Page", address: str) -> None:
    page.goto(address)
    page.get_by_alt_text("the heat of Grad-CAM").first.wait_for()
    settled(page)


def _go(page: "Page", button: str, pause: int = _PAUSE) -> None:
    """Go on, without a clock, until the next one's heat is there and nothing is being made."""
    before = _subject(page)
    page.get_by_role("button", name=re.compile(f"^{button}")).click()
    page.wait_for_function(
        "before => [...document.querySelectorAll('h3')].some(h => /^(Patch|Strip) /.test(h.textContent) && h.textContent.trim() !== before)",
        arg=before,
    )
    page.get_by_alt_text("heat of Grad-CAM").first.wait_for()
    settled(page)
    page.wait_for_timeout(pause)


def _subject(page: "Page") -> str:
    """Return the heading that names the patch or the strip."""
    return page.get_by_role("heading", name=re.compile("^(Patch|Strip) ")).first.inner_text().strip()


def _heats(page: "Page") -> list[str]:
    alts: list[str] = page.get_by_alt_text("with the heat of").evaluate_all(
        "images => images.map(image => image.alt)"
    )
    return alts


def _timed(page: "Page", button: str, wanted: Sequence[str]) -> float:
    page.wait_for_timeout(_PAUSE)
    return _measured(page, page.get_by_role("button", name=re.compile(f"^{button}")), wanted, at_rest=False)


def _measured(page: "Page", target: "Locator", wanted: Sequence[str], *, at_rest: bool) -> float:
    from playwright.sync_api import TimeoutError as TooLate  # noqa: PLC0415 -- the command's help needs none

    taken: float = target.evaluate(_TIMED, [list(wanted), at_rest, _WAIT])
    if taken < 0:
        raise TooLate(f"{page.url}: {', '.join(wanted)} did not come")
    return taken
