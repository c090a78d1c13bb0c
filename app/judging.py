"""The panel where an inspector judges a patch: what was said of it, what to say, and how to take it back.

What is written and not saved yet is kept for its patch as long as the session lasts.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import streamlit as st

from app import loading, messages, name_in_browser
from app.access.door import may, visitor_name, why_not
from app.access.roles import Right
from app.asking.catalogue import CATALOGUE
from app.asking.explanations import Found, Request
from app.review.filters import KIND_WORDS
from app.verdicts.readings import LOT, Sight, visible_to
from app.verdicts.records import (
    LONGEST_NAME,
    LONGEST_NOTE,
    Answer,
    Entry,
    Heat,
    Kind,
    Seen,
    Verdict,
    tidy_name,
    tidy_note,
    withdrawal_of,
)
from app.verdicts.store import Store, StoreAway
from app.words import class_title, plain
from severstal_xai.checkpoint import Checkpoint
from severstal_xai.classes import DEFECTS, SOUND
from severstal_xai.errors import InputError
from severstal_xai.manifest import Patch

READER = "reader"
_KIND, _LABEL, _NOTE, _FAILED = "verdict_kind", "verdict_label", "verdict_note", "verdict_failed"
_MEANINGS = {
    Kind.AGREE: "The class and the marks are right.",
    Kind.WRONG_CLASS: "There is a defect where it is marked, but of another class: choose which.",
    Kind.SEGMENT_WRONG: "The class is right, the marked region is not.",
    Kind.NOT_A_DEFECT: "The steel is sound where it is marked.",
    Kind.UNSURE: "It cannot be told from this picture.",
}


def reader_now() -> str:
    """Return the name of who judges, tidy; empty while nobody has given one.

    It is the one that was signed in with; where nobody signs in it is typed, and one that is too long is none.
    """
    typed = tidy_name(st.session_state.get(READER) or "")
    return visitor_name() or ("" if len(typed) > LONGEST_NAME else typed)


def heats_of(asked: Iterable[tuple[Request, object]]) -> tuple[Heat, ...]:
    """Return which maps are in sight, those that are whole.

    Args:
        asked: What was asked for and how it stands, the method asked for before the one beside it.
    """
    return tuple(
        Heat(request.method, request.settings, request.target, _checksum(state.saliency))
        for request, state in asked
        if isinstance(state, Found)
    )


def _checksum(saliency: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(saliency, dtype=np.float32).tobytes()).hexdigest()


def seen_of(
    patch: Patch,
    checkpoint: Checkpoint,
    probabilities: Sequence[float],
    heats: tuple[Heat, ...],
    *,
    blind: bool,
) -> Seen:
    """Return what is in sight of a patch."""
    predicted = int(np.argmax(probabilities))
    answer = Answer(checkpoint.card.weights_sha256, predicted, probabilities[predicted])
    return Seen(
        patch.patch, patch.strip, patch.image_sha256, patch.label, patch.mask_sha256, answer, heats, blind
    )


def draw(
    patch: Patch,
    checkpoint: Checkpoint,
    probabilities: Sequence[float],
    heats: tuple[Heat, ...],
    reader: str,
) -> None:
    """Draw the panel."""
    st.markdown("**Your verdict**")
    try:
        store = loading.verdicts()
        sight = visible_to(store, reader, patch.patch, LOT)
    except InputError as error:
        messages.warn(messages.STORE_AWAY, str(error))
        st.button("Try again", key="verdict_again", help="Asks the database once more.")
        return
    _tell(sight)
    if not may(Right.JUDGE):
        st.info(why_not(Right.JUDGE))
        return
    if visitor_name() is None:
        ask_for_the_name("Stands beside each verdict that you give. Without it you can look, but not judge.")
    if not reader:
        st.info("To judge, write your name.")
        return
    failed = st.session_state.pop(_FAILED, None)
    if failed:
        messages.warn(messages.NOT_SAVED, failed)
    own = [entry for entry in sight.entries if entry.verdict.reader == reader]
    _ask(store, seen_of(patch, checkpoint, probabilities, heats, blind=sight.blind), reader)
    last = _last_standing(own)
    if last is not None:
        st.button(
            f"Take back: {KIND_WORDS[last.verdict.kind]}",
            key="verdict_undo",
            on_click=_withdraw,
            args=(store, last),
            help="Nothing is deleted: a new record says that you took it back.",
        )


def ask_for_the_name(help_text: str) -> None:
    """Let who judges or saves write the name; it is one and the same wherever it is asked for, and after the page is loaded anew."""
    name_in_browser.keep(READER)
    name = st.text_input("Your name", key=READER, persist_state="session", help=help_text)
    if len(tidy_name(name or "")) > LONGEST_NAME:
        st.warning(
            f"The name has {len(tidy_name(name)):,} characters, and {LONGEST_NAME} are kept: shorten it."
        )


def _tell(sight: Sight) -> None:
    """Say what was said before, as far as the reader may know."""
    if sight.hidden:
        st.caption(
            "This patch is read twice, each time without knowing what the other said: you see the other verdict when "
            "you have given yours."
        )
    elif not sight.entries:
        st.caption("Nobody has judged this patch yet.")
    for entry in sight.entries:
        st.caption(_in_words(entry))


def _in_words(entry: Entry) -> str:
    verdict = entry.verdict
    when = verdict.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    if verdict.kind == Kind.WITHDRAWN:
        return f"{entry.number}. {plain(verdict.reader)}, {when}: takes record {verdict.withdraws} back"
    said = KIND_WORDS[verdict.kind]
    right = f", it is {class_title(verdict.label)}" if verdict.label is not None else ""
    note = f"  \n“{_lines(verdict.note)}”" if verdict.note else ""
    return f"{entry.number}. {plain(verdict.reader)}, {when}: **{said}**{right}{note}"


def _lines(note: str) -> str:
    return "  \n".join(map(plain, note.split("\n")))


def _last_standing(own: Sequence[Entry]) -> Entry | None:
    taken_back = {entry.verdict.withdraws for entry in own}
    standing = [
        entry for entry in own if entry.verdict.kind != Kind.WITHDRAWN and entry.number not in taken_back
    ]
    return standing[-1] if standing else None


def _ask(store: Store, seen: Seen, reader: str) -> None:
    sound = seen.label == SOUND.id
    kinds = [kind for kind in KIND_WORDS if not (sound and kind in {Kind.SEGMENT_WRONG, Kind.NOT_A_DEFECT})]
    kind = st.segmented_control(
        "What do you say of the marks?",
        kinds,
        format_func=lambda one: str(KIND_WORDS[one]),
        key=f"{_KIND} {seen.patch}",
        persist_state="session",
        help="The marks are what people said of the patch before, not what the model says.",
    )
    if kind is None:
        return
    st.caption("The steel is sound, as it says." if sound and kind == Kind.AGREE else _MEANINGS[kind])
    label = None
    if kind == Kind.WRONG_CLASS:
        others = [steel.id for steel in DEFECTS if steel.id != seen.label]
        label = st.selectbox(
            "Which class it is",
            others,
            index=None,
            placeholder="Choose the class",
            format_func=class_title,
            key=f"{_LABEL} {seen.patch}",
            persist_state="session",
            help="The class that is right. Where the steel is sound, say “not a defect” instead.",
        )
    note = st.text_area(
        "Note",
        key=f"{_NOTE} {seen.patch}",
        persist_state="session",
        height=68,
        placeholder="If there is anything to add",
        help="Kept with the verdict, for whoever reads it later.",
    )
    too_long = len(tidy_note(note or "")) > LONGEST_NOTE
    if too_long:
        st.warning(
            f"The note has {len(tidy_note(note)):,} characters, and {LONGEST_NOTE:,} are kept: shorten it."
        )
    st.button(
        "Save verdict",
        type="primary",
        key="verdict_save",
        on_click=_save,
        args=(store, seen, reader, kind, label),
        disabled=too_long or (kind == Kind.WRONG_CLASS and label is None),
        help=f"Kept with your name, the time, and what is in sight: the model's answer{_and_the_maps(seen.heats)}.",
    )


def _and_the_maps(heats: Sequence[Heat]) -> str:
    titles = [CATALOGUE[heat.method].title for heat in heats]
    match titles:
        case []:
            return "; no map is whole yet"
        case [title]:
            return f" and the map by {title}"
        case _:
            return f" and the maps by {' and '.join(titles)}"


def _save(store: Store, seen: Seen, reader: str, kind: Kind, label: int | None) -> None:
    """Append the verdict; where that fails what was typed stays."""
    note = tidy_note(st.session_state.get(f"{_NOTE} {seen.patch}") or "")
    _append(store, seen.patch, lambda: Verdict(kind, reader, datetime.now(UTC), seen, label, note))


def _withdraw(store: Store, entry: Entry) -> None:
    _append(store, entry.verdict.seen.patch, lambda: withdrawal_of(entry, datetime.now(UTC)))


def _append(store: Store, patch: str, make: Callable[[], Verdict]) -> None:
    pending = f"verdict_pending {patch}"
    if not may(Right.JUDGE):  # the role may be gone since the button was drawn; the panel says so
        return
    try:
        verdict = _once_more(st.session_state.get(pending), make())
        st.session_state[pending] = verdict
        store.append(verdict)
    except InputError as error:
        st.session_state[_FAILED] = str(error)
        if not isinstance(error, StoreAway):
            st.session_state.pop(pending, None)
        return
    for name, empty in ((_KIND, None), (_LABEL, None), (_NOTE, "")):
        st.session_state[f"{name} {patch}"] = empty  # taken out alone, the browser would keep its own
    st.session_state.pop(pending, None)


def _once_more(before: Verdict | None, now: Verdict) -> Verdict:
    """Return the verdict that may have been kept when the database went away, where the same is said again."""
    if before is not None and replace(now, at=before.at, id=before.id) == before:
        return before
    return now
