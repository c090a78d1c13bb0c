"""The reports that a page offers: chosen, made on request and saved by the browser. One place, so that one check guards them all."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import judging, messages
from app.access.door import may, why_not
from app.access.roles import Right
from app.asking import progress
from app.asking.catalogue import CATALOGUE
from app.asking.question import Look
from app.jobs import State
from app.loading import Remark
from app.opening import Opened
from app.report.as_html import to_html
from app.report.as_pdf import to_pdf
from app.report.of_filter import MOST_PICTURES, of_filter
from app.report.of_strip import of_strip
from app.report.record import Report
from app.report.sources import Tell, lines_of, listed, strip_matter
from app.review.query import Query
from app.strip.subject import StripSubject
from app.words import plain

_MADE, _HEAT, _MISSING = "report made", "report_heat", "report_missing"
_USUAL_HEAT = "grad_cam"
_EFFORT = "balanced"
_NO_HEAT = "none"


@dataclass(frozen=True)
class _Format:
    """A kind of file.

    Args:
        name: As people call it.
        ending: Of the file's name.
        mime: As the browser calls it.
        written: Makes it of a report.
        words: What it is good for.
    """

    name: str
    ending: str
    mime: str
    written: Callable[[Report], bytes]
    words: str


_FORMATS = (
    _Format(
        "PDF", "pdf", "application/pdf", to_pdf, "To print, and to keep with an order: A4, numbered pages."
    ),
    _Format(
        "HTML",
        "html",
        "text/html",
        to_html,
        "To look at in any browser, and to search: one file with all its pictures, which asks nothing of any network.",
    ),
)


@dataclass(frozen=True)
class _Made:
    """A file that is ready to be saved."""

    name: str
    mime: str
    content: bytes


def for_strip(
    opened: Opened, subject: StripSubject, look: Look, states: Callable[[], Mapping[int, State]]
) -> None:
    """Offer the report of a strip.

    Args:
        opened: The data and the model.
        subject: The strip.
        look: How its heat is made.
        states: Tells how its maps stand now, by the windows' indices.
    """

    def ask() -> None:
        st.caption(
            "This strip as one file: its pictures with the heat of each window, probabilities, the verdicts that you may see, "
            "and the checksums of data and model."
        )
        if waiting := sum(map(progress.at_work, states().values())):
            windows = "1 window" if waiting == 1 else f"{waiting} windows"
            st.info(f"The heat of {windows} is still to come. Wait for it, or make the report without.")

    def make(tell: Tell) -> Report:
        tell(0.0, "Drawing the pictures.")
        reader = judging.reader_now()
        matter = strip_matter(opened, subject, look, states(), reader)
        lines = lines_of(opened, look, reader, verdicts_read=matter.verdicts_read)
        return of_strip(matter, datetime.now(UTC), reader, lines)

    _offer(f"strip_{subject.name}", ask, make)


def for_queue(opened: Opened, rows: pd.DataFrame, query: Query, remarks: Sequence[Remark]) -> None:
    """Offer the report of the review queue as it is narrowed now.

    Args:
        opened: The data and the model.
        rows: The patches that are shown, in their order.
        query: What they are narrowed by.
        remarks: What is missing of what is known of them.
    """
    shown = min(len(rows), MOST_PICTURES)

    def ask() -> None:
        st.caption(
            f"These patches as one file: all {len(rows):,} in a table with probabilities and the verdicts that you may see, counts, "
            f"the first {shown} as pictures, and the checksums of data and model."
        )
        st.selectbox(
            "Heat in the pictures",
            [_NO_HEAT, *CATALOGUE],
            index=1 + list(CATALOGUE).index(_USUAL_HEAT),
            key=_HEAT,
            on_change=_forget,
            format_func=lambda name: "no heat" if name == _NO_HEAT else CATALOGUE[name].title,
            help="For each patch the heat of the model's answer, or of the likeliest defect where it answers “sound”.",
        )
        if (method := st.session_state[_HEAT]) != _NO_HEAT:
            st.toggle(
                "Make heat that is missing",
                key=_MISSING,
                on_change=_forget,
                help=f"Otherwise a picture without heat is hatched. For each picture: {CATALOGUE[method].costs}",
            )

    def make(tell: Tell) -> Report:
        reader, method = judging.reader_now(), st.session_state[_HEAT]
        look = None if method == _NO_HEAT else Look(method, _EFFORT)
        missing = look is not None and bool(st.session_state.get(_MISSING))
        found = listed(opened, rows, query, look, tell, remarks=remarks, make=missing)
        lines = lines_of(opened, look, reader, verdicts_read=found.verdicts_read)
        return of_filter(found, datetime.now(UTC), reader, lines)

    _offer(f"patches_{datetime.now(UTC):%Y-%m-%d}", ask, make)


def _offer(name: str, ask: Callable[[], None], make: Callable[[Tell], Report]) -> None:
    """Draw the button that opens the choice, and the choice; what was made before the page changed is forgotten.

    Args:
        name: Of the file, without its ending.
        ask: Draws what the report holds, and what of it can be chosen.
        make: Makes it, and tells how it goes.
    """
    _forget()

    def chosen() -> None:
        with (
            messages.calm(),
            st.popover(
                "Report", width="stretch", help="What is shown here as one file: a PDF or an HTML page."
            ),
        ):
            if not may(Right.EXPORT):
                st.info(why_not(Right.EXPORT))
                return
            ask()
            places = st.columns(len(_FORMATS))
            wanted = [one for one, place in zip(_FORMATS, places, strict=True) if _is_clicked(one, place)]
            place = st.empty()  # what was made before goes at once
            for one in wanted:
                _forget()
                with place:
                    st.session_state[_MADE] = _made(one, name, make)
            with place:
                _save()

    st.fragment(chosen)()


def _forget() -> None:
    st.session_state.pop(_MADE, None)


def _is_clicked(one: _Format, place: DeltaGenerator) -> bool:
    return place.button(f"Make {one.name}", key=f"report {one.ending}", help=one.words, width="stretch")


def _made(one: _Format, name: str, make: Callable[[Tell], Report]) -> _Made:
    """Make a report's file, and say how it goes; whoever clicks elsewhere meanwhile ends it."""
    bar = st.progress(0.0)
    report = make(bar.progress)
    bar.progress(1.0, f"Writing the {one.name} file.")
    return _Made(f"{name}.{one.ending}", one.mime, one.written(report))


def _save() -> None:
    """Offer the file that is ready; the browser saves it."""
    made: _Made | None = st.session_state.get(_MADE)
    if made is None:
        return
    st.download_button(
        f"Save {plain(made.name)} ({len(made.content) / 1e6:.1f} MB)",
        made.content,
        made.name,
        made.mime,
        key="report_save",
        type="primary",
        on_click="ignore",
        width="stretch",
        help="The browser keeps the file where it keeps what is downloaded.",
    )
