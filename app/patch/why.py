"""Why, step by step: how SISE came to its map, for who judges steel and not networks.

The pictures are a table with a column for each block of the network, from the image to the output, as in the paper's
Fig. 6: what the block found, what it lets through, the sum after it; last, the heat.
"""

from collections.abc import Iterator
from typing import Any

import streamlit as st
import torch

from app.asking.explanations import Failed, Found
from app.jobs import Cancelled, State
from app.patch.account import Account, Levels, Step
from app.patch.layers import Layer, Patchwork, base_data, picture, png_address
from app.patch.layers_in_browser import CSS, HTML, JS
from app.words import class_title, how_sure, percent, plain
from explain.engines import usual_engine
from severstal_xai.overlay import heat_colours

_COMPONENT = st.components.v2.component("severstal_xai_steps", html=HTML, css=CSS, js=JS)
_KEY, _OPEN = "why", "open"
"""What the section is called in the address, and what that says of one that is open."""
_CPU = torch.device("cpu")  # where the inspector's model is
_ENGINES = {
    "openvino": "OpenVINO",
    "openvino_float32": "OpenVINO in full precision",
    "compiled": "torch's compiler",
    "half": "torch in half precision",
    "reference": "torch itself in full precision",
}


def draw(patchwork: Patchwork, state: State, target: int, probability: float) -> None:
    """Draw the section, closed at first; what it holds is made where it is open.

    Args:
        patchwork: The patch; the layers are this section's own.
        state: SISE's; the section is absent where it failed, was cancelled or does not tell how it came about.
        target: The class explained.
        probability: Of that class.
    """
    if isinstance(state, Failed | Cancelled) or (isinstance(state, Found) and not state.account):
        return
    st.session_state.setdefault(_KEY, st.query_params.get(_KEY) == _OPEN)
    section = st.expander("Why, step by step: how SISE came to its heat", key=_KEY, on_change="rerun")
    if section.open:
        st.query_params[_KEY] = _OPEN
    else:
        st.query_params.pop(_KEY, None)
        return
    place = section.empty()  # what stood here of the patch before goes at once
    if not isinstance(state, Found) or state.account is None:
        place.write("SISE is still at work.")
        return
    with place.container():
        st.write(story(state.account, class_title(target), usual_engine(_CPU)))
        _COMPONENT(key="steps", data=as_data(patchwork, state, class_title(target), probability))


def story(account: Account, title: str, usual: str) -> str:
    """Return what SISE did, in Markdown.

    Args:
        account: How the map came about.
        title: The explained class's.
        usual: The engine that needs no reason.

    Example:
        >>> story(Account((), 0, "openvino", "", 0.21), "2 · edge bars", "openvino")
        'No feature of the network speaks for **2 · edge bars** on this patch. So there was nothing to ask about, and SISE finds no heat. It took 0.2 s.'
    """
    if not account.features:
        return (
            f"No feature of the network speaks for **{title}** on this patch. So there was nothing to ask about, and "
            f"SISE finds no heat. It took {_seconds(account.seconds)}."
        )
    return " ".join([_copies(account, title), _answered(account, usual)])


def _copies(account: Account, title: str) -> str:
    features, asked = account.features, account.asked
    made = (
        f"**{features:,}** features of the network speak for **{title}** on this patch. For each, SISE has a copy of the "
        "patch that is covered except where the feature responds. The surer the model is of the class when it is shown a "
        "copy, the more counts what that copy leaves uncovered."
    )
    if asked >= features:
        return f"{made} The model was asked about all of them ({asked:,} forward passes)."
    return (
        f"{made} The model was asked about **{asked:,}** of them ({asked:,} forward passes); what it would say of the others "
        "was predicted from its answers."
    )


def _answered(account: Account, usual: str) -> str:
    engine = _ENGINES.get(account.engine, plain(account.engine))
    took = f"It took {_seconds(account.seconds)}"
    if account.engine == usual:
        return f"{took} ({engine} answered for the model)."
    return (
        f"{took}. {engine} answered for the model, not {_ENGINES[usual]} as usual: {plain(account.reason)}."
    )


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def as_data(patchwork: Patchwork, found: Found, title: str, probability: float) -> dict[str, Any]:
    """Return what the browser needs, as JSON: cells of pictures and of words, row by row."""
    account = found.account
    if account is None:
        raise ValueError("this map does not tell how it came about")
    return base_data(patchwork) | {
        "scale": {
            "meaning": "Rows 1 to 3: each picture on its own scale, up to its hottest pixel. Row 4: the scale of all patches.",
            "end": "hottest",
        },
        "columns": len(account.steps),
        "pictures": [
            *_cells(account.steps, title),
            _words(
                "4. The heat",
                f"The last sum times the model's probability of {title} ({how_sure(probability)}): SISE's picture above, on "
                "the scale of all patches.",
                max(1, len(account.steps) - 1),
            ),
            picture(patchwork.name, Layer("SISE's heat", found, probability)),
        ],
    }


def _cells(steps: tuple[Step, ...], title: str) -> Iterator[dict[str, Any]]:
    columns = len(steps)
    yield _words(
        "1. What each block of the network finds",
        f"From fine detail, near the image, to coarse shapes, near the answer. Hot: what keeps the model at {title} while the rest is covered. "
        "Each picture has its own scale, up to its hottest pixel: compare shapes, not brightness.",
        columns,
    )
    for place, step in enumerate(steps, start=1):
        yield _found(place, step)
    yield _words(
        "2. What each block lets through",
        "Pale: its own picture is above a threshold there (Otsu's: the value that best parts the bright pixels from the "
        "dark), so the sum goes on. Dark: the sum is dropped. Beside each: the threshold, and the share of the patch above it.",
        columns,
    )
    yield _words("", "Block 1: nothing comes before it, all of it goes on.", 1)
    for place, step in enumerate(steps[1:], start=2):
        yield _gate(place, step)
    yield _words(
        "3. The sum after each block",
        "The sum so far and the block's own picture, added, where the block lets it through. Again each on its own scale.",
        columns,
    )
    for place, step in enumerate(steps, start=1):
        yield _heat(f"After block {place}", step.fused, "", "Nothing is left.")


def _found(place: int, step: Step) -> dict[str, Any]:
    nothing = "Its features favour no place." if step.features else "No feature here speaks for this class."
    note = f"{step.features:,} features" if step.features != 1 else "1 feature"
    return _heat(f"Block {place}", step.found, note, nothing) | {
        "alt": f"Block {place}, {step.layer}: {note}"
    }


def _heat(title: str, levels: Levels, note: str, nothing: str) -> dict[str, Any]:
    cell = {"title": title, "alt": title, "note": note, "state": "ready"}
    if not levels.any():
        return cell | {"state": "cold", "words": nothing}
    return cell | {"heat": png_address(heat_colours(levels / 255))}


def _gate(place: int, step: Step) -> dict[str, Any]:
    gate = step.gate
    if gate is None:
        raise ValueError(f"block {place} has no gate, expected one: a block comes before it")
    note = f"above {step.threshold:.2f}: {percent(float((gate > 127).mean()))}"
    return _heat(f"Through block {place}", gate, note, "It lets nothing through.")


def _words(title: str, words: str, span: int) -> dict[str, Any]:
    return {"state": "words", "title": title, "words": words, "span": span}
