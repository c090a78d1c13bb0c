"""What is shown where nothing lies yet: an offer to build the demo, and how far that is."""

import streamlit as st

from app import messages
from app.access.door import may, why_not
from app.access.roles import Right
from app.asking.progress import duration
from app.demo.building import AtWork, Broken, Building, Idle, State
from app.demo.steps import DEMO, STEPS

_LOOKS_EVERY = 1.0
"""Seconds between two looks at how far it is."""


def draw(building: Building) -> None:
    """Draw the offer, or the progress; where the demo is there, the page is drawn anew and shows it."""
    st.subheader("There is nothing to show yet", anchor=False)
    st.write(
        "The inspector shows pictures of steel strips, what a trained model says of them, and why. "
        "Neither pictures nor a model lie here yet."
    )
    state = building.state()
    if isinstance(state, AtWork):
        st.fragment(_live, run_every=_LOOKS_EVERY)(building)
        st.caption(
            "You can close this page: the work goes on as long as the inspector runs, and everybody who opens it sees this."
        )
        return
    _offer(building, state)
    st.markdown("**Or show your own**")
    st.write("Prepare Severstal's images and train a model on them, then start the inspector with both:")
    st.code("\n".join(_OWN), language=None)


_OWN = (
    "python -m data_prep --source severstal-steel-defect-detection.zip --output data/patches",
    "python -m training --data data/patches --output runs/NAME",
    "streamlit run app/main.py -- --data data/patches --run runs/NAME",
)


def _offer(building: Building, state: State) -> None:
    """Offer to begin, to go on, or to try again after what went wrong."""
    if isinstance(state, Broken):
        messages.problem(
            messages.DEMO_BROKEN, f"It could not {state.step}: {state.said}" if state.step else state.said
        )
    elif isinstance(state, Idle) and state.cancelled:
        st.info("The demo was cancelled. What was made is kept, and building it again goes on from there.")
    elif isinstance(state, Idle) and state.begun:
        st.info("A part of the demo lies here already. Building it goes on from there.")
    if not may(Right.CONFIGURE):
        st.info(why_not(Right.CONFIGURE))
        return
    minutes = round(sum(step.seconds for step in STEPS) / 60)
    st.button(
        _words_on_button(state),
        key="demo_build",
        type="primary",
        on_click=_begin,
        args=(building,),
        help="Everybody who opens this page sees how far it is.",
    )
    st.caption(
        "Makes synthetic strips of steel, cuts them into patches, trains a small network on them and explains some of its "
        f"answers: about {minutes} minutes on two free cores, 0.2 GB in the folder `{DEMO}`. Nothing is fetched from the network."
    )


def _words_on_button(state: State) -> str:
    if isinstance(state, Broken):
        return "Try again"
    return "Go on building the demo" if isinstance(state, Idle) and state.begun else "Build the demo"


def _live(building: Building) -> None:
    """Draw how far it is; when it has ended, the whole page."""
    state = building.state()
    if not isinstance(state, AtWork):
        st.rerun()
    words, button = st.columns([6, 1], vertical_alignment="center")
    words.progress(min(1.0, state.share), text=told(state))
    if may(Right.CONFIGURE):
        button.button(
            "Cancel",
            key="demo_cancel",
            on_click=_cancel,
            args=(building,),
            width="stretch",
            help="Stops the work for everybody. What was made is kept.",
        )


def _begin(building: Building) -> None:
    if may(Right.CONFIGURE):  # the role may be gone since the button was drawn; the page says so
        building.begin()


def _cancel(building: Building) -> None:
    if may(Right.CONFIGURE):
        building.cancel()


def told(state: AtWork) -> str:
    """Return how far the demo is, in words.

    Example:
        >>> from app.demo.building import Reached
        >>> told(AtWork(Reached(3, 5, 8), 0.5, 61.0))
        'Step 3 of 4: train a small network and score it, 5 of 8. About 61 s left.'
    """
    reached = state.reached
    if not reached.step:
        return "Begins."
    parts = f", {reached.done} of {reached.of}" if reached.of else ""
    return f"Step {reached.step} of {len(STEPS)}: {STEPS[reached.step - 1].words}{parts}. About {duration(state.left)} left."
