"""Many browsers at once, each walking from patch to patch: does each get the maps of its own?"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from app.asking.catalogue import CATALOGUE, request_for
from app.asking.explanations import Found, explain
from app.asking.question import usual_class
from app.benchmark.clicks import settled
from app.loading import ask
from app.patch.layers import png_address
from app.review.rows import recorded_shares
from severstal_xai.checkpoint import Checkpoint
from severstal_xai.errors import InputError
from severstal_xai.manifest import Manifest, Patch
from severstal_xai.overlay import heat_colours

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WALKED = 3
"""Patches that each session sees, one after the other."""
_METHODS = ("grad_cam", "sise")
"""The quick one first: it tells at little cost that two patches look alike."""
_EFFORT = "fast"
_ASKED = f"method=sise&compare=grad_cam&effort={_EFFORT}&split=test&sort=name"
_PATIENCE = 900_000
"""Milliseconds for the last of them: all wait for the same two cores."""


@dataclass(frozen=True)
class Expected:
    """What a session must show at one step of its walk.

    Args:
        patch: The name of the patch.
        heats: The addresses of the pictures of its heat, by the methods' names.
    """

    patch: str
    heats: Mapping[str, str]


Walk = Sequence[Expected]
"""What a session must show, patch after patch."""
HeatsOf = Callable[[Patch], Iterable[tuple[str, str]]]
"""`heats` of a patch."""


@dataclass(frozen=True)
class Crowd:
    """What came of many sessions at once.

    Args:
        sessions: How many there were.
        compared: Pictures of heat that were compared.
        wrong: Of these, how many were not, byte by byte, those expected.
        before: The inspector's memory, in MB, before they came.
        highest: The most while they were there.
        after: When the last of them had gone.
    """

    sessions: int
    compared: int
    wrong: int
    before: float
    highest: float
    after: float


def walks_of(
    heats_of: HeatsOf,
    patches: Sequence[Patch],
    sessions: int,
    chance: np.random.Generator,
    walked: int = WALKED,
) -> list[Walk]:
    """Draw a walk for each session, no two patches of all walks with the same picture of heat by a method; make here what must be shown.

    Maps that are alike would look right wherever they are shown: of sound steel, say, whose heat is black.

    Args:
        heats_of: Makes what must be shown.
        patches: Neighbours in the queue, where a walk goes from one to the next.
        sessions: How many walks are wanted.
        chance: Draws them.
        walked: Patches of a walk.

    Raises:
        InputError: There are not so many patches whose heat differs, or a method failed.
    """
    walks: list[Walk] = []
    free = set(range(len(patches)))
    for start in chance.permutation(len(patches) - walked + 1).tolist():
        places = range(start, start + walked)
        if not free.issuperset(places):
            continue
        walk = _walk([patches[place] for place in places], walks, heats_of)
        if walk is not None:
            walks.append(walk)
            free.difference_update(places)
        if len(walks) == sessions:
            return walks
    raise InputError(
        f"{len(walks)} walks through {len(patches)} test patches of which each has a heat of its own, expected as many as "
        f"--sessions {sessions}"
    )


def at_once(
    browser: "Browser",
    address: str,
    walks: Sequence[Walk],
    memory: Callable[[], float],
    patience: int = _PATIENCE,
) -> Crowd:
    """Walk each walk in a browser of its own, all at once; who was looked at goes on while the others are still waited for.

    Args:
        browser: Where.
        address: The inspector's.
        walks: What must be shown.
        memory: Tells the inspector's memory, in MB.
        patience: Milliseconds for each picture, at most.
    """
    before = memory()
    contexts = [browser.new_context(viewport={"width": 1366, "height": 768}) for _ in walks]
    pages = [context.new_page() for context in contexts]
    for page, walk in zip(pages, walks, strict=True):
        page.set_default_timeout(patience)
        page.goto(f"{address}/patch?patch={walk[0].patch}&{_ASKED}", wait_until="commit")
    wrong = 0
    seen: list[float] = []
    for step in range(max(map(len, walks))):
        for page, walk in zip(pages, walks, strict=True):
            if step < len(walk):
                wrong += _wrong_on(page, walk[step])
                seen.append(memory())
            if step + 1 < len(walk):
                page.get_by_role("button", name=re.compile("^Next")).click()
    for context in contexts:
        context.close()
    compared = sum(len(one.heats) for walk in walks for one in walk)
    return Crowd(len(walks), compared, wrong, before, max(seen), memory())


def _wrong_on(page: "Page", expected: Expected) -> int:
    """Return how many of a page's pictures of heat are not those expected, once all are whole."""
    wrong = 0
    for method, heat in expected.heats.items():
        alt = f"Patch {expected.patch} with the heat of {CATALOGUE[method].title};"
        picture = page.get_by_alt_text(alt).first
        picture.wait_for()
        settled(page)
        shown = picture.evaluate("image => image.parentElement.querySelector('.heat').src")
        wrong += shown != heat
    return wrong


def _walk(patches: Sequence[Patch], others: Sequence[Walk], heats_of: HeatsOf) -> Walk | None:
    """Return what must be shown on a walk; None where a heat of it is seen twice."""
    taken = [one for walk in others for one in walk]
    for patch in patches:
        made: dict[str, str] = {}
        for method, heat in heats_of(patch):
            if any(heat == one.heats[method] for one in taken):
                return None
            made[method] = heat
        taken.append(Expected(patch.patch, made))
    return taken[-len(patches) :]


def heats(
    manifest: Manifest, checkpoint: Checkpoint, known: pd.DataFrame, patch: Patch
) -> Iterator[tuple[str, str]]:
    """Yield the methods, each with the address of the picture of a patch's heat, made when it is asked for.

    Args:
        manifest: The data.
        checkpoint: The model.
        known: As `known_of` returns it, with the recorded answers that the inspector goes by.
        patch: The patch.
    """
    grey = manifest.read_image(patch)
    shares = recorded_shares(known, patch.patch) or ask(checkpoint.model, grey)
    target = usual_class(shares)
    for method in _METHODS:
        request = request_for(method, _EFFORT, target, checkpoint.card.weights_sha256, patch.image_sha256)
        found = explain(request, checkpoint.model, grey)
        if not isinstance(found, Found):
            raise InputError(f"patch {patch.patch}: {method} failed here ({found.reason})")
        yield method, png_address(heat_colours(found.saliency * shares[target]))
