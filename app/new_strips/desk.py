"""What the pages of new strips work with: the model, the uploads and the watched folder; and what their addresses say."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import streamlit as st

from app import loading, messages, runs
from app.folders import Folders
from app.new_strips.answers import Answer, Answers
from app.new_strips.images import UPLOADED, NewImage, Refused, grey_of, parts
from app.new_strips.tables import Listed, most_suspicious_first
from app.new_strips.uploads import Uploads
from app.new_strips.watch import Sight, Watch
from app.opening import open_folders
from app.review.filters import STRIP
from app.words import plain
from severstal_xai.checkpoint import Checkpoint
from severstal_xai.errors import InputError
from severstal_xai.imaging import no_steel
from severstal_xai.operating_point import OperatingPoint

UPLOAD, WINDOW = "upload", "window"
"""What an uploaded image, by its checksum, and a window, from 1, are called in the address; a watched file is a `strip`."""
_UPLOADS = "uploads"


@dataclass(frozen=True)
class Desk:
    """What a page works with.

    Args:
        folders: The folders that are shown.
        checkpoint: The model.
        point: Its thresholds; None where there are none, or none that can be used.
        uploads: This session's.
        watch: The watched folder; None where nothing is watched.
        answers: What was said of new images, to all sessions.
    """

    folders: Folders
    checkpoint: Checkpoint
    point: OperatingPoint | None
    uploads: Uploads
    watch: Watch | None
    answers: Answers

    @property
    def weights(self) -> str:
        """The checksum of the model's weights."""
        return self.checkpoint.card.weights_sha256


def open_desk() -> Desk:
    """Return what a page works with; where the model is missing or damaged, say so and end the page there."""
    folders = open_folders()
    with messages.stopped_by_wrong_input(messages.no_model(folders.data, folders.run)):
        checkpoint = loading.open_model(folders.run)
    try:
        point = loading.operating_point(folders.run, checkpoint)
    except InputError as error:
        messages.warn(messages.WRONG_THRESHOLDS, str(error))
        point = None
    if _UPLOADS not in st.session_state:
        st.session_state[_UPLOADS] = Uploads(loading.upload_shelf())
    watch = None if folders.watch is None else loading.watch(str(folders.watch))
    return Desk(folders, checkpoint, point, st.session_state[_UPLOADS], watch, loading.answers())


def say_which_model(desk: Desk) -> None:
    """Say which model is asked; the folder's name only."""
    run, card = desk.folders.run.resolve().name, desk.checkpoint.card
    st.caption(f"Model: {plain(run)}, {plain(card.architecture)}, epoch {card.epoch}")


def sight_of(desk: Desk) -> Sight:
    """Look at the watched folder, and return what there is."""
    if desk.watch is None:
        return Sight()
    desk.watch.look()
    return desk.watch.seen()


def listed(desk: Desk) -> list[Listed]:
    """Return all images, the most suspicious first."""
    folder = desk.watch.name if desk.watch else ""
    found = [(folder, False, image) for image in sight_of(desk).images]
    found += [(UPLOADED, True, image) for image in desk.uploads.images]
    return most_suspicious_first(
        (
            Listed(source, uploaded, image, desk.answers.get(desk.weights, image.sha256))
            for source, uploaded, image in found
        ),
        desk.point,
    )


def all_refused(desk: Desk) -> list[tuple[str, Refused]]:
    """Return where each file that was not taken comes from, and what is wrong with it."""
    folder = desk.watch.name if desk.watch else ""
    return [
        *((UPLOADED, one) for one in desk.uploads.refused),
        *((folder, one) for one in sight_of(desk).refused),
    ]


def read(desk: Desk, one: Listed) -> bytes:
    """Return an image's bytes.

    Raises:
        InputError: It is no longer where it was.
    """
    if one.uploaded or desk.watch is None:
        return desk.uploads.read(one.image)
    return desk.watch.read(one.image)


def work(desk: Desk, seconds: float) -> None:
    """Check what has arrived and ask the model about it, for about so long; what is left is for the next time."""
    end = time.monotonic() + seconds
    sight_of(desk)
    while time.monotonic() < end:
        if desk.watch and desk.watch.take():
            continue
        unasked = next((one for one in listed(desk) if one.answer is None), None)
        if unasked is None or not _ask(desk, unasked):
            return


def _ask(desk: Desk, one: Listed) -> bool:
    """Ask about an image; tell whether that went on."""
    try:
        content = read(desk, one)
    except InputError:
        return False  # the next look at the folder says what became of it
    return desk.answers.ask(desk.weights, one.image.sha256, lambda: answer_to(desk, one.image, content))


def answer_to(desk: Desk, image: NewImage, content: bytes) -> Answer:
    """Ask the model about each window of an image that shows steel."""
    windows, model = parts(image, grey_of(content)), desk.checkpoint.model
    return Answer(datetime.now(UTC), tuple(no_steel(grey) or loading.ask(model, grey) for grey in windows))


def address_of(one: Listed) -> dict[str, str]:
    """Return what the address of an image's view holds."""
    return {UPLOAD: one.image.sha256} if one.uploaded else {STRIP: one.image.name}


def named_by(address: Mapping[str, str], known: list[Listed]) -> Listed | None:
    """Return the image that an address names; None where it names none of those that are known."""
    return next((one for one in known if address_of(one).items() <= address.items()), None)


def go_to(address: Mapping[str, str]) -> None:
    """Put into the address what is to be shown next; what it held before goes, but the run."""
    st.query_params.from_dict({**runs.carried(), **address})
