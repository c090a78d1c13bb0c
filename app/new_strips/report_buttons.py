"""The buttons that make a report of new strips, when they are clicked."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import numpy as np
import streamlit as st

from app import judging, loading
from app.access.door import may, while_may, why_not
from app.access.roles import Right
from app.asking.explanations import Found, Request
from app.new_strips import desk as at
from app.new_strips.desk import Desk
from app.new_strips.images import Grey, grey_of
from app.new_strips.reports import Asker, Told, image_report, list_report
from app.new_strips.subject import Subject
from app.new_strips.tables import Listed
from app.report.as_html import to_html
from app.report.as_pdf import to_pdf
from app.report.record import Report
from severstal_xai.errors import InputError


def asker_of(desk: Desk) -> Asker:
    """Return whose model is asked, and who has it asked."""
    card, run = desk.checkpoint.card, desk.folders.run.resolve().name
    network = f"{card.architecture}, epoch {card.epoch}"
    return Asker(judging.reader_now(), run, network, desk.weights, desk.point)


def list_report_of(desk: Desk) -> Callable[[], Report]:
    """Return what makes the report of all that is listed by then."""
    asker = asker_of(desk)

    def grey(one: Listed) -> Grey | None:
        try:
            return grey_of(at.read(desk, one))
        except InputError:
            return None  # it was taken out of the folder meanwhile: the report counts it

    return lambda: list_report(asker, datetime.now(UTC), at.listed(desk), at.all_refused(desk), grey)


def draw_report_buttons(desk: Desk, subject: Subject, title: str, requests: Mapping[int, Request]) -> None:
    """Draw the buttons that make a report of one image, with the heat that is there when they are clicked.

    Args:
        desk: The model.
        subject: The image.
        title: The heat's method's.
        requests: The maps of its windows, by their places.
    """
    asker, finished = asker_of(desk), loading.finished()

    def made() -> Report:
        heats: dict[int, np.ndarray] = {}
        for place, request in requests.items():
            found = finished.get(request)
            if isinstance(found, Found):
                heats[place] = found.saliency * subject.answer.judged[place][request.target]
        one = subject.one
        told = Told(one.image, one.source, subject.grey, subject.answer)
        return image_report(asker, datetime.now(UTC), told, title, heats)

    if not may(Right.EXPORT):
        st.caption(why_not(Right.EXPORT))
        return
    pdf, html, _ = st.columns([1, 1, 3])
    with pdf:
        draw_button(made, to_pdf, "PDF", f"{subject.one.image.stem}.pdf", "application/pdf")
    with html:
        draw_button(made, to_html, "HTML", f"{subject.one.image.stem}.html", "text/html")


def draw_button(
    made: Callable[[], Report], written: Callable[[Report], bytes], kind: str, file: str, mime: str
) -> None:
    """Draw one button; the report is made when it is clicked."""
    st.download_button(
        f"Report ({kind})",
        while_may(Right.EXPORT, lambda: written(made())),
        file,
        mime,
        key=f"new strips report {kind}",
        on_click="ignore",
        width="stretch",
        help="Pictures, probabilities, and the checksums of files and model, as one file.",
    )
