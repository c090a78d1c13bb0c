"""What reports are made from, gathered: the files, the verdicts that the reader may see, and the maps that are there."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import pandas as pd

from app import loading
from app.asking.catalogue import CATALOGUE, EFFORTS, request_for
from app.asking.explanations import Request, explain
from app.asking.question import Look, usual_class
from app.jobs import State, Wish
from app.loading import Remark
from app.messages import STORE_AWAY
from app.opening import Opened
from app.report.explained import explained
from app.report.of_filter import MOST_PICTURES, Listed, Pictured
from app.report.provenance import Lines, provenance, sight
from app.report.strip_matter import Asked, Matter, StripWindow
from app.review import filters
from app.review.query import Query
from app.strip.subject import SeenWindow, Steel, StripSubject, in_words, lacks_places, steel_of
from app.verdicts.readings import LOT, Sight, visible_to
from app.visitor import visitor
from severstal_xai.errors import InputError
from severstal_xai.manifest import Patch

Tell = Callable[[float, str], object]
"""Told how far the gathering is, 0 to 1, and in words."""
_PULSE = 0.5
"""Seconds between two looks at maps that are being made."""
_AWAY = "The verdicts could not be read when this report was made, so nothing is told of them."
_LACKS_PLACES = "Where the marks of left-out windows lie is not known: an earlier version prepared the data and did not keep them."
_OF_SOUND = "the model's answer, or the likeliest defect where it answers “sound”"


def lines_of(opened: Opened, look: Look | None, reader: str, *, verdicts_read: bool) -> Lines:
    """Return what a report is made from, in words.

    Args:
        opened: The data and the model.
        look: How the heat is made; None where the report has none.
        reader: Whose view of the verdicts it shows; may be empty.
        verdicts_read: Whether they could be read.
    """
    lines = provenance(
        opened.manifest,
        opened.folders.run.resolve().name,
        opened.checkpoint.card,
        opened.point,
        trained_on_it=opened.is_own_data,
    )
    heat = [] if look is None else [("Heat", f"{_title(look)}, for {_OF_SOUND}")]
    return (*lines, *heat, ("Verdicts", sight(reader, read=verdicts_read)))


def _title(look: Look) -> str:
    method = CATALOGUE[look.method]
    effort = f" ({EFFORTS[look.effort].lower()})" if method.efforts else ""
    return method.title + effort


def strip_matter(
    opened: Opened, subject: StripSubject, look: Look, states: Mapping[int, State], reader: str
) -> Matter:
    """Return what the report of a strip is made from.

    Args:
        opened: The data and the model.
        subject: The strip.
        look: How its heat is made.
        states: How its maps stand, by the windows' indices.
        reader: Whose view of the verdicts the report shows; may be empty.
    """
    sights, away = _sights(subject, reader)
    windows = tuple(
        _window(opened, seen, states.get(seen.window.index), sights.get(seen.window.index))
        for seen in subject.windows
    )
    problem = f"The picture of the whole strip cannot be shown: {_at_home(opened, subject.problem)}."
    return Matter(
        subject.name,
        in_words(subject, opened.point).replace("**", ""),
        subject.grey,
        subject.whole,
        windows,
        _title(look),
        opened.point,
        (*([problem] if subject.problem else []), *([_LACKS_PLACES] if lacks_places(subject) else []), *away),
        verdicts_read=not away,
    )


def _sights(subject: StripSubject, reader: str) -> tuple[dict[int, Sight], tuple[str, ...]]:
    """Return the verdicts that the reader may see, by the windows' indices, and what to say where they cannot be read."""
    patches = {seen.window.index: seen.patch.patch for seen in subject.windows if seen.patch}
    try:
        store = loading.verdicts()
        return {index: visible_to(store, reader, patch, LOT) for index, patch in patches.items()}, ()
    except InputError:
        return {}, (_AWAY,)


