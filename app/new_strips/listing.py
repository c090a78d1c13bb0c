"""The list of new strips: where they come in, what the model says of each, which files were not taken, and all of it as files."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app import messages
from app.access.door import may, while_may, why_not
from app.access.roles import Right
from app.fragments import draw_every
from app.new_strips import desk as at
from app.new_strips.answers import is_any_flagged
from app.new_strips.desk import Desk
from app.new_strips.images import Refused
from app.new_strips.report_buttons import draw_button, list_report_of
from app.new_strips.tables import NO_STEEL, Listed, as_frame, refused_csv, results_csv
from app.new_strips.uploads import MOST_BYTES, MOST_FILES
from app.new_strips.watch import MOST_FILES as MOST_WATCHED
from app.new_strips.watch import Sight
from app.report.as_html import to_html
from app.report.as_pdf import to_pdf
from app.visitor import POLL
from app.words import IN_TABLE, for_table, plain

_SLICE = 0.5
"""Seconds of asking between two drawings of the list."""
_LOOK = 2.0
"""Seconds between two looks at the folder while nothing happens."""
_ROUND, _SHOWN = "which list of uploads", "images as listed last"
_COLUMNS = {
    "picture": st.column_config.ImageColumn("Picture", width=130),
    "file": st.column_config.TextColumn("File", width=120),
    "window": st.column_config.NumberColumn(
        "Window", help="The most suspicious one, counted from the left.", width=70
    ),
    "answer": st.column_config.TextColumn(
        "Model's answer there", help="The likeliest class on that window.", width=175
    ),
    "defect": st.column_config.ProgressColumn(
        "Defect",
        help="The probability of that window's likeliest defect.",
        min_value=0.0,
        max_value=100.0,
        format=IN_TABLE,
        width=100,
    ),
    "flagged": st.column_config.TextColumn(
        "Flagged as class in window",
        width=215,
        help="By the thresholds of the operating point: each class, and the windows from the left that are flagged as it.",
    ),
    "from": st.column_config.TextColumn("From", width=75),
    "remark": st.column_config.TextColumn(
        "Remark",
        help="Windows that are black or blank: the model is not asked about them. And the same file elsewhere, or another file of the same "
        "name: data preparation refuses both.",
    ),
}
_REFUSED = {
    "file": st.column_config.TextColumn("File", width=190),
    "from": st.column_config.TextColumn("From", width=75),
    "reason": st.column_config.TextColumn("Why not", width=730),
}


def draw(desk: Desk) -> None:
    """Draw the list, and go on checking and asking while it is shown."""
    st.subheader("New strips", anchor=False)
    st.write(
        "What the model says of images that are not part of the data: strips (1600 x 256) or patches (256 x 256), JPEG or PNG."
    )
    _draw_uploader(desk)
    pace = _pace(desk)

    def live() -> None:
        at.work(desk, _SLICE)
        if _pace(desk) != pace:
            st.rerun()
        _draw_all(desk)

    with st.container(key="live"):
        draw_every(pace, live)
    _draw_downloads(desk)
    _say_how_they_become_data()


def _pace(desk: Desk) -> float | None:
    """Return the seconds until the list is drawn again; None where nothing can change by itself."""
    if _pending(at.sight_of(desk), at.listed(desk)):
        return POLL
    return _LOOK if desk.watch else None


def _pending(sight: Sight, known: Sequence[Listed]) -> int:
    """Return how many files there is still something to do about."""
    return sight.arriving + sight.waiting + sum(one.answer is None for one in known)


def _draw_uploader(desk: Desk) -> None:
    """Draw the field where files are dropped, and take what lies in it."""
    key = f"uploads {st.session_state.setdefault(_ROUND, 0)}"
    if key not in st.session_state:
        desk.uploads.begin_anew()
    files = st.file_uploader(
        "Images to look at",
        accept_multiple_files=True,
        key=key,
        help=f"At most {MOST_FILES} files and {MOST_BYTES >> 20} MB at a time. They stay in memory and are written nowhere; nobody else sees "
        "them, and they are gone when this page is closed or loaded anew.",
    )
    for file in files:
        desk.uploads.offer(file.file_id, file.name, file.getvalue())
        _let_go(file.file_id)
    desk.uploads.browser_lists(one.file_id for one in st.session_state[key])


def _let_go(number: str) -> None:
    """Have Streamlit forget an upload, which it would hold until the session ends."""
    context = get_script_run_ctx()
    remove = getattr(context.uploaded_file_mgr, "remove_file", None) if context else None
    if context and remove:
        remove(context.session_id, number)


def _forget_uploads(desk: Desk) -> None:
    desk.uploads.forget_all()
    st.session_state[_ROUND] += 1


def _draw_all(desk: Desk) -> None:
    sight, known, refused = at.sight_of(desk), at.listed(desk), at.all_refused(desk)
    _draw_watched(desk, sight)
    if not known and not refused:
        if not _pending(sight, known):
            st.info(
                "There is nothing here yet. Drop images above"
                + (", or put them into the folder." if desk.watch else ".")
            )
        return
    _draw_progress(known)
    if known:
        clicked = _draw_table(desk, known)
        if clicked is not None:
            at.go_to(at.address_of(clicked))
            st.rerun()
    if refused:
        _draw_refused(refused)


def _draw_watched(desk: Desk, sight: Sight) -> None:
    if desk.watch is None:
        st.caption("A folder can be watched, too: start the inspector with `-- --watch DIR`.")
        return
    if sight.problem:
        messages.warn(messages.FOLDER_AWAY, f"{desk.watch.name}: {sight.problem}")
        return
    arriving = sight.arriving + sight.waiting
    more = (
        f" {arriving} just arrived and {'is' if arriving == 1 else 'are'} taken as soon as {'it is' if arriving == 1 else 'they are'} whole."
        if arriving
        else ""
    )
    left_out = (
        f" {sight.left_out:,} older ones are not looked at, for at most {MOST_WATCHED} are: move some out of it."
        if sight.left_out
        else ""
    )
    files = len(sight.images) + len(sight.refused)
    st.caption(
        f"Watched folder: {plain(desk.watch.name)}, {'1 file' if files == 1 else f'{files:,} files'} looked at.{more}{left_out} It is looked at again "
        "every few seconds; folders in it are not."
    )


def _draw_progress(known: Sequence[Listed]) -> None:
    asked = sum(one.answer is not None for one in known)
    if asked < len(known):
        st.progress(
            asked / len(known),
            text=f"The model was asked about {asked:,} of {len(known):,} images, and goes on while this list is open.",
        )


def heading(known: Sequence[Listed], desk: Desk) -> str:
    """Return what stands over the table."""
    images = "1 image" if len(known) == 1 else f"{len(known):,} images"
    answers = [one.answer for one in known if one.answer]
    flagged = sum(is_any_flagged(answer, desk.point) for answer in answers)
    unseen = sum(bool(answer.unseen) for answer in answers)
    dark = f", {unseen} with {NO_STEEL} on a window" if unseen else ""
    what = "flagged" if desk.point else "with a defect as the answer on a window"
    so_far = " so far" if any(one.answer is None for one in known) else ""
    return f"{images}, {flagged or 'none'} {what}{dark}{so_far}"


def _draw_table(desk: Desk, known: Sequence[Listed]) -> Listed | None:
    """Draw the images; return the one whose cell was clicked."""
    st.markdown(f"**{heading(known, desk)}**")
    st.caption(
        "The most suspicious first. Click one to see it large, and why. A click on a column's head sorts by it."
    )
    before: list[dict[str, str]] = st.session_state.get(_SHOWN, [])
    frame = as_frame(known, desk.point)
    frame["defect"] = for_table(frame["defect"])
    event = st.dataframe(
        frame,
        hide_index=True,
        column_config=_COLUMNS,
        column_order=[name for name in _COLUMNS if _is_worth_a_column(name, frame, desk)],
        row_height=40,
        height=min(420, 37 + 40 * len(frame)),
        key="new_strips_table",
        on_select="rerun",
        selection_mode="single-cell",
    )
    st.session_state[_SHOWN] = [at.address_of(one) for one in known]
    cells = event.selection.cells
    if not cells or cells[0][0] >= len(before):
        return None
    return at.named_by(before[cells[0][0]], list(known))  # as it was drawn when it was clicked


def _is_worth_a_column(name: str, frame: pd.DataFrame, desk: Desk) -> bool:
    if name == "flagged":
        return desk.point is not None
    if name == "from":
        return len(set(frame["from"])) > 1
    return name != "remark" or bool((frame["remark"] != "").any())


def _draw_refused(refused: Sequence[tuple[str, Refused]]) -> None:
    files = "1 file was" if len(refused) == 1 else f"{len(refused):,} files were"
    st.markdown(f"**{files} not taken**")
    st.dataframe(
        pd.DataFrame([{"file": one.name, "from": source, "reason": one.reason} for source, one in refused]),
        hide_index=True,
        column_config=_REFUSED,
        column_order=list(_REFUSED),
        height=min(280, 37 + 35 * len(refused)),
        key="new_strips_refused",
    )


def _draw_downloads(desk: Desk) -> None:
    """Draw what makes files of the list, as it is when they are clicked.

    Outside of what is drawn again and again: what a button makes is forgotten when that button is drawn anew.
    """
    known, refused = at.listed(desk), at.all_refused(desk)
    if not known and not refused:
        return
    results, wrong, pdf, html, forget = st.columns(5)
    forget.button(
        "Forget all uploads",
        on_click=_forget_uploads,
        args=(desk,),
        disabled=not (desk.uploads.images or desk.uploads.refused),
        width="stretch",
        help="Takes them out of the list and out of memory. Files in the watched folder stay.",
    )
    if not may(Right.EXPORT):
        st.caption(why_not(Right.EXPORT))
        return
    results.download_button(
        "Results (CSV)",
        while_may(Right.EXPORT, lambda: results_csv(at.listed(desk), desk.point, desk.weights)),
        "new_strips.csv",
        "text/csv",
        on_click="ignore",
        disabled=not any(one.answer for one in known),
        width="stretch",
        help="A row for each window: the file and its checksum, the probabilities, the answer, what is flagged, the model's checksum, and when it was asked.",
    )
    wrong.download_button(
        "Files not taken (CSV)",
        while_may(Right.EXPORT, lambda: refused_csv(at.all_refused(desk))),
        "new_strips_not_taken.csv",
        "text/csv",
        on_click="ignore",
        disabled=not refused,
        width="stretch",
        help="Each file by its name, with the reason.",
    )
    made = list_report_of(desk)
    with pdf:
        draw_button(made, to_pdf, "PDF", "new_strips.pdf", "application/pdf")
    with html:
        draw_button(made, to_html, "HTML", "new_strips.html", "text/html")


def _say_how_they_become_data() -> None:
    with st.expander("How new strips come into the data, and why there are no verdicts here"):
        st.write(
            "A verdict holds the model's answer against what people marked, and nobody marked anything on these images yet. So there is "
            "nothing to judge here. To bring strips into the data, lay their files beside the others in `train_images/`, each under a name of its own, "
            "add what is marked on them to `train.csv` (a line a class: file, class, run-length code; a strip without a line is sound), and prepare the data anew:"
        )
        st.code("python -m data_prep --source FOLDER --output data/patches", language=None)
