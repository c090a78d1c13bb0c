"""The panel of the verdicts: how many patches are judged, what was said, what is left, how far inspectors agree, and all of it as a file.

Nothing here tells a reader what others said of a patch that the reader is still to judge blindly: such patches count as judged, and no
more is said of them. How far others agree is told of many patches together alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from app import loading, messages
from app.access.door import may, while_may, why_not
from app.access.roles import Right
from app.overview.panel import told
from app.patch import bars
from app.review.filters import KIND_WORDS
from app.review.query import NO_VERDICT, Query
from app.verdicts.agreement import Agreement, Kappa, agreements
from app.verdicts.export import CSV_FILE, csv_file, records
from app.verdicts.readings import LOT, records_in_sight, second_readings
from app.verdicts.records import Kind
from app.verdicts.store import Store
from app.words import class_title, percent, plain
from severstal_xai.classes import CLASSES
from severstal_xai.manifest import Split
from severstal_xai.markdown import table

FEWEST = 10
"""Patches that two others judged in common before their agreement is told: of fewer it would tell what was said of each."""
_COLOUR = (47, 93, 124)
_LEFT, _SAID = "left ", "said "


@dataclass(frozen=True)
class Progress:
    """How far the judging of some patches is.

    Args:
        patches: How many there are.
        judged: How many anybody holds a verdict on.
        hidden: Of these, those of which the reader may not know what was said.
        kinds: How many each kind of verdict was given to, as far as the reader may know.
        classes: By class, how many there are, and how many of these are judged as far as the reader may know.
    """

    patches: int
    judged: int
    hidden: int
    kinds: Mapping[Kind, int]
    classes: Mapping[int, tuple[int, int]]

    @property
    def left(self) -> int:
        """How many are left to do to the reader."""
        return self.patches - self.judged + self.hidden


def progress_of(rows: pd.DataFrame, judged: Iterable[str]) -> Progress:
    """Return how far the judging of some patches is.

    Args:
        rows: The patches, with the kinds of verdicts that the reader may know, as `app.review.rows.with_verdicts` returns them.
        judged: The patches that anybody holds a verdict on, these or others.
    """
    seen = rows["verdict"] != ""
    whole = int(rows.index.isin(list(judged)).sum())
    given = [kind for kinds in rows["verdict"] for kind in kinds.split()]
    return Progress(
        patches=len(rows),
        judged=whole,
        hidden=whole - int(seen.sum()),
        kinds={kind: given.count(str(kind)) for kind in KIND_WORDS},
        classes={
            known.id: (
                int((rows["label"] == known.id).sum()),
                int((seen & (rows["label"] == known.id)).sum()),
            )
            for known in CLASSES
            if (rows["label"] == known.id).any()
        },
    )


def draw(rows: pd.DataFrame, split: Split | None, reader: str) -> Query | None:
    """Draw the panel; return what was asked to be shown in the queue just now.

    Args:
        rows: All patches, as `progress_of` takes them.
        split: The part of the data; None for all.
        reader: Who looks; empty while nobody has given a name.
    """
    st.markdown("**How far the judging is**")
    with told(messages.STORE_AWAY):
        store = loading.verdicts()
        judged = store.judged()
        touched = store.touched_by(reader) if reader else frozenset[str]()
        own = rows if split is None else rows[rows["split"] == str(split)]
        progress = progress_of(own, judged)
        st.write(in_words(progress, split))
        if split is not None:
            everywhere = progress_of(rows, judged)
            st.caption(f"Of all {everywhere.patches:,} patches {everywhere.judged:,} are judged.")
        wanted = _draw_bars(progress, split)
        waiting = second_readings(
            {patch: readers for patch, readers in judged.items() if patch in own.index}, touched, reader, LOT
        )
        head = store.head()
        _draw_agreement(_agreements(store.address, head.sha256, store), reader, len(waiting))
        _draw_file(store, reader, head.number)
        return wanted
    return None


def in_words(progress: Progress, split: Split | None) -> str:
    """Say in Markdown how far the judging is."""
    which = "patches" if split is None else {Split.TRAIN: "training patches"}.get(split, f"{split} patches")
    share = progress.judged / max(1, progress.patches)
    said = (
        f"Inspectors have judged **{progress.judged:,} of {progress.patches:,}** {which} ({percent(share)})."
    )
    if progress.hidden:
        said += (
            f" Of {progress.hidden:,} of these you are not told what was said: they are read twice, each time without knowing the "
            "other's verdict, so they are among those that are left to you."
        )
    return said


def _draw_bars(progress: Progress, split: Split | None) -> Query | None:
    """Draw what was said and what is left; return what of it is to be shown."""
    left, right = st.columns(2, gap="large")
    with left:
        st.caption(f"What was said of the {progress.judged - progress.hidden:,} whose verdicts you may see")
        said = bars.draw("verdict kinds", _kind_bars(progress))
    with right:
        st.caption(f"How many are judged of each class; **{progress.left:,}** are left to do")
        todo = bars.draw("verdicts left", _class_bars(progress))
    st.caption(
        "Click what was said to see these patches; click a class to see those of it that are left to do. Two inspectors may say different "
        "things of a patch: it then counts for each."
    )
    if said is not None:
        return Query(split=split, verdict=said.removeprefix(_SAID))
    if todo is None:
        return None
    name = todo.removeprefix(_LEFT)
    return Query(split=split, verdict=NO_VERDICT, label=int(name) if name else None)


def _kind_bars(progress: Progress) -> list[bars.Bar]:
    seen = max(1, progress.judged - progress.hidden)
    return [
        bars.Bar(
            KIND_WORDS[kind],
            count / seen,
            _COLOUR,
            value=f"{count:,}",
            opens=f"{_SAID}{kind}" if count else "",
            opens_title="Show these patches in the queue",
        )
        for kind, count in progress.kinds.items()
    ]


def _class_bars(progress: Progress) -> list[bars.Bar]:
    found = [
        _class_bar(class_title(label), str(label), patches, judged, CLASSES[label].colour)
        for label, (patches, judged) in progress.classes.items()
    ]
    return [
        *found,
        _class_bar("all of them", "", progress.patches, progress.patches - progress.left, _COLOUR),
    ]


def _class_bar(name: str, key: str, patches: int, judged: int, colour: tuple[int, int, int]) -> bars.Bar:
    return bars.Bar(
        name,
        judged / max(1, patches),
        colour,
        value=f"{judged:,} of {patches:,}",
        opens=f"{_LEFT}{key}" if judged < patches else "",
        opens_title="Show in the queue what is left to do",
    )


@st.cache_resource(max_entries=4, show_spinner=False)
def _agreements(address: str, head: str, _store: Store) -> tuple[Agreement, ...]:  # noqa: ARG001 (the chain's end tells all before it)
    return agreements(_store.entries())


def may_be_told(found: Sequence[Agreement], reader: str) -> list[Agreement]:
    """Return what a reader may know of how far others agree: what they are one of, and what is of many patches."""
    return [one for one in found if reader in one.readers or one.kinds.patches >= FEWEST]


def _draw_agreement(found: Sequence[Agreement], reader: str, waiting: int) -> None:
    """Draw how far inspectors agree where two judged the same patches blindly."""
    st.markdown("**How far inspectors agree who judged the same patches blindly**")
    if waiting and reader:
        st.write(
            f"{_patches(waiting)} for your second reading: the queue lists them among those not judged yet."
        )
    told_of = may_be_told(found, reader)
    if told_of:
        header = ["inspectors", "patches", "said the same", "kappa", "kappa of the class"]
        st.markdown(table(header, [agreement_row(one, reader) for one in told_of]))
        st.caption(
            "Kappa (Cohen's): 1 is full agreement, 0 what chance gives. “Of the class”: only which class they hold for right counts. In "
            "brackets: intervals of 95 %, by strips. Verdicts that were given with another's in sight do not count."
        )
    elif not found:
        st.caption(
            f"No two inspectors have judged the same patch blindly so far. {percent(LOT.share)} of the patches are drawn for it: who comes second "
            "to such a patch does not see the first verdict."
        )
    if len(told_of) < len(found):
        st.caption(
            f"Others who judged fewer than {FEWEST} patches in common are not listed: it would tell what was said of single patches."
        )


def _patches(count: int) -> str:
    return "1 patch waits" if count == 1 else f"{count:,} patches wait"


def agreement_row(one: Agreement, reader: str) -> list[object]:
    """Return two readers as a row of a table."""
    own = reader in one.readers
    return [
        " and ".join(plain(name) for name in one.readers),
        one.kinds.patches,
        percent(one.kinds.agreed) if one.kinds.patches else "-",
        _kappa(one.kinds),
        _kappa(one.classes) if own or one.classes.patches >= FEWEST else f"fewer than {FEWEST} patches",
    ]


def _kappa(one: Kappa) -> str:
    if one.kappa is None:
        return f"none: {one.note}"
    known = one.kappa.low == one.kappa.low
    return f"{one.kappa.value:.2f}" + (
        f" ({one.kappa.low:.2f} to {one.kappa.high:.2f})" if known else f" ({one.note})"
    )


def _draw_file(store: Store, reader: str, count: int) -> None:
    """Draw the button that makes a file of all records that the reader may see."""
    st.markdown("**All verdicts as a file**")
    if not may(Right.EXPORT):
        st.caption(why_not(Right.EXPORT))
        return
    st.download_button(
        "Verdicts (CSV)",
        while_may(Right.EXPORT, lambda: as_file(store, reader)),
        CSV_FILE,
        "text/csv",
        on_click="ignore",
        disabled=not count,
        help="A row for each record, what was taken back, too: who, when, what was said, and what was in sight.",
    )
    st.caption(
        "Of every part of the data. What others said of a patch that you are still to judge without knowing it is left out. "
        "`python -m app.audit export` writes all of it, as a parquet file, too, and a corrected `train.csv`."
    )


def as_file(store: Store, reader: str) -> bytes:
    """Return all records that a reader may see, as the command `python -m app.audit export` writes them.

    Raises:
        StoreAway: The database cannot be reached.
    """
    seen = records_in_sight(reader, store.entries(), LOT)
    return csv_file(records(seen, [entry.number for entry in store.current()]))
