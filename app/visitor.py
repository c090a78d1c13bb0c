"""Who is looking, for the jobs that are shared: a session, not a person."""

from uuid import uuid4

import streamlit as st

MOMENT = 0.3
"""Seconds for which a page waits for what is quickly made, rather than draw it twice."""
POLL = 0.75
"""Seconds between two looks at what is being made; each takes the interpreter from who makes it."""
PATIENCE = 0.5
"""Seconds for which such a look waits for a first map, rather than come just before it."""


def visitor() -> str:
    """Return what tells this session from the others."""
    name: str = st.session_state.setdefault("visitor", uuid4().hex)
    return name
