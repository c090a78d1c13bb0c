"""The panel of the confusion matrix: what people marked, against what the model says; a cell opens its patches in the queue."""

import numpy as np
import pandas as pd
import streamlit as st
from jaxtyping import Int64

from app import messages
from app.opening import Opened
from app.overview import matrix
from app.overview.panel import absent, tell_remarks
from app.review.query import Query
from app.words import class_title
from severstal_xai.classes import CLASSES
from severstal_xai.manifest import Split
from severstal_xai.scores import RunScores


def draw(opened: Opened, split: Split | None, scores: RunScores | None) -> Query | None:
    """Draw the panel; return what was asked to be shown in the queue just now.

    Args:
        opened: What is shown.
        split: The part of the data; None for all.
        scores: The run's scores, to stand in where its answers are not there.
    """
    st.markdown("**What it takes for what**")
    counts = counts_of(opened.known, split)
    if not counts.any():
        if not tell_remarks(opened, messages.NO_PREDICTIONS):
            _say_why_there_are_none(opened, split)
        if scores is not None and split == Split.TEST:
            _draw_as_counted(scores)
        return None
    st.write(in_words(counts))
    cell = matrix.draw(counts, opens=True)
    st.caption(
        "Click a number to see these patches. Blue: right; orange: wrong; the darker, the more of the class."
    )
    if (
        scores is not None
        and opened.is_own_data
        and split == Split.TEST
        and (counts != scores.confusion).any()
    ):
        st.warning(
            "**The scores and the answers of this run do not belong together.** The scores count other answers than those that are shown "
            "here: `python -m training --resume true …` writes both anew."
        )
    return None if cell is None else Query(split=split, label=cell.label, predicted=cell.predicted)


def _say_why_there_are_none(opened: Opened, split: Split | None) -> None:
    if not opened.is_own_data:
        absent(messages.NOT_ASKED_HERE)
    elif split == Split.TRAIN:
        st.info(
            "The model was not asked about the patches that it learnt from. Choose another part of the data on the left."
        )
    else:
        absent(messages.NO_PREDICTIONS)


def _draw_as_counted(scores: RunScores) -> None:
    """Draw the matrix of the scores: of which patches it is nobody can tell."""
    st.write(in_words(scores.confusion))
    matrix.draw(scores.confusion, opens=False)
    st.caption(
        "As training counted them, on its own data. Which patches these are cannot be told without the model's answers to each."
    )


def counts_of(known: pd.DataFrame, split: Split | None) -> Int64[np.ndarray, "actual predicted"]:
    """Count the patches of a part of the data by what they are marked as (rows) and the model's answer (columns).

    Args:
        known: As `app.review.rows.known_of` returns it.
        split: The part; None for all.
    """
    asked = known[known["predicted"].notna()]
    if split is not None:
        asked = asked[asked["split"] == str(split)]
    cells = asked["label"].to_numpy(np.int64) * len(CLASSES) + asked["predicted"].to_numpy(np.int64)
    return np.bincount(cells, minlength=len(CLASSES) ** 2).reshape(len(CLASSES), -1)


def in_words(counts: Int64[np.ndarray, "actual predicted"]) -> str:
    """Say in Markdown which mistake is made most often.

    Example:
        >>> counts = np.zeros((5, 5), dtype=int)
        >>> counts[3, 0] = 2
        >>> in_words(counts)
        'Its most frequent mistake: **2** of 2 patches marked 3 · scratches and scabs are called 0 · sound.'
    """
    wrong = counts * (1 - np.eye(len(counts), dtype=np.int64))
    label, predicted = (int(place) for place in np.unravel_index(wrong.argmax(), wrong.shape))
    most = int(wrong[label, predicted])
    if not most:
        return "It makes no mistake here."
    return (
        f"Its most frequent mistake: **{most:,}** of {counts[label].sum():,} patches marked {class_title(label)} "
        f"{'is' if most == 1 else 'are'} called {class_title(predicted)}."
    )
