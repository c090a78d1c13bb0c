"""The review queue: all patches as a table or as thumbnails, narrowed and sorted, each a click away from its own page."""

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import pandas as pd
import streamlit as st

from app import loading, messages, tiles
from app.query import ANY_VERDICT, MOST_TEXT, NO_VERDICT, Answer, Query, Sort, from_address, to_address
from app.review import narrowed
from app.words import class_title
from explain.evaluation.evidence import Group
from severstal_xai.classes import CLASSES
from severstal_xai.errors import InputError
from severstal_xai.manifest import Manifest, Split

Open = Callable[[str, Mapping[str, str]], NoReturn]
"""Opens a page of the inspector: its name, and what its address is to hold."""

_SHEET = 24
"""Thumbnails on a sheet."""
_SPLITS = {
    None: "all patches",
    Split.TEST: "test: never seen in training",
    Split.VALIDATION: "validation: used to choose the model",
    Split.TRAIN: "training: the model learnt from these",
}
_ANSWERS = {
    None: "any",
    Answer.RIGHT: "right",
    Answer.WRONG: "wrong",
    Answer.MISSED: "missed: a defect called sound",
    Answer.FALSE_ALARM: "false alarm: sound steel called a defect",
    Answer.CONFUSED: "confused: the wrong defect",
}
_FLAGGED = {None: "either", True: "flagged", False: "not flagged"}
_GROUPS = {None: "any", **{group: str(group) for group in Group}}
_VERDICTS = {None: "any or none", NO_VERDICT: "not judged yet", ANY_VERDICT: "judged"}
_SORTS = {
    Sort.EVIDENCE: "evidence: right but elsewhere first",
    Sort.DOUBT: "how little the model believes the marked class",
    Sort.PROBABILITY: "how sure the model is, least first",
    Sort.MARGIN: "margin to the second class, least first",
    Sort.NAME: "name",
}
_KEY = "queue_"
_COLUMNS = {
    "patch": st.column_config.TextColumn("Patch"),
    "split": st.column_config.TextColumn("Part"),
    "marked": st.column_config.TextColumn("Marked as", help="The class, as people marked it."),
    "model": st.column_config.TextColumn("Model's answer", help="The likeliest class."),
    "probability": st.column_config.ProgressColumn(
        "Sure", help="The model's probability of its answer.", min_value=0.0, max_value=1.0, format="percent"
    ),
    "margin": st.column_config.NumberColumn(
        "Margin", help="How much likelier the answer is than the second class.", format="percent"
    ),
    "answer": st.column_config.TextColumn("Answer is"),
    "flagged": st.column_config.CheckboxColumn("Flagged", help="By the thresholds of the operating point."),
    "group": st.column_config.TextColumn(
        "Evidence", help="Is the answer right, and does the evidence lie on the marked defect?"
    ),
    "verdict": st.column_config.TextColumn("Verdicts", help="What inspectors said of it."),
}


def show(open_page: Open) -> None:
    """Draw the page."""
    with messages.stopped_by_wrong_input(messages.WRONG_START):
        folders = loading.folders()
    with messages.stopped_by_wrong_input(messages.NO_DATA):
        manifest = loading.open_data(folders.data)
    with messages.stopped_by_wrong_input(messages.NO_MODEL):
        checkpoint = loading.open_model(folders.run)
    query = _query()
    known, remarks = loading.known_patches(folders.run, checkpoint, manifest)
    rows = narrowed(known.assign(verdict=""), query)
    with st.sidebar:
        _controls(query)
    for advice, detail in remarks:
        messages.warn(advice, detail)
    st.subheader(_heading(len(rows), len(known)), anchor=False)
    if rows.empty:
        st.info("No patch matches. Widen the filters on the left, or start over.")
        return
    look = st.segmented_control(
        "Look",
        ["Table", "Pictures"],
        default="Table",
        required=True,
        key="queue_look",
        label_visibility="collapsed",
    )
    opened = _table(rows) if look == "Table" else _sheet(rows, manifest)
    if opened is not None:
        open_page("patch", {"patch": opened, **to_address(query)})


def _query() -> Query:
    """Return what the address asks for; where it cannot be read, say so and stop."""
    try:
        return from_address(st.query_params.to_dict())
    except InputError as error:
        messages.problem(messages.WRONG_ADDRESS, str(error))
        st.button("Start over", on_click=st.query_params.clear)
        st.stop()


def _heading(shown: int, known: int) -> str:
    patches = "1 patch" if shown == 1 else f"{shown:,} patches"
    return f"{patches} of {known:,}" if shown != known else f"All {patches}"


