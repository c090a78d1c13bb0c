"""What the browser does on every page: one click is one step of its history, and a key that leads away takes along what is being written.

Streamlit adds a step whenever the address changes: two where a link leads to another page with a query of its own (the old page's address with
the new query, which nobody has seen, comes first), and one where a page writes what it shows by itself into its address. And it hears of a text when the focus leaves it, which a key
combination does not wait for. Its link to the first page names no page, and so leads a new tab to the one it is on.
"""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

_JS = """
const LATE = 5000; // milliseconds after which a click has led to what it leads to

const leadsAway = (event) => event.altKey && event.key.startsWith("Arrow");

function count(history) {
  let clicks = [];
  let last = null;
  const clicked = () => clicks.push(performance.now());
  addEventListener("click", clicked, true);
  addEventListener("keydown", (event) => { if (leadsAway(event)) clicked(); }, true);
  addEventListener("popstate", () => { clicks = []; last = null; }, true);
  const push = history.pushState.bind(history);
  history.pushState = (state, title, url) => {
    const now = performance.now();
    const [from, to] = [new URL(location.href), new URL(url ?? location.href, location.href)];
    const elsewhere = to.pathname !== from.pathname;
    const second = elsewhere && last?.stayed && last.href === from.href && to.search === from.search && !clicks.some((at) => at > last.at);
    clicks = clicks.filter((at) => now - at < LATE);
    const asked = !second && (elsewhere || clicks.length > 0);
    clicks = elsewhere ? [] : clicks.slice(1);
    if (asked) push(state, title, url);
    else history.replaceState(state, title, url);
    last = { href: location.href, at: now, stayed: !elsewhere };
  };
}

function handOver() {
  const written = (node) => node instanceof HTMLTextAreaElement || node instanceof HTMLInputElement;
  addEventListener("keydown", (event) => { if (leadsAway(event) && written(event.target)) event.target.blur(); }, true);
}

function mendTheWayHome() {
  addEventListener("pointerdown", (event) => {
    const link = event.target instanceof Element && event.target.closest('a[data-testid="stPageLink-NavLink"]');
    const to = link && link.getAttribute("href");
    if (to === "" || to?.startsWith("?")) link.setAttribute("href", `./${to}`);
  }, true);
}

export default function () {
  if (window.steelInspectorListens) return;
  window.steelInspectorListens = true;
  count(window.history);
  handOver();
  mendTheWayHome();
}
"""
_COMPONENT = st.components.v2.component("severstal_xai_browser", html="<i></i>", js=_JS)
STYLE = '[class*="st-key-unseen"], [data-testid="stLayoutWrapper"]:has(> [class*="st-key-unseen"]) { display: none; }'
"""Hides what `unseen` holds, with the room that it would take."""


def listen() -> None:
    """Have the browser listen for clicks and keys; once a window is enough, more does no harm."""
    with unseen("browser"):
        _COMPONENT(key="listening")


def unseen(name: str) -> DeltaGenerator:
    """Return a place on the page for a component that is nothing to see."""
    return st.container(key=f"unseen {name}")
