"""The panel where a patch or a strip is chosen: the filters that are changed most, a list, previous and next.

The list is the review queue's, in its order. The address holds the choice (`?patch=NAME`), so that a view can be shared and there
is one truth. It wins over the filters: what they would hide resets them. But what is hidden for its verdict alone stays in its place: it was
judged just now, and the next one is to follow. A filter that the user changes clears the choice.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import pandas as pd
import streamlit as st

from app.messages import NO_SUCH_PATCH, NO_SUCH_STRIP, Advice, problem
from app.review import filters
from app.review.filters import PATCH, STRIP
from app.review.query import Query
from app.review.rows import narrowed, neighbour
from app.words import plain
from severstal_xai.classes import SOUND
from severstal_xai.left_out import LeftOutWindow
from severstal_xai.manifest import Split
from severstal_xai.strips import strip_of

_PLACES = {-1: "before", 1: "after"}
_DRAWN = ("split", "label", "answer")
_LISTED = 400
"""Names in the browser's list, at most: it takes in all of them anew at each click, a long one for a sixth of the time to the page."""


@dataclass(frozen=True)
class _Kind:
    """What is chosen.

    Args:
        word: What it is called, on the page and in the address.
        of: The name of it that each row of the table of patches belongs to.
        help: Explains the list.
        unknown: What to say of a name that the data does not have.
    """

    word: str
    of: Callable[[pd.DataFrame], "pd.Index[str] | pd.Series[str]"]
    help: str
    unknown: Advice

    def names(self, rows: pd.DataFrame) -> list[str]:
        """Return the names in the rows' order, each once."""
        return list(dict.fromkeys(self.of(rows).tolist()))


_PATCHES = _Kind(
    PATCH,
    lambda rows: rows.index,
    "Name and marked class; an arrow leads to the model's answer where that is another. Type to search.",
    NO_SUCH_PATCH,
)
_STRIPS = _Kind(
    STRIP,
    lambda rows: rows["strip"],
    "Name and marked classes of the strips that have a patch as chosen above. Type to search.",
    NO_SUCH_STRIP,
)


def choose_patch(known: pd.DataFrame, query: Query) -> str | None:
    """Let the user choose a patch.

    Args:
        known: What is known of the patches, as `app.review.rows.narrowed` takes it.
        query: What the address narrows them to.

    Returns:
        Its name; None where the address names no patch of these, or where no patch passes the filters.
    """
    answers = known["predicted"].fillna(known["label"])
    classes = dict(
        zip(known.index.tolist(), zip(known["label"].tolist(), answers.tolist(), strict=True), strict=True)
    )

    def described(name: str) -> str:
        label, answer = classes[name]
        return f"{name} · class {label}" + (f" → {answer}" if answer != label else "")

    return _choose(known, query, _PATCHES, described)


def choose_strip(known: pd.DataFrame, query: Query, left_out: Iterable[LeftOutWindow]) -> str | None:
    """Let the user choose a strip among those of which a patch passes the filters; as `choose_patch`.

    Args:
        known: As `choose_patch`.
        query: What it is narrowed to.
        left_out: The windows that became no patch: what is marked on them is told of their strips, too.
    """
    labels: defaultdict[str, set[int]] = defaultdict(set)
    for strip, label in zip(known["strip"].tolist(), known["label"].tolist(), strict=True):
        if label != SOUND.id:
            labels[strip].add(label)
    for window in left_out:
        if window.label != SOUND.id:
            labels[strip_of(window.patch)].update(window.classes)

    def described(name: str) -> str:
        marked = labels.get(name)
        if not marked:
            return f"{name} · sound"
        return f"{name} · class {' and '.join(map(str, sorted(marked)))}"

    return _choose(known, query, _STRIPS, described)


def say_why_no_patch() -> None:
    """Say why `choose_patch` gave no patch, and what to do."""
    _say_why(_PATCHES)


def say_why_no_strip() -> None:
    """Say why `choose_strip` gave no strip, and what to do."""
    _say_why(_STRIPS)


def _say_why(kind: _Kind) -> None:
    named = st.query_params.get(kind.word)
    if named is None:
        st.info(f"No {kind.word} matches. Choose another class, answer or part of the data on the left.")
    else:
        problem(kind.unknown, named)


