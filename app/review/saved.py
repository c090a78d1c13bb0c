"""Saved filters, as the review queue shows them: opened by name, saved, changed, and deleted by who saved them.

To open one is to put its query into the address: that is the one truth, and the name stands over the list as long as the
address asks for just that.
"""

from collections.abc import Callable

import streamlit as st

from app import loading, messages
from app.access.door import may
from app.access.roles import Right
from app.judging import ask_for_the_name
from app.review import filters
from app.review.query import Query, to_text
from app.review.shelf import BUILT_IN, Shelf, chosen_of, shelf_of
from app.verdicts.records import tidy_name
from app.verdicts.saved_filters import Damaged, SavedFilter, add, put_into, remove, rename, saved_filters
from app.verdicts.store import Store
from app.words import plain
from severstal_xai.errors import InputError

_CHOSEN, _OPENED = "saved filter", "saved filter opened"
_NAME, _NEW_NAME, _OWN = "filter name", "filter new name", "filter own"
_FAILED, _DELETED = "filter failed", "filter deleted"


def draw(query: Query, reader: str, away: str = "") -> None:
    """Draw the panel: the list to open one of, and what saves, changes and deletes the reader's own.

    Args:
        query: What the address asks for.
        reader: Who looks; empty where nobody has given a name.
        away: Why the database cannot be read, where that was found out just now: to ask again takes seconds.
    """
    st.subheader("Saved filters", anchor=False)
    store, shelf = None, shelf_of((), reader)
    if not away:
        try:
            store = loading.verdicts()
            shelf = shelf_of(saved_filters(store), reader)
        except InputError as error:
            store, away = None, str(error)
    _open_one(shelf, query)
    with st.popover(
        "Save or change …", width="stretch", help="Gives the filters below, and their order, a name."
    ):
        if store is None:
            messages.warn(messages.FILTERS_AWAY, away)
        elif not may(Right.JUDGE):
            st.info(
                "Your role lets you open saved filters, but not save any: ask who runs the inspector to make you an inspector."
            )
        elif not reader:
            _ask_name()
        else:
            _change(store, shelf, query, reader)
    for line in shelf.trouble:
        st.caption(plain(line))


def _open_one(shelf: Shelf, query: Query) -> None:
    by_id = {one.id: one for one in shelf.openable}
    st.session_state[_CHOSEN] = chosen_of(shelf.openable, query, st.session_state.get(_OPENED))

    def go_to() -> None:
        chosen = by_id.get(st.session_state[_CHOSEN])
        if chosen is not None:
            st.session_state[_OPENED] = chosen.id
            filters.put_anew(chosen.query)

    chosen = st.selectbox(
        "Open",
        list(by_id),
        key=_CHOSEN,
        format_func=lambda one: by_id[one].title,
        placeholder="None of them",
        on_change=go_to,
        help="Sets all filters below, and the order, at once. What others saved stands here too, with their name.",
    )
    # there always: what came and went would shut the panel below it
    st.caption("Filters as they are set below." if chosen is None else _in_words(query))


def _in_words(query: Query) -> str:
    return plain("; ".join(filters.in_words(query)) + ".")


def _ask_name() -> None:
    ask_for_the_name("Stands beside what you save, and beside each verdict that you give.")
    st.caption("To save a filter, write your name.")


def _change(store: Store, shelf: Shelf, query: Query, reader: str) -> None:
    failed = st.session_state.pop(_FAILED, None)
    if failed:
        messages.warn(messages.NOT_SAVED, failed)
    st.caption("As set now: " + _in_words(query))
    words, button = st.columns([2, 1], vertical_alignment="bottom")
    words.text_input("Name", key=_NAME, help="What the list shall call it. Everybody sees it.")
    button.button(
        "Save as new",
        key="filter save",
        type="primary",
        width="stretch",
        on_click=_save,
        args=(store, query, reader),
        help="Keeps the filters and the order as they are set now.",
    )
    if shelf.own:
        _change_own(store, shelf, query)
    deleted = st.session_state.get(_DELETED)
    if deleted is not None:
        st.button(
            f"Put “{plain(deleted.name)}” back",
            key="filter back",
            on_click=_put_back,
            args=(store, deleted),
            width="stretch",
            help="You deleted it just now.",
        )


def _change_own(store: Store, shelf: Shelf, query: Query) -> None:
    which = _one_of(shelf)
    replaced, deleted = st.columns(2)
    deleted.button(
        "Delete",
        key="filter delete",
        on_click=_delete,
        args=(store, which),
        width="stretch",
        help="Takes it off everybody's list. You can put it back as long as you stay here.",
    )
    if not isinstance(which, SavedFilter):
        return
    replaced.button(
        "Replace by what is set",
        key="filter replace",
        on_click=_try,
        args=(lambda: _remember(put_into(store, which, to_text(query))),),
        width="stretch",
        help="It keeps its name and stands for the filters and the order as they are set now.",
    )
    words, button = st.columns([2, 1], vertical_alignment="bottom")
    words.text_input("New name", key=_NEW_NAME, help="What the list shall call it from now on.")
    button.button(
        "Rename",
        key="filter rename",
        on_click=_rename,
        args=(store, which),
        width="stretch",
        help="It stands for what it stood for.",
    )


def _one_of(shelf: Shelf) -> SavedFilter | Damaged:
    """Let the reader choose one of their own: at first the one that is open."""
    by_id = {one.id: one for one in shelf.own}
    if st.session_state.get(_OWN) not in by_id:
        opened = st.session_state.get(_CHOSEN)
        st.session_state[_OWN] = opened if opened in by_id else next(iter(by_id))
    return by_id[
        st.selectbox(
            "One of yours",
            list(by_id),
            key=_OWN,
            format_func=lambda one: by_id[one].name,
            help="The one that is changed or deleted here. Nobody else can change it.",
        )
    ]


def _save(store: Store, query: Query, reader: str) -> None:
    def keep() -> None:
        made = SavedFilter(reader, _checked(st.session_state[_NAME]), to_text(query))
        add(store, made)
        _remember(made)
        st.session_state[_NAME] = ""

    _try(keep)


def _rename(store: Store, saved: SavedFilter) -> None:
    def keep() -> None:
        rename(store, saved, _checked(st.session_state[_NEW_NAME]))
        st.session_state[_NEW_NAME] = ""

    _try(keep)


def _delete(store: Store, which: SavedFilter | Damaged) -> None:
    def forget() -> None:
        remove(store, which.owner, which.id)
        st.session_state[_DELETED] = which if isinstance(which, SavedFilter) else None

    _try(forget)


def _put_back(store: Store, deleted: SavedFilter) -> None:
    def keep() -> None:
        add(store, deleted)
        st.session_state[_DELETED] = None

    _try(keep)


def _remember(saved: SavedFilter) -> None:
    st.session_state[_OPENED] = st.session_state[_OWN] = saved.id


def _checked(text: str | None) -> str:
    """Return a name as it is kept.

    Raises:
        InputError: It is that of a built-in one.
    """
    name = tidy_name(text or "")
    if name.casefold() in {known.casefold() for known in BUILT_IN}:
        raise InputError(f"name {name!r}: a built-in filter has it, expected another name")
    return name


def _try(change: Callable[[], None]) -> None:
    """Make a change; where that fails what was typed stays, and the panel says why."""
    if not may(Right.JUDGE):  # the role may be gone since the button was drawn; the panel says so
        return
    try:
        change()
    except InputError as error:
        st.session_state[_FAILED] = str(error)
