"""One patch: its image, what people marked, what the model says, and why, by two methods side by side."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st

from app import judging, loading, messages, panels
from app.asking import live, progress
from app.asking.catalogue import CATALOGUE, request_for
from app.asking.explanations import Request, explain
from app.asking.question import Question, choose_question, say_why_nothing_is_asked
from app.chooser import choose_patch, say_why_no_patch
from app.jobs import Queued, Running, State, Wish
from app.links import Links
from app.opening import Opened, open_all, tell_what_is_missing
from app.patch import why
from app.patch.layers import Layer, Patchwork
from app.review import filters
from app.review.filters import STRIP
from app.review.query import to_address
from app.review.rows import with_verdicts
from app.review.sheets import as_it_was
from app.strip.subject import steel_of
from app.visitor import visitor
from severstal_xai.checkpoint import Checkpoint
from severstal_xai.classes import CLASSES
from severstal_xai.manifest import Patch
from severstal_xai.operating_point import OperatingPoint

_SISE = CATALOGUE["sise"].title


@dataclass(frozen=True)
class _Subject:
    """What is shown and asked about."""

    patch: Patch
    grey: np.ndarray
    mask: np.ndarray
    checkpoint: Checkpoint
    probabilities: tuple[float, ...]
    point: OperatingPoint | None


def show(links: Links) -> None:
    """Draw the page."""
    opened = open_all()
    manifest, checkpoint = opened.manifest, opened.checkpoint
    query = filters.query_of_the_address()
    with st.sidebar:
        reader = judging.reader_now()
        kinds, _ = loading.kinds_of_verdicts(reader)
        ways = st.container()
        name = choose_patch(with_verdicts(opened.known, kinds), query)
        with ways:
            _ways_back(opened, links, name)
        patch = None if name is None else manifest.find(name)
        questions = st.container()
        panels.provenance(opened.folders, checkpoint, manifest)
    tell_what_is_missing(opened)
    if patch is None:
        loading.jobs().watch(visitor(), [])
        say_why_no_patch()
        st.stop()
    with messages.stopped_by_wrong_input(messages.DAMAGED_PATCH, manifest.root):
        subject = _subject(opened, patch)
    with questions:
        question = choose_question(subject.probabilities)
    if question is None:
        loading.jobs().watch(visitor(), [])
        say_why_nothing_is_asked()
        st.stop()
    _draw(subject, question, reader)


def _ways_back(opened: Opened, links: Links, name: str | None) -> None:
    """Draw the buttons that lead to the queue and to the patch's strip, each narrowed as this page is."""
    to_queue, to_strip = st.columns(2)
    if to_queue.button("Queue", width="stretch", help="With the same filters and order."):
        links.queue(to_address(filters.query_of_the_address()) | as_it_was())
    if (
        to_strip.button("Its strip", width="stretch", disabled=name is None, help="All six windows of it.")
        and name
    ):
        strip = opened.manifest.find(name).strip
        links.strip({STRIP: strip, **to_address(filters.query_of_the_address())})


def _subject(opened: Opened, patch: Patch) -> _Subject:
    grey, mask = opened.manifest.read_image(patch), opened.manifest.read_mask(patch)
    probabilities = steel_of(opened, patch, grey).probabilities
    return _Subject(patch, grey, mask, opened.checkpoint, probabilities, opened.point)


def _requests(subject: _Subject, question: Question) -> dict[str, Request]:
    """Return what is to be made, by the methods' titles, the one asked for first."""
    weights, image = subject.checkpoint.card.weights_sha256, subject.patch.image_sha256
    return {
        CATALOGUE[name].title: request_for(name, question.effort, question.target, weights, image)
        for name in question.methods
    }


def _wishes(subject: _Subject, requests: Iterable[Request]) -> list[Wish]:
    """Return the jobs, the quick before the slow."""
    quick_first = sorted(requests, key=lambda request: not CATALOGUE[request.method].quick)
    return [
        Wish(request, partial(explain, request, subject.checkpoint.model, subject.grey))
        for request in quick_first
    ]


def _draw(subject: _Subject, question: Question, reader: str) -> None:
    """Draw all that is ready, and have made what is not; while there is something to wait for a part is drawn again."""
    requests, share = _requests(subject, question), subject.probabilities[question.target]
    states = live.ask(requests, _wishes(subject, requests.values()))
    panels.heading(subject.patch, subject.probabilities, subject.point)

    def pictures(now: Mapping[str, State]) -> None:
        drawn = [Layer(title, state, share) for title, state in now.items()]
        panels.pictures(subject.patch, subject.grey, subject.mask, question.target, drawn)
        for title, state in now.items():
            if isinstance(state, Queued | Running):
                progress.draw(title, state, partial(live.cancel, {title: requests[title]}))

    live.follow(requests, states, pictures, each=True)
    remarks = st.empty()  # those on the patch before go at once, and what comes below keeps its place
    with remarks.container():
        panels.preview(states)
        live.offer_to_try_again(requests, states, str)
    with st.container(border=True):
        heats = judging.heats_of((request, states[title]) for title, request in requests.items())
        judging.draw(subject.patch, subject.checkpoint, subject.probabilities, heats, reader)
    left, right = st.columns(2, gap="large")
    with left:
        panels.probability_bars(subject.patch.label, subject.probabilities, subject.point)
    with right:
        panels.agreement(subject.mask, states)
    patchwork = Patchwork(
        subject.patch.patch, subject.grey, subject.mask, CLASSES[subject.patch.label].colour, ()
    )
    if _SISE in states:
        why.draw(patchwork, states[_SISE], question.target, share)
    panels.thresholds(subject.point)
