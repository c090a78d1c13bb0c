"""The panel that holds the run that is shown against another one: the same patches, answered and explained by both."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from app import messages, runs
from app.asking.catalogue import CATALOGUE
from app.opening import Opened
from app.overview import results
from app.overview.methods import title_of
from app.overview.panel import told
from app.words import class_title, plain
from explain.compare import ON_DEFECT, RIGHT_REASON, TOO_FEW, Comparison, Difference
from explain.evaluation.summary import METRICS, lots_of, mean_of
from severstal_xai.bootstrap import FEWEST_STRIPS, Measure
from severstal_xai.errors import InputError
from severstal_xai.manifest import Split
from severstal_xai.markdown import table

AGAINST = "against"
"""What the other run is called in the address."""
_NONE, _CHOICE = "", "run against"
_SEED = 0
_AGAINST_MASKS = (
    RIGHT_REASON,
    ON_DEFECT,
    *(metric.title for metric in METRICS if metric.column in results.AGAINST_MASKS),
)


@dataclass(frozen=True)
class Answers:
    """How the answers of two runs differ on the patches that both were asked about.

    Args:
        patches: How many these are.
        gained: Patches that the run that is shown names rightly and the other one does not.
        lost: The other way round.
        strips: Of how many strips.
        change: How much larger the share of right answers is, in per cent, with its interval.
        table: The patches of which exactly one run is right: `label`, `other` and `own`, the answers; the lost ones first.
    """

    patches: int
    gained: int
    lost: int
    strips: int
    change: Measure
    table: pd.DataFrame


def answers_compared(own: pd.DataFrame, other: pd.DataFrame) -> Answers:
    """Hold answers against those of another run.

    Args:
        own: Of the patches that are asked for: `strip`, `label` and `predicted`, missing where the model was not asked.
        other: The other run's answers, as `severstal_xai.predictions` reads them.

    Raises:
        InputError: No patch was answered by both.
    """
    theirs = other.set_index("patch")["predicted"].reindex(own.index)
    both = own[own["predicted"].notna() & theirs.notna()]
    if both.empty:
        raise InputError(
            "no patch was answered by both runs, expected one at least: were they trained on the same data?"
        )
    theirs = theirs[both.index]
    right, right_there = ((answer == both["label"]).to_numpy(bool) for answer in (both["predicted"], theirs))
    change = 100 * (right.astype(float) - right_there.astype(float))
    found = pd.DataFrame(
        {"label": both["label"], "other": theirs.astype(int), "own": both["predicted"].astype(int)}
    )
    differs = right != right_there
    lost_first = np.argsort(right[differs], kind="stable")
    return Answers(
        len(both),
        int((right & ~right_there).sum()),
        int((~right & right_there).sum()),
        both["strip"].nunique(),
        mean_of(change, lots_of(list(both["strip"]), _SEED)),
        found[differs].iloc[lost_first],
    )


def draw(opened: Opened, split: Split | None) -> str | None:
    """Draw the panel; return the patch that was asked for just now."""
    st.markdown("**Beside another run**")
    beside = runs.others()
    if not beside:
        st.caption(
            "No other run lies beside this one. Train a second one into the same folder, and here you see what it gained and lost."
        )
        return None
    own = opened.folders.run
    name = _choose(list(beside), own.resolve().name)
    if name is None:
        st.caption("Choose a run to see, patch by patch, what the one that is shown does better or worse.")
        return None
    other = beside[name]
    titles = (name, own.resolve().name)
    clicked = None
    with told(messages.NO_COMPARISON, other):
        clicked = _draw_answers(opened, split, other, titles)
    with told(messages.NO_COMPARED_MAPS, other, own):
        _draw_explanations(results.comparison(other, own), titles)
    return clicked


def _choose(names: Sequence[str], shown: str) -> str | None:
    """Let the user choose the other run; None where none is chosen, or where the address names none of these."""
    named = st.query_params.get(AGAINST, _NONE)
    known = named in {*names, _NONE}
    st.session_state[_CHOICE] = named if known else None

    def put() -> None:
        if st.session_state[_CHOICE]:
            st.query_params[AGAINST] = st.session_state[_CHOICE]
        else:
            st.query_params.pop(AGAINST, None)

    st.selectbox(
        "The other run",
        [_NONE, *names],
        key=_CHOICE,
        format_func=lambda name: name or "none",
        placeholder="Choose a run",
        on_change=put,
        help="Both runs are held against each other on the same patches.",
    )
    if named == shown:
        st.caption("A run is not held against itself.")
    elif not known:
        messages.problem(messages.NO_SUCH_RUN, named)
    return named if known and named else None


def _draw_answers(opened: Opened, split: Split | None, other: Path, titles: tuple[str, str]) -> str | None:
    known = opened.known if split is None else opened.known[opened.known["split"] == str(split)]
    found = answers_compared(known, results.answers(other))
    st.write(in_words(found, titles))
    if results.card_of(other).data_checksum != opened.manifest.checksum:
        st.caption(
            f"{plain(titles[0])} was trained on other data than is shown here: its answers are matched by the names of the patches."
        )
    if found.table.empty:
        return None
    before, after = titles
    gained = (found.table["own"] == found.table["label"]).to_numpy(bool)
    shown = pd.DataFrame(
        {
            "change": np.where(gained, "gained: right now", "lost: wrong now"),
            "patch": found.table.index,
            "marked": found.table["label"].map(class_title).to_numpy(),
            "other": found.table["other"].map(class_title).to_numpy(),
            "own": found.table["own"].map(class_title).to_numpy(),
        }
    )
    event = st.dataframe(
        shown,
        hide_index=True,
        height=min(38 + 35 * len(shown), 300),
        key="changed answers",
        on_select="rerun",
        selection_mode="single-cell",
        column_config={
            "change": st.column_config.TextColumn("Answer"),
            "patch": st.column_config.TextColumn("Patch"),
            "marked": st.column_config.TextColumn("Marked as"),
            "other": st.column_config.TextColumn(f"{before} says"),
            "own": st.column_config.TextColumn(f"{after} says"),
        },
    )
    st.caption("Click a row to open the patch.")
    cells = event.selection.cells
    return str(shown["patch"].iloc[cells[0][0]]) if cells else None


def in_words(found: Answers, titles: tuple[str, str]) -> str:
    """Say in Markdown what the run that is shown gained and lost against the other one, which is named first."""
    before, after = map(plain, titles)
    change = found.change
    said = (
        f"On {found.patches:,} patches that both answered, **{after}** is right on **{found.gained:,}** where {before} is wrong, and wrong on "
        f"**{found.lost:,}** where {before} is right: {change.value:+.1f} points of right answers ({change.low:+.1f} to {change.high:+.1f})"
    )
    if found.strips < FEWEST_STRIPS:
        return f"{said}, {TOO_FEW}."
    if change.low > 0:
        return f"{said}, so it is better."
    return f"{said}, so it is worse." if change.high < 0 else f"{said}, no difference that could be told."


def _draw_explanations(compared: Comparison, titles: tuple[str, str]) -> None:
    before, after = map(plain, titles)
    told_of = [one for one in compared.differences if one.name.partition(": ")[0] in CATALOGUE]
    first = [one for one in told_of if one.name.endswith(_AGAINST_MASKS)]
    rest = [one for one in told_of if one not in first]
    st.write(explanations_in_words(compared, first))
    header = ["", before, after, "change", ""]
    if first:
        st.markdown(table(header, [difference_row(one) for one in first]))
    if rest:
        with st.expander("What the heat shows of what the model goes by"):
            st.markdown(table(header, [difference_row(one) for one in rest]))
            st.caption("Drop and deletion: less is better. Increase and insertion: more is better.")
    st.caption(
        "Of the patches that both evaluations have, the mean of what changed on each; in brackets the interval of 95 %, by strips. “No difference "
        "that could be told”: the interval holds 0. “Too few strips to tell”: fewer than five, of which an interval says nothing."
    )


def explanations_in_words(compared: Comparison, against_masks: Sequence[Difference]) -> str:
    """Say in Markdown how many of the measures of heat changed, on how many patches."""
    better, worse = (sum(one.verdict == verdict for one in against_masks) for verdict in ("better", "worse"))
    other = (
        f" Left out are {compared.of_other_data:,} whose image or marks are not the same for both."
        * bool(compared.of_other_data)
    )
    said = f"The heat of both was evaluated on {compared.patches:,} patches.{other}"
    if against_masks and all(one.verdict == TOO_FEW for one in against_masks):
        return f"{said} They are of {TOO_FEW}."
    return (
        f"{said} Of {len(against_masks)} measures of how it agrees with the marks "
        f"**{better or 'none'}** {'is' if better < 2 else 'are'} better now and **{worse or 'none'}** {'is' if worse < 2 else 'are'} worse."
    )


def difference_row(one: Difference) -> list[str]:
    """Return a difference of a method's as a row of a table."""
    method, _, measure = one.name.partition(": ")
    change = f"{one.change.value:+.1f} ({one.change.low:+.1f} to {one.change.high:+.1f})"
    return [f"{title_of(method)}: {measure}", f"{one.before:.1f}", f"{one.after:.1f}", change, one.verdict]
