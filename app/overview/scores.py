"""The panel of the scores on the test split: a sentence that says what they are worth, then the numbers with their intervals."""

import numpy as np
import streamlit as st

from app import messages
from app.overview.panel import absent, in_brackets
from app.patch import bars
from app.words import class_title, percent
from severstal_xai.bootstrap import Measure
from severstal_xai.classes import CLASSES, SOUND
from severstal_xai.markdown import table
from severstal_xai.scores import RunScores

_WHOLE = {
    "top1": "right at once (top-1)",
    "top3": "in its first three (top-3)",
    "balanced_accuracy": "found, mean of the classes",
}
_COLOUR = (47, 93, 124)


def draw(scores: RunScores | None) -> None:
    """Draw the panel; None for a run without scores."""
    st.markdown("**How well it names the test patches**")
    if scores is None:
        absent(messages.NO_SCORES)
        return
    st.write(in_words(scores))
    bars.draw("scores", whole_bars(scores))
    st.markdown(table(["class", "patches", "found, %", "right when named, %", "F1, %"], class_rows(scores)))
    st.caption(
        "Found (recall): of the patches marked as the class, those that the model names so. Right when named (precision): of the patches "
        "that it names so, those that are marked so. F1 is low where either is. The mean of what is found counts each class alike (balanced accuracy). "
        "The lines across the bars: what always saying “sound” reaches. In brackets: what other strips of the same kind may as "
        "well have shown, in 95 of 100 cases."
    )


def in_words(scores: RunScores) -> str:
    """Say in Markdown what the scores are worth to who inspects steel."""
    counts, top1 = scores.confusion, scores.measures["top1"]
    lazy = _lazy(scores)
    said = [
        f"It names **{percent(top1.value)}** of {counts.sum():,} test patches rightly{in_brackets(top1)}.",
        f"Always saying “{SOUND.name}” would be right on {percent(lazy)}: {_beside(top1, lazy)}.",
    ]
    defects, sound = np.delete(counts, SOUND.id, axis=0), counts[SOUND.id]
    if defects.sum():
        missed = int(defects[:, SOUND.id].sum())
        said.append(
            f"It calls **{missed:,} of {defects.sum():,}** patches with a defect sound ({percent(missed / defects.sum())})."
        )
    if sound.sum():
        alarms = int(sound.sum() - sound[SOUND.id])
        said.append(
            f"It calls {alarms:,} of {sound.sum():,} sound patches a defect ({percent(alarms / sound.sum())})."
        )
    return " ".join(said)


def _beside(top1: Measure, lazy: float) -> str:
    if top1.low > lazy:
        return "the model is better than that"
    if top1.high < lazy:
        return "**the model is worse than that**"
    return "**that the model is better cannot be told from these patches**"


def whole_bars(scores: RunScores) -> list[bars.Bar]:
    """Return the scores of all classes together; what always saying “sound” reaches is a line across."""
    counts = scores.confusion
    occurring = int((counts.sum(axis=1) > 0).sum())
    lazy = {"top1": _lazy(scores), "balanced_accuracy": 1 / occurring}
    found = []
    for name, words in _WHOLE.items():
        one = scores.measures[name]
        known = not np.isnan(one.value)
        found.append(
            bars.Bar(
                words,
                one.value if known else None,
                _COLOUR,
                instead="not known",
                value=f"{100 * one.value:.1f} %{in_brackets(one)}",
                line=lazy.get(name),
                line_title=f"always saying “{SOUND.name}”",
                reach=(one.low, one.high) if one.low < one.high else None,
            )
        )
    return found


def _lazy(scores: RunScores) -> float:
    """Return the share of patches on which always saying "sound" is right."""
    return float(scores.confusion[SOUND.id].sum() / scores.confusion.sum())


def class_rows(scores: RunScores) -> list[list[object]]:
    """Return a row for each class that occurs: found, right when named, F1."""
    nothing = Measure(np.nan, np.nan, np.nan)
    return [
        [
            class_title(known.id),
            int(scores.confusion[known.id].sum()),
            *(
                _cell(scores.measures.get(f"{kind}_{known.id}", nothing))
                for kind in ("recall", "precision", "f1")
            ),
        ]
        for known in CLASSES
        if scores.confusion[known.id].any()
    ]


def _cell(measure: Measure) -> str:
    """Write a share and its interval in per cent."""
    return "-" if np.isnan(measure.value) else f"{100 * measure.value:.1f}{in_brackets(measure)}"
