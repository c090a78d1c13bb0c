"""Patches as a sheet of thumbnails, with the outline of what people marked; a click opens one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
from jaxtyping import Bool, UInt8

from app.patch.layers import as_css, outline_path, png_address
from severstal_xai.overlay import Colour

_HTML = '<ul class="sheet"></ul>'
_CSS = """
.sheet {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: 0.8rem; margin: 0; padding: 0; list-style: none;
  font-family: var(--st-font); color: var(--st-text-color); font-size: 0.8rem;
}
button {
  display: block; width: 100%; padding: 0; text-align: left; font: inherit; color: inherit; background: none; cursor: pointer;
  border: 1px solid var(--st-border-color); border-radius: 4px; overflow: hidden;
}
button:hover { border-color: var(--st-primary-color); }
button:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
.picture { position: relative; aspect-ratio: 1; background: #202327; color: #fff; display: grid; place-content: center; padding: 0.5rem; }
.picture img, .picture svg { position: absolute; inset: 0; width: 100%; height: 100%; }
path { fill: none; vector-effect: non-scaling-stroke; }
.halo { stroke: #000; stroke-opacity: 0.65; stroke-width: 3px; }
.line { stroke-width: 1.5px; }
.words { padding: 0.35rem 0.5rem 0.45rem; line-height: 1.4; }
.words span { display: block; overflow-wrap: anywhere; }
.words .name { font-weight: 600; }
"""
_JS = """
export default function ({ data, parentElement, setTriggerValue }) {
  const made = (name, text, attributes = {}) => {
    const node = document.createElement(name);
    if (text) node.textContent = text;
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return node;
  };
  const drawn = (name, attributes) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return node;
  };
  const tiles = data.tiles.map((tile) => {
    const button = made("button", "", { type: "button", title: `Open ${tile.name}` });
    const picture = made("div", tile.problem, { class: "picture" });
    if (tile.image) {
      const outline = drawn("svg", { viewBox: "0 0 256 256", "aria-hidden": true });
      outline.append(drawn("path", { class: "halo", d: tile.outline }), drawn("path", { class: "line", d: tile.outline, stroke: tile.colour }));
      picture.append(made("img", "", { src: tile.image, alt: "" }), outline);
    }
    const words = made("div", "", { class: "words" });
    words.append(made("span", tile.name, { class: "name" }), ...tile.lines.map((line) => made("span", line, { title: line })));
    button.append(picture, words);
    button.addEventListener("click", () => setTriggerValue("opened", tile.name));
    const item = made("li");
    item.append(button);
    return item;
  });
  parentElement.querySelector(".sheet").replaceChildren(...tiles);
}
"""
_COMPONENT = st.components.v2.component("severstal_xai_tiles", html=_HTML, css=_CSS, js=_JS)
SIDE = 128
"""A thumbnail's side in pixels: half of a patch's."""


@dataclass(frozen=True)
class Tile:
    """One thumbnail.

    Args:
        name: The patch's.
        image: Its address, a `data:` one; empty where it cannot be shown.
        outline: The mask's, as an SVG path in the patch's pixels.
        colour: The outline's.
        lines: What to say of it.
        problem: Why there is no picture; empty where there is one.
    """

    name: str
    image: str
    outline: str
    colour: Colour
    lines: tuple[str, ...]
    problem: str = ""


def draw(tiles: Sequence[Tile]) -> str | None:
    """Draw thumbnails on the page; return the name of the one that was clicked just now."""
    opened: str | None = _COMPONENT(key="tiles", data=as_data(tiles), on_opened_change=lambda: None).opened
    return opened


def as_data(tiles: Sequence[Tile]) -> dict[str, Any]:
    """Return what the browser needs, as JSON."""
    return {
        "tiles": [
            {
                "name": tile.name,
                "image": tile.image,
                "outline": tile.outline,
                "colour": as_css(tile.colour),
                "lines": list(tile.lines),
                "problem": tile.problem,
            }
            for tile in tiles
        ]
    }


def thumbnail(
    grey: UInt8[np.ndarray, "height width"], mask: Bool[np.ndarray, "height width"]
) -> tuple[str, str]:
    """Return a patch's thumbnail and outline as the browser takes them; each of its pixels is the mean of four."""
    rows = grey.reshape(SIDE, -1, SIDE, grey.shape[1] // SIDE)
    return png_address(np.rint(rows.mean(axis=(1, 3))).astype(np.uint8)), outline_path(mask)
