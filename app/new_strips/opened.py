"""One new image, opened: a whole strip with its six windows, or one window large."""

from collections.abc import Sequence

import streamlit as st

from app import loading, messages
from app.new_strips import desk as at
from app.new_strips import strip_view, window_view
from app.new_strips.desk import WINDOW, Desk
from app.new_strips.subject import read_new_subject
from app.new_strips.tables import Listed
from app.visitor import visitor


def draw(desk: Desk, one: Listed, known: Sequence[Listed]) -> None:
    """Draw a strip, or the window of it that the address names; a patch by itself is one window."""
    with st.sidebar:
        _ways(one, known)
        asking = st.container()
        at.say_which_model(desk)
    with messages.stopped_by_wrong_input(messages.CHANGED_FILE):
        subject = read_new_subject(desk, one)
    named = st.query_params.get(WINDOW)
    place = 1 if named is None and not one.image.is_strip else named
    if place is None:
        strip_view.draw(desk, subject, asking)
    elif str(place) in map(str, range(1, len(subject.parts) + 1)):
        window_view.draw(desk, subject, int(place) - 1, asking)
    else:
        loading.jobs().watch(visitor(), [])
        messages.problem(messages.NO_SUCH_WINDOW, f"window {named}")


def _ways(one: Listed, known: Sequence[Listed]) -> None:
    """Draw the buttons that lead to the list, to the strip of a window, and to the images before and after."""
    st.button("All new strips", on_click=at.go_to, args=({},), width="stretch", help="Back to the list.")
    if WINDOW in st.query_params and one.image.is_strip:
        st.button(
            "Its strip",
            on_click=at.go_to,
            args=(at.address_of(one),),
            width="stretch",
            help="All six windows of it.",
        )
    addresses = [at.address_of(other) for other in known]
    here = addresses.index(at.address_of(one))
    st.caption(f"Image {here + 1} of {len(addresses)}, the most suspicious first")
    for words, place, step, shortcut in (
        ("Previous", "before", -1, "alt+left"),
        ("Next", "after", 1, "alt+right"),
    ):
        is_there = 0 <= here + step < len(addresses)
        st.button(
            words,
            key=f"{words} new strip",
            on_click=at.go_to,
            args=(addresses[here + step] if is_there else {},),
            disabled=not is_there,
            width="stretch",
            shortcut=shortcut,
            help=f"The image {place} this one in the list; Alt and an arrow key do the same.",
        )
