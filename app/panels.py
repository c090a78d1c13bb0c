"""The panels of the pages: one function a panel, each explained to its reader in plain English."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import streamlit as st
import torch

from app.asking.explanations import Failed, Found
from app.folders import Folders
from app.jobs import Cancelled, State
from app.patch import bars, layers
from app.words import class_title, how_sure, percent, plain
from explain.metrics.localisation import energy_pointing
from severstal_xai.checkpoint import Checkpoint
from severstal_xai.classes import CLASSES
from severstal_xai.manifest import Manifest, Patch
from severstal_xai.markdown import table
from severstal_xai.operating_point import Expected, OperatingPoint, flagged_as

_MAP_COLOUR, _CHANCE_COLOUR = (47, 93, 124), (150, 156, 162)


def provenance(folders: Folders, checkpoint: Checkpoint, manifest: Manifest) -> None:
    """Say which data and which model are shown; the folders' names only."""
    data, run = folders.data.resolve().name, folders.run.resolve().name
    st.caption(
        f"Data: {plain(data)}, {len(manifest.patches)} patches  \n"
        f"Model: {plain(run)}, {plain(checkpoint.card.architecture)}, epoch {checkpoint.card.epoch}"
    )


def heading(patch: Patch, probabilities: Sequence[float], point: OperatingPoint | None) -> None:
    """Name the patch, what people say of it, what the model says, and whether an inspector is to look at it."""
    answer = int(np.argmax(probabilities))
    st.subheader(f"Patch {plain(patch.patch)}", anchor=False)
    st.write(
        f"People marked it **{class_title(patch.label)}**. "
        + ("The model agrees: " if answer == patch.label else "The model disagrees: ")
        + f"**{class_title(answer)}**, with a probability of {how_sure(probabilities[answer])}. "
        + (flagged_in_words(flagged_as(point, probabilities)) if point else "")
    )


def flagged_in_words(labels: Sequence[int]) -> str:
    """Say, in Markdown, whether and as what a patch is flagged."""
    if not labels:
        return "**Not flagged**: no defect is as probable as its threshold."
    return f"**Flagged** for an inspector to look at: {' and '.join(class_title(label) for label in labels)}."


def pictures(
    patch: Patch, grey: np.ndarray, mask: np.ndarray, target: int, drawn: Sequence[layers.Layer]
) -> None:
    """Show the image and the methods' heat side by side, with the ground truth's outline."""
    layers.draw(layers.Patchwork(patch.patch, grey, mask, CLASSES[patch.label].colour, tuple(drawn)))
    say_what_heat_is(target, drawn[0].scale)


def say_what_heat_is(target: int, probability: float) -> None:
    """Say what the heat over a patch shows."""
    st.caption(
        f"The heat shows what speaks for **{class_title(target)}**: the method's map times the model's probability of "
        f"that class ({how_sure(probability)}). The scale is the same for all patches; dark means: nothing found. "
        "Click a picture and turn the wheel to zoom, drag to move."
    )


def preview(states: Mapping[str, State]) -> None:
    """Say of each map that is not the method's whole one how well it stands for it."""
    for title, state in states.items():
        if isinstance(state, Found) and state.agreement < 1:
            st.caption(
                f"{title} is a preview, from a part of its questions to the model. Its estimated agreement with the whole "
                f"map: {state.agreement:.2f} (rank correlation; 1 is the same order of all pixels). "
                "“The paper's” asks them all."
            )


def try_again(titles: Sequence[str], ask: Callable[[], None]) -> None:
    """Offer to make what failed or was cancelled after all."""
    st.button(
        f"Make {' and '.join(titles)} after all",
        key="again",
        on_click=ask,
        help="Begins anew with what failed or was cancelled.",
    )


