"""The inspector: `streamlit run app/main.py [-- --data DIR --run DIR]`. Navigation alone."""

from collections.abc import Mapping
from functools import partial
from typing import NoReturn

import streamlit as st

from app import messages
from app.views import patch, review_queue

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
    one_patch = st.Page(patch.show, title="One patch", url_path="patch", default=True)

    def open_patch(name: str, address: Mapping[str, str]) -> NoReturn:
        st.switch_page(one_patch, query_params={"patch": name, **address})

    queue = st.Page(partial(review_queue.show, open_patch), title="Review queue", url_path="queue")
    page = st.navigation([one_patch, queue])
    with messages.calm():
        page.run()


if __name__ == "__main__":  # so `streamlit run` starts it; who only imports it draws nothing
    main()
