"""The name of who judges, kept by the browser's tab: a page that is loaded anew need not ask for it again.

It goes when the tab is closed, for the next one at the same PC is somebody else. Who signs in is not asked at all.
"""

import streamlit as st

from app.browser import unseen
from app.verdicts.records import LONGEST_NAME, tidy_name

_JS = """
const PLACE = "steel-inspector-name";
let asked = false; // once a page load: whoever empties the field later means it

export default function ({ data, setTriggerValue }) {
  const kept = sessionStorage.getItem(PLACE);
  if (data.name) sessionStorage.setItem(PLACE, data.name);
  else if (asked) sessionStorage.removeItem(PLACE);
  else if (kept) setTriggerValue("kept", kept);
  asked = true;
}
"""
_COMPONENT = st.components.v2.component("severstal_xai_name", html="<i></i>", js=_JS)
_KEY = "kept name"


def keep(field: str) -> None:
    """Have the browser keep what a text field holds, and fill the field with what it kept where that is empty.

    Args:
        field: The field's key. It must not have been drawn yet.
    """
    with unseen("name"):
        _COMPONENT(
            key=_KEY, data={"name": st.session_state.get(field) or ""}, on_kept_change=lambda: _fill(field)
        )


def _fill(field: str) -> None:
    kept = st.session_state[_KEY].kept
    if isinstance(kept, str) and not st.session_state.get(field):  # whatever a browser may send
        st.session_state[field] = tidy_name(kept[:LONGEST_NAME])
