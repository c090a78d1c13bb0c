"""A whole strip on the page: the steel as it is, and below it the heat of its windows; a click on a window opens it.

As in `app.patch.layers` the pictures lie stacked in the browser: opacity and outlines cost nothing here, and a window's heat lies on
the window's pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
from jaxtyping import UInt8

from app.jobs import Queued, Running
from app.patch.layers import SCALE, Layer, as_css, legend, picture, png_address
from app.strip.picture_in_browser import CSS, HTML, JS
from severstal_xai.overlay import Colour
from severstal_xai.strips import PATCH_SIZE, STRIP_WIDTH

_COMPONENT = st.components.v2.component("severstal_xai_strip", html=HTML, css=CSS, js=JS)


@dataclass(frozen=True)
class Pane:
    """One of a strip's windows.

    Args:
        index: 0 to 5, from the left.
        x: Its left edge on the strip, in pixels.
        patch: The name of its patch, which a click opens; empty where there is none to open.
        title: The model's answer, or why there is none.
        lines: What else is to be said.
        colour: The answer's class's.
        layer: Its heat; None where nobody asks for one.
        seen: Whether the picture shows the window's steel.
        remarkable: Whether it is to be looked at first.
    """

    index: int
    x: int
    patch: str
    title: str
    lines: tuple[str, ...]
    colour: Colour
    layer: Layer | None
    seen: bool = True
    remarkable: bool = False


@dataclass(frozen=True)
class Outline:
    """The ground truth of one class on the strip.

    Args:
        path: SVG, in the strip's pixels, as `app.patch.layers.outline_path` gives it.
        colour: The class's.
        title: The class's.
    """

    path: str
    colour: Colour
    title: str


@dataclass(frozen=True)
class StripPicture:
    """All that the pictures show.

    Args:
        name: The strip's.
        grey: The strip.
        whole: Whether that shows what lies outside the windows, too.
        outlines: The ground truth, a class each.
        panes: The windows, from left to right.
        method: Whose heat it is.
        has_truth: Whether there is a ground truth.
    """

    name: str
    grey: UInt8[np.ndarray, "256 1600"]
    whole: bool
    outlines: Sequence[Outline]
    panes: Sequence[Pane]
    method: str
    has_truth: bool = True


def draw(strip: StripPicture) -> str | None:
    """Draw a strip on the page; return the name of the patch whose window was clicked just now."""
    opened: str | None = _COMPONENT(key="strip", data=as_data(strip), on_opened_change=lambda: None).opened
    return opened


def as_data(strip: StripPicture) -> dict[str, Any]:
    """Return what the browser needs, as JSON; pictures as PNG files in `data:` addresses."""
    return {
        "name": strip.name,
        "image": png_address(strip.grey),
        "gaps": [] if strip.whole else _margins(strip.panes),
        "method": strip.method,
        "has_truth": strip.has_truth,
        "legend": legend(),
        "scale": SCALE,
        "outlines": [
            {"path": one.path, "colour": as_css(one.colour), "title": one.title} for one in strip.outlines
        ],
        "panes": [_pane(one) for one in strip.panes],
    }


def _margins(panes: Sequence[Pane]) -> list[dict[str, float]]:
    """Return what lies left and right of the windows, in per cent of the strip's width."""
    first, end = panes[0].x, panes[-1].x + PATCH_SIZE
    return [
        {"left": 0, "width": 100 * first / STRIP_WIDTH},
        {"left": 100 * end / STRIP_WIDTH, "width": 100 * (STRIP_WIDTH - end) / STRIP_WIDTH},
    ]


def _pane(pane: Pane) -> dict[str, Any]:
    heat = {"state": "none"} if pane.layer is None else _heat(pane.patch, pane.layer)
    return {
        "left": 100 * pane.x / STRIP_WIDTH,
        "width": 100 * PATCH_SIZE / STRIP_WIDTH,
        "number": pane.index + 1,
        "patch": pane.patch,
        "title": pane.title,
        "lines": list(pane.lines),
        "colour": as_css(pane.colour),
        "seen": pane.seen,
        "remarkable": pane.remarkable,
        "heat": heat,
    }


def _heat(patch: str, layer: Layer) -> dict[str, str]:
    """Return a window's heat; the words on one that is still to come are short, for six stand side by side."""
    if isinstance(layer.state, Queued):
        return {"state": "pending", "words": "waits"}
    if isinstance(layer.state, Running) and layer.state.first is None:
        return {"state": "pending", "words": "at work"}
    return picture(patch, layer)
