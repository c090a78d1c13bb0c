"""The inspector: `streamlit run app/main.py [-- --data DIR --run DIR]`. Navigation alone."""

import importlib
import sys
from functools import partial
from pathlib import Path
from typing import NoReturn

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from app.access.guard import guards
from app.links import Address, Links, Open

_STYLE = """<style>
.stMainBlockContainer { padding: 1.2rem 2rem 2rem; }
[data-testid="stSidebarHeader"] { height: 2.2rem; margin-bottom: 0; }
[data-testid="stSidebarUserContent"] .stVerticalBlock { gap: 0.65rem; }
.st-key-live [data-stale="true"] { opacity: 1 !important; transition: none !important; }
[data-testid="stElementToolbarButton"]:has([aria-label^="Download as CSV"]) { display: none; }
body:has([data-testid="stPageLink-NavLink"]:hover) [role="tooltip"] { translate: 15.5rem 0; }
</style>"""
"""What is drawn anew all the while must not pale each time, as Streamlit has it for what is about to change. And its tables offer
themselves as a file, to whoever looks, with names that a spreadsheet takes for formulas: files are the pages' own.
What a link of the menu leads to is said beside the menu: Streamlit would say it over the links above."""

_PAGES = "app.opening"
"""What each page begins with. Its import brings torch and pandas: 10 s and more on a busy machine."""


def main() -> None:
    """Draw the page that the address names."""
    st.set_page_config(page_title="Steel inspector", layout="wide", initial_sidebar_state="expanded")
    if _PAGES not in sys.modules:
        with st.spinner("The inspector is starting: the first page takes a while …"):
            importlib.import_module(_PAGES)
    # Here: the server imports this file before it answers, and before there is a Streamlit for the pages' caches to lie in.
    from app import browser, loading, menu, messages  # noqa: PLC0415
    from app.access import door  # noqa: PLC0415
    from app.fragments import forget_what_was_drawn_before  # noqa: PLC0415
    from app.views import new_strips, overview, patch, review_queue, strip  # noqa: PLC0415
    from app.visitor import visitor  # noqa: PLC0415

    st.html(_STYLE + f"<style>{browser.STYLE}</style>")
    browser.listen()
    pages: dict[str, StreamlitPage] = {}
    links = Links(**{name: _door(pages, name) for name in ("strip", "patch", "queue")})
    pages["strip"] = st.Page(partial(strip.show, links), title="Strip", default=True)
    by_its_name = st.Page(lambda: links.strip(st.query_params.to_dict()), title="Strip", url_path="strip")
    pages["patch"] = st.Page(partial(patch.show, links), title="One patch", url_path="patch")
    pages["queue"] = st.Page(partial(review_queue.show, links), title="Review queue", url_path="queue")
    pages["new"] = st.Page(new_strips.show, title="New strips", url_path="new")
    pages["overview"] = st.Page(partial(overview.show, links), title="Overview", url_path="overview")
    is_let_in = door.is_let_in()
    page = st.navigation([*pages.values(), by_its_name], position="hidden")
    forget_what_was_drawn_before("page", page.url_path)
    with messages.calm():
        if not is_let_in:
            door.say_why_not_let_in()
            st.stop()
        with st.sidebar:
            menu.draw(pages)
            door.draw_visitor()
        loading.jobs().turn(visitor())
        page.run()


def _door(pages: dict[str, StreamlitPage], name: str) -> Open:
    from app import runs  # noqa: PLC0415 (as in main)

    def opened(address: Address) -> NoReturn:
        st.switch_page(pages[name], query_params={**runs.carried(), **address})

    return opened


if __name__ == "__main__":  # for each visitor, whenever the page is drawn; who only imports it draws nothing
    main()
elif __name__ == "main":  # once, by `streamlit run`: what it serves
    server = st.App(Path(__file__), middleware=guards())
