"""How an explanation that is being made is told of: in words, with a bar, and with a button that stops it."""

from collections.abc import Callable, Sequence

import streamlit as st

from app.asking.explanations import Failed, Stage
from app.jobs import Cancelled, Queued, Running, State

_STAGES = {
    Stage.PREPARING: "Preparing the model, once: it is made faster for this computer. That takes some seconds.",
    Stage.LOOKING: "The model looks at the patch.",
}


def at_work(state: State) -> bool:
    """Tell whether there is still something to wait for."""
    return isinstance(state, Queued | Running)


def is_unmade(state: State) -> bool:
    """Tell whether a map was wanted, and nobody is making it any more."""
    return isinstance(state, Failed | Cancelled)


def told(state: Queued | Running | Cancelled) -> str:
    """Return how a job stands, in words.

    Example:
        >>> from app.asking.explanations import Passed
        >>> told(Queued(2)), told(Running(Stage.LOOKING, Passed(120, 1000), 44.2, None))
        ('Waiting for its turn: 2 explanations come before.', '120 of at most 1,000 steps, at most about 44 s left.')
    """
    if isinstance(state, Cancelled):
        return "Cancelled."
    if isinstance(state, Queued):
        before = "1 explanation comes" if state.before == 1 else f"{state.before} explanations come"
        return f"Waiting for its turn: {before} before." if state.before else "Its turn is next."
    if state.passed is None:
        return _STAGES[state.stage]
    left = "" if state.left is None else f", at most about {duration(state.left)} left"
    return f"{state.passed.done:,} of at most {state.passed.total:,} steps{left}."


def duration(seconds: float) -> str:
    """Return a time in words that are not more exact than it is known.

    Example:
        >>> duration(0.2), duration(44.2), duration(200.0)
        ('1 s', '44 s', '3 min')
    """
    return f"{max(1, round(seconds))} s" if seconds < 90 else f"{round(seconds / 60)} min"


def note(state: Running | Cancelled) -> str:
    """Return what is said beside a map that is not whole."""
    if state.first is None:
        return ""
    so_far = f"from {state.first.asked:,} questions"
    return f"cancelled, {so_far}" if isinstance(state, Cancelled) else f"first map, {so_far}"


def draw(title: str, state: Queued | Running, cancel: Callable[[], None]) -> None:
    """Draw one line: the method, how far it is, and a button that stops it."""
    words, button = st.columns([6, 1], vertical_alignment="center")
    passed = state.passed if isinstance(state, Running) else None
    share = 0.0 if passed is None else min(1.0, passed.done / max(1, passed.total))
    words.progress(share, text=f"**{title}** · {told(state)}")
    button.button(
        "Cancel",
        key=f"cancel {title}",
        on_click=cancel,
        width="stretch",
        help=f"Stops {title} on this patch.",
    )


def draw_together(title: str, states: Sequence[State], cancel: Callable[[], None]) -> None:
    """Draw one line for the maps of a strip's windows: how many are there, and a button that stops the rest; none where all are."""
    waiting = [state for state in states if at_work(state)]
    if not waiting:
        return
    words, button = st.columns([6, 1], vertical_alignment="center")
    there = len(states) - len(waiting)
    running = next((state for state in waiting if isinstance(state, Running)), waiting[0])
    text = told(running) if isinstance(running, Queued | Running) else ""
    words.progress(there / len(states), text=f"**{title}** · {there} of {len(states)} windows. {text}")
    button.button(
        "Cancel",
        key="cancel all",
        on_click=cancel,
        width="stretch",
        help=f"Stops {title} on the windows that are left.",
    )
