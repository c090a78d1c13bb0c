"""How the review queue is looked at: as a table or as sheets of pictures. The address holds it, as it holds the query.

The session remembers it, so that who comes back from a patch finds the queue as they left it.
"""

from enum import StrEnum

import streamlit as st

from severstal_xai.errors import InputError

LOOK, SHEET = "look", "sheet"
"""What they are called in the address."""
_REMEMBERED = "queue as it was"
_MOST_DIGITS = 6


class QueueLook(StrEnum):
    """How the patches are shown."""

    TABLE = "table"
    PICTURES = "pictures"


_WORDS = {QueueLook.TABLE: "Table", QueueLook.PICTURES: "Pictures"}


def look_of(named: str | None) -> QueueLook:
    """Return the look that an address names, a table unless it names another.

    Raises:
        InputError: There is no such look.

    Example:
        >>> look_of(None), look_of("pictures")
        (<QueueLook.TABLE: 'table'>, <QueueLook.PICTURES: 'pictures'>)
    """
    if named is not None and named not in list(QueueLook):
        raise InputError(f"address: {LOOK} {named[:40]!r}, expected one of {', '.join(QueueLook)}")
    return QueueLook(named or QueueLook.TABLE)


def sheet_of(named: str | None, sheets: int) -> int:
    """Return the number of the sheet that an address names, from 1; the last where there are fewer by now.

    Raises:
        InputError: It is no number from 1 on.

    Example:
        >>> sheet_of("2", 5), sheet_of("9", 5), sheet_of(None, 5)
        (2, 5, 1)
    """
    number = named or "1"
    if not (number.isascii() and number.isdigit() and len(number) <= _MOST_DIGITS and int(number)):
        raise InputError(f"address: {SHEET} {number[:40]!r}, expected a number from 1 on")
    return min(int(number), sheets)


def choose_look() -> QueueLook:
    """Let the user choose how the patches are shown.

    Raises:
        InputError: The address names what there is not.
    """
    look = look_of(st.query_params.get(LOOK))
    st.session_state["queue_look"] = look

    def keep() -> None:
        chosen = st.session_state["queue_look"]
        _put(LOOK, None if chosen == QueueLook.TABLE else str(chosen))
        _put(SHEET, None)

    st.segmented_control(
        "Show them as",
        list(QueueLook),
        format_func=_WORDS.__getitem__,
        required=True,
        key="queue_look",
        on_change=keep,
        help="A table to sort and scroll, or pictures with the marked defect outlined.",
    )
    _remember()
    return look


def choose_sheet(sheets: int) -> int:
    """Let the user turn the sheets; return the number of the one to show, from 1.

    Raises:
        InputError: The address names what there is not.
    """
    sheet = sheet_of(st.query_params.get(SHEET), sheets)
    if sheets > 1:
        key = f"queue_sheet {sheet}"  # Streamlit complains where a state is set for what has a default, as this always has

        def keep() -> None:
            turned_to = st.session_state[key]
            _put(SHEET, None if turned_to == 1 else str(turned_to))

        st.pagination(sheets, default=sheet, key=key, on_change=keep)
        st.caption(
            f"Sheet {sheet} of {sheets}. The pictures lie on sheets, in the order that *Sorted by* on the left gives them: "
            "a number goes to that sheet, the arrows to the one before or after."
        )
    _remember()
    return sheet


def as_it_was() -> dict[str, str]:
    """Return what the queue's address held besides its query when this session saw it last."""
    return dict(st.session_state.get(_REMEMBERED, {}))


def _remember() -> None:
    held = {name: st.query_params.get(name) for name in (LOOK, SHEET)}
    st.session_state[_REMEMBERED] = {name: value for name, value in held.items() if value is not None}


def _put(name: str, value: str | None) -> None:
    if value is None:
        st.query_params.pop(name, None)
    else:
        st.query_params[name] = value
