"""What the page says when something is missing, damaged or broken: plain English, and what to do next."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from app.discretion import discreet
from app.words import inside, plain
from severstal_xai.errors import InputError

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Advice:
    """What to do about a problem.

    Args:
        title: The problem, in a sentence.
        text: What it means and what helps.
        commands: What to type, one command a line.
        is_logged: Whether it is for who runs the inspector, too: whatever says it to a user writes it into the log.
    """

    title: str
    text: str
    commands: tuple[str, ...] = ()
    is_logged: bool = False


_START = "streamlit run app/main.py -- --data data/patches --run runs/NAME"

WRONG_START = Advice(
    "The inspector was started with an argument that it does not know.",
    "Start it like this:",
    (_START,),
    True,
)
DEMO_BROKEN = Advice(
    "The demo could not be built.",
    "What was made is kept, and trying again goes on from there. If it fails again, delete the folder `demo` and try once more; "
    "all that the commands said is in the log, in the window where the inspector was started.",
)
NO_SUCH_PATCH = Advice(
    "The address names a patch that is not in this data.",
    "Choose a patch on the left, or ask who sent the address which data it is from.",
)
NO_SUCH_STRIP = Advice(
    "The address names a strip that is not in this data.",
    "Choose a strip on the left, or ask who sent the address which data it is from.",
)
NO_WHOLE_STRIP = Advice(
    "The picture of the whole strip cannot be shown.",
    "It is put together from the patches instead; the rest of it stays hatched.",
)
MARKS_NOT_KEPT = Advice(
    "Where the marks of left-out windows lie is not known.",
    "An earlier version prepared this data folder and did not keep them; of several classes on a window it kept one. Preparing it anew from "
    "the same strips with the same settings adds them, and the patches stay the same:",
    ("python -m data_prep --config data/patches/settings.yaml --output data/patches",),
)
NO_SUCH_RUN = Advice(
    "The address names a run that does not lie beside the one the inspector was started with.",
    "Choose a run on the page “Overview”, or ask who sent the address which inspector it is from.",
)
NO_SCORES = Advice(
    "The scores of this model cannot be shown.",
    "Training writes them at its end: `python -m training --resume true …` ends an unfinished run.",
)
NO_EVALUATION = Advice(
    "This model's explanations have not been evaluated, or not so that it can be told.",
    "This finds out how much of the heat lies on the marked defects (some minutes to hours, by the number of patches and methods):",
    ("python -m explain.evaluate --run runs/NAME --data data/patches",),
)
NO_COMPARISON = Advice(
    "The two runs' answers cannot be compared.",
    "Both need what training writes at its end, and the same data.",
)
NO_COMPARED_MAPS = Advice(
    "The two runs' reasons cannot be compared.",
    "Both need an evaluation of their maps, which `python -m explain.evaluate` makes, of the same patches.",
)
NO_SUCH_QUESTION = Advice(
    "The address asks for what there is not.",
    "Choose on the left where “Choose” stands: the class, the method, the one beside it (not the same twice) and the effort.",
)
_DATA_ANEW = (
    "python -m data_prep.verify --data data/patches",
    "python -m data_prep --source severstal-steel-defect-detection.zip --output data/patches",
)
DAMAGED_PATCH = Advice(
    "This patch cannot be shown.",
    "Its files are missing, damaged or not those that were prepared. Choose another patch on the left; "
    "to find out what else is damaged, and to prepare the data anew:",
    _DATA_ANEW,
)
DAMAGED_STRIP = Advice(
    "Not all of this strip can be shown.",
    "Files of its windows are missing, damaged or not those that were prepared. Choose another strip on the left; "
    "to find out what else is damaged, and to prepare the data anew:",
    _DATA_ANEW,
)
DAMAGED_SHEET = Advice(
    "Not all of these pictures can be shown.",
    "Files of these patches are missing, damaged or not those that were prepared: under each picture stands what is wrong. "
    "To find out what else is damaged, and to prepare the data anew:",
    _DATA_ANEW,
)
OTHER_DATA = Advice(
    "This model was trained on other data than is shown here.",
    "Patches that it learnt from may be listed as test patches, so it may look better than it is. "
    "To be sure, show a run together with the data folder that it was trained on.",
)
WRONG_THRESHOLDS = Advice(
    "The thresholds of this model cannot be used.",
    "No patch is called flagged or not flagged until they are set anew with "
    "`python -m training.operating_point --run runs/NAME`.",
)
WRONG_ADDRESS = Advice(
    "The address asks for something that this page does not know.",
    "Correct it, ask who sent it, or start over with all filters taken back.",
)
NO_PREDICTIONS = Advice(
    "The model's answers for all patches cannot be used.",
    "So the queue knows what people marked, but not what the model says. Training writes them at its end: "
    "`python -m training --resume true …` ends an unfinished run.",
)
NO_EVIDENCE = Advice(
    "Where the evidence lies cannot be told.",
    "`python -m explain.evaluate --run runs/NAME --data data/patches` finds it out, for each patch.",
)
NO_ANSWERS_YET = Advice(
    "The run folder does not hold the model's answers for all patches.",
    "So the queue knows what people marked, but not what the model says. Training writes them at its end: go on with the run, "
    "then load this page again:",
    ("python -m training --resume true --data data/patches --output runs/NAME",),
)
ANSWERS_ELSEWHERE = Advice(
    "The run folder holds the model's answers for the data that it was trained on, not for these patches.",
    "So the queue knows what people marked, but not what the model says. To see that here, start the inspector with the run's "
    "own data. The page of one patch asks the model itself.",
)
NOT_ASKED_HERE = Advice(
    "The model was not asked about these patches: training asks about those of its own data alone.",
    "To count its answers, choose on the left a run that was trained on these patches, if there is one, or start the inspector with "
    "the data that this run was trained on, like this. The page of one patch asks the model itself, whatever data it is of.",
    (_START,),
)
NO_EVIDENCE_YET = Advice(
    "Nobody has found out yet where the evidence for the answers lies.",
    "This evaluates the run, which takes a while; then load this page again:",
    ("python -m explain.evaluate --run runs/NAME --data data/patches",),
)
NO_THRESHOLDS_YET = Advice(
    "No thresholds are set for this model, so nothing is called flagged.",
    "This sets them; then load this page again:",
    ("python -m training.operating_point --run runs/NAME",),
)
STORE_AWAY = Advice(
    "The verdicts cannot be read or written now.",
    "The rest of the page works without them. Ask who runs the inspector whether its database is there and whole: its log says what is wrong.",
    is_logged=True,
)
FILTERS_AWAY = Advice(
    "Saved filters cannot be read or written now.",
    "The built-in ones work without them. Ask who runs the inspector whether its database is there and whole: its log says what is wrong.",
    is_logged=True,
)
NO_SUCH_UPLOAD = Advice(
    "This upload is not here.",
    "Uploads are kept for the session that made them, until its page is closed or loaded anew. Go to the list and upload the file again; "
    "its address then opens it.",
)
NO_SUCH_NEW_STRIP = Advice(
    "The address names a file that is not among the new strips.",
    "It may have been moved out of the watched folder, or it was not taken: the list says which files were not, and why.",
)
NO_SUCH_WINDOW = Advice(
    "The address names a window that this picture does not have.",
    "A strip has the windows 1 to 6, a patch by itself has one. Go to the list and choose again.",
)
CHANGED_FILE = Advice(
    "This file can no longer be shown.",
    "It was taken out of the folder or replaced after it was checked. The list has what is there now.",
)
FOLDER_AWAY = Advice(
    "The watched folder cannot be read now.",
    "What was seen in it stays listed, and it is looked at again every few seconds. Ask who runs the inspector whether the folder is there.",
)
NOT_SAVED = Advice("This was not saved.", "What you wrote is still here: try again.")
NOT_SIGNED_IN = Advice("You have not signed in.", "The inspector shows nothing before.")
NO_ROLE = Advice(
    "You are not let in.",
    "You have no role here. Ask who runs the inspector for one, or sign in as somebody else.",
)
NOBODY_LET_IN = Advice(
    "Nobody can be let in now.",
    "What says who may use the inspector is missing or wrong. Ask who runs it: its log says what is wrong.",
)
_OUR_FAULT = Advice(
    "Something went wrong inside the inspector.",
    "It is a fault of the program, not yours. Loading the page again may help. "
    "The details are in the log, in the window where the inspector was started.",
)


def no_data(data: Path) -> Advice:
    """Return what to do where this folder has no patches that can be shown."""
    return Advice(
        "There are no patches to show.",
        "The inspector shows what data preparation made. Prepare Severstal's images into the folder that it looks in, or "
        "start it with the folder where patches lie, then load this page again:",
        (
            f"python -m data_prep --source severstal-steel-defect-detection.zip --output {data}",
            _START,
        ),
    )


def no_model(data: Path, run: Path) -> Advice:
    """Return what to do where this run folder has no model that can be asked."""
    return Advice(
        "There is no trained model to ask.",
        "The patches are there, but no whole model. Train one on them, or start the inspector with the folder of one that "
        "was trained, then load this page again:",
        (f"python -m training --data {data} --output {run}", _START),
    )


def problem(advice: Advice, detail: str = "") -> None:
    """Say that the page cannot show what was asked for, why, and what to do next; of a path outside the folders the name alone."""
    _log(advice, detail)
    st.error(f"**{advice.title}**" + (f"  \n{plain(discreet(detail))}" if detail else ""))
    st.write(advice.text)
    if advice.commands:
        st.code("\n".join(advice.commands), language=None)


def hint(advice: Advice) -> None:
    """Say that something is not there yet, and what makes it."""
    st.info(f"**{advice.title}** {advice.text}")
    if advice.commands:
        st.code("\n".join(advice.commands), language=None)


def warn(advice: Advice, detail: str = "") -> None:
    """Say that what the page shows is to be taken with care, and why."""
    _log(advice, detail)
    st.warning(f"**{advice.title}** {advice.text}" + (f"  \n{plain(discreet(detail))}" if detail else ""))


def _log(advice: Advice, detail: str) -> None:
    if advice.is_logged:
        _LOG.error("%s %s", advice.title, detail)


@contextmanager
def stopped_by_wrong_input(advice: Advice, folder: Path | None = None) -> Iterator[None]:
    """Turn an `InputError` into a message, and end the page there; files in the folder are named without it."""
    try:
        yield
    except InputError as error:
        problem(advice, str(error) if folder is None else inside(str(error), folder))
        st.stop()


@contextmanager
def calm() -> Iterator[None]:
    """Keep a traceback off the page; it goes to the log.

    The one place that catches every exception: beyond it is Streamlit, whose words for a bug of ours are about
    its makers' cloud. Streamlit's own signals (rerun, stop) are no `Exception`s and pass.
    """
    try:
        yield
    except Exception:
        _LOG.exception("the page broke off")
        problem(_OUR_FAULT)
