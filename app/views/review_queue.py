"""The review queue: all patches as a table or as thumbnails, narrowed and sorted, each a click away from its own page."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app import judging, loading, messages, runs
from app.discretion import discreet
from app.links import Links
from app.messages import Advice
from app.opening import open_all, tell_what_is_missing
from app.report import buttons as report_buttons
from app.review import filters, saved, tiles
from app.review.filters import PATCH
from app.review.query import Query, to_address
from app.review.rows import narrowed, with_verdicts
from app.review.sheets import QueueLook, choose_look, choose_sheet
from app.words import IN_TABLE, class_title, for_table, inside
from severstal_xai.classes import CLASSES
from severstal_xai.errors import InputError
from severstal_xai.manifest import Manifest

_SHEET = 24
"""Thumbnails on a sheet."""
_FILTERS = (
    "split",
    "label",
    "predicted",
    "answer",
    "group",
    "flagged",
    "verdict",
    "low",
    "margin_low",
    "text",
    "sort",
    "reverse",
)
_NARROWEST, _WIDEST, _A_SIGN = 110, 220, 7.6
"""Of the column of verdicts, and what a sign in it takes: pixels."""


def _verdicts_column(width: int) -> Any:
    return st.column_config.TextColumn("Verdicts", width=width, help="What inspectors said of it.")


_COLUMNS = {
    "patch": st.column_config.TextColumn("Patch"),
    "marked": st.column_config.TextColumn("Marked as", help="The class, as people marked it."),
    "model": st.column_config.TextColumn("Model's answer", help="The likeliest class."),
    "probability": st.column_config.ProgressColumn(
        "Sure",
        width=115,
        help="The model's probability of its answer.",
        min_value=0.0,
        max_value=100.0,
        format=IN_TABLE,
    ),
    "answer": st.column_config.TextColumn("Answer is", help=filters.ANSWER_IN_WORDS),
    "group": st.column_config.TextColumn(
        "Evidence",
        width=222,
        help="Is the answer right, and does the evidence lie on the marked defect?",
    ),
    "verdict": _verdicts_column(_NARROWEST),
    "flagged": st.column_config.CheckboxColumn("Flagged", help="By the thresholds of the operating point."),
    "margin": st.column_config.NumberColumn(
        "Margin", help="How much likelier the answer is than the second class.", format=IN_TABLE
    ),
    "split": st.column_config.TextColumn("Part of the data"),
}


_KNOWN_FROM = {
    "predicted": ("model", "probability", "answer", "margin"),
    "group": ("group",),
    "flagged": ("flagged",),
}
"""Which columns of the table are made of which one of what is known."""


def show(links: Links) -> None:
    """Draw the page."""
    opened = open_all()
    known = opened.known
    query = filters.query_of_the_address()
    kinds, more = loading.kinds_of_verdicts(judging.reader_now())
    with st.sidebar:
        saved.draw(query, judging.reader_now(), away=more[0][1] if more else "")
        st.subheader("Which patches", anchor=False)
        filters.draw(query, _FILTERS)
        st.button("Start over", on_click=runs.start_over, help="Takes all filters back.")
    rows = narrowed(with_verdicts(known, kinds), query)
    tell_what_is_missing(opened, more)
    heading, report = st.columns([7, 1], vertical_alignment="center")
    heading.subheader(_heading(len(rows), len(known)), anchor=False)
    missing = missing_for(known, query, is_own_data=opened.is_own_data)
    if missing is not None and not opened.remarks:
        messages.hint(missing)
    elif rows.empty:
        st.info("No patch matches. Widen the filters on the left, or start over.")
    if rows.empty:
        return
    with report:
        report_buttons.for_queue(opened, rows, query, (*opened.remarks, *more))
    with messages.stopped_by_wrong_input(messages.WRONG_ADDRESS):
        look = choose_look()
        clicked = _table(rows, _columns(known)) if look == QueueLook.TABLE else _sheet(rows, opened.manifest)
    if clicked is not None:
        links.patch({PATCH: clicked, **to_address(query)})


def missing_for(known: pd.DataFrame, query: Query, *, is_own_data: bool) -> Advice | None:
    """Return what nobody has made yet and the query asks for; None where all is there."""
    usual = Query()
    if known["predicted"].isna().all():
        return messages.NO_ANSWERS_YET if is_own_data else messages.ANSWERS_ELSEWHERE
    if query.group != usual.group and known["group"].isna().all():
        return messages.NO_EVIDENCE_YET
    if query.flagged != usual.flagged and known["flagged"].isna().all():
        return messages.NO_THRESHOLDS_YET
    return None


def _heading(shown: int, known: int) -> str:
    patches = "1 patch" if shown == 1 else f"{shown:,} patches"
    return f"{patches} of {known:,}" if shown != known else f"All {patches}"


def _columns(known: pd.DataFrame) -> list[str]:
    """Return the columns of the table: those of which nothing is known of any patch are left out."""
    unknown = {
        column for source, columns in _KNOWN_FROM.items() if known[source].isna().all() for column in columns
    }
    return [column for column in _COLUMNS if column not in unknown]


def _table(rows: pd.DataFrame, columns: list[str]) -> str | None:
    """Draw the rows; return the patch of the cell that was clicked."""
    shown = pd.DataFrame(
        {
            "patch": rows.index,
            "split": rows["split"].to_numpy(),
            "marked": rows["label"].map(class_title).to_numpy(),
            "model": [class_title(label) if pd.notna(label) else "" for label in rows["predicted"]],
            "probability": for_table(rows["probability"]).to_numpy(),
            "margin": for_table(rows["margin"]).to_numpy(),
            "answer": [str(answer).replace("_", " ") if answer else "" for answer in rows["answer"]],
            "flagged": rows["flagged"].to_numpy(),
            "group": rows["group"].fillna("").to_numpy(),
            "verdict": [filters.kinds_in_words(kinds) for kinds in rows["verdict"]],
        }
    )
    st.caption(
        "Click a row to open the patch. A click on a column's head sorts this table alone; “Sorted by”, on the left, sorts for the pictures and “Next”, too."
    )
    event = st.dataframe(
        shown,
        hide_index=True,
        column_config={**_COLUMNS, "verdict": _verdicts_column(width_for(shown["verdict"]))},
        column_order=columns,
        height=620,
        key="queue_table",
        on_select="rerun",
        selection_mode="single-cell",
    )
    cells = event.selection.cells
    return str(shown["patch"].iloc[cells[0][0]]) if cells else None


def width_for(verdicts: Iterable[str]) -> int:
    """Return how wide the column of verdicts must be to show those of two inspectors uncut, in pixels.

    Example:
        >>> width_for(["agrees"]), width_for(["agrees", "segment wrong, not a defect"])
        (110, 220)
    """
    longest = max(map(len, verdicts), default=0)
    return min(max(_NARROWEST, round(16 + _A_SIGN * longest)), _WIDEST)


def _sheet(rows: pd.DataFrame, manifest: Manifest) -> str | None:
    """Draw a sheet of thumbnails; return the patch that was clicked."""
    sheets = -(-len(rows) // _SHEET)
    first = (choose_sheet(sheets) - 1) * _SHEET
    sheet = [_tile(manifest, row) for row in rows[first : first + _SHEET].reset_index().to_dict("records")]
    if any(tile.problem for tile in sheet):
        messages.problem(messages.DAMAGED_SHEET)
    return tiles.draw(sheet)


def _tile(manifest: Manifest, row: Mapping[Any, Any]) -> tiles.Tile:
    patch = manifest.find(row["patch"])
    marked = f"marked {class_title(patch.label)}"
    answer = (
        f"model: {class_title(row['predicted'])}" if pd.notna(row["predicted"]) else "the model was not asked"
    )
    lines = tuple(filter(None, (marked, answer, row["group"], filters.kinds_in_words(row["verdict"]))))
    colour = CLASSES[patch.label].colour
    try:
        image, outline = loading.thumbnail(manifest, patch)
    except InputError as error:
        why = discreet(inside(str(error), manifest.root))
        return tiles.Tile(patch.patch, "", "", colour, (*lines, why), problem="Cannot be shown")
    return tiles.Tile(patch.patch, image, outline, colour, lines)
