"""What the overview reads of a run, and what it comes to, kept for all sessions as in `app.loading`."""

from pathlib import Path

import pandas as pd
import streamlit as st

from app import loading
from app.loading import EVALUATION
from explain.compare import Comparison, check_made_alike, compare
from explain.evaluation.controls import CONTROLS
from explain.evaluation.evidence import Count, count_groups
from explain.evaluation.files import EVIDENCE_FILE, read_evidence
from explain.evaluation.per_patch import CHECKSUMS, ROWS_FILE, read_rows
from explain.evaluation.rows import ORDERED
from explain.evaluation.summary import METRICS, Figures, summarise
from explain.evaluation.variants import over_seeds
from severstal_xai.checkpoint import MODEL_FILE, ModelCard, read_card
from severstal_xai.errors import InputError
from severstal_xai.predictions import PREDICTIONS_FILE, read_predictions
from severstal_xai.scores import SCORES_FILE, RunScores, read_scores

AGAINST_MASKS = ("energy_pointing", "top_iou", "box_score")
"""The metrics that hold heat against the marks, by their columns."""
_SEED = 0
"""Of the lots by which intervals are drawn: the same on every machine."""
Stamp = tuple[int, int] | None
Stamps = tuple[Stamp, ...]


def scores(run: Path, card: ModelCard) -> RunScores | None:
    """Return the scores on the test split; None where the run has none.

    Raises:
        InputError: As `read_scores`.
    """
    return _scores(str(run), loading.stamp(run / SCORES_FILE), card.weights_sha256, card)


def card_of(run: Path) -> ModelCard:
    """Return what is known of a run's model, without the model.

    Raises:
        InputError: As `read_card`.
    """
    return _card(str(run), loading.stamp(run / MODEL_FILE))


def answers(run: Path) -> pd.DataFrame:
    """Return a run's answers for the validation and the test patches.

    Raises:
        InputError: There are none, or they are damaged or of other weights.
    """
    path = run / PREDICTIONS_FILE
    return _answers(str(path), loading.stamp(path), card_of(run).weights_sha256)


def evaluation(run: Path) -> pd.DataFrame | None:
    """Return an evaluation's rows, one for each patch and method, the controls among these; None where nobody evaluated the run.

    Seeds are averaged; SISE at other thresholds, and maps with their ties ordered, are left out.

    Raises:
        InputError: It is damaged, or of other weights than the run's.
    """
    if not (run / EVALUATION / ROWS_FILE).is_file():
        return None
    return _evaluation(str(run), _stamps(run), card_of(run).weights_sha256)


def method_figures(run: Path) -> list[Figures]:
    """Return what the metrics against the marks come to, for each method and control; none where nobody evaluated the run.

    Raises:
        InputError: As `evaluation`.
    """
    if evaluation(run) is None:
        return []
    return _figures(str(run), _stamps(run), card_of(run).weights_sha256)


def comparison(before: Path, after: Path) -> Comparison:
    """Compare two evaluated runs, patch by patch.

    Raises:
        InputError: One is not evaluated, or as `evaluation` and `explain.compare.compare`.
    """
    for run in (before, after):
        if evaluation(run) is None:
            raise InputError(
                f"{run.resolve().name}: no evaluation, expected one of `python -m explain.evaluate`"
            )
    weights = tuple(card_of(run).weights_sha256 for run in (before, after))
    return _comparison((str(before), str(after)), (*_stamps(before), *_stamps(after)), weights)


def group_counts(known: pd.DataFrame, run: Path, data: str) -> list[Count]:
    """Return how many patches are in each group of evidence, as `count_groups` does.

    Args:
        known: What is known of each patch, with its group; one at least has one.
        run: The run whose answers and evidence these are.
        data: The manifest's checksum.
    """
    return _groups(str(run), data, _stamps(run), card_of(run).weights_sha256, known)


def _stamps(run: Path) -> Stamps:
    return tuple(loading.stamp(run / EVALUATION / name) for name in (ROWS_FILE, EVIDENCE_FILE))


@st.cache_resource(max_entries=4, show_spinner=False)
def _scores(run: str, stamp: Stamp, weights: str, _card: ModelCard) -> RunScores | None:  # noqa: ARG001 (part of the cache's key)
    return read_scores(Path(run), _card)


@st.cache_resource(max_entries=8, show_spinner=False)
def _card(run: str, stamp: Stamp) -> ModelCard:  # noqa: ARG001 (as above)
    return read_card(Path(run))


@st.cache_resource(max_entries=4, show_spinner=False)
def _answers(path: str, stamp: Stamp, weights: str) -> pd.DataFrame:  # noqa: ARG001 (as above)
    return read_predictions(Path(path), weights)


@st.cache_resource(max_entries=4, show_spinner="Reading the evaluation …")
def _evaluation(run: str, stamps: Stamps, weights: str) -> pd.DataFrame:  # noqa: ARG001 (as above)
    folder = Path(run) / EVALUATION
    read_evidence(folder / EVIDENCE_FILE, weights)  # the rows do not say of which weights they are
    _, rows = read_rows(folder)
    path = folder / ROWS_FILE
    missing = [name for name in CONTROLS if name not in set(rows["method"])]
    if missing:
        raise InputError(
            f"{path}: no row of the control {missing[0]}, expected those of {', '.join(CONTROLS)}"
        )
    columns = [
        "patch",
        "strip",
        "method",
        "label",
        "prediction",
        "whole",
        *(metric.column for metric in METRICS),
        "empty",
        *(name for name in CHECKSUMS if name in rows),
    ]
    return over_seeds(rows.loc[~rows["method"].str.endswith(ORDERED), columns])


@st.cache_resource(max_entries=4, show_spinner="Drawing the intervals …")
def _figures(run: str, stamps: Stamps, weights: str) -> list[Figures]:
    metrics = [metric for metric in METRICS if metric.column in AGAINST_MASKS]
    return summarise(_evaluation(run, stamps, weights), metrics, _SEED, unit="patch", group="strip")


@st.cache_resource(max_entries=4, show_spinner="Comparing the runs patch by patch …")
def _comparison(runs: tuple[str, str], stamps: Stamps, weights: tuple[str, ...]) -> Comparison:
    half = len(stamps) // 2
    before, after = (
        _evaluation(run, some, own)
        for run, some, own in zip(runs, (stamps[:half], stamps[half:]), weights, strict=True)
    )
    one, other = (Path(run) / EVALUATION for run in runs)
    check_made_alike(one, other, set(before["method"]) & set(after["method"]))
    return compare(before, after, _SEED)


@st.cache_resource(max_entries=4, show_spinner=False)
def _groups(run: str, data: str, stamps: Stamps, weights: str, _known: pd.DataFrame) -> list[Count]:  # noqa: ARG001 (as above)
    return count_groups(_known[_known["group"].notna()].reset_index(), _SEED)
