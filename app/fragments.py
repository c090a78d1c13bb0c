"""Parts of a page that are drawn again and again."""

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
