"""One patch: its image, what people marked, what the model says, and why, by two methods side by side."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import streamlit as st

from app import loading, messages, panels, why
from app.chooser import choose_patch, say_why_none_is_chosen
from app.explanations import Effort, Failed, Request, explain
from app.layers import Layer, Patchwork
from severstal_xai.checkpoint import Checkpoint
from severstal_xai.classes import CLASSES
from severstal_xai.errors import InputError
from severstal_xai.manifest import Manifest, Patch
from severstal_xai.operating_point import OperatingPoint

_GRAD_CAM, _SISE = "Grad-CAM", "SISE"
_STYLE = """<style>
.stMainBlockContainer { padding: 1.2rem 2rem 2rem; }
[data-testid="stSidebarHeader"] { height: 2.2rem; margin-bottom: 0; }
[data-testid="stSidebarUserContent"] .stVerticalBlock { gap: 0.65rem; }
</style>"""
_WAITING = "SISE is at work: it covers parts of the patch, again and again, and watches how the model's answer changes."


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
    st.html(_STYLE)
    with messages.stopped_by_wrong_input(messages.WRONG_START):
        folders = loading.folders()
    with messages.stopped_by_wrong_input(messages.NO_DATA):
        manifest = loading.open_data(folders.data)
    with messages.stopped_by_wrong_input(messages.NO_MODEL):
        checkpoint = loading.open_model(folders.run)
        predicted = loading.predicted_classes(folders.run)
    with st.sidebar:
        patch = choose_patch(manifest, predicted)
        questions = st.container()
        panels.provenance(folders, checkpoint, manifest)
    if checkpoint.card.data_checksum != manifest.checksum:
        messages.warn(messages.OTHER_DATA)
    if patch is None:
        say_why_none_is_chosen()
        st.stop()
    with messages.stopped_by_wrong_input(messages.DAMAGED_PATCH):
        subject = _subject(manifest, checkpoint, patch, _operating_point(folders.run, checkpoint))
    with questions:
        st.subheader("Ask why", anchor=False)
        target, effort = panels.explained_class(subject.probabilities), panels.effort()
    _draw(subject, target, _requests(subject, target, effort))


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


def _requests(subject: _Subject, target: int, effort: Effort) -> dict[str, Request]:
    weights, image = subject.checkpoint.card.weights_sha256, subject.patch.image_sha256
    return {
        _GRAD_CAM: Request("grad_cam", (), target, weights, image),
        _SISE: Request("sise", (("budget", effort.budget),), target, weights, image),
    }


def _draw(subject: _Subject, target: int, requests: Mapping[str, Request]) -> None:
    """Draw all that is ready; then make what takes long, and draw the page again with it."""
    if loading.finished().get(requests[_GRAD_CAM]) is None:
        _make(subject, requests[_GRAD_CAM])
    outcomes = {title: loading.finished().get(request) for title, request in requests.items()}
    scale = subject.probabilities[target]
    drawn = [Layer(title, outcome, scale, _WAITING) for title, outcome in outcomes.items()]
    panels.heading(subject.patch, subject.probabilities, subject.point)
    panels.pictures(subject.patch, subject.grey, subject.mask, target, drawn)
    remarks = st.empty()  # those on the patch before go at once, and what comes below keeps its place
    if outcomes[_SISE] is not None:
        with remarks.container():
            panels.preview(outcomes)
            failed = [requests[title] for title, outcome in outcomes.items() if isinstance(outcome, Failed)]
            if failed:
                panels.try_again(partial(loading.finished().forget, *failed))
    left, right = st.columns(2, gap="large")
    with left:
        panels.probability_bars(subject.patch, subject.probabilities, subject.point)
    with right:
        panels.agreement(subject.mask, outcomes)
    patchwork = Patchwork(
        subject.patch.patch, subject.grey, subject.mask, CLASSES[subject.patch.label].colour, ()
    )
    why.draw(patchwork, outcomes[_SISE], target, scale)
    panels.thresholds(subject.point)
    if outcomes[_SISE] is None:
        _make(subject, requests[_SISE])
        st.rerun()


def _make(subject: _Subject, request: Request) -> None:
    loading.finished().put(request, explain(request, subject.checkpoint.model, subject.grey))
