"""A confusion matrix on the page; a click on a cell, or Enter on it, tells which patches are wanted.

Right answers are blue and wrong ones orange, which the colour-blind can tell apart, the darker the more of the class; each cell has its
number besides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
from jaxtyping import Int64

from app.words import percent
from severstal_xai.classes import CLASSES

_HTML = '<table class="matrix"></table>'
_CSS = """
.matrix { border-collapse: separate; border-spacing: 2px; width: 100%; font-family: var(--st-font); color: var(--st-text-color);
  font-size: 0.85rem; font-variant-numeric: tabular-nums; table-layout: fixed; }
caption { text-align: left; padding-bottom: 0.3rem; opacity: 0.8; }
th { font-weight: 400; text-align: left; padding: 0.15rem 0.35rem; line-height: 1.2; vertical-align: bottom; }
thead th { text-align: center; font-size: 0.75rem; padding: 0.15rem 0; }
thead th:first-child { width: 24%; text-align: left; }
thead th:last-child { width: 11%; }
tbody th { vertical-align: middle; }
td { padding: 0; height: 2.7rem; text-align: center; border-radius: 3px; background: var(--st-secondary-background-color); }
td.total { background: none; }
td > * {
  box-sizing: border-box; font: inherit; color: inherit; width: 100%; height: 100%; border: 0; border-radius: 3px; padding: 0.15rem 0;
  background: rgb(var(--tone) / var(--weight)); line-height: 1.2;
}
td.right { --tone: 0 70 140; }
td.wrong { --tone: 150 60 0; }
td.deep > * { color: #fff; }
td button { cursor: pointer; }
td button:hover { outline: 2px solid var(--st-text-color); outline-offset: -2px; }
td button:focus-visible { outline: 3px solid var(--st-text-color); outline-offset: -1px; }
td strong { display: block; font-weight: 600; }
td.none { color: var(--st-text-color); opacity: 0.45; }
"""
_JS = """
export default function ({ data, parentElement, setTriggerValue }) {
  const made = (name, text, attributes = {}, ...children) => {
    const node = document.createElement(name);
    if (text) node.textContent = text;
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.append(...children);
    return node;
  };
  const cell = (one) => {
    if (one.count === "0") return made("td", one.count, { class: "none" });
    const shown = made(one.opens ? "button" : "div", "", { title: one.title }, made("strong", one.count), made("span", one.share));
    if (one.opens) {
      shown.setAttribute("type", "button");
      shown.setAttribute("aria-label", one.title);
      shown.addEventListener("click", () => setTriggerValue("opened", one.opens));
    }
    const kind = `${one.right ? "right" : "wrong"} ${one.weight > 0.66 ? "deep" : ""}`;
    return made("td", "", { class: kind, style: `--weight: ${one.weight}` }, shown);
  };
  const head = made("thead", "", {}, made("tr", "", {}, made("th", data.corner, { scope: "col" }),
    ...data.columns.map((name) => made("th", name, { scope: "col" })), made("th", "patches", { scope: "col" })));
  const body = made("tbody", "", {}, ...data.rows.map((row) => made("tr", "", {}, made("th", row.name, { scope: "row" }),
    ...row.cells.map(cell), made("td", row.total, { class: "total" }))));
  parentElement.querySelector(".matrix").replaceChildren(made("caption", data.caption), head, body);
}
"""
_COMPONENT = st.components.v2.component("severstal_xai_matrix", html=_HTML, css=_CSS, js=_JS)
_LIGHTEST, _DARKEST = 0.1, 0.9
"""How strongly a cell is coloured that holds hardly any of its class, and one that holds all."""


@dataclass(frozen=True)
class Cell:
    """Patches that people marked as one class, and that the model gave a class."""

    label: int
    predicted: int


def draw(counts: Int64[np.ndarray, "actual predicted"], *, opens: bool) -> Cell | None:
    """Draw a confusion matrix on the page; return the cell that was clicked just now.

    Args:
        counts: Patches by marked class (rows) and the model's answer (columns).
        opens: Whether a click opens something.
    """
    data = as_data(counts, opens=opens)
    opened = _COMPONENT(key="matrix", data=data, on_opened_change=lambda: None).opened
    return next((cell for cell in _cells() if opens and opened == _name(cell)), None)


def as_data(counts: Int64[np.ndarray, "actual predicted"], *, opens: bool) -> dict[str, Any]:
    """Return what the browser needs, as JSON."""
    return {
        "caption": "How many patches, and what share of their class.",
        "corner": "Marked as ↓   the model says →",
        "columns": [_short(known.id) for known in CLASSES],
        "rows": [
            {
                "name": _short(known.id),
                "total": f"{row.sum():,}",
                "cells": [_cell(Cell(known.id, other.id), row, opens=opens) for other in CLASSES],
            }
            for known, row in zip(CLASSES, counts, strict=True)
        ],
    }


def _cell(cell: Cell, row: Int64[np.ndarray, " predicted"], *, opens: bool) -> dict[str, Any]:
    count = int(row[cell.predicted])
    share = count / max(1, int(row.sum()))
    patches = "1 patch" if count == 1 else f"{count:,} patches"
    return {
        "count": f"{count:,}",
        "share": percent(share),
        "right": cell.label == cell.predicted,
        "weight": round(_LIGHTEST + (_DARKEST - _LIGHTEST) * share, 3),
        "title": f"Marked {_short(cell.label)}, the model says {_short(cell.predicted)}: {patches}, {percent(share)} of the class",
        "opens": _name(cell) if count and opens else "",
    }


def _cells() -> Sequence[Cell]:
    return [Cell(label.id, predicted.id) for label in CLASSES for predicted in CLASSES]


def _name(cell: Cell) -> str:
    return f"{cell.label} {cell.predicted}"


def _short(label: int) -> str:
    """Return a class as a narrow column has room for it.

    Example:
        >>> _short(3)
        '3 scratches and scabs'
    """
    return f"{label} {CLASSES[label].name}"
