"""The clock in the page: from what the user does to the frame after which all of what was asked for is there.

So a time is the way to the inspector and back, its work, and the browser's drawing. Every wait has an end: Playwright raises its own
`TimeoutError`.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

PATIENCE = 120_000
"""Milliseconds for whatever a page is to show."""
PRESSED, KEY, WHEEL = "pointerdown", "keydown", "wheel"
"""What a user does, as the browser calls it."""

_WRITTEN = """
window.written = new Map();
const fillText = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (words, ...place) {
  window.written.set(words, performance.now());
  return fillText.call(this, words, ...place);
};
"""
"""Keep when each word was last written on a canvas: Streamlit's table is one, and holds no words that could be read."""

_ARMED = """
([event, wanted, patience]) => {
  const deep = (root) => [root, ...[...root.querySelectorAll("*")].flatMap((node) => (node.shadowRoot ? deep(node.shadowRoot) : []))];
  const saying = () => deep(document).flatMap((root) => [...root.querySelectorAll("img[alt]:not([hidden]), h1, h2, h3, button[title]")]);
  const said = (node) => node.alt ?? (node.title || node.textContent.trim());
  const idle = () => document.querySelector("[data-testid=stApp]").dataset.testScriptState === "notRunning";
  const beside = (node) => [...node.getRootNode().querySelectorAll("img[src]:not([hidden])")];
  const decoded = async (images) =>
    images.every((image) => image.complete && image.naturalWidth > 0)
    && Promise.all(images.map((image) => image.decode())).then(() => true, () => false);
  const there = async (begin) => {
    if (wanted.at_rest && !idle()) return false;
    if (!wanted.written.every((word) => window.written.get(word) >= begin)) return false;
    const nodes = saying();
    const found = wanted.said.map((words) => nodes.find((node) => new RegExp(words).test(said(node))));
    return found.every(Boolean) && decoded(found.flatMap(beside));
  };
  window.measured = new Promise((resolve) => {
    addEventListener(event, async ({ timeStamp: begin }) => {
      while (!(await there(begin))) {
        if (performance.now() - begin > patience) return resolve(-1);
        await new Promise((again) => setTimeout(again, 20));
      }
      await new Promise(requestAnimationFrame);
      resolve(performance.now() - begin);
    }, { capture: true, once: true });
  });
}
"""
"""Wait for what the user does, and from then on for all that is wanted; -1: too late.

It looks fifty times a second, not at every frame: a browser without a GPU that is asked for frames takes a sixth of a core for them,
from the model that is waited for.
"""

_MEASURED = (
    "(patience) => Promise.race([window.measured, new Promise((end) => setTimeout(() => end(-1), patience))])"
)
"""The milliseconds; -1 also where the user's doing did not reach the page."""


@dataclass(frozen=True)
class Wanted:
    """What must be there.

    Args:
        said: Patterns. Each must fit a heading, what is said in place of a picture, or what is said of a button; and all pictures that stand
            beside it, in the same component, must be decoded: a heat has no words of its own.
        written: Words that must be written on a table anew.
        at_rest: Whether the page must be made, too.
    """

    said: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    at_rest: bool = False


def with_an_end(page: "Page") -> "Page":
    """Return the page, with an end to each of its waits."""
    page.set_default_timeout(PATIENCE)
    return page


def with_a_clock(page: "Page") -> "Page":
    """Return the page, `with_an_end`, and with what is written on canvases kept from its next address on."""
    page.add_init_script(_WRITTEN)
    return with_an_end(page)


def measured(
    page: "Page", wanted: Wanted, event: str, act: Callable[[], object], patience: int = PATIENCE
) -> float:
    """Do what a user does, and return the milliseconds until all is there.

    Args:
        page: Where.
        wanted: What must be there.
        event: What the doing is to the browser; the clock starts at the first.
        act: Does it.
        patience: Milliseconds to wait at most.

    Raises:
        playwright.sync_api.TimeoutError: It does not come; the message says what.
    """
    from playwright.sync_api import TimeoutError as TooLate  # noqa: PLC0415 -- the command's help needs none

    page.evaluate(_ARMED, [event, dataclasses.asdict(wanted), patience])
    act()
    taken: float = page.evaluate(_MEASURED, patience)
    if taken < 0:
        raise TooLate(f"{page.url}: {', '.join((*wanted.said, *wanted.written))} did not come")
    return taken