def probability_bars(
    marked: int | None, probabilities: Sequence[float], point: OperatingPoint | None
) -> None:
    """Show the model's probabilities of the five classes, the class that people marked where they did, and the thresholds."""
    st.markdown("**How sure the model is of each class**")
    answer = int(np.argmax(probabilities))
    marks = {answer: "model's answer"} | ({} if marked is None else {marked: "marked"})
    if answer == marked:
        marks = {answer: "marked, answer"}
    lines = {one.label: one.threshold for one in point.classes} if point else {}
    bars.draw(
        "probabilities",
        [
            bars.Bar(
                class_title(known.id),
                share,
                known.colour,
                mark=marks.get(known.id, ""),
                value=how_sure(share),
                line=line,
                line_title="" if line is None else f"flagged from {percent(line)} on",
            )
            for known, share, line in zip(
                CLASSES, probabilities, (lines.get(known.id) for known in CLASSES), strict=True
            )
        ],
    )
    st.caption(
        ("" if marked is None else "“Marked” is what people say of the patch. ")
        + "The shares add up to 100 %. "
        + ("The line across a bar is the threshold: from there on the patch is flagged." if point else "")
    )


def thresholds(point: OperatingPoint | None) -> None:
    """Tell what the thresholds lead to, in a table that is opened by who wants to know."""
    if point is None:
        st.caption(
            "No thresholds are set for this model, so nothing is called flagged: "
            "`python -m training.operating_point --run runs/NAME` sets them."
        )
        return
    with st.expander("What the thresholds lead to, counted on the test patches"):
        st.markdown(
            table(
                ["class", "flagged from", "of its patches missed", "false alarms a strip"],
                [
                    [
                        class_title(one.label),
                        "when it is the answer" if one.threshold is None else percent(one.threshold),
                        _missed(one.test),
                        f"{one.test.alarms.value:.2f} ({one.test.alarms.low:.2f} to {one.test.alarms.high:.2f})",
                    ]
                    for one in point.classes
                ],
            )
        )
        look, unseen = point.test.patches, point.test.unseen
        st.caption(
            f"All together {look.value:.1f} of the six patches of a strip are flagged ({look.low:.1f} to {look.high:.1f}), "
            + (f"and {percent(unseen.value)} of the patches with a defect are not. " if unseen else "")
            + "In brackets: what other strips of the same kind may as well have shown, in 95 of 100 cases."
        )
        for one in point.classes:
            if one.note:
                st.caption(f"{class_title(one.label)}: {plain(one.note)}.")


def _missed(expected: Expected) -> str:
    share = expected.misses
    if share is None:
        return "no such patch in the test"
    return f"{percent(share.value)} of {expected.patches} ({percent(share.low)} to {percent(share.high)})"


def agreement(mask: np.ndarray, states: Mapping[str, State]) -> None:
    """Show how much of each method's heat lies inside the marked defect."""
    st.markdown("**How much of the heat lies inside the marked defect**")
    if not mask.any():
        st.write("No defect is marked on this patch, so there is nothing to compare the heat with.")
        return
    chance = float(mask.mean())
    compared = [_agreement_bar(title, state, mask) for title, state in states.items()]
    bars.draw("agreement", [*compared, bars.Bar("a map that knows nothing", chance, _CHANCE_COLOUR)])
    st.caption(
        "100 %: all heat lies on the defect (energy-based pointing game). The defect covers "
        f"{int(mask.sum()):,} of {mask.size:,} pixels, so a map that knows nothing scores {percent(chance)}."
    )


def _agreement_bar(title: str, state: State, mask: np.ndarray) -> bars.Bar:
    if not isinstance(state, Found):
        return bars.Bar(title, None, _MAP_COLOUR, _without_map(state))
    if not state.saliency.any():
        return bars.Bar(title, None, _MAP_COLOUR, "no heat at all")
    share = energy_pointing(torch.from_numpy(state.saliency), torch.from_numpy(mask))
    return bars.Bar(title, share, _MAP_COLOUR)


def _without_map(state: State) -> str:
    if isinstance(state, Failed):
        return "failed"
    return "cancelled" if isinstance(state, Cancelled) else "being computed"
