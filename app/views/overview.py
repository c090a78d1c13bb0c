"""The overview: which model this is, how good it is, what is judged and what is left, and how it stands beside another run."""

import dataclasses

import streamlit as st

from app import judging, loading, messages, panels, runs
from app.links import Links
from app.opening import Opened, open_all, tell_what_is_missing
from app.overview import card, comparison, confusion, evidence, methods, results, scores, verdicts
from app.overview.panel import told
from app.review import filters
from app.review.filters import PATCH
from app.review.query import Query, to_address
from app.review.rows import with_verdicts
from app.words import plain
from severstal_xai.manifest import Split
from severstal_xai.scores import RunScores

_STYLE = """<style>
.st-key-overview table { font-size: 0.85rem; }
.st-key-overview th, .st-key-overview td { padding: 0.2rem 0.55rem !important; line-height: 1.4; }
.st-key-overview td:not(:first-child) { font-variant-numeric: tabular-nums; }
.st-key-methods td:first-child { white-space: nowrap; }
.st-key-card thead { display: none; }
.st-key-card td:first-child { opacity: 0.75; }
</style>"""
"""Tables of numbers, several on a page: smaller than those of a text."""


def show(links: Links) -> None:
    """Draw the page."""
    with st.sidebar:
        st.subheader("Which run", anchor=False)
        runs.choose()
    opened = open_all()
    query = filters.query_of_the_address()
    with st.sidebar:
        st.subheader("Which patches", anchor=False)
        filters.draw(query, ("split",))
        panels.provenance(opened.folders, opened.checkpoint, opened.manifest)
    tell_what_is_missing(dataclasses.replace(opened, remarks=()))
    st.subheader(f"Run {plain(opened.folders.run.resolve().name)}", anchor=False)
    st.html(_STYLE)
    with st.container(key="overview"):
        wanted = _draw(opened, query.split)
        if wanted is not None:
            links.queue(to_address(wanted))
        with st.container(border=True):
            patch = comparison.draw(opened, query.split)
    if patch is not None:
        links.patch({PATCH: patch})


def _draw(opened: Opened, split: Split | None) -> Query | None:
    """Draw the panels of the run itself; return what was asked to be shown in the queue just now."""
    left, right = st.columns([5, 8])
    found: RunScores | None = None
    with right, st.container(border=True, height="stretch"), told(messages.NO_SCORES, opened.folders.run):
        found = results.scores(opened.folders.run, opened.checkpoint.card)
        scores.draw(found)
    with left, st.container(border=True, height="stretch", key="card"):
        card.draw(opened, found)
    left, right = st.columns([5, 4])
    with left, st.container(border=True, height="stretch"):
        cell = confusion.draw(opened, split, found)
    with right, st.container(border=True, height="stretch"):
        group = evidence.draw(opened)
    with st.container(border=True, key="methods"):
        methods.draw(opened.folders.run)
    reader = judging.reader_now()
    kinds, _ = loading.kinds_of_verdicts(reader)
    with st.container(border=True):
        judged = verdicts.draw(with_verdicts(opened.known, kinds), split, reader)
    return next((wanted for wanted in (cell, group, judged) if wanted is not None), None)
