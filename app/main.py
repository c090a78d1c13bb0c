"""The inspector: `streamlit run app/main.py [-- --data DIR --run DIR]`. Navigation alone."""

from functools import partial
from typing import NoReturn

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from app import messages
from app.fragments import forget_what_was_drawn_before
from app.links import Address, Links, Open
from app.views import new_strips, patch, review_queue, strip

_STYLE = """<style>
.stMainBlockContainer { padding: 1.2rem 2rem 2rem; }
[data-testid="stSidebarHeader"] { height: 2.2rem; margin-bottom: 0; }
[data-testid="stSidebarUserContent"] .stVerticalBlock { gap: 0.65rem; }
.st-key-live [data-stale="true"] { opacity: 1 !important; transition: none !important; }
</style>"""
"""What is drawn anew all the while must not pale each time, as Streamlit has it for what is about to change."""


def main() -> None:
    """Draw the page that the address names."""
    st.set_page_config(page_title="Steel inspector", layout="wide", initial_sidebar_state="expanded")
    st.html(_STYLE)
    pages: dict[str, StreamlitPage] = {}
    links = Links(**{name: _door(pages, name) for name in ("strip", "patch", "queue")})
    pages["strip"] = st.Page(partial(strip.show, links), title="Strip", url_path="strip", default=True)
    pages["patch"] = st.Page(partial(patch.show, links), title="One patch", url_path="patch")
    pages["queue"] = st.Page(partial(review_queue.show, links), title="Review queue", url_path="queue")
    pages["new"] = st.Page(new_strips.show, title="New strips", url_path="new")
    page = st.navigation(list(pages.values()))
    forget_what_was_drawn_before("page", page.url_path)
    with messages.calm():
        page.run()


def _door(pages: dict[str, StreamlitPage], name: str) -> Open:
    def opened(address: Address) -> NoReturn:
        st.switch_page(pages[name], query_params=dict(address))

    return opened


if __name__ == "__main__":  # so `streamlit run` starts it; who only imports it draws nothing
    main()
