"""Maps on a page while they are made: drawn again and again until all are there."""

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from typing import TypeVar

import streamlit as st

from app import loading, panels
from app.asking.catalogue import CATALOGUE
from app.asking.explanations import Found, Request
from app.asking.progress import at_work, is_unmade
from app.fragments import draw_every
from app.jobs import Running, State, Wish
from app.visitor import MOMENT, PATIENCE, POLL, visitor

Key = TypeVar("Key", bound=Hashable)

_BETWEEN = 0.05
"""Seconds between two looks at whether a first map is there."""


def ask(requests: Mapping[Key, Request], wishes: Sequence[Wish]) -> dict[Key, State]:
    """Have maps made, and return how they stand after a moment, in which what is quickly made is ready.

    Where a map is there already nothing is waited for. Where none is after that moment, and the most urgent is one of a quick method, that one is
    waited for a little longer: drawing the page twice takes as long.

    Args:
        requests: What is wanted, by what the page calls it.
        wishes: The same as jobs, the most urgent first.
    """
    jobs = loading.jobs()
    jobs.watch(visitor(), wishes)
    if _any_map(states_of(requests)):
        return states_of(requests)
    jobs.wait(list(requests.values()), MOMENT)
    urgent = [wish.request for wish in wishes[:1] if CATALOGUE[wish.request.method].quick]
    if urgent and not _any_map(states_of(requests)):
        jobs.wait(urgent, PATIENCE)
    return states_of(requests)


def _any_map(states: Mapping[Key, State]) -> bool:
    return any(map(_has_map, states.values()))


def follow(
    requests: Mapping[Key, Request],
    states: Mapping[Key, State],
    draw: Callable[[dict[Key, State]], None],
    *,
    each: bool = False,
) -> None:
    """Draw how maps stand; while there is something to wait for, that part of the page again.

    Args:
        requests: What was asked for.
        states: How it stands as the page is drawn.
        draw: Draws the part of the page.
        each: Whether the whole page is drawn again as soon as one map is there; else when all are.
    """
    awaited = [key for key, state in states.items() if at_work(state)]
    drawn: dict[Key, State] = {}

    def live() -> None:
        nonlocal drawn
        loading.jobs().seen(visitor())
        now = _at_a_first_map(requests, drawn)
        ended = [not at_work(now[key]) for key in awaited]
        if ended and (any if each else all)(ended):
            st.rerun()
        drawn = now
        draw(now)

    with st.container(key="live"):
        draw_every(POLL if awaited else None, live)


def _at_a_first_map(requests: Mapping[Key, Request], drawn: Mapping[Key, State]) -> dict[Key, State]:
    """Return how maps stand; where one is awaited of which nothing was drawn yet, wait for it most of the time to the next look."""
    bare = [key for key, state in drawn.items() if at_work(state) and not _has_map(state)]
    end = time.monotonic() + PATIENCE
    while True:
        now = states_of(requests)  # it asks who the visitor is: a click is heard there, and ends this
        if not bare or any(_has_map(now[key]) or not at_work(now[key]) for key in bare):
            return now
        if time.monotonic() > end:
            return now
        time.sleep(_BETWEEN)


def _has_map(state: State) -> bool:
    return isinstance(state, Found) or (isinstance(state, Running) and state.first is not None)


def states_of(requests: Mapping[Key, Request]) -> dict[Key, State]:
    """Return how the maps stand now."""
    jobs = loading.jobs()
    return {key: jobs.state(visitor(), request) for key, request in requests.items()}


def cancel(requests: Mapping[Key, Request]) -> None:
    """Take back what is not made yet."""
    for request in requests.values():
        loading.jobs().cancel(visitor(), request)


def offer_to_try_again(
    requests: Mapping[Key, Request], states: Mapping[Key, State], title_of: Callable[[Key], str]
) -> None:
    """Offer to make after all what failed or was cancelled.

    Args:
        requests: What was asked for.
        states: How it stands.
        title_of: Names the method of a request by its key.
    """
    unmade = [key for key, state in states.items() if is_unmade(state)]
    if unmade:
        ask_again = partial(loading.jobs().ask_again, visitor(), *(requests[key] for key in unmade))
        panels.try_again(list(dict.fromkeys(map(title_of, unmade))), ask_again)
