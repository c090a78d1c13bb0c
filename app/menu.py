"""The list of pages on the left. Its links carry on what a page shows: the run, and what the patches are narrowed to.

Streamlit's own list leads to addresses that hold nothing.
"""

from collections.abc import Mapping

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from app import runs
from app.review.query import from_address, to_address
from severstal_xai.errors import InputError

_WORDS = {
    "strip": "A whole strip: its six windows, the marks, the model's answers and the heat.",
    "patch": "One window, large: why the model answers so, and your verdict.",
    "queue": "The patches as a list, to filter, to sort and to open.",
    "new": "Pictures that are not part of the data: what the model says of them, and why.",
    "overview": "How good the model is, what is judged, and how another run compares.",
}
"""What each page is for."""


def draw(pages: Mapping[str, StreamlitPage]) -> None:
    """Draw a link to each page, by their names."""
    address = {**runs.carried(), **_filters()}
    for name, page in pages.items():
        st.page_link(page, help=_WORDS[name], query_params=address, width="stretch")


def _filters() -> dict[str, str]:
    """Return what narrows the patches; what nobody can read leads nowhere."""
    try:
        return to_address(from_address(st.query_params.to_dict()))
    except InputError:
        return {}
