"""A window of a new strip, or a patch by itself, large: the image, the heat by one or two methods, and how sure the model is."""

from functools import partial

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import loading, panels
from app.asking import live, progress
from app.asking.catalogue import CATALOGUE, request_for
from app.asking.explanations import Request, explain
from app.asking.question import Question, choose_question, say_why_nothing_is_asked
from app.jobs import Queued, Running, State, Wish
from app.new_strips.desk import Desk
from app.new_strips.images import NewImage
from app.new_strips.report_buttons import draw_report_buttons
from app.new_strips.subject import Part, Subject, say_where_it_lives
from app.patch import layers, why
from app.patch.layers import Layer, Patchwork
from app.visitor import visitor
from app.words import class_title, how_sure, plain
from severstal_xai.classes import CLASSES, SOUND
from severstal_xai.imaging import PATCH_SHAPE, NoSteel
from severstal_xai.operating_point import flagged_as

_SISE = CATALOGUE["sise"].title
_NOTHING_MARKED = np.zeros(PATCH_SHAPE, dtype=bool)


def draw(desk: Desk, subject: Subject, place: int, asking: DeltaGenerator) -> None:
    """Draw a window; `asking` is where the question is put."""
    part, image = subject.parts[place], subject.one.image
    shares = part.shares
    if isinstance(shares, NoSteel):
        loading.jobs().watch(visitor(), [])
        _draw_without_steel(desk, subject, place, shares)
        return
    with asking:
        question = choose_question(shares)
    if question is None:
        loading.jobs().watch(visitor(), [])
        say_why_nothing_is_asked()
        return
    _draw_heading(image, place)
    answer = int(np.argmax(shares))
    flagged = panels.flagged_in_words(flagged_as(desk.point, shares)) if desk.point else ""
    st.write(
        f"The model's answer: **{class_title(answer)}**, with a probability of {how_sure(shares[answer])}. {flagged}"
    )
    say_where_it_lives(subject.one)
    requests = _window_requests(desk, part, question)
    bare = Patchwork(part.name, part.grey, _NOTHING_MARKED, CLASSES[answer].colour, (), has_truth=False)

    def pictures(states: dict[str, State]) -> None:
        _draw_pictures(bare, states, question.target, shares[question.target])
        for title, state in states.items():
            if isinstance(state, Queued | Running):
                progress.draw(title, state, partial(live.cancel, {title: requests[title]}))

    states = live.ask(requests, _window_wishes(desk, part, requests))
    live.follow(requests, states, pictures, each=True)
    if not image.is_strip:
        first = next(iter(requests))
        draw_report_buttons(desk, subject, first, {0: requests[first]})
    panels.preview(states)
    live.offer_to_try_again(requests, states, str)
    panels.probability_bars(None, shares, desk.point)
    if _SISE in states:
        why.draw(bare, states[_SISE], question.target, shares[question.target])
    panels.thresholds(desk.point)


def _draw_heading(image: NewImage, place: int) -> None:
    window = f"Window {place + 1} of {plain(image.stem)}"
    st.subheader(window if image.is_strip else f"New patch {plain(image.stem)}", anchor=False)


def _draw_without_steel(desk: Desk, subject: Subject, place: int, why: NoSteel) -> None:
    """Draw a window that shows nothing to judge: its picture, and that the model is not asked about it."""
    part, image = subject.parts[place], subject.one.image
    _draw_heading(image, place)
    st.warning(
        f"No steel to see: the {'window' if image.is_strip else 'picture'} is {why}. So the model is not asked about it, and nothing "
        "is flagged."
    )
    say_where_it_lives(subject.one)
    layers.draw(Patchwork(part.name, part.grey, _NOTHING_MARKED, SOUND.colour, (), has_truth=False))
    if not image.is_strip:
        draw_report_buttons(desk, subject, _SISE, {})


def _draw_pictures(bare: Patchwork, states: dict[str, State], target: int, share: float) -> None:
    drawn = tuple(Layer(title, state, share) for title, state in states.items())
    layers.draw(Patchwork(bare.name, bare.grey, bare.mask, bare.colour, drawn, bare.has_truth))
    panels.say_what_heat_is(target, share)


def _window_requests(desk: Desk, part: Part, question: Question) -> dict[str, Request]:
    """Return what is to be made, by the methods' titles."""
    return {
        CATALOGUE[name].title: request_for(name, question.effort, question.target, desk.weights, part.image)
        for name in question.methods
    }


def _window_wishes(desk: Desk, part: Part, requests: dict[str, Request]) -> list[Wish]:
    """Return the jobs, the quick before the slow."""
    quick_first = sorted(requests.values(), key=lambda request: not CATALOGUE[request.method].quick)
    return [Wish(one, partial(explain, one, desk.checkpoint.model, part.grey)) for one in quick_first]
