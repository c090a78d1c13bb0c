"""The panel of the groups of evidence: is the answer right, and for the right reason? A group opens its patches in the queue."""

from collections.abc import Sequence

import streamlit as st

from app import messages
from app.opening import Opened
from app.overview import results
from app.overview.panel import in_brackets, tell_remarks
from app.patch import bars
from app.review.query import Query
from app.review.rows import FIRST_EVIDENCE
from app.words import class_title, percent
from explain.evaluation.evidence import Count, Group
from severstal_xai.markdown import table

_COLOURS = {
    Group.RIGHT_ON_DEFECT: (0, 90, 160),
    Group.RIGHT_ELSEWHERE: (200, 85, 0),
    Group.WRONG_ON_DEFECT: (110, 116, 122),
    Group.WRONG_ELSEWHERE: (150, 156, 162),
    Group.FOUND_NOTHING: (200, 204, 208),
}
_FEW_STRIPS = 20


def draw(opened: Opened) -> Query | None:
    """Draw the panel; return what was asked to be shown in the queue just now."""
    st.markdown("**Right for the right reason?**")
    known = opened.known[opened.known["group"].notna()]
    if known.empty:
        if not tell_remarks(opened, messages.NO_EVIDENCE):
            st.info(
                "This is not known of any patch that is shown here. The panel below says how to find out."
            )
        return None
    counts = results.group_counts(opened.known, opened.folders.run, opened.manifest.checksum)
    st.write(in_words(counts))
    opened_group = bars.draw("evidence groups", [_bar(one) for one in _of_all(counts)])
    strips = known["strip"].nunique()
    st.caption(
        "Click a group to see its patches. On the defect: more of the heat lies inside the marks than a map that knows nothing has "
        "there. The thin lines are intervals of 95 %."
        + (f" Of {strips} strips alone: this proves little." if strips < _FEW_STRIPS else "")
    )
    with st.expander("Class by class"):
        st.markdown(table(["class", *shown_groups(counts)], class_rows(counts)))
    return None if opened_group is None else Query(split=None, group=Group(opened_group))


def _of_all(counts: Sequence[Count]) -> list[Count]:
    """Return the counts of all classes together, those to be looked at first in front."""
    whole = {one.group: one for one in counts if one.label is None}
    return [whole[group] for group in shown_groups(counts)]


def shown_groups(counts: Sequence[Count]) -> list[Group]:
    """Return the groups in the order in which they are to be looked at; that of maps of zeros where there are any."""
    nothing = any(one.patches for one in counts if one.group == Group.FOUND_NOTHING)
    return [group for group in FIRST_EVIDENCE if nothing or group != Group.FOUND_NOTHING]


def _bar(count: Count) -> bars.Bar:
    share = count.share
    return bars.Bar(
        str(count.group),
        share.value,
        _COLOURS[count.group],
        reach=(share.low, share.high),
        value=f"{count.patches:,} · {percent(share.value)}",
        opens=str(count.group) if count.patches else "",
        opens_title="Show these patches in the queue",
    )


def in_words(counts: Sequence[Count]) -> str:
    """Say in Markdown how often a right answer has a right reason."""
    whole = {one.group: one.patches for one in counts if one.label is None}
    nothing, elsewhere = whole[Group.FOUND_NOTHING], whole[Group.RIGHT_ELSEWHERE]
    patches, right = sum(whole.values()) - nothing, whole[Group.RIGHT_ON_DEFECT] + elsewhere
    cold = f"On {nothing:,} with a marked defect there is no heat at all. " * bool(nothing)
    of = f"Of {patches:,} patches with a marked defect{' and heat' * bool(nothing)}"
    if not right:
        return f"{cold}{of} none is named rightly."
    said = f"{cold}{of} {right:,} {'is' if right == 1 else 'are'} named rightly; "
    if not elsewhere:
        return said + "on each of these the evidence lies on the defect."
    return (
        said
        + f"on **{elsewhere:,}** of these the evidence lies elsewhere, so the answer may be right by luck."
    )


def class_rows(counts: Sequence[Count]) -> list[list[object]]:
    """Return a row for each class: how many of its patches are in each group, and which share."""
    labels = sorted({one.label for one in counts if one.label is not None})
    cells = {
        (one.label, one.group): f"{one.patches:,} · {100 * one.share.value:.1f} %{in_brackets(one.share)}"
        for one in counts
    }
    return [
        [class_title(label), *(cells[label, group] for group in shown_groups(counts))] for label in labels
    ]
