"""The review queue: all patches as a table or as thumbnails, narrowed and sorted, each a click away from its own page."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app import filters, judging, loading, report_buttons, tiles
from app.filters import PATCH
from app.links import Links
from app.opening import open_all, tell_what_is_missing
from app.query import to_address
from app.review import narrowed, with_verdicts
from app.words import class_title
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
    "text",
    "sort",
    "reverse",
)
_COLUMNS = {
    "patch": st.column_config.TextColumn("Patch"),
    "marked": st.column_config.TextColumn("Marked as", help="The class, as people marked it."),
    "model": st.column_config.TextColumn("Model's answer", help="The likeliest class."),
    "probability": st.column_config.ProgressColumn(
        "Sure", help="The model's probability of its answer.", min_value=0.0, max_value=1.0, format="percent"
    ),
    "answer": st.column_config.TextColumn("Answer is"),
    "group": st.column_config.TextColumn(
        "Evidence",
        width="medium",
        help="Is the answer right, and does the evidence lie on the marked defect?",
    ),
    "verdict": st.column_config.TextColumn("Verdicts", help="What inspectors said of it."),
    "flagged": st.column_config.CheckboxColumn("Flagged", help="By the thresholds of the operating point."),
    "margin": st.column_config.NumberColumn(
        "Margin", help="How much likelier the answer is than the second class.", format="percent"
    ),
    "split": st.column_config.TextColumn("Part of the data"),
}


def show(links: Links) -> None:
    """Draw the page."""
    opened = open_all()
    known = opened.known
    query = filters.query_of_the_address()
    kinds, more = loading.kinds_of_verdicts(judging.reader_now())
    with st.sidebar:
        st.subheader("Which patches", anchor=False)
        filters.draw(query, _FILTERS)
        st.button("Start over", on_click=st.query_params.clear, help="Takes all filters back.")
    rows = narrowed(with_verdicts(known, kinds), query)
    tell_what_is_missing(opened, more)
    heading, report = st.columns([7, 1], vertical_alignment="center")
    heading.subheader(_heading(len(rows), len(known)), anchor=False)
    if rows.empty:
        st.info("No patch matches. Widen the filters on the left, or start over.")
        return
    with report:
        report_buttons.for_queue(opened, rows, query, (*opened.remarks, *more))
    look = st.segmented_control(
        "Look",
        ["Table", "Pictures"],
        default="Table",
        required=True,
        key="queue_look",
        label_visibility="collapsed",
    )
    clicked = _table(rows) if look == "Table" else _sheet(rows, opened.manifest)
    if clicked is not None:
        links.patch({PATCH: clicked, **to_address(query)})


def _heading(shown: int, known: int) -> str:
    patches = "1 patch" if shown == 1 else f"{shown:,} patches"
    return f"{patches} of {known:,}" if shown != known else f"All {patches}"


def _table(rows: pd.DataFrame) -> str | None:
    """Draw the rows; return the patch of the cell that was clicked."""
    shown = pd.DataFrame(
        {
            "patch": rows.index,
            "split": rows["split"].to_numpy(),
            "marked": rows["label"].map(class_title).to_numpy(),
            "model": rows["predicted"].map(class_title, na_action="ignore").to_numpy(),
            "probability": rows["probability"].round(3).to_numpy(),
            "margin": rows["margin"].round(3).to_numpy(),
            "answer": rows["answer"]
            .map(lambda answer: str(answer).replace("_", " "), na_action="ignore")
            .to_numpy(),
            "flagged": rows["flagged"].to_numpy(),
            "group": rows["group"].fillna("").to_numpy(),
            "verdict": [filters.kinds_in_words(kinds) for kinds in rows["verdict"]],
        }
    )
    st.caption("Click a row to open the patch. A click on a column's head sorts what is shown.")
    event = st.dataframe(
        shown,
        hide_index=True,
        column_config=_COLUMNS,
        column_order=list(_COLUMNS),
        height=620,
        key="queue_table",
        on_select="rerun",
        selection_mode="single-cell",
    )
    cells = event.selection.cells
    return str(shown["patch"].iloc[cells[0][0]]) if cells else None


def _sheet(rows: pd.DataFrame, manifest: Manifest) -> str | None:
    """Draw a sheet of thumbnails; return the patch that was clicked."""
    sheets = -(-len(rows) // _SHEET)
    sheet = st.pagination(sheets, key="queue_sheet") if sheets > 1 else 1
    first = (min(sheet, sheets) - 1) * _SHEET
    return tiles.draw(
        [_tile(manifest, row) for row in rows[first : first + _SHEET].reset_index().to_dict("records")]
    )


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
        return tiles.Tile(patch.patch, "", "", colour, lines, problem=f"Cannot be shown: {error}")
    return tiles.Tile(patch.patch, image, outline, colour, lines)
