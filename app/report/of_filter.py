"""The report of the review queue as it is narrowed now: the filter in words, counts, the first patches as pictures, all of them as a table."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from app.report.explained import Explained
from app.report.pictures import patch_heat, patch_picture, scale
from app.report.provenance import Lines
from app.report.record import Column, Key, Picture, Report, Section, Table
from app.review.filters import kinds_in_words
from app.words import class_title, how_sure, percent
from severstal_xai.classes import CLASSES, SOUND
from severstal_xai.predictions import SHARES

MOST_PICTURES = 48
"""Of a report, however many patches it lists."""


@dataclass(frozen=True)
class Pictured:
    """A patch that is pictured.

    Args:
        patch: Its name.
        grey: Its picture; None where it cannot be read.
        mask: What people marked.
        probabilities: The model's, of the classes; empty where it was not asked.
        explained: The map; None where nobody asked for one.
        problem: Why it cannot be shown; empty where it can.
    """

    patch: str
    grey: np.ndarray | None
    mask: np.ndarray | None
    probabilities: tuple[float, ...]
    explained: Explained | None
    problem: str = ""

    @property
    def heat(self) -> np.ndarray | None:
        """The map times the probability of its class; None where there is no map."""
        if self.explained is None or self.explained.saliency is None:
            return None
        return self.explained.saliency * self.probabilities[self.explained.target]


@dataclass(frozen=True)
class Listed:
    """What the report of a filter is made from.

    Args:
        rows: The patches in their order, as `app.review.rows.narrowed` returns them.
        known: How many patches there are in all.
        words: The filter, a sentence or a part of one each.
        pictured: The first of the patches.
        method: Whose heat the pictures show, as people call it; empty where nobody asked for any.
        remarks: What is missing, a sentence each.
        verdicts_read: Whether the verdicts could be read; else nothing is known of them.
    """

    rows: pd.DataFrame
    known: int
    words: tuple[str, ...]
    pictured: tuple[Pictured, ...]
    method: str
    remarks: tuple[str, ...] = ()
    verdicts_read: bool = True


def of_filter(listed: Listed, made_at: datetime, made_by: str, lines: Lines) -> Report:
    """Return the report of the patches that a filter shows.

    Args:
        listed: They, and what is known of them.
        made_at: When the report is made, with its zone.
        made_by: Who makes it; may be empty.
        lines: What it is made from, as `app.report.provenance` tells it.
    """
    title = f"{_patches(len(listed.rows))} of {listed.known:,}"
    sections = [_shown(listed)]
    if listed.pictured:
        sections.append(_pictures(listed))
    if len(listed.rows):
        sections.append(_all(listed))
    return Report(title, made_at, made_by, lines, tuple(sections))


def _patches(count: int) -> str:
    return "1 patch" if count == 1 else f"{count:,} patches"


def _shown(listed: Listed) -> Section:
    sentences = (". ".join(listed.words) + ".", *listed.remarks)
    if listed.rows.empty:
        return Section("What is shown", (*sentences, "No patch matches."))
    return Section("What is shown", sentences, tables=(_counts(listed),))


def _counts(listed: Listed) -> Table:
    """Return how many patches there are of each class, answer and verdict."""
    rows = listed.rows
    kinds = Counter(kind for said in rows["verdict"] for kind in said.split())
    judged = [
        ("none in sight", int((rows["verdict"] == "").sum())),
        *((kinds_in_words(kind), count) for kind, count in kinds.most_common()),
    ]
    parts = [
        *_counted("People marked", _in_order(rows["label"].map(class_title)), len(rows)),
        *_counted(
            "Model's answer",
            _in_order(rows["predicted"].map(class_title, na_action="ignore"), "no answer in the run"),
            len(rows),
        ),
        *_counted(
            "The answer is",
            _in_order(rows["answer"].map(_answer, na_action="ignore"), "not known"),
            len(rows),
        ),
        *_counted(
            "Flagged", _in_order(rows["flagged"].map({True: "yes", False: "no"}), "not known"), len(rows)
        ),
        *_counted("Evidence", _in_order(rows["group"].map(str, na_action="ignore"), "not known"), len(rows)),
        *_counted("Verdicts", judged if listed.verdicts_read else [("not known", len(rows))], len(rows)),
    ]
    columns = (Column("", 1.5), Column("", 3), Column("Patches", number=True), Column("Share", number=True))
    return Table(columns, tuple(parts))


def _in_order(values: "pd.Series[str]", missing: str = "") -> list[tuple[str, int]]:
    """Return each value and how often it is there, by its name; what is missing comes last."""
    counts = values.dropna().value_counts().sort_index()
    found = [(str(value), int(count)) for value, count in counts.items()]
    return [*found, (missing, int(values.isna().sum()))]


def _counted(what: str, counts: Iterable[tuple[str, int]], of: int) -> list[tuple[str, ...]]:
    there = [(value, count) for value, count in counts if count]
    return [
        (what if place == 0 else "", value, f"{count:,}", percent(count / of))
        for place, (value, count) in enumerate(there)
    ]


def _answer(answer: object) -> str:
    return str(answer).replace("_", " ")


def _pictures(listed: Listed) -> Section:
    labels = listed.rows["label"]
    drawn = tuple(_picture(one, int(labels[one.patch]), listed) for one in listed.pictured)
    marked = sorted({int(labels[one.patch]) for one in listed.pictured} - {SOUND.id})
    return Section(
        "Pictures",
        (_how_many(listed),),
        tuple(Key(CLASSES[label].colour, f"marked {class_title(label)}") for label in marked),
        scale() if listed.method else None,
        drawn,
    )


def _how_many(listed: Listed) -> str:
    shown, whole = len(listed.pictured), len(listed.rows)
    which = (
        "All patches are pictured"
        if shown == whole
        else f"The first {shown} of {whole:,} patches are pictured"
    )
    if not listed.method:
        return f"{which}, without heat."
    hot = sum(one.heat is not None for one in listed.pictured)
    rest = "" if hot == shown else " Those without are hatched, and say why."
    return f"{which}, {hot or 'none'} of them with the heat of {listed.method}.{rest}"


def _picture(one: Pictured, label: int, listed: Listed) -> Picture:
    row = listed.rows.loc[one.patch]
    lines = [one.patch, f"marked {class_title(label)}"]
    if one.probabilities:
        answer = int(np.argmax(one.probabilities))
        lines.append(f"model: {class_title(answer)}, {how_sure(one.probabilities[answer])}")
    if row["verdict"]:
        lines.append(f"verdicts: {kinds_in_words(row['verdict'])}")
    if one.grey is None:
        lines.append(f"cannot be shown: {one.problem}")
        return Picture(_unseen(), f"{one.patch} cannot be shown", tuple(lines), 0.25)
    masks = {} if one.mask is None else {CLASSES[label].colour: one.mask}
    if one.explained is None:
        return Picture(patch_picture(one.grey, masks), one.patch, tuple(lines), 0.25)
    lines.append(_of_heat(one, one.explained))
    return Picture(
        patch_heat(one.grey, masks, one.heat),
        f"{one.patch} with the heat of {listed.method}" if one.heat is not None else f"{one.patch}: no heat",
        tuple(lines),
        0.25,
    )


def _unseen() -> bytes:
    return patch_heat(np.full((256, 256), 226, dtype=np.uint8), {}, None)


def _of_heat(one: Pictured, found: Explained) -> str:
    heat = one.heat
    if heat is None:
        return f"no heat: {found.words}"
    note = f"; {found.words}" if found.words else ""
    return f"heat for class {found.target}, hottest pixel {heat.max():.2f}{note}"


def _all(listed: Listed) -> Section:
    words = (
        "Classes: "
        + "; ".join(f"{known.id} {known.name}" for known in CLASSES)
        + ". The columns P0 to P4 are the model's "
        "probabilities of them; empty where the run holds no answer."
    )
    columns = (
        Column("Patch", 5.2),
        Column("Part", 3.8),
        Column("Marked", 3.3),
        Column("Answer", 3.3),
        *(Column(f"P{known.id}", 3.4, number=True) for known in CLASSES),
        Column("Answer is", 4.2),
        Column("Flagged", 3.5),
        Column("Evidence", 5.4),
        Column("Verdicts", 5.3),
    )
    return Section("All patches", (words,), tables=(Table(columns, tuple(_rows(listed))),))


def _rows(listed: Listed) -> Iterable[tuple[str, ...]]:
    rows = listed.rows
    shares = rows[SHARES].to_numpy(np.float64)
    others = rows[["split", "label", "predicted", "answer", "flagged", "group", "verdict"]].astype(object)
    for patch, row, (split, label, predicted, answer, flagged, group, verdict) in zip(
        rows.index, shares, others.itertuples(index=False, name=None), strict=True
    ):
        yield (
            str(patch),
            str(split),
            str(label),
            _or_nothing(predicted),
            *_shares(row),
            _answer(_or_nothing(answer)),
            "" if pd.isna(flagged) else "yes" if flagged else "no",
            _or_nothing(group),
            kinds_in_words(verdict) if listed.verdicts_read else "not known",
        )


def _or_nothing(value: Any) -> str:
    return "" if pd.isna(value) else str(value)


def _shares(row: Iterable[float]) -> tuple[str, ...]:
    return tuple("" if np.isnan(share) else how_sure(float(share)) for share in row)
