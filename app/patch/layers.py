"""A patch's pictures side by side: the image, the heat over it, the ground truth's outline over both.

The layers lie stacked in the browser (`app.patch.layers_in_browser`), so opacity, outline, zoom and pan cost no
computation here. All layers are 256 x 256 pixels of the same patch, drawn at the same place and size: a
heat's pixel lies on the image's pixel.
"""

import base64
import io
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import streamlit as st
from jaxtyping import Bool, UInt8
from PIL import Image

from app.asking.explanations import Failed, Found
from app.asking.progress import note, told
from app.jobs import Cancelled, Queued, State
from app.patch.layers_in_browser import CSS, HTML, JS
from severstal_xai.overlay import Colour, heat_colours

_COMPONENT = st.components.v2.component("severstal_xai_layers", html=HTML, css=CSS, js=JS)
_LEGEND_STEPS = 256
SCALE = {
    "meaning": "One scale for all patches: the map times the probability of the explained class.",
    "end": "1",
}
"""What the legend of heat says."""


@dataclass(frozen=True)
class Layer:
    """One picture.

    Args:
        title: What lies over the image.
        state: The map, or how far it is.
        scale: The probability of the explained class: the map times it is the heat.
    """

    title: str
    state: State
    scale: float


@dataclass(frozen=True)
class Patchwork:
    """All that the pictures show.

    Args:
        name: The patch's name; zoom and pan begin anew with another one.
        grey: The image.
        mask: The ground truth.
        colour: The outline's.
        layers: The pictures beside the bare image.
        has_truth: Whether there is a ground truth.
    """

    name: str
    grey: UInt8[np.ndarray, "height width"]
    mask: Bool[np.ndarray, "height width"]
    colour: Colour
    layers: tuple[Layer, ...]
    has_truth: bool = True


def draw(patchwork: Patchwork) -> None:
    """Draw the pictures on the page; what the user has set (opacity, outline, zoom) stays when they change."""
    _COMPONENT(key="layers", data=as_data(patchwork))


def as_data(patchwork: Patchwork) -> dict[str, Any]:
    """Return what the browser needs, as JSON; pictures as PNG files in `data:` addresses."""
    bare = {"title": "Image", "alt": f"Patch {patchwork.name}, grey values", "state": "bare"}
    pictures = [bare, *(picture(patchwork.name, layer) for layer in patchwork.layers)]
    return base_data(patchwork) | {"scale": SCALE, "pictures": pictures}


def base_data(patchwork: Patchwork) -> dict[str, Any]:
    """Return what all of a patch's pictures share, as JSON."""
    return {
        "name": patchwork.name,
        "image": png_address(patchwork.grey),
        "outline": outline_path(patchwork.mask),
        "colour": as_css(patchwork.colour),
        "has_truth": patchwork.has_truth,
        "legend": legend(),
    }


def picture(patch: str, layer: Layer) -> dict[str, str]:
    """Return a layer as JSON.

    A map that failed, was cancelled or is still to come is a picture of its own kind, without heat: it must not look
    cold. A first map has its heat and a word that it is one.
    """
    state = layer.state
    if isinstance(state, Found):
        return _heat(patch, layer, state, "ready", "")
    if isinstance(state, Failed):
        return _veiled(layer, "failed", state.reason)
    kind = "cancelled" if isinstance(state, Cancelled) else "pending"
    if isinstance(state, Queued) or state.first is None:
        return _veiled(layer, kind, told(state))
    return _heat(patch, layer, state.first, "first", note(state))


def _heat(patch: str, layer: Layer, found: Found, kind: str, remark: str) -> dict[str, str]:
    heat = found.saliency * layer.scale
    hottest = f"{heat.max():.2f}"
    of = f"a first heat of {layer.title}" if remark else f"the heat of {layer.title}"
    return {
        "title": layer.title,
        "alt": f"Patch {patch} with {of}; its hottest pixel has {hottest}",
        "state": kind,
        "heat": png_address(heat_colours(heat)),
        "note": remark or f"hottest pixel {hottest}",
    }


def _veiled(layer: Layer, kind: str, words: str) -> dict[str, str]:
    return {"title": layer.title, "alt": f"{layer.title}: {words}", "state": kind, "words": words}


def legend() -> str:
    """Return the picture of the heat's colours, from 0 to 1."""
    return png_address(heat_colours(np.linspace(0, 1, _LEGEND_STEPS)[None]))


def outline_path(mask: Bool[np.ndarray, "height width"]) -> str:
    """Return the mask's outline as an SVG path: the lines between pixels inside and pixels outside.

    Lines, not pixels, so that the outline covers nothing and stays thin under zoom. A mask that touches the
    edge is closed along the edge.

    Example: one pixel, in row 2 and column 1.
        >>> outline_path(np.array([[0, 0], [0, 0], [0, 1]], dtype=bool))
        'M1 2H2M1 3H2M1 2V3M2 2V3'
    """
    return _outline_path(mask.tobytes(), mask.shape)


@lru_cache(maxsize=16)
def _outline_path(inside: bytes, shape: tuple[int, ...]) -> str:
    padded = np.pad(np.frombuffer(inside, dtype=bool).reshape(shape), 1).astype(np.int8)
    across = [f"M{start} {y}H{end}" for y, start, end in _runs(np.diff(padded, axis=0)[:, 1:-1])]
    down = [f"M{x} {start}V{end}" for x, start, end in _runs(np.diff(padded, axis=1)[1:-1].T)]
    return "".join(across + down)


def _runs(edges: np.ndarray) -> list[tuple[int, int, int]]:
    """Return the runs of non-zero values in each row: (row, start, end), the end exclusive."""
    bounds = np.diff(np.pad(edges != 0, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(bounds == 1)
    _, ends = np.nonzero(bounds == -1)
    return [(int(row), int(start), int(end)) for row, start, end in zip(rows, starts, ends, strict=True)]


def as_css(colour: Colour) -> str:
    """Return a colour as CSS writes it.

    Example:
        >>> as_css((230, 159, 0))
        '#e69f00'
    """
    return "#" + bytes(colour).hex()


def png_address(pixels: UInt8[np.ndarray, "height width *channels"]) -> str:
    """Return a picture as an address that holds it: grey, RGB, or RGB and how much it covers."""
    return _png_address(pixels.tobytes(), pixels.shape)


@lru_cache(maxsize=64)
def _png_address(levels: bytes, shape: tuple[int, ...]) -> str:
    """Make an address once, for the page is drawn again and again while a map is made; some 10 MB at most."""
    content = io.BytesIO()
    pixels = np.frombuffer(levels, dtype=np.uint8).reshape(shape)
    Image.fromarray(pixels).save(content, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()
