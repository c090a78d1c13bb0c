"""An hour of an inspector's clicks: the errands of a shift, round after round, while the inspector's memory is watched.

One page of one browser goes through all of them by links and buttons, as somebody does who opens the inspector in the morning: what its
session holds stays. A round visits other strips and patches than the one before.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from app.benchmark.clicks import GRAD_CAM, SISE, go, option, wait_for_heat
from app.review import filters
from severstal_xai.imaging import STRIP_SHAPE, encode_png
from severstal_xai.manifest import Manifest

if TYPE_CHECKING:
    from playwright.sync_api import Page

_NEXT_STRIPS, _NEXT_PATCHES = 3, 4
_READER = "Benchmark"
_ASKED = "split=all&sort=name"


@dataclass(frozen=True)
class Round:
    """Where a round goes.

    Args:
        page: Where.
        strip: The strip that it begins with.
        label: The words of a class that there are some patches of.
        upload: A new strip, as a file.
    """

    page: "Page"
    strip: str
    label: str
    upload: bytes


@dataclass(frozen=True)
class Errand:
    """One of the things that a shift is made of.

    Args:
        words: What it is.
        clicks: How many it takes.
        do: Does it, and waits until all of it is there.
    """

    words: str
    clicks: int
    do: Callable[[Round], None]


@dataclass(frozen=True)
class Shift:
    """What came of it.

    Args:
        errands: The clicks of a round, by what they are for.
        memory: The inspector's, in MB: before the first round, and after each.
    """

    errands: dict[str, int]
    memory: list[float]

    @property
    def round(self) -> int:
        """The clicks of a round."""
        return sum(self.errands.values())

    @property
    def clicks(self) -> int:
        """The clicks of all rounds."""
        return self.round * (len(self.memory) - 1)


def worked(page: "Page", address: str, manifest: Manifest, clicks: int, memory: Callable[[], float]) -> Shift:
    """Work a shift of so many clicks.

    Args:
        page: Where.
        address: The inspector's.
        manifest: The data.
        clicks: How many, at least.
        memory: Tells the inspector's memory, in MB.
    """
    chance = np.random.default_rng(0)
    label = _label(manifest)
    page.goto(f"{address}/?{_ASKED}")
    wait_for_heat(page, [GRAD_CAM])
    read = [memory()]
    for strip in starts(manifest, rounds_for(clicks)):
        one = Round(page, strip, label, encode_png(chance.integers(0, 256, STRIP_SHAPE).astype(np.uint8)))
        for errand in ERRANDS:
            errand.do(one)
        read.append(memory())
    return Shift({errand.words: errand.clicks for errand in ERRANDS}, read)


def starts(manifest: Manifest, rounds: int) -> list[str]:
    """Return the strip that each round begins with, spread over the data; there is always a next one.

    They are looked for by their names, so none is taken whose name another's begins with: x1, where there is x12.
    """
    strips = list(dict.fromkeys(patch.strip for patch in manifest.patches))
    known = set(strips)
    early = strips[: max(1, len(strips) - _NEXT_STRIPS - _NEXT_PATCHES - 1)]
    alone = [name for name in early if known.isdisjoint(f"{name}{digit}" for digit in range(10))]
    return [alone[place * len(alone) // rounds] for place in range(rounds)]


def _label(manifest: Manifest) -> str:
    _, words = filters.choices("label")
    return words[manifest.patches[0].label]


def _look_at_strips(one: Round) -> None:
    _menu(one.page, "Strip")
    box = one.page.get_by_role("combobox", name=re.compile(r"^Strip \("))
    _rest(one.page)
    box.click()
    box.fill(one.strip)
    one.page.keyboard.press("Enter")
    one.page.get_by_role("heading", name=f"Strip {one.strip}", exact=True).wait_for()
    wait_for_heat(one.page, [GRAD_CAM])
    for _ in range(_NEXT_STRIPS):
        go(one.page, "Next", [GRAD_CAM], pause=0)


def _make_a_report(one: Round) -> None:
    one.page.get_by_role("button", name="Report").click()
    one.page.get_by_role("button", name="Make PDF").click()
    one.page.get_by_role("button", name=re.compile("^Save strip_")).wait_for()
    one.page.keyboard.press("Escape")


def _look_at_patches(one: Round) -> None:
    one.page.locator(".cards button").first.click()
    one.page.get_by_role("heading", name=re.compile("^Patch ")).wait_for()
    wait_for_heat(one.page, [GRAD_CAM, SISE])
    option(one.page, "Method", GRAD_CAM).click()
    option(one.page, "Beside it", "no other").click()
    for _ in range(_NEXT_PATCHES):
        go(one.page, "Next", [GRAD_CAM], pause=0)


def _judge(one: Round) -> None:
    _rest(one.page)  # the heat comes before the panel; until then that of the patch before takes the clicks
    name = one.page.get_by_role("textbox", name="Your name")
    if name.input_value() != _READER:
        name.fill(_READER)
        name.press("Enter")
        one.page.get_by_role("radio", name="unsure").wait_for()
        _rest(one.page)
    one.page.get_by_role("radio", name="unsure").click()
    one.page.get_by_role("button", name="Save verdict").click()
    undo = one.page.get_by_role("button", name="Take back: unsure")
    undo.click()
    undo.wait_for(state="detached")


def _search_the_queue(one: Round) -> None:
    _menu(one.page, "Review queue")
    heading = partial(one.page.get_by_role, "heading")
    heading(name=re.compile("^All .* patches$")).wait_for()
    title, words = filters.choices("label")
    option(one.page, title, one.label).click()
    heading(name=re.compile("patch(es)? of")).wait_for()
    option(one.page, title, words[None]).click()
    heading(name=re.compile("^All .* patches$")).wait_for()
    one.page.get_by_test_id("stDataFrame").hover()
    one.page.mouse.wheel(0, 2000)
    _rest(one.page)


def _look_at_the_overview(one: Round) -> None:
    _menu(one.page, "Overview")
    one.page.get_by_role("heading", name=re.compile("^Run ")).wait_for()
    _rest(one.page)


def _upload(one: Round) -> None:
    _menu(one.page, "New strips")
    field = one.page.get_by_test_id("stFileUploaderDropzoneInput")
    field.set_input_files({"name": "new.png", "mimeType": "image/png", "buffer": one.upload})
    one.page.get_by_text(re.compile(r"^1 image, (?!.*so far)")).wait_for()
    one.page.get_by_role("button", name="Forget all uploads").click()
    one.page.get_by_text("There is nothing here yet.").wait_for()


ERRANDS: Sequence[Errand] = (
    Errand("strips looked for and walked through", 2 + _NEXT_STRIPS, _look_at_strips),
    Errand("report of a strip, as PDF", 2, _make_a_report),
    Errand(
        "patches: one by SISE and Grad-CAM, then on by Grad-CAM alone", 3 + _NEXT_PATCHES, _look_at_patches
    ),
    Errand("verdict saved and taken back", 3, _judge),
    Errand("queue narrowed, widened, scrolled", 4, _search_the_queue),
    Errand("overview", 1, _look_at_the_overview),
    Errand("new strip uploaded and forgotten", 3, _upload),
)
"""A round of a shift, in its order."""
ROUND = sum(errand.clicks for errand in ERRANDS)
"""The clicks of a round."""


def rounds_for(clicks: int) -> int:
    """Return how many rounds so many clicks are, the last one whole."""
    return math.ceil(clicks / ROUND)


def _menu(page: "Page", name: str) -> None:
    page.get_by_role("link", name=name, exact=True).click()


def _rest(page: "Page") -> None:
    page.locator("[data-test-script-state=notRunning]").wait_for()
