"""Shares as bars, one a line."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app.patch.layers import as_css
from app.words import percent
from severstal_xai.overlay import Colour

_HTML = '<div class="bars" role="list"></div>'
_CSS = """
.bars { font-family: var(--st-font); color: var(--st-text-color); font-size: 0.85rem; }
.bars { display: grid; grid-template-columns: fit-content(13rem) minmax(4rem, 1fr) minmax(3.2rem, auto) 7rem; gap: 0.35rem 0.6rem; }
.row { display: grid; grid-column: 1 / -1; grid-template-columns: subgrid; align-items: center; }
.track { position: relative; height: 0.85rem; background: var(--st-secondary-background-color); border-radius: 2px; }
.line { position: absolute; top: -0.15rem; bottom: -0.15rem; width: 2px; background: var(--st-text-color); }
.reach { position: absolute; top: 50%; height: 2px; margin-top: -1px; background: var(--st-text-color); }
.reach::before, .reach::after { content: ""; position: absolute; top: -3px; bottom: -3px; width: 1px; background: inherit; }
.reach::before { left: 0; }
.reach::after { right: 0; }
.fill { height: 100%; min-width: 1px; border-radius: 2px; }
.unmarked { grid-template-columns: fit-content(13rem) minmax(4rem, 1fr) minmax(3.2rem, auto); }
.unmarked .mark { display: none; }
.value { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.mark { opacity: 0.85; white-space: nowrap; }
.marked { font-weight: 600; }
button.name {
  font: inherit; color: var(--st-primary-color); text-align: left; padding: 0; border: 0; background: none; cursor: pointer;
  text-decoration: underline; text-underline-offset: 0.15em;
}
button.name:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
"""
_JS = """
export default function ({ data, parentElement, setTriggerValue }) {
  const cell = (name, text) => {
    const node = document.createElement("span");
    node.className = name;
    node.textContent = text;
    return node;
  };
  const nameOf = (bar) => {
    if (!bar.opens) return cell("name", bar.name);
    const button = document.createElement("button");
    button.type = "button";
    button.className = "name";
    button.textContent = bar.name;
    button.title = bar.opens_title;
    button.addEventListener("click", () => setTriggerValue("opened", bar.opens));
    return button;
  };
  const rows = data.bars.map((bar) => {
    const row = document.createElement("div");
    row.className = bar.mark ? "row marked" : "row";
    row.setAttribute("role", "listitem");
    const track = cell("track", ""), fill = document.createElement("div");
    fill.className = "fill";
    fill.hidden = bar.share === 0;
    fill.style.width = `${100 * bar.share}%`;
    fill.style.background = bar.colour;
    track.append(fill);
    if (bar.line !== null) {
      const line = cell("line", "");
      line.style.left = `${100 * bar.line}%`;
      line.title = bar.line_title;
      track.append(line);
    }
    if (bar.low !== null) {
      const reach = cell("reach", "");
      reach.style.left = `${100 * bar.low}%`;
      reach.style.width = `${100 * (bar.high - bar.low)}%`;
      track.append(reach);
    }
    row.append(nameOf(bar), track, cell("value", bar.value), cell("mark", bar.mark));
    return row;
  });
  const root = parentElement.querySelector(".bars");
  root.classList.toggle("unmarked", data.bars.every((bar) => !bar.mark));
  root.replaceChildren(...rows);
}
"""
_COMPONENT = st.components.v2.component("severstal_xai_bars", html=_HTML, css=_CSS, js=_JS)


@dataclass(frozen=True)
class Bar:
    """One bar.

    Args:
        name: What it stands for.
        share: Its length, 0 to 1; None where there is none to show.
        colour: RGB.
        instead: What to write where there is no share.
        mark: A word beside it, or none.
        line: Where a line crosses it, 0 to 1; None for no line.
        line_title: What the line stands for, where the mouse rests on it.
        reach: The interval around its end, 0 to 1; None for none.
        value: What to write beside it; empty for the share in per cent.
        opens: What a click on its name is told as; empty for a name that opens nothing.
        opens_title: What that opens, where the mouse rests on it.
    """

    name: str
    share: float | None
    colour: Colour
    instead: str = ""
    mark: str = ""
    line: float | None = None
    line_title: str = ""
    reach: tuple[float, float] | None = None
    value: str = ""
    opens: str = ""
    opens_title: str = ""


def draw(key: str, bars: Sequence[Bar]) -> str | None:
    """Draw bars on the page; return what was clicked just now, as its `opens` tells it. `key` tells one drawing from another."""
    opened = _COMPONENT(key=key, data=as_data(bars), on_opened_change=lambda: None).opened
    return next((bar.opens for bar in bars if bar.opens and bar.opens == opened), None)


def as_data(bars: Sequence[Bar]) -> dict[str, Any]:
    """Return what the browser needs, as JSON."""
    return {
        "bars": [
            {
                "name": bar.name,
                "share": bar.share or 0.0,
                "value": bar.instead if bar.share is None else bar.value or percent(bar.share),
                "colour": as_css(bar.colour),
                "mark": bar.mark,
                "line": bar.line,
                "line_title": bar.line_title,
                "low": bar.reach and bar.reach[0],
                "high": bar.reach and bar.reach[1],
                "opens": bar.opens,
                "opens_title": bar.opens_title,
            }
            for bar in bars
        ]
    }
