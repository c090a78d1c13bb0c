"""Parts of a page that are drawn again and again."""

from collections.abc import Callable
from functools import wraps

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx


def forget_what_was_drawn_before(kind: str, place: str) -> None:
    """Forget, where another page or another view of one is drawn, what the one before had drawn again and again.

    The browser goes on asking for it until it hears of the new one. Streamlit 1.67 would answer when the new one is drawn,
    as if the old one were still there, and leave an empty page.

    Args:
        kind: Of the place: a page, or a view of a certain page.
        place: Which is drawn now.
    """
    context, key = get_script_run_ctx(), f"{kind} drawn last"
    if context is not None and st.session_state.get(key) != place:
        context.fragment_storage.clear()
    st.session_state[key] = place


def draw_every(seconds: float | None, draw: Callable[[], None]) -> None:
    """Draw a part of the page now and every so many seconds, by itself.

    The browser asks for each of the later drawings, and names the address that it shows. Just after a click this
    is still the address before: what is drawn then, and the whole page if `draw` asks for it, would be the page that
    the user has left.

    Args:
        seconds: The time from one drawing to the next; None: once is enough.
        draw: Draws the part.
    """
    address = _address()

    @wraps(draw)
    def part() -> None:
        if _address() != address:
            st.query_params.from_dict(address)
        draw()

    st.fragment(part, run_every=seconds)()


def _address() -> dict[str, list[str]]:
    return {name: st.query_params.get_all(name) for name in st.query_params}
