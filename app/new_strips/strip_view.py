"""A new strip, whole: its six windows, what the model says of each, and the heat over them."""

from functools import partial

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import loading
from app.asking import live, progress
from app.asking.catalogue import CATALOGUE, request_for
from app.asking.explanations import Request, explain
from app.asking.question import Look, address_of, choose_look, say_why_nothing_is_asked, usual_class
from app.jobs import State, Wish
from app.new_strips import desk as at
from app.new_strips.answers import Answer, defect_share, is_flagged
from app.new_strips.desk import WINDOW, Desk
from app.new_strips.report_buttons import draw_report_buttons
from app.new_strips.subject import Subject, say_where_it_lives
from app.new_strips.tables import NO_STEEL, flagged_in_words, unseen_in_words
from app.patch.layers import Layer
from app.strip.picture import Pane, StripPicture
from app.strip.picture import draw as draw_strip_picture
from app.visitor import visitor
from app.words import class_title, how_sure, plain
from severstal_xai.classes import CLASSES, SOUND
from severstal_xai.imaging import NoSteel
from severstal_xai.operating_point import OperatingPoint, flagged_as


def draw(desk: Desk, subject: Subject, asking: DeltaGenerator) -> None:
    """Draw a strip; `asking` is where it is chosen how it is looked at."""
    with asking:
        look = choose_look()
    if look is None:
        loading.jobs().watch(visitor(), [])
        say_why_nothing_is_asked()
        return
    one, title = subject.one, CATALOGUE[look.method].title
    requests = _requests(desk, subject, look)
    st.subheader(f"New strip {plain(one.image.stem)}", anchor=False)
    st.write(strip_in_words(subject.answer, desk.point))
    say_where_it_lives(one)

    def pictures(states: dict[int, State]) -> None:
        panes = [
            _pane(subject, place, states.get(place), title, desk.point) for place in range(len(subject.parts))
        ]
        clicked = draw_strip_picture(
            StripPicture(one.image.stem, subject.grey, True, (), panes, title, has_truth=False)
        )
        progress.draw_together(title, list(states.values()), lambda: live.cancel(requests))
        if clicked is not None:
            place = [part.name for part in subject.parts].index(clicked)
            at.go_to({**at.address_of(one), WINDOW: str(place + 1), **address_of(look)})
            st.rerun()

    states = live.ask(requests, _wishes(desk, subject, requests))
    live.follow(requests, states, pictures)
    st.caption(
        "Click a window to see it large, and why. The heat shows what speaks for the model's answer, or for the likeliest defect where it "
        "answers “sound”: the method's map times the probability of that class, on one scale for all strips. Dark means: nothing found. Hatched: no steel to see."
    )
    live.offer_to_try_again(requests, states, lambda _: title)
    draw_report_buttons(desk, subject, title, requests)


def _requests(desk: Desk, subject: Subject, look: Look) -> dict[int, Request]:
    return {
        place: request_for(
            look.method, look.effort, usual_class(shares), desk.weights, subject.parts[place].image
        )
        for place, shares in subject.answer.judged.items()
    }


def _wishes(desk: Desk, subject: Subject, requests: dict[int, Request]) -> list[Wish]:
    """Return the jobs, the windows with the likeliest defects first."""
    first = sorted(requests, key=lambda place: -defect_share(subject.answer.judged[place]))
    model = desk.checkpoint.model
    return [
        Wish(requests[place], partial(explain, requests[place], model, subject.parts[place].grey))
        for place in first
    ]


def strip_in_words(answer: Answer, point: OperatingPoint | None) -> str:
    """Return in Markdown what the model says of a strip.

    Example:
        >>> from datetime import UTC, datetime
        >>> strip_in_words(Answer(datetime.now(UTC), ((0.2, 0.8, 0, 0, 0), (0.9, 0.1, 0, 0, 0))), None)
        'Of 2 windows the model finds a defect on **1**.'
    """
    unseen = unseen_in_words(answer)
    if not answer.judged:
        return f"**{_capital(unseen)}.** The model is asked nothing."
    return _judged_in_words(answer, point) + (f" **{_capital(unseen)}.**" if unseen else "")


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _judged_in_words(answer: Answer, point: OperatingPoint | None) -> str:
    count, found = len(answer.judged), sum(is_flagged(shares, point) for shares in answer.judged.values())
    windows = f"{count} window{'' if count == 1 else 's'}{' that can be judged' if answer.unseen else ''}"
    if point is None:
        return f"Of {windows} the model finds a defect on **{found or 'none'}**."
    if not found:
        return f"Of {windows} **none** is flagged for an inspector to look at."
    be = "are" if found > 1 else "is"
    return f"Of {windows} **{found}** {be} flagged for an inspector to look at: class {flagged_in_words(answer, point)}."


def _pane(
    subject: Subject, place: int, state: State | None, title: str, point: OperatingPoint | None
) -> Pane:
    part, window, shares = subject.parts[place], subject.one.image.windows[place], subject.parts[place].shares
    if isinstance(shares, NoSteel) or state is None:
        lines = (f"the window is {shares}", "the model is not asked")
        return Pane(place, window.x, part.name, _capital(NO_STEEL), lines, SOUND.colour, None, seen=False)
    answer = int(np.argmax(shares))
    said = [f"probability {how_sure(shares[answer])}"]
    if answer == SOUND.id:
        likeliest = usual_class(shares)
        said.append(f"likeliest defect: {likeliest}, {how_sure(shares[likeliest])}")
    if point is not None:
        labels = flagged_as(point, shares)
        said.append(f"flagged: class {' and '.join(map(str, labels))}" if labels else "not flagged")
    return Pane(
        place,
        window.x,
        part.name,
        class_title(answer),
        tuple(said),
        CLASSES[answer].colour,
        Layer(title, state, shares[usual_class(shares)]),
        remarkable=is_flagged(shares, point),
    )