def _controls(query: Query) -> None:
    """Draw the filters as the query has them; a change goes into the address, and so into the query."""
    st.subheader("Which patches", anchor=False)
    classes = {None: "all classes", **{known.id: class_title(known.id) for known in CLASSES}}
    _choice(
        "split",
        "Part of the data",
        _SPLITS,
        query,
        "Judge the model by test patches: it has never seen them.",
    )
    _choice(
        "label",
        "Marked as",
        classes,
        query,
        "The class, as people marked it: 0 is sound steel, 1 to 4 are defects.",
    )
    _choice("predicted", "Model's answer", classes, query, "The class that the model finds likeliest.")
    _choice(
        "answer", "The answer is", _ANSWERS, query, "How the model's answer stands to what people marked."
    )
    _choice(
        "group",
        "Evidence",
        _GROUPS,
        query,
        "Is the answer right, and does the heat lie on the marked defect?",
    )
    _choice("flagged", "Flagged", _FLAGGED, query, "Whether a defect is as probable as its threshold.")
    _choice("verdict", "Verdicts", _VERDICTS, query, "What inspectors said of the patch.")
    st.session_state[f"{_KEY}range"] = (query.low, query.high)
    st.slider(
        "How sure the model is",
        0.0,
        1.0,
        step=0.01,
        key=f"{_KEY}range",
        format="percent",
        on_change=_to_the_address,
        help="The probability of the model's answer, from and to.",
    )
    st.session_state[f"{_KEY}text"] = query.text
    st.text_input(
        "Name holds",
        key=f"{_KEY}text",
        max_chars=MOST_TEXT,
        on_change=_to_the_address,
        help="A part of the patch's or the strip's name.",
    )
    _choice("sort", "Sorted by", _SORTS, query, "What is not known comes last.")
    st.session_state[f"{_KEY}reverse"] = query.reverse
    st.toggle("The other way round", key=f"{_KEY}reverse", on_change=_to_the_address)
    st.button("Start over", on_click=st.query_params.clear, help="Takes all filters back.")


def _choice(name: str, title: str, options: Mapping[Any, str], query: Query, words: str) -> None:
    key = f"{_KEY}{name}"
    st.session_state[key] = getattr(query, name)
    st.selectbox(
        title, list(options), key=key, format_func=options.__getitem__, on_change=_to_the_address, help=words
    )


def _to_the_address() -> None:
    state = st.session_state
    low, high = state[f"{_KEY}range"]
    names = (
        "split",
        "label",
        "predicted",
        "answer",
        "group",
        "flagged",
        "verdict",
        "sort",
        "reverse",
        "text",
    )
    query = Query(low=low, high=high, **{name: state[f"{_KEY}{name}"] for name in names})
    st.query_params.from_dict(to_address(query))


def _table(rows: pd.DataFrame) -> str | None:
    """Draw the rows; return the patch of the cell that was clicked."""
    shown = pd.DataFrame(
        {
            "patch": rows.index,
            "split": rows["split"].to_numpy(),
            "marked": rows["label"].map(class_title).to_numpy(),
            "model": rows["predicted"].map(class_title, na_action="ignore").to_numpy(),
            "probability": rows["probability"].to_numpy(),
            "margin": rows["margin"].to_numpy(),
            "answer": rows["answer"]
            .map(lambda answer: str(answer).replace("_", " "), na_action="ignore")
            .to_numpy(),
            "flagged": rows["flagged"].to_numpy(),
            "group": rows["group"].to_numpy(),
            "verdict": rows["verdict"].to_numpy(),
        }
    )
    st.caption("Click a row to open the patch. A click on a column's head sorts what is shown.")
    event = st.dataframe(
        shown,
        hide_index=True,
        column_config=_COLUMNS,
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


def _tile(manifest: Manifest, row: Mapping[str, Any]) -> tiles.Tile:
    patch = manifest.find(row["patch"])
    marked = f"marked {class_title(patch.label)}"
    answer = (
        f"model: {class_title(row['predicted'])}" if pd.notna(row["predicted"]) else "the model was not asked"
    )
    lines = (marked, answer, *(str(row[column]) for column in ("group", "verdict") if row[column]))
    colour = CLASSES[patch.label].colour
    try:
        image, outline = loading.thumbnail(manifest, patch)
    except InputError as error:
        return tiles.Tile(patch.patch, "", "", colour, lines, problem=f"Cannot be shown: {error}")
    return tiles.Tile(patch.patch, image, outline, colour, lines)