def _window(opened: Opened, seen: SeenWindow, state: State | None, sight_: Sight | None) -> StripWindow:
    name = seen.patch.patch if seen.patch else ""
    asked = None if seen.steel is None else _asked(seen.steel, state)
    mask_sha256 = seen.patch.mask_sha256 if seen.patch and asked else ""
    return StripWindow(
        seen.window, name, _at_home(opened, seen.words), asked, seen.marks, mask_sha256, sight_
    )


def _asked(steel: Steel, state: State | None) -> Asked:
    target = usual_class(steel.probabilities)
    return Asked(steel.grey, steel.image, steel.probabilities, explained(target, state))


def _at_home(opened: Opened, words: str) -> str:
    """Return words on a file without the folder that it lies in here: a report is read elsewhere."""
    for folder in (opened.folders.data, opened.folders.strips):
        if folder is not None:
            words = words.replace(f"{folder}/", "").replace(f"{folder}\\", "")
    return words


def listed(
    opened: Opened,
    rows: pd.DataFrame,
    query: Query,
    look: Look | None,
    tell: Tell,
    *,
    remarks: Sequence[Remark],
    make: bool,
) -> Listed:
    """Return what the report of the review queue is made from.

    Args:
        opened: The data and the model.
        rows: The patches that are shown, in their order.
        query: What they are narrowed by.
        look: How the heat of the pictures is made; None for pictures without.
        tell: Told how it goes; what it raises ends the gathering.
        remarks: What is missing of what is known of them.
        make: Whether maps that are not there are made first.
    """
    names = [str(name) for name in rows.index[:MOST_PICTURES]]
    read = []
    for place, name in enumerate(names):
        tell(place / len(names), f"Reading pictures: {place} of {len(names)}.")
        read.append(_read(opened, opened.manifest.find(name)))
    requests = {} if look is None else _requests(opened, look, read)
    if make:
        _make(opened, requests, read, tell)
    pictured = tuple(_with_map(one, steel, requests) for one, steel in read)
    return Listed(
        rows,
        len(opened.known),
        tuple(filters.in_words(query)),
        pictured,
        "" if look is None else _title(look),
        tuple(advice.title for advice, _ in remarks),
        verdicts_read=all(advice is not STORE_AWAY for advice, _ in remarks),
    )


_Read = tuple[Pictured, Steel | None]


def _read(opened: Opened, patch: Patch) -> _Read:
    try:
        grey, mask = opened.manifest.read_image(patch), opened.manifest.read_mask(patch)
    except InputError as error:
        return Pictured(patch.patch, None, None, (), None, _at_home(opened, str(error))), None
    steel = steel_of(opened, patch, grey)
    return Pictured(patch.patch, grey, mask, steel.probabilities, None), steel


def _requests(opened: Opened, look: Look, read: Sequence[_Read]) -> dict[str, Request]:
    """Return the maps that belong to the pictures, by the patches' names."""
    weights = opened.checkpoint.card.weights_sha256
    return {
        one.patch: request_for(
            look.method, look.effort, usual_class(steel.probabilities), weights, steel.image
        )
        for one, steel in read
        if steel
    }


def _make(opened: Opened, requests: Mapping[str, Request], read: Sequence[_Read], tell: Tell) -> None:
    """Have the maps made that are not there, as jobs among those of all sessions."""
    jobs, model = loading.jobs(), opened.checkpoint.model
    greys = {one.patch: steel.grey for one, steel in read if steel}
    wishes = [
        Wish(request, partial(explain, request, model, greys[patch])) for patch, request in requests.items()
    ]
    try:
        jobs.watch(visitor(), wishes)
        while not jobs.wait(list(requests.values()), _PULSE):
            jobs.watch(visitor(), wishes)  # anew: others' maps may have taken the place of some of these
            there = sum(loading.finished().get(request) is not None for request in requests.values())
            tell(there / len(requests), f"Making heat: {there} of {len(requests)}.")
    finally:
        jobs.watch(visitor(), [])


def _with_map(one: Pictured, steel: Steel | None, requests: Mapping[str, Request]) -> Pictured:
    request = requests.get(one.patch)
    if request is None or steel is None:
        return one
    found = explained(request.target, loading.finished().get(request))
    return Pictured(one.patch, one.grey, one.mask, one.probabilities, found)
