"""One strip: the whole of it, its six windows, what people marked, what the model says of each, and why."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import streamlit as st

from app import judging, loading, messages, panels
from app.asking import live, progress
from app.asking.catalogue import CATALOGUE, request_for
from app.asking.explanations import Request, explain
from app.asking.question import Look, address_of, choose_look, say_why_nothing_is_asked, usual_class
from app.chooser import choose_strip, say_why_no_strip
from app.jobs import State, Wish
from app.links import Links
from app.opening import Opened, open_all, tell_what_is_missing
from app.patch.layers import Layer
from app.report import buttons as report_buttons
from app.review.filters import PATCH, query_of_the_address
from app.review.query import to_address
from app.review.rows import with_verdicts
from app.strip import marks
from app.strip.picture import Pane, StripPicture, draw
from app.strip.subject import SeenWindow, StripSubject, in_words, lacks_places, read_subject
from app.visitor import visitor
from app.words import class_title, how_sure, plain
from severstal_xai.classes import CLASSES, SOUND
from severstal_xai.operating_point import OperatingPoint, flagged_as

_CLICKED = "clicked window"
"""Where a click is kept until the page is drawn as a whole: from a part of it no other page can be opened."""


def show(links: Links) -> None:
    """Draw the page."""
    opened = open_all()
    query = query_of_the_address()
    kinds, more = loading.kinds_of_verdicts(judging.reader_now())
    with st.sidebar:
        left_out = loading.left_out(opened.manifest).values()
        name = choose_strip(with_verdicts(opened.known, kinds), query, left_out)
        look_of = st.container()
        panels.provenance(opened.folders, opened.checkpoint, opened.manifest)
    tell_what_is_missing(opened, more)
    if name is None:
        loading.jobs().watch(visitor(), [])
        say_why_no_strip()
        st.stop()
    with look_of:
        look = choose_look()
    if look is None:
        loading.jobs().watch(visitor(), [])
        say_why_nothing_is_asked()
        st.stop()
    if clicked := st.session_state.pop(_CLICKED, None):
        links.patch({PATCH: clicked, **to_address(query_of_the_address()), **address_of(look)})
    subject = read_subject(opened, loading.strips(opened.manifest)[name], kinds)
    _draw(opened, subject, look)


def _draw(opened: Opened, subject: StripSubject, look: Look) -> None:
    """Draw the strip, and have its heat made."""
    requests, title = _requests(opened, subject, look), CATALOGUE[look.method].title
    if subject.problem:
        messages.warn(messages.NO_WHOLE_STRIP, subject.problem)
    heading, report = st.columns([7, 1], vertical_alignment="center")
    heading.subheader(f"Strip {plain(subject.name)}", anchor=False)
    with report:
        report_buttons.for_strip(opened, subject, look, partial(live.states_of, requests))
    st.write(in_words(subject, opened.point))
    if lacks_places(subject):
        messages.hint(messages.MARKS_NOT_KEPT)
    damaged = [seen.words for seen in subject.windows if seen.patch and seen.words]
    if damaged:
        messages.problem(messages.DAMAGED_STRIP, "; ".join(damaged))

    def pictures(states: Mapping[int, State]) -> None:
        panes = [
            _pane(window, states.get(window.window.index), title, opened.point) for window in subject.windows
        ]
        clicked = draw(
            StripPicture(subject.name, subject.grey, subject.whole, subject.outlines, panes, title)
        )
        progress.draw_together(title, list(states.values()), lambda: live.cancel(requests))
        if clicked is not None:
            st.session_state[_CLICKED] = clicked
            st.rerun()

    states = live.ask(requests, _wishes(opened, subject, requests))
    live.follow(requests, states, pictures)
    _say_how_to_read()
    live.offer_to_try_again(requests, states, lambda _: title)


def _say_how_to_read() -> None:
    st.caption(
        "Click a window to see it large, to judge it, and to see why. The heat shows what speaks for the model's answer, or for the "
        "likeliest defect where it answers “sound”: the method's map times the probability of that class, on one scale for all strips. "
        "Dark means: nothing found. Hatched: not part of the data."
    )


def _requests(opened: Opened, subject: StripSubject, look: Look) -> dict[int, Request]:
    """Return the maps that are wanted, by the windows' indices."""
    weights = opened.checkpoint.card.weights_sha256
    return {
        seen.window.index: request_for(
            look.method, look.effort, usual_class(seen.steel.probabilities), weights, seen.steel.image
        )
        for seen in subject.windows
        if seen.steel
    }


def _wishes(opened: Opened, subject: StripSubject, requests: Mapping[int, Request]) -> list[Wish]:
    """Return the jobs, the windows with the likeliest defects first."""
    steel = {seen.window.index: seen.steel for seen in subject.windows if seen.steel}
    first = sorted(requests, key=lambda index: steel[index].probabilities[SOUND.id])
    model = opened.checkpoint.model
    return [
        Wish(requests[index], partial(explain, requests[index], model, steel[index].grey)) for index in first
    ]


def _pane(seen: SeenWindow, state: State | None, title: str, point: OperatingPoint | None) -> Pane:
    name = "" if seen.patch is None else seen.patch.patch
    place = (seen.window.index, seen.window.x, name)
    if seen.steel is None or state is None:
        words = "Cannot be shown" if seen.patch else "Not in the data"
        told = seen.words if seen.patch else _left_out(seen)
        return Pane(*place, words, (told,), CLASSES[SOUND.id].colour, None, seen=False)
    shares = seen.steel.probabilities
    answer = int(np.argmax(shares))
    layer = Layer(title, state, shares[usual_class(shares)])
    return Pane(
        *place,
        class_title(answer),
        _lines(seen, shares, point),
        CLASSES[answer].colour,
        layer,
        remarkable=bool(flagged_as(point, shares)) if point else answer != SOUND.id,
    )


def _lines(seen: SeenWindow, shares: Sequence[float], point: OperatingPoint | None) -> tuple[str, ...]:
    answer = int(np.argmax(shares))
    judged = f"judged: {seen.verdict}" if seen.verdict else ""
    lines = (
        f"probability {how_sure(shares[answer])}",
        _people(seen, answer),
        _flagged(shares, point),
        judged,
    )
    return tuple(filter(None, lines))


def _people(seen: SeenWindow, answer: int) -> str:
    if seen.patch is None:
        return _left_out(seen)
    return "marked the same" if seen.patch.label == answer else f"marked {class_title(seen.patch.label)}"


def _left_out(seen: SeenWindow) -> str:
    marked = f"marked {marks.in_words(seen.marks.classes)}; " if seen.marks and seen.marks.classes else ""
    return f"{marked}left out: {seen.words}"


def _flagged(shares: Sequence[float], point: OperatingPoint | None) -> str:
    if point is None:
        return ""
    labels = flagged_as(point, shares)
    return f"flagged: class {' and '.join(map(str, labels))}" if labels else "not flagged"
