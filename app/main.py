"""The inspector: `streamlit run app/main.py [-- --data DIR --run DIR]`. Navigation alone."""

from collections.abc import Mapping
from functools import partial
from typing import NoReturn

import streamlit as st

from app import messages
from app.views import patch, review_queue


def main() -> None:
    """Draw the page that the address names."""
    st.set_page_config(page_title="Steel inspector", layout="wide", initial_sidebar_state="expanded")
    one_patch = st.Page(patch.show, title="One patch", url_path="patch", default=True)

    def open_patch(name: str, address: Mapping[str, str]) -> NoReturn:
        st.switch_page(one_patch, query_params={"patch": name, **address})

    queue = st.Page(partial(review_queue.show, open_patch), title="Review queue", url_path="queue")
    page = st.navigation([one_patch, queue])
    with messages.calm():
        page.run()


if __name__ == "__main__":  # so `streamlit run` starts it; who only imports it draws nothing
    main()
