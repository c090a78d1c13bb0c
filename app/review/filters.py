"""The filters of the review queue, as the page draws them. The address holds the query, and so there is one truth.

A filter is drawn as the query has it; one that the user changes goes into the address, and the page is drawn anew by it.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import streamlit as st

from app import messages, runs
from app.review.query import (
    ANY_VERDICT,
    MOST_TEXT,
    NO_VERDICT,
    RANGES,
    Answer,
    Query,
    Sort,
    from_address,
    to_address,
)
from app.review.sheets import SHEET
from app.verdicts.records import Kind
from app.words import class_title
from explain.evaluation.evidence import Group
from severstal_xai.classes import CLASSES
from severstal_xai.errors import InputError
from severstal_xai.manifest import Split

PATCH, STRIP = "patch", "strip"
"""What the chosen patch and the chosen strip are called in the address."""
KIND_WORDS = {
    Kind.AGREE: "agrees",
    Kind.WRONG_CLASS: "wrong class",
    Kind.SEGMENT_WRONG: "segment wrong",
    Kind.NOT_A_DEFECT: "not a defect",
    Kind.UNSURE: "unsure",
}
"""The kinds of verdicts, as pages write them."""

ANSWER_IN_WORDS = (
    "How the model's answer stands to what people marked. Missed: a defect called sound. False alarm: sound steel called a defect. Confused: a "
    "defect called another one."
)
"""What the words for an answer mean."""
_ANY = "all of them"
"""None as the browser keeps it: to Streamlit None is a box without a choice."""
_CLASSES: Mapping[Any, str] = {None: "all classes", **{known.id: class_title(known.id) for known in CLASSES}}
_CHOICES: Mapping[str, tuple[str, Mapping[Any, str], str]] = {
    "split": (
        "Part of the data",
        {
            Split.TEST: "test: never seen in training",
            Split.VALIDATION: "validation: used to choose the model",
            Split.TRAIN: "training: the model learnt from these",
            None: "all patches",
        },
        "Judge the model by test patches: it has never seen them.",
    ),
    "label": ("Marked as", _CLASSES, "The class, as people marked it: 0 is sound steel, 1 to 4 are defects."),
    "predicted": ("Model's answer", _CLASSES, "The class that the model finds likeliest."),
    "answer": (
        "The answer is",
        {
            None: "right or wrong",
            Answer.RIGHT: "right",
            Answer.WRONG: "wrong",
            Answer.MISSED: "missed: a defect called sound",
            Answer.FALSE_ALARM: "false alarm: sound steel called a defect",
            Answer.CONFUSED: "confused: the wrong defect",
        },
        ANSWER_IN_WORDS,
    ),
    "group": (
        "Evidence",
        {None: "anywhere", **{group: str(group) for group in Group}},
        "Is the answer right, and does the heat lie on the marked defect? “Found nothing”: there is no heat at all.",
    ),
    "flagged": (
        "Flagged",
        {None: "flagged or not", True: "flagged", False: "not flagged"},
        "Whether a defect is as probable as its threshold.",
    ),
    "verdict": (
        "Verdicts",
        {None: "judged or not", NO_VERDICT: "not judged yet", ANY_VERDICT: "judged"}
        | {str(kind): f"judged: {words}" for kind, words in KIND_WORDS.items()},
        "What inspectors said of the patch.",
    ),
    "sort": (
        "Sorted by",
        {
            Sort.EVIDENCE: "evidence: right but elsewhere first",
            Sort.DOUBT: "how little the model believes the marked class",
            Sort.PROBABILITY: "how sure the model is, least first",
            Sort.MARGIN: "margin, smallest first",
            Sort.ANSWER: "error: wrong answers first",
            Sort.VERDICT: "verdict: wrong marks first",
            Sort.LABEL: "marked class",
            Sort.PREDICTED: "model's answer",
            Sort.SPLIT: "part of the data",
            Sort.NAME: "name",
        },
        "The pictures and “Next” follow this order; what is not known comes last. Error: missed, false alarm, confused, right. Verdict: wrong "
        "class, segment wrong, not a defect, unsure, agrees. Part of the data: test, validation, training.",
    ),
}
_RANGE_WORDS: Mapping[str, tuple[str, str]] = {
    "low": ("How sure the model is", "The probability of the model's answer, from and to."),
    "margin_low": (
        "Margin to the second class",
        "The probability of the model's answer less that of its second choice, from and to: where it is small, the model could as well "
        "have said the other.",
    ),
}
"""The ranges, by the field where each begins: what it is called, and what it means."""


def choices(name: str) -> tuple[str, Mapping[Any, str]]:
    """Return the title of a query's filter, and what can be chosen in it, in words; None stands for all.

    Example:
        >>> title, words = choices("split")
        >>> title, words[None]
        ('Part of the data', 'all patches')
    """
    title, options, _ = _CHOICES[name]
    return title, options


def query_of_the_address() -> Query:
    """Return what the address asks for; where it cannot be read, say so, offer to start over, and end the page there."""
    try:
        return from_address(st.query_params.to_dict())
    except InputError as error:
        messages.problem(messages.WRONG_ADDRESS, str(error))
        st.button("Start over", on_click=runs.start_over, help="Takes back all that the address asks for.")
        st.stop()


def draw(query: Query, names: Sequence[str]) -> None:
    """Draw the filters of these fields of a query, in their order; a range goes by the field where it begins."""
    for name in names:
        if name in RANGES:
            _draw_range(query, name, names)
        elif name == "text":
            _draw_text(query, names)
        elif name == "reverse":
            st.session_state[name] = query.reverse
            st.toggle(
                "The other way round",
                key=name,
                on_change=partial(_keep, query, names),
                help="Turns the order round; what is not known stays last.",
            )
        else:
            title, options, words = _CHOICES[name]
            value = getattr(query, name)
            st.session_state[name] = _ANY if value is None else value
            told = {_ANY if option is None else option: said for option, said in options.items()}
            st.selectbox(
                title,
                list(told),
                key=name,
                format_func=told.__getitem__,
                on_change=partial(_keep, query, names),
                help=words,
            )


def narrowed_by(query: Query, drawn: Sequence[str]) -> list[str]:
    """Return in words what a query narrows by besides the filters that are drawn.

    Example:
        >>> narrowed_by(Query(label=3, low=0.9), ["label"])
        ['How sure the model is: 90 % to 100 %']
    """
    usual = Query()
    said = [
        f"{title}: {options[getattr(query, name)]}"
        for name, (title, options, _) in _CHOICES.items()
        if name not in {*drawn, "sort"} and getattr(query, name) != getattr(usual, name)
    ]
    for name, (title, _) in _RANGE_WORDS.items():
        low, high = _range_of(query, name)
        if name not in drawn and (low, high) != _range_of(usual, name):
            said.append(f"{title}: {100 * low:.0f} % to {100 * high:.0f} %")
    if "text" not in drawn and query.text:
        said.append(f"Name holds: {query.text}")
    return said


def in_words(query: Query) -> list[str]:
    """Return a query in words: what it narrows by, the usual part of the data too, and its order.

    Example:
        >>> in_words(Query(split=None, label=3, reverse=True))
        ['Part of the data: all patches', 'Marked as: 3 · scratches and scabs', \
'Sorted by: evidence: right but elsewhere first, the other way round']
    """
    part, order = _CHOICES["split"], _CHOICES["sort"]
    turned = ", the other way round" if query.reverse else ""
    return [
        f"{part[0]}: {part[1][query.split]}",
        *narrowed_by(query, ["split"]),
        f"{order[0]}: {order[1][query.sort]}{turned}",
    ]


def kinds_in_words(kinds: str) -> str:
    """Return kinds of verdicts as pages write them.

    Example:
        >>> kinds_in_words("agree not_a_defect"), kinds_in_words("")
        ('agrees, not a defect', '')
    """
    return ", ".join(KIND_WORDS[Kind(kind)] for kind in kinds.split())


def put(query: Query) -> None:
    """Put a query into the address, and leave what the address holds of other things."""
    for field in dataclasses.fields(query):
        st.query_params.pop(field.name, None)
    st.query_params.update(to_address(query))


def put_anew(query: Query) -> None:
    """Put another query into the address: what was chosen by the one before is not chosen any longer."""
    put(query)
    for chosen in (PATCH, STRIP, SHEET):
        st.query_params.pop(chosen, None)


def _range_of(query: Query, name: str) -> tuple[float, float]:
    return getattr(query, name), getattr(query, RANGES[name])


def _draw_range(query: Query, name: str, names: Sequence[str]) -> None:
    title, words = _RANGE_WORDS[name]
    st.session_state[name] = _range_of(query, name)
    st.slider(
        title,
        0.0,
        1.0,
        step=0.01,
        key=name,
        format="percent",
        on_change=partial(_keep, query, names),
        help=words,
    )


def _draw_text(query: Query, names: Sequence[str]) -> None:
    st.session_state["text"] = query.text
    st.text_input(
        "Name holds",
        key="text",
        max_chars=MOST_TEXT,
        on_change=partial(_keep, query, names),
        help="A part of the patch's or the strip's name.",
    )


def _keep(query: Query, names: Sequence[str]) -> None:
    """Put what the user set into the address; what was chosen by the filters before is not any longer."""
    state = st.session_state
    changed: dict[str, Any] = {
        name: None if state[name] == _ANY else state[name] for name in names if name not in RANGES
    }
    for name in RANGES.keys() & set(names):
        changed[name], changed[RANGES[name]] = state[name]
    put_anew(dataclasses.replace(query, **changed))
