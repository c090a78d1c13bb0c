"""Which run is shown: the one that the inspector was started with, or one that lies beside it.

The address holds the choice (`?run=NAME`), on every page; it is a name among those that were found, never a path. The links
between the pages carry it.
"""

from dataclasses import replace
from pathlib import Path

import streamlit as st

from app import loading, messages
from app.folders import Folders, runs_beside
from severstal_xai.errors import InputError

RUN = "run"
"""What the run is called in the address."""
_CHOICE = "chosen run"


def carried() -> dict[str, str]:
    """Return what a link to another page is to hold besides: the run, where one is chosen."""
    named = st.query_params.get(RUN)
    return {} if named is None else {RUN: named}


def chosen(folders: Folders) -> Folders:
    """Return the folders with the run that the address names; where there is none of that name, say so and end the page there."""
    named = st.query_params.get(RUN)
    if named is None:
        return folders
    runs = runs_beside(folders.run)
    if named not in runs:
        messages.problem(messages.NO_SUCH_RUN, named)
        st.button(
            "Show the run the inspector was started with",
            key="usual run",
            on_click=_put,
            args=(None,),
            help="Takes the run out of the address, and leaves the rest of it.",
        )
        st.stop()
    return replace(folders, run=runs[named])


def start_over() -> None:
    """Take all out of the address but the run."""
    st.query_params.from_dict(carried())


def choose() -> None:
    """Let the user choose the run, among those that there are."""
    try:
        folders = loading.folders()
    except InputError:
        return  # the page says what is wrong with them
    names = list(runs_beside(folders.run))
    named = st.query_params.get(RUN, names[0])
    st.session_state[_CHOICE] = named if named in names else None
    st.selectbox(
        "Run" if len(names) == 1 else f"Run ({len(names)} to choose from)",
        names,
        key=_CHOICE,
        placeholder="Choose a run",
        on_change=lambda: _put(None if st.session_state[_CHOICE] == names[0] else st.session_state[_CHOICE]),
        help="A run is a trained model with all that is known of it. All pages show the one that is chosen here. "
        "Those that lie beside the one the inspector was started with can be chosen.",
    )


def others() -> dict[str, Path]:
    """Return the runs that may be shown but are not, by their names."""
    own = runs_beside(loading.folders().run)
    shown = st.query_params.get(RUN, next(iter(own)))
    return {name: run for name, run in own.items() if name != shown}


def _put(name: str | None) -> None:
    if name is None:
        st.query_params.pop(RUN, None)
    else:
        st.query_params[RUN] = name
