"""Maps on a page while they are made: drawn again and again until all are there."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from typing import TypeVar

import streamlit as st

from app import loading, panels
from app.explanations import Request
from app.jobs import State, Wish
from app.progress import at_work, is_unmade
from app.visitor import MOMENT, POLL, visitor

Key = TypeVar("Key", bound=Hashable)


def follow(
    requests: Mapping[Key, Request], wishes: Sequence[Wish], draw: Callable[[dict[Key, State]], None]
) -> dict[Key, State]:
    """Have maps made, and draw how they stand; while there is something to wait for, that part of the page again.

    Args:
        requests: What is wanted, by what the page calls it.
        wishes: The same as jobs, the most urgent first.
        draw: Draws the part of the page.

    Returns:
        How they stood when the page was drawn as a whole: it is again when all are there.
    """
    jobs = loading.jobs()
    jobs.watch(visitor(), wishes)
    jobs.wait(list(requests.values()), MOMENT)
    states = states_of(requests)
    working = any(map(at_work, states.values()))

    def live() -> None:
        jobs.seen(visitor())
        now = states_of(requests)
        if working and not any(map(at_work, now.values())):
            st.rerun()
        draw(now)

    with st.container(key="live"):
        st.fragment(live, run_every=POLL if working else None)()
    return states


def states_of(requests: Mapping[Key, Request]) -> dict[Key, State]:
    """Return how the maps stand now."""
    jobs = loading.jobs()
    return {key: jobs.state(visitor(), request) for key, request in requests.items()}


def cancel(requests: Mapping[Key, Request]) -> None:
    """Take back what is not made yet."""
    for request in requests.values():
        loading.jobs().cancel(visitor(), request)


def offer_to_try_again(
    titles: Sequence[str], requests: Mapping[Key, Request], states: Mapping[Key, State]
) -> None:
    """Offer to make after all what failed or was cancelled."""
    unmade = [requests[key] for key, state in states.items() if is_unmade(state)]
    if unmade:
        panels.try_again(titles, partial(loading.jobs().ask_again, visitor(), *unmade))
