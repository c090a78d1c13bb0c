"""The panel where the question is put: which class, by which methods, how thoroughly.

The address holds each choice that is not the usual one (`?method=rise&compare=none&effort=fast&class=3`), so that a view
can be shared and there is one truth. What it names wrong is refused in words.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from app.asking.catalogue import CATALOGUE, EFFORTS
from app.messages import NO_SUCH_QUESTION, problem
from app.words import class_title
from severstal_xai.classes import CLASSES, SOUND

METHOD, COMPARE, EFFORT, CLASS = "method", "compare", "effort", "class"
"""What the choices are called in the address."""
NONE = "none"
_USUAL_CLASS = "usual"
_USUAL_METHOD, _USUAL_COMPARED, _USUAL_EFFORT = "sise", "grad_cam", "balanced"
_USUAL_LOOK = "grad_cam"
"""At six windows at once: it is there in a moment."""


@dataclass(frozen=True)
class Question:
    """What is asked.

    Args:
        target: The class explained.
        methods: One or two, by their names in `METHODS`; the first is the one asked for.
        effort: A name in `EFFORTS`.
    """

    target: int
    methods: tuple[str, ...]
    effort: str


@dataclass(frozen=True)
class Look:
    """How a whole strip is looked at: by one method, each of its windows for the class that is usual there.

    Args:
        method: Its name in `METHODS`.
        effort: A name in `EFFORTS`.
    """

    method: str
    effort: str


def choose_look() -> Look | None:
    """Let the user choose how a strip is looked at; None where the address names what there is not."""
    st.subheader("Ask why", anchor=False)
    method = _choice(
        "Heat by",
        METHOD,
        {name: known.title for name, known in CATALOGUE.items()},
        usual=_USUAL_LOOK,
        key="look",
        help_="How the heat is found, for each window's likeliest class, or its likeliest defect where it is sound.",
    )
    if method:
        st.caption(f"{CATALOGUE[method].does} {CATALOGUE[method].costs} That is for each window.")
    effort = _choose_effort([method] if method else [])
    return Look(method, effort) if method and effort else None


def address_of(look: Look) -> dict[str, str]:
    """Return what a patch's address holds besides, so that its page shows the heat by which the strip was looked at.

    Example:
        >>> address_of(Look("grad_cam", "balanced")), address_of(Look("rise", "balanced"))
        ({}, {'method': 'rise'})
    """
    shown_anyway = look.method in {_USUAL_METHOD, usual_compared(_USUAL_METHOD)}
    method = {} if shown_anyway else {METHOD: look.method}
    return method | ({} if look.effort == _USUAL_EFFORT else {EFFORT: look.effort})


def choose_question(probabilities: Sequence[float]) -> Question | None:
    """Let the user choose what to ask; None where the address names what there is not."""
    st.subheader("Ask why", anchor=False)
    likeliest = usual_class(probabilities)
    target = _choice(
        "Which class to explain",
        CLASS,
        {_USUAL_CLASS: _usual_in_words(likeliest, probabilities)}
        | {str(known.id): class_title(known.id) for known in CLASSES},
        usual=_USUAL_CLASS,
        help_="The heat shows what in the image speaks for this class.",
    )
    titles = {name: method.title for name, method in CATALOGUE.items()}
    method = _choice(
        "Method",
        METHOD,
        titles,
        usual=_USUAL_METHOD,
        help_="How the heat is found.",
        forgets=_forget_compared_twice,
    )
    if method:
        st.caption(f"{CATALOGUE[method].does} {CATALOGUE[method].costs}")
    others = {NONE: "no other"} | {name: title for name, title in titles.items() if name != method}
    compared = _choice(
        "Beside it",
        COMPARE,
        others,
        usual=usual_compared(method),
        help_="A second method's heat, to compare with.",
    )
    if compared and compared != NONE:
        st.caption(f"{CATALOGUE[compared].does} {CATALOGUE[compared].costs}")
    effort = _choose_effort([name for name in (method, compared) if name and name != NONE])
    if target is None or method is None or compared is None or effort is None:
        return None
    methods = (method,) if compared == NONE else (method, compared)
    return Question(likeliest if target == _USUAL_CLASS else int(target), methods, effort)


def say_why_nothing_is_asked() -> None:
    """Say which words of the address `choose_question` could not take."""
    named = [
        f"{name}={st.query_params[name]}"
        for name in (CLASS, METHOD, COMPARE, EFFORT)
        if name in st.query_params
    ]
    problem(NO_SUCH_QUESTION, ", ".join(named))


def usual_compared(method: str | None) -> str:
    """Return what a method is compared with unless another is chosen.

    Example:
        >>> usual_compared("sise"), usual_compared("grad_cam")
        ('grad_cam', 'sise')
    """
    return _USUAL_METHOD if method == _USUAL_COMPARED else _USUAL_COMPARED


def usual_class(probabilities: Sequence[float]) -> int:
    """Return the class that is explained unless told otherwise.

    It is the model's answer; where that is "sound", the likeliest defect: the heat of "sound" covers a clean patch,
    which must look cold.

    Example:
        >>> usual_class([0.1, 0.2, 0.0, 0.7, 0.0]), usual_class([0.9, 0.0, 0.1, 0.0, 0.0])
        (3, 2)
    """
    answer = int(np.argmax(probabilities))
    if answer != SOUND.id:
        return answer
    return SOUND.id + 1 + int(np.argmax(probabilities[SOUND.id + 1 :]))


def _usual_in_words(target: int, probabilities: Sequence[float]) -> str:
    is_answer = target == int(np.argmax(probabilities))
    return f"the model's answer: {target}" if is_answer else f"the likeliest defect: {target}"


def _choose_effort(methods: Sequence[str]) -> str | None:
    """Let the user choose where a method has several efforts; elsewhere the address may still hold one."""
    having = [CATALOGUE[name] for name in methods if CATALOGUE[name].efforts]
    if not having:
        st.caption("These methods have one effort." if len(methods) > 1 else "This method has one effort.")
        named = st.query_params.get(EFFORT, _USUAL_EFFORT)
        return named if named in EFFORTS else None
    effort = _choice(
        "How thoroughly",
        EFFORT,
        EFFORTS,
        usual=_USUAL_EFFORT,
        help_=f"For {' and '.join(method.title for method in having)}: more work, a truer map, more time.",
    )
    if effort:
        st.caption("  \n".join(f"{method.title}: {method.efforts[effort].words}" for method in having))
    return effort


def _choice(
    words: str,
    name: str,
    options: Mapping[str, str],
    *,
    usual: str,
    help_: str,
    key: str = "",
    forgets: Callable[[], None] = lambda: None,
) -> str | None:
    """Let the user choose one of several, and keep the choice in the address; None where that names none of them.

    Where two pages have another usual choice by the same name, each has a key of its own: the browser takes the one for the other.
    """
    key = key or name
    named = st.query_params.get(name, usual)
    st.session_state[key] = named if named in options else None

    def keep() -> None:
        chosen = st.session_state[key]
        if chosen is None or chosen == usual:
            st.query_params.pop(name, None)
        else:
            st.query_params[name] = chosen
        forgets()

    chosen: str | None = st.selectbox(
        words,
        list(options),
        key=key,
        format_func=options.__getitem__,
        placeholder="Choose",
        on_change=keep,
        help=help_,
    )
    return chosen


def _forget_compared_twice() -> None:
    """Compare a newly chosen method with the usual one where it was the one to compare with."""
    if st.query_params.get(COMPARE) == st.query_params.get(METHOD, _USUAL_METHOD):
        st.query_params.pop(COMPARE, None)
