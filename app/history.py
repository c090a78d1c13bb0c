"""One click, one step of the browser's history: Back shows what was shown before.

Streamlit adds a step whenever the address changes: two where a link leads to another page with a query of its own (the old page's address with
the new query, which nobody has seen, comes first), and one where a page writes what it shows by itself into its address.
"""

import streamlit as st

_JS = """
const LATE = 5000; // milliseconds after which a click has led to what it leads to

function count(history) {
  let clicks = [];
  let last = null;
  const clicked = () => clicks.push(performance.now());
  addEventListener("click", clicked, true);
  addEventListener("keydown", (event) => { if (event.altKey && event.key.startsWith("Arrow")) clicked(); }, true);
  addEventListener("popstate", () => { clicks = []; last = null; }, true);
  const push = history.pushState.bind(history);
  history.pushState = (state, title, url) => {
    const now = performance.now();
    const [from, to] = [new URL(location.href), new URL(url ?? location.href, location.href)];
    const elsewhere = to.pathname !== from.pathname;
    const second = elsewhere && to.search === from.search && last?.href === from.href && now - last.at < LATE;
    clicks = clicks.filter((at) => now - at < LATE);
    const asked = !second && (elsewhere || clicks.length > 0);
    clicks = elsewhere ? [] : clicks.slice(1);
    if (asked) push(state, title, url);
    else history.replaceState(state, title, url);
    last = { href: location.href, at: now };
  };
}

export default function () {
  if (window.steelInspectorCounts) return;
  window.steelInspectorCounts = true;
  count(window.history);
}
"""
_COMPONENT = st.components.v2.component("severstal_xai_history", html="<i></i>", js=_JS)
_KEY = "history"
STYLE = f".st-key-{_KEY} {{ display: none; }}"
"""It is nothing to see."""


def count_clicks() -> None:
    """Have the browser add a step where the user clicked, and none where the address changes besides."""
    with st.container(key=_KEY):
        _COMPONENT(key="clicks counted")
