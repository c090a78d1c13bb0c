"""The panel where a patch is chosen: filters, a list, previous and next.

The address holds the choice (`?patch=NAME`), so that a view can be shared and there is one truth. It wins over
the filters: a patch that they would hide resets them. A filter that the user changes clears the address.
"""

from collections.abc import Mapping, Sequence

import streamlit as st

from app.choice import Filter, matching, neighbour
from app.messages import NO_SUCH_PATCH, problem
from app.words import class_title
from severstal_xai.classes import CLASSES
from severstal_xai.errors import InputError
from severstal_xai.manifest import Manifest, Patch, Split

ADDRESS = "patch"
_ALL = -1
_SPLITS = {
    Split.TEST: "test: never seen in training",
    Split.VALIDATION: "validation: used to choose the model",
    Split.TRAIN: "training: the model learnt from these",
}


def choose_patch(manifest: Manifest, predicted: Mapping[str, int]) -> Patch | None:
    """Let the user choose a patch.

    Args:
        manifest: The patches.
        predicted: The model's answers, by the patch's name, as far as they are known.

    Returns:
        None where the address names no patch of these, or where no patch passes the filters.
    """
    st.subheader("Choose a patch", anchor=False)
    named = st.query_params.get(ADDRESS)
    try:
        chosen = manifest.find(named) if named is not None else None
    except InputError:
        _filters(bool(predicted))
        _list(manifest, predicted, _listed(manifest, predicted), None)
        return None
    if chosen and chosen.patch not in matching([chosen], _wanted(), predicted):
        st.session_state.update(split=chosen.split, label=_ALL, only_mistakes=False)
    _filters(bool(predicted))
    names = _listed(manifest, predicted)
    if chosen is None and names:
        chosen = manifest.find(names[0])
        st.query_params[ADDRESS] = chosen.patch
    _list(manifest, predicted, names, chosen)
    return chosen


def say_why_none_is_chosen() -> None:
    """Say why `choose_patch` gave no patch, and what to do."""
    named = st.query_params.get(ADDRESS)
    if named is None:
        st.info("No patch matches. Choose another class or another part of the data on the left.")
    else:
        problem(NO_SUCH_PATCH, named)


def _filters(with_mistakes: bool) -> None:
    st.selectbox(
        "Part of the data",
        list(_SPLITS),
        key="split",
        format_func=_SPLITS.__getitem__,
        on_change=_forget_address,
        help="Judge the model by test patches: it has never seen them.",
    )
    st.selectbox(
        "Class, as people marked it",
        [_ALL, *range(len(CLASSES))],
        key="label",
        format_func=lambda label: "all classes" if label == _ALL else class_title(label),
        on_change=_forget_address,
        help="0 is sound steel, 1 to 4 are defects.",
    )
    if with_mistakes:
        st.toggle(
            "Only the model's mistakes",
            key="only_mistakes",
            on_change=_forget_address,
            help="Lists the patches to which the model gave another class than people did.",
        )


def _wanted() -> Filter:
    state = st.session_state
    label = state.get("label", _ALL)
    return Filter(
        state.get("split", Split.TEST), None if label == _ALL else label, state.get("only_mistakes", False)
    )


def _listed(manifest: Manifest, predicted: Mapping[str, int]) -> list[str]:
    return matching(manifest.patches, _wanted(), predicted)


def _list(
    manifest: Manifest, predicted: Mapping[str, int], names: Sequence[str], chosen: Patch | None
) -> None:
    def described(name: str) -> str:
        label = manifest.find(name).label
        answer = predicted.get(name, label)
        return f"{name} · class {label}" + (f" → {answer}" if answer != label else "")

    name = chosen.patch if chosen else None
    st.session_state["chosen"] = name
    st.selectbox(
        f"Patch ({len(names)} in the list)",
        names,
        key="chosen",
        format_func=described,
        placeholder="Choose a patch",
        on_change=lambda: _go_to(st.session_state["chosen"]),
        help="Name and marked class; an arrow leads to the model's answer where that is another. Type to search.",
    )
    for column, words, step in zip(st.columns(2), ("Previous", "Next"), (-1, 1), strict=True):
        there = neighbour(names, name, step) if name else None
        column.button(
            words, key=words, disabled=there is None, on_click=_go_to, args=(there,), width="stretch"
        )


def _go_to(name: str | None) -> None:
    if name is not None:
        st.query_params[ADDRESS] = name


def _forget_address() -> None:
    st.query_params.pop(ADDRESS, None)
