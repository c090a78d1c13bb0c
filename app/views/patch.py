"""One patch: its image, what people marked, what the model says, and why, by two methods side by side."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import uuid4

import numpy as np
import streamlit as st

from app import judging, loading, messages, panels, progress, why
from app.asking import Question, choose_question, say_why_nothing_is_asked
from app.catalogue import CATALOGUE, request_for
from app.chooser import choose_patch, say_why_none_is_chosen
from app.explanations import Failed, Request, explain
from app.jobs import Cancelled, Queued, Running, State, Wish
from app.layers import Layer, Patchwork
from app.progress import at_work
from app.review import with_verdicts
from severstal_xai.checkpoint import Checkpoint
from severstal_xai.classes import CLASSES
from severstal_xai.errors import InputError
from severstal_xai.manifest import Manifest, Patch
from severstal_xai.operating_point import OperatingPoint

_SISE = CATALOGUE["sise"].title
_MOMENT = 0.3
"""Seconds for which the page waits for what is quickly made, rather than draw it twice."""
_POLL = 0.75
"""Seconds between two looks at what is being made; each takes the interpreter from who makes it."""


@dataclass(frozen=True)
class _Subject:
    """What is shown and asked about."""

    patch: Patch
    grey: np.ndarray
    mask: np.ndarray
    checkpoint: Checkpoint
    probabilities: tuple[float, ...]
    point: OperatingPoint | None


def show() -> None:
    """Draw the page."""
    with messages.stopped_by_wrong_input(messages.WRONG_START):
        folders = loading.folders()
    with messages.stopped_by_wrong_input(messages.NO_DATA):
        manifest = loading.open_data(folders.data)
    with messages.stopped_by_wrong_input(messages.NO_MODEL):
        checkpoint = loading.open_model(folders.run)
    known, remarks = loading.known_patches(folders.run, checkpoint, manifest)
    with st.sidebar:
        reader = judging.reader_now()
        kinds, _ = loading.kinds_of_verdicts(reader)
        name = choose_patch(with_verdicts(known, kinds))
        patch = None if name is None else manifest.find(name)
        questions = st.container()
        panels.provenance(folders, checkpoint, manifest)
    if checkpoint.card.data_checksum != manifest.checksum:
        messages.warn(messages.OTHER_DATA)
    for advice, detail in remarks:
        if advice != messages.WRONG_THRESHOLDS:  # said below
            messages.warn(advice, detail)
    if patch is None:
        loading.jobs().watch(_visitor(), [])
        say_why_none_is_chosen()
        st.stop()
    with messages.stopped_by_wrong_input(messages.DAMAGED_PATCH):
        subject = _subject(manifest, checkpoint, patch, _operating_point(folders.run, checkpoint))
    with questions:
        question = choose_question(subject.probabilities)
    if question is None:
        loading.jobs().watch(_visitor(), [])
        say_why_nothing_is_asked()
        st.stop()
    _draw(subject, question, reader)


def _visitor() -> str:
    """Return what tells this session from the others."""
    name: str = st.session_state.setdefault("visitor", uuid4().hex)
    return name


def _subject(
    manifest: Manifest, checkpoint: Checkpoint, patch: Patch, point: OperatingPoint | None
) -> _Subject:
    grey, mask = manifest.read_image(patch), manifest.read_mask(patch)
    return _Subject(patch, grey, mask, checkpoint, loading.probabilities(checkpoint, patch, grey), point)


def _operating_point(run: Path, checkpoint: Checkpoint) -> OperatingPoint | None:
    """Return the thresholds; where they cannot be used say so and go on without."""
    try:
        return loading.operating_point(run, checkpoint)
    except InputError as error:
        messages.warn(messages.WRONG_THRESHOLDS, str(error))
        return None


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
    jobs, visitor, requests = loading.jobs(), _visitor(), _requests(subject, question)
    jobs.watch(visitor, _wishes(subject, requests.values()))
    jobs.wait(list(requests.values()), _MOMENT)
    states = {title: jobs.state(visitor, request) for title, request in requests.items()}
    working = any(map(at_work, states.values()))
    panels.heading(subject.patch, subject.probabilities, subject.point)
    with st.container(key="live"):
        st.fragment(_live, run_every=_POLL if working else None)(subject, question.target, requests, states)
    remarks = st.empty()  # those on the patch before go at once, and what comes below keeps its place
    with remarks.container():
        panels.preview(states)
        unmade = {
            title: requests[title] for title, state in states.items() if isinstance(state, Failed | Cancelled)
        }
        if unmade:
            panels.try_again(list(unmade), partial(jobs.ask_again, visitor, *unmade.values()))
    first, request = next(iter(requests.items()))
    with st.container(border=True):
        heat = judging.heat_of(request, states[first])
        judging.draw(subject.patch, subject.checkpoint, subject.probabilities, heat, reader)
    left, right = st.columns(2, gap="large")
    with left:
        panels.probability_bars(subject.patch, subject.probabilities, subject.point)
    with right:
        panels.agreement(subject.mask, states)
    patchwork = Patchwork(
        subject.patch.patch, subject.grey, subject.mask, CLASSES[subject.patch.label].colour, ()
    )
    if _SISE in states:
        why.draw(patchwork, states[_SISE], question.target, subject.probabilities[question.target])
    panels.thresholds(subject.point)


def _live(
    subject: _Subject, target: int, requests: Mapping[str, Request], drawn: Mapping[str, State]
) -> None:
    """Draw the pictures and how far they are; when one is done or cancelled, the whole page.

    Args:
        subject: What is shown.
        target: The class explained.
        requests: What is made, by the methods' titles.
        drawn: How it stood when the whole page was drawn.
    """
    jobs, visitor = loading.jobs(), _visitor()
    jobs.seen(visitor)
    states = {title: jobs.state(visitor, request) for title, request in requests.items()}
    if any(at_work(drawn[title]) != at_work(state) for title, state in states.items()):
        st.rerun()
    layers = [Layer(title, state, subject.probabilities[target]) for title, state in states.items()]
    panels.pictures(subject.patch, subject.grey, subject.mask, target, layers)
    for title, state in states.items():
        if isinstance(state, Queued | Running):
            progress.draw(title, state, partial(jobs.cancel, visitor, requests[title]))