def _choose(known: pd.DataFrame, query: Query, kind: _Kind, described: Callable[[str], str]) -> str | None:
    st.subheader(f"Choose a {kind.word}", anchor=False)
    named = st.query_params.get(kind.word)
    names = _names(known, query, kind, named)
    if named is not None and named not in names:
        rows = known[kind.of(known) == named]
        if len(rows):
            query = Query(split=Split(str(rows["split"].iloc[0])))
            filters.put(query)
            names = kind.names(narrowed(known, query))
    filters.draw(query, _DRAWN)
    _tell_the_rest(query)
    if named is None and names:
        named = names[0]
        st.query_params[kind.word] = named
    chosen = named if named in names else None
    _list(kind, names, chosen, described)
    return chosen


def _names(known: pd.DataFrame, query: Query, kind: _Kind, named: str | None) -> list[str]:
    """Return the names that pass, in the query's order; and the one of the address in its place, where its verdict alone hides it."""
    names = kind.names(narrowed(known, query))
    if named is None or named in names:
        return names
    there = {*names, named}
    return [name for name in kind.names(narrowed(known, replace(query, verdict=None))) if name in there]


def _tell_the_rest(query: Query) -> None:
    """Say what the queue narrowed the list by, and offer to take it back."""
    said = filters.narrowed_by(query, _DRAWN)
    if said:
        st.caption("From the queue: " + plain("; ".join(said)) + ".")
        kept = Query(split=query.split, label=query.label, answer=query.answer)
        st.button(
            "All of them", on_click=filters.put, args=(kept,), help="Takes the queue's other filters back."
        )


def _list(kind: _Kind, names: list[str], chosen: str | None, described: Callable[[str], str]) -> None:
    def go_to(name: str | None) -> None:
        if name is not None:
            st.query_params[kind.word] = name

    def take(typed: str | None) -> None:
        name = None if typed is None else found(names, typed)
        if typed and name is None:
            st.toast(f"No name in the list holds “{plain(typed)}”.")
        go_to(name)

    listed = near(names, chosen, _LISTED)
    is_cut = len(listed) < len(names)
    key = f"chosen {kind.word}"  # another page's list is another widget, which the browser must not take for this one
    st.session_state[key] = chosen
    st.selectbox(
        f"{kind.word.capitalize()} ({len(names):,} in the list)",
        listed,
        key=key,
        format_func=described,
        placeholder=f"Choose a {kind.word}",
        on_change=lambda: take(st.session_state[key]),
        accept_new_options=is_cut,
        help=kind.help
        + (f" It shows the {_LISTED} nearest; type any other's name, or a part of it." if is_cut else ""),
    )
    for words, step, shortcut in (("Previous", -1, "alt+left"), ("Next", 1, "alt+right")):
        there = neighbour(names, chosen, step) if chosen else None
        st.button(
            words,
            key=f"{words} {kind.word}",
            disabled=there is None,
            on_click=go_to,
            args=(there,),
            width="stretch",
            shortcut=shortcut,
            help=f"The {kind.word} {_PLACES[step]} this one in the list; Alt and an arrow key do the same.",
        )


def near(names: list[str], chosen: str | None, most: int) -> list[str]:
    """Return so many of the names, those around the chosen one; the first where none is chosen.

    Example:
        >>> near(["a", "b", "c", "d", "e"], "d", 3), near(["a", "b", "c", "d", "e"], "e", 3), near(["a", "b"], None, 3)
        (['c', 'd', 'e'], ['c', 'd', 'e'], ['a', 'b'])
    """
    place = 0 if chosen is None else names.index(chosen)
    begin = max(0, min(place - most // 2, len(names) - most))
    return names[begin : begin + most]


def found(names: list[str], typed: str) -> str | None:
    """Return the name that was typed, or the first that holds it; None where none does.

    Example:
        >>> found(["abc_1", "abd_2"], "abc_1"), found(["abc_1", "abd_2"], " BD"), found(["abc_1"], "x")
        ('abc_1', 'abd_2', None)
    """
    part = typed.strip().lower()
    return typed if typed in names else next((name for name in names if part in name.lower()), None)
