"""The inspector: `streamlit run app/main.py [-- --data DIR --run DIR]`. Navigation alone."""

from functools import partial
from pathlib import Path
from typing import NoReturn

import streamlit as st
from streamlit.navigation.page import StreamlitPage
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app.access.guard import guards
from app.links import Address, Links, Open

_STYLE = """<style>
.stMainBlockContainer { padding: 1.2rem 2rem 2rem; }
[data-testid="stSidebarHeader"] { height: 2.2rem; margin-bottom: 0; }
[data-testid="stSidebarUserContent"] .stVerticalBlock { gap: 0.65rem; }
.st-key-live [data-stale="true"] { opacity: 1 !important; transition: none !important; }
</style>"""
"""What is drawn anew all the while must not pale each time, as Streamlit has it for what is about to change."""

_PAGE = "page drawn last"


def main() -> None:
    """Draw the page that the address names."""
    # Here: the server imports this file before it answers, and before there is a Streamlit for the pages' caches to lie in.
    from app import messages, runs  # noqa: PLC0415
    from app.access import door  # noqa: PLC0415
    from app.views import overview, patch, review_queue, strip  # noqa: PLC0415

    st.set_page_config(page_title="Steel inspector", layout="wide", initial_sidebar_state="expanded")
    st.html(_STYLE)
    pages: dict[str, StreamlitPage] = {}
    links = Links(**{name: _door(pages, name) for name in ("strip", "patch", "queue")})
    pages["strip"] = st.Page(partial(strip.show, links), title="Strip", url_path="strip", default=True)
    pages["patch"] = st.Page(partial(patch.show, links), title="One patch", url_path="patch")
    pages["queue"] = st.Page(partial(review_queue.show, links), title="Review queue", url_path="queue")
    pages["overview"] = st.Page(partial(overview.show, links), title="Overview", url_path="overview")
    is_let_in = door.is_let_in()
    page = st.navigation(list(pages.values()), position="sidebar" if is_let_in else "hidden")
    _forget_the_page_before(page)
    runs.keep(page.url_path)
    with messages.calm():
        if not is_let_in:
            door.say_why_not_let_in()
            st.stop()
        with st.sidebar:
            door.draw_visitor()
        page.run()


def _forget_the_page_before(page: StreamlitPage) -> None:
    """Forget what the page before had drawn again and again.

    The browser goes on asking for it until it hears of the new page. Streamlit 1.67 would answer when the new page is drawn,
    as if the old one were still there, and leave an empty page.
    """
    context = get_script_run_ctx()
    if context is not None and st.session_state.get(_PAGE) != page.url_path:
        context.fragment_storage.clear()
    st.session_state[_PAGE] = page.url_path


def _door(pages: dict[str, StreamlitPage], name: str) -> Open:
    from app import runs  # noqa: PLC0415 (as in main)

    def opened(address: Address) -> NoReturn:
        st.switch_page(pages[name], query_params={**runs.carried(), **address})

    return opened


if __name__ == "__main__":  # for each visitor, whenever the page is drawn; who only imports it draws nothing
    main()
elif __name__ == "main":  # once, by `streamlit run`: what it serves
    server = st.App(Path(__file__), middleware=guards())
