"""The panel where a patch is chosen: the filters that are changed most, a list, previous and next.

The list is the review queue's, in its order. The address holds the choice (`?patch=NAME`), so that a view can be shared and there
is one truth. It wins over the filters: a patch that they would hide resets them. A filter that the user changes clears it.
"""

import pandas as pd
import streamlit as st

from app import filters
from app.filters import PATCH
from app.messages import NO_SUCH_PATCH, problem
from app.query import Query
from app.review import narrowed, neighbour
from app.words import plain
from severstal_xai.manifest import Split

_DRAWN = ("split", "label", "answer")


def choose_patch(known: pd.DataFrame) -> str | None:
    """Let the user choose a patch.

    Args:
        known: What is known of the patches, as `app.review.narrowed` takes it.

    Returns:
        Its name; None where the address names no patch of these, or where no patch passes the filters.
    """
    st.subheader("Choose a patch", anchor=False)
    query, named = filters.query_of_the_address(), st.query_params.get(PATCH)
    names = list(narrowed(known, query).index)
    if named is not None and named in known.index and named not in names:
        query = Query(split=Split(str(known["split"][named])))
        filters.put(query)
        names = list(narrowed(known, query).index)
    filters.draw(query, _DRAWN)
    _tell_the_rest(query)
    if named is None and names:
        named = names[0]
        st.query_params[PATCH] = named
    chosen = named if named in names else None
    _list(known, names, chosen)
    return chosen


def say_why_none_is_chosen() -> None:
    """Say why `choose_patch` gave no patch, and what to do."""
    named = st.query_params.get(PATCH)
    if named is None:
        st.info("No patch matches. Choose another class or another part of the data on the left.")
    else:
        problem(NO_SUCH_PATCH, named)


def _tell_the_rest(query: Query) -> None:
    """Say what the queue narrowed the list by, and offer to take it back."""
    said = filters.narrowed_by(query, _DRAWN)
    if said:
        st.caption("From the queue: " + plain("; ".join(said)) + ".")
        kept = Query(split=query.split, label=query.label, answer=query.answer)
        st.button(
            "All of them", on_click=filters.put, args=(kept,), help="Takes the queue's other filters back."
        )


def _list(known: pd.DataFrame, names: list[str], chosen: str | None) -> None:
    labels, answers = known["label"], known["predicted"]

    def described(name: str) -> str:
        label, answer = labels[name], answers[name]
        differs = pd.notna(answer) and answer != label
        return f"{name} · class {label}" + (f" → {answer}" if differs else "")

    st.session_state["chosen"] = chosen
    st.selectbox(
        f"Patch ({len(names)} in the list)",
        names,
        key="chosen",
        format_func=described,
        placeholder="Choose a patch",
        on_change=lambda: _go_to(st.session_state["chosen"]),
        help="Name and marked class; an arrow leads to the model's answer where that is another. Type to search.",
    )
    for words, step, key in (("Previous", -1, "alt+left"), ("Next", 1, "alt+right")):
        there = neighbour(names, chosen, step) if chosen else None
        st.button(
            words,
            key=words,
            disabled=there is None,
            on_click=_go_to,
            args=(there,),
            width="stretch",
            shortcut=key,
        )


def _go_to(name: str | None) -> None:
    if name is not None:
        st.query_params[PATCH] = name
