"""The panel of the model itself: what it is, how it came to be, and from where on it flags a patch."""

from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any

import streamlit as st

from app import messages, panels
from app.opening import Opened
from app.overview.panel import tell_remarks
from app.words import percent, plain
from severstal_xai.checkpoint import MODEL_FILE, ModelCard
from severstal_xai.markdown import table
from severstal_xai.operating_point import OperatingPoint
from severstal_xai.scores import RunScores

_DIGITS = 12
"""Of a checksum: enough to tell two apart by the eye."""
_BEGINNINGS = {"random": "random weights", "imagenet": "weights that know photographs (ImageNet)"}


def draw(opened: Opened, scores: RunScores | None) -> None:
    """Draw the panel."""
    card, run = opened.checkpoint.card, opened.folders.run
    st.markdown("**The model**")
    lines = {
        "Network": f"{plain(card.architecture)}, {_epochs(card)}",
        "Trained": _trained(run, scores),
        "How": plain(how_in_words(card.settings)),
        "Data": f"`{card.data_checksum[:_DIGITS]}`, "
        + ("the data shown here" if opened.is_own_data else "**not** the data shown here"),
        "Weights": f"`{card.weights_sha256[:_DIGITS]}`",
        "Flags": flags_in_words(opened.point),
    }
    st.markdown(table(["", ""], [[name, words] for name, words in lines.items() if words]))
    tell_remarks(opened, messages.WRONG_THRESHOLDS)
    panels.thresholds(opened.point)
    st.caption(
        "The two rows of digits tell data and weights from all others; each verdict keeps those it was given by. "
        "The model supports an inspector's judgement and does not replace it."
    )


def _epochs(card: ModelCard) -> str:
    epochs = _setting(card.settings, "epochs", int)
    of = "" if epochs is None else f" of {epochs}"
    return f"as it was after epoch {card.epoch}{of}, where it did best on the validation patches"


def _trained(run: Path, scores: RunScores | None) -> str:
    """Say when and where; a folder that was copied may have a later time."""
    try:
        at = datetime.fromtimestamp((run / MODEL_FILE).stat().st_mtime, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (OSError, OverflowError, ValueError):
        return ""
    return f"its file is of {at}" + (f"; on {plain(scores.computed)}" if scores else "")


def how_in_words(settings: dict[str, Any]) -> str:
    """Say how a model was trained, as far as its settings tell.

    Example:
        >>> how_in_words({"initial": "random", "batch_size": 8, "learning_rate": 0.01, "sampling": "balanced"})
        'from random weights; steps of 8 patches; learning rate 0.01 at first; each class as often as another'
        >>> how_in_words({"initial": "/home/anna/runs/old"})
        'from the weights of run old'
    """
    said = []
    initial = _setting(settings, "initial", str)
    if initial:
        said.append(f"from {_BEGINNINGS.get(initial) or f'the weights of run {PurePath(initial).name}'}")
    if batch := _setting(settings, "batch_size", int):
        said.append(f"steps of {batch} patches")
    if rate := _setting(settings, "learning_rate", float):
        said.append(f"learning rate {rate:g} at first")
    if _setting(settings, "sampling", str) == "balanced":
        said.append("each class as often as another")
    if most := _setting(settings, "patches_per_class", int):
        said.append(f"at most {most} patches of a class in an epoch")
    return "; ".join(said)


def _setting(settings: dict[str, Any], name: str, kind: type) -> Any:
    """Return a setting; None where it is not there or not of its kind."""
    value = settings.get(name)
    return value if isinstance(value, kind) else None


def flags_in_words(point: OperatingPoint | None) -> str:
    """Say what the thresholds together lead to; nothing where there are none."""
    if point is None:
        return ""
    look, unseen = point.test.patches, point.test.unseen
    return f"{look.value:.1f} of the six patches of a strip ({look.low:.1f} to {look.high:.1f})" + (
        f"; {percent(unseen.value)} of the patches with a defect are not flagged" if unseen else ""
    )
