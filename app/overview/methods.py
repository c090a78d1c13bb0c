"""The panel of the methods' agreement with the marks, beside maps that know nothing of the model."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import streamlit as st

from app import messages
from app.asking.catalogue import CATALOGUE
from app.overview import results
from app.overview.panel import absent, in_brackets, told
from app.words import plain
from explain.evaluation.controls import CONTROLS
from explain.evaluation.summary import Figures
from severstal_xai.bootstrap import Measure
from severstal_xai.markdown import table

_CONTROL_TITLES: Mapping[str, str] = {
    "random": "noise",
    "centred_gaussian": "a blob in the middle",
    "edges": "the picture's edges",
}
_METRIC_TITLES = {
    "energy_pointing": "heat on the defect (EBPG), %",
    "top_iou": "overlap of the hottest fifth (mIoU), %",
    "box_score": "hottest pixels on the defect (Bbox), %",
}
_SHORT = "†"
"""Marks a method that is not shown to beat the controls."""


def draw(run: Path) -> None:
    """Draw the panel."""
    st.markdown("**How well each method's heat agrees with the marks**")
    with told(messages.NO_EVALUATION, run):
        figures = results.method_figures(run)
        if results.evaluation(run) is None:
            absent(messages.NO_EVALUATION)
            return
        if not figures:
            st.info(
                "No defect is marked on the patches that were evaluated, so there is nothing to compare heat with."
            )
            return
        st.write(in_words(figures))
        st.markdown(
            table(["method", *(_METRIC_TITLES[one.metric.column] for one in figures)], rows_of(figures))
        )
        st.caption(
            f"Means over the evaluated patches, with intervals of 95 %; more is better. In italics: maps that know nothing of the model. {_SHORT}: not "
            "shown to be better than the best of these, patch by patch; such a method shows nothing here, whatever its number. "
            "Heat on the defect: the share of all heat that lies inside the marks. Overlap: of the marks with the hottest fifth of the patch. "
            "Hottest pixels: of as many as are marked, those inside the marks."
        )


def title_of(name: str) -> str:
    r"""Return a method's or a control's name as pages write it, in Markdown.

    Example:
        >>> title_of("sise"), title_of("random"), title_of("of_another_version")
        ('SISE', '*noise*', 'of\\_another\\_version')
    """
    if name in CONTROLS:
        return f"*{_CONTROL_TITLES[name]}*"
    return CATALOGUE[name].title if name in CATALOGUE else plain(name)


def in_words(figures: Sequence[Figures]) -> str:
    """Say in Markdown whose heat lies on the defects most, and which methods show nothing by any of the metrics."""
    first = figures[0]
    methods = [name for name in first.measures if name not in CONTROLS]
    best = max(methods, key=lambda name: first.measures[name].value)
    control = first.best_control
    said = (
        f"Of the methods **{title_of(best)}** has the largest share of its heat on the marked defects: {_cell(first.measures[best])} %. "
        f"The best map that knows nothing, {title_of(control)}, has {_cell(first.measures[control])} %."
    )
    useless = [title_of(name) for name in methods if not any(one.beaten[name] for one in figures)]
    if not useless:
        return said + " Each method beats such maps by one of the numbers at least."
    return said + f" Not shown to beat such maps by any of the numbers: {', '.join(useless)}."


def rows_of(figures: Sequence[Figures]) -> list[list[str]]:
    """Return a row for each method, the best first, then one for each control."""
    first = figures[0].measures
    order = sorted(first, key=lambda name: (name in CONTROLS, -first[name].value))
    return [
        [
            title_of(name),
            *(
                _cell(one.measures[name]) + ("" if name in CONTROLS or one.beaten[name] else f" {_SHORT}")
                for one in figures
            ),
        ]
        for name in order
    ]


def _cell(measure: Measure) -> str:
    """Write a measure that is in per cent already."""
    return f"{measure.value:.1f}" + in_brackets(
        Measure(measure.value / 100, measure.low / 100, measure.high / 100)
    )
