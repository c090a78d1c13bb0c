"""New strips: images that are not part of the data, uploaded or found in a watched folder; as a list, or one of them large."""

import streamlit as st

from app import loading, messages
from app.fragments import draw_every, forget_what_was_drawn_before
from app.new_strips import desk as at
from app.new_strips import listing, opened
from app.new_strips.desk import UPLOAD, WINDOW, Desk
from app.review.filters import STRIP
from app.visitor import POLL, visitor


def show() -> None:
    """Draw the page."""
    desk = at.open_desk()
    address = st.query_params.to_dict()
    forget_what_was_drawn_before("new strips", _view_of(address))
    if not {STRIP, UPLOAD} & address.keys():
        loading.jobs().watch(visitor(), [])
        with st.sidebar:
            at.say_which_model(desk)
        listing.draw(desk)
        return
    known = at.listed(desk)
    one = at.named_by(address, known)
    if one is not None:
        opened.draw(desk, one, known)
    elif STRIP in address and _is_still_read(desk):
        _wait(desk, address)
    else:
        _say_why_not(address)


def _view_of(address: dict[str, str]) -> str:
    if not {STRIP, UPLOAD} & address.keys():
        return "list"
    return "window" if WINDOW in address else "strip"


def _is_still_read(desk: Desk) -> bool:
    """Tell whether the watched folder may hold what was not seen yet."""
    sight = at.sight_of(desk)
    return bool(sight.arriving + sight.waiting)


def _wait(desk: Desk, address: dict[str, str]) -> None:
    """Look at the folder until the file that the address names is there, or all is read."""
    loading.jobs().watch(visitor(), [])

    def live() -> None:
        while desk.watch and desk.watch.take():
            pass
        if at.named_by(address, at.listed(desk)) or not _is_still_read(desk):
            st.rerun()
        st.info("The watched folder is being read …")

    draw_every(POLL, live)


def _say_why_not(address: dict[str, str]) -> None:
    loading.jobs().watch(visitor(), [])
    if UPLOAD in address:
        messages.problem(messages.NO_SUCH_UPLOAD)
    else:
        messages.problem(messages.NO_SUCH_NEW_STRIP, address[STRIP])
    st.button("All new strips", on_click=at.go_to, args=({},), help="To the list.")
