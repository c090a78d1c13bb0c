"""What is read from files and asked of the model, and kept for all sessions.

Each cache is bounded, and keyed by what decides the result: a file by its size and time, so that data prepared
or a model trained anew is seen when the page is loaded again. A cached model is the same object in all sessions
at once: nobody may hook it or change its mode.
"""

import atexit
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
import torch
from torch import nn

from app.asking.explanations import Finished
from app.demo.building import Building
from app.folders import Folders, folders_from
from app.jobs import Jobs
from app.messages import NO_EVIDENCE, NO_PREDICTIONS, STORE_AWAY, WRONG_THRESHOLDS, Advice
from app.new_strips.answers import Answers
from app.new_strips.uploads import UploadShelf
from app.new_strips.watch import Watch
from app.review.rows import known_of
from app.review.tiles import thumbnail as thumbnail_of
from app.strip.strips import Strip, strips_of
from app.verdicts.readings import LOT, kinds_in_sight
from app.verdicts.store import Store, open_store
from explain.evaluation.evidence import Group
from explain.evaluation.files import EVIDENCE_FILE, read_evidence
from severstal_xai.checkpoint import MODEL_FILE, WEIGHTS_FILE, Checkpoint, load_checkpoint
from severstal_xai.errors import InputError
from severstal_xai.imaging import model_input
from severstal_xai.left_out import LEFT_OUT_FILE, LeftOutWindow, read_left_out
from severstal_xai.manifest import MANIFEST_FILE, Manifest, Patch, read_manifest
from severstal_xai.model import probabilities as softmax
from severstal_xai.operating_point import OPERATING_POINT_FILE, OperatingPoint, read_operating_point
from severstal_xai.predictions import PREDICTIONS_FILE, read_predictions

EVALUATION = "evaluation"
"""The folder in a run's that `python -m explain.evaluate` writes to."""
Remark = tuple[Advice, str]
"""What the user is told beside a result that is not whole, and the detail."""


def folders() -> Folders:
    """Return the folders that the inspector was started with."""
    return folders_from(sys.argv[1:], Path())


def open_data(root: Path) -> Manifest:
    """Return a data folder's manifest.

    Raises:
        InputError: There is none, or it is damaged.
    """
    return _manifest(str(root), stamp(root / MANIFEST_FILE))


def open_model(run: Path) -> Checkpoint:
    """Return a run folder's model.

    Raises:
        InputError: There is none, or it is damaged.
    """
    return _checkpoint(str(run), stamp(run / MODEL_FILE), stamp(run / WEIGHTS_FILE))


def operating_point(run: Path, checkpoint: Checkpoint) -> OperatingPoint | None:
    """Return the thresholds of a run's model; None where none were chosen.

    Raises:
        InputError: They are damaged, or of another model.
    """
    path = run / OPERATING_POINT_FILE
    return _operating_point(str(run), stamp(path), checkpoint.card.weights_sha256)


def predictions(run: Path, checkpoint: Checkpoint) -> pd.DataFrame | None:
    """Return the model's answer for each validation and test patch; None where no such file lies.

    Raises:
        InputError: The file is damaged or of other weights.
    """
    path = run / PREDICTIONS_FILE
    return _predictions(str(path), stamp(path), checkpoint.card.weights_sha256) if path.is_file() else None


def evidence(run: Path, checkpoint: Checkpoint) -> Mapping[str, Group]:
    """Return where the evidence lies, by the patch's name; empty where nobody evaluated the run.

    Raises:
        InputError: The file is damaged or of other weights.
    """
    path = run / EVALUATION / EVIDENCE_FILE
    return _evidence(str(path), stamp(path), checkpoint.card.weights_sha256) if path.is_file() else {}


def known_patches(
    run: Path, checkpoint: Checkpoint, manifest: Manifest
) -> tuple[pd.DataFrame, tuple[Remark, ...]]:
    """Return what is known of each patch before anybody judged it, as `known_of` does, and what is missing of it."""
    stamps = [
        stamp(run / name)
        for name in (PREDICTIONS_FILE, f"{EVALUATION}/{EVIDENCE_FILE}", OPERATING_POINT_FILE)
    ]
    return _known(manifest.checksum, checkpoint.card.weights_sha256, tuple(stamps), run, checkpoint, manifest)


def thumbnail(manifest: Manifest, patch: Patch) -> tuple[str, str]:
    """Return a patch's thumbnail and outline, as the browser takes them.

    Raises:
        InputError: A file of the patch's is missing or damaged.
    """
    return _thumbnail(patch.image_sha256, patch.mask_sha256, manifest, patch)


def probabilities(checkpoint: Checkpoint, image: str, grey: np.ndarray) -> tuple[float, ...]:
    """Return the model's softmax probabilities of the classes, in their order; `image` is the picture's checksum."""
    return _probabilities(checkpoint.card.weights_sha256, image, checkpoint.model, grey)


def ask(model: nn.Module, grey: np.ndarray) -> tuple[float, ...]:
    """Ask a model, now, for its softmax probabilities of the classes, in their order."""
    with torch.no_grad():
        logits = model(torch.from_numpy(model_input(grey))[None])
    return tuple(softmax(logits)[0].tolist())


def strips(manifest: Manifest) -> dict[str, Strip]:
    """Return the strips of a data folder by their names."""
    return _strips(manifest.checksum, manifest)


def left_out(manifest: Manifest) -> Mapping[str, LeftOutWindow]:
    """Return the windows that became no patch, by the patch's name; none where the data folder does not tell."""
    path = manifest.root / LEFT_OUT_FILE
    try:
        return _left_out(str(manifest.root), stamp(path))
    except InputError:
        return {}


@st.cache_resource(show_spinner=False)
def finished() -> Finished:
    """Return the explanations that are ready, of all sessions: at most 400.

    A map takes 0.25 MB, the account of one of SISE's with five blocks 0.9 MB beside it: with as many maps of SISE as of
    Grad-CAM 0.3 GB, at the very most 0.5 GB.
    """
    return Finished(max_entries=400)


@st.cache_resource(show_spinner=False)
def jobs() -> Jobs:
    """Return the explanations that are being made, of all sessions; they stop when the inspector ends."""
    shared = Jobs(finished())
    atexit.register(shared.close)
    return shared


@st.cache_resource(show_spinner=False)
def building() -> Building:
    """Return the demo's job, of all sessions; it stops when the inspector ends."""
    shared = Building(Path().resolve())
    atexit.register(shared.cancel)
    return shared


@st.cache_resource(show_spinner=False)
def answers() -> Answers:
    """Return what was said of new images, to all sessions."""
    return Answers()


@st.cache_resource(show_spinner=False)
def upload_shelf() -> UploadShelf:
    """Return where the uploads of all sessions lie."""
    return UploadShelf()


@st.cache_resource(max_entries=2, show_spinner=False)
def watch(folder: str) -> Watch:
    """Return what is known of a watched folder, to all sessions."""
    return Watch(Path(folder))


@st.cache_resource(show_spinner=False)
def verdicts() -> Store:
    """Return the store of verdicts, of all sessions.

    Raises:
        InputError: It cannot be opened; the next call tries again.
    """
    return open_store()


def kinds_of_verdicts(reader: str) -> tuple["pd.Series[str]", tuple[Remark, ...]]:
    """Return what a reader may know of the verdicts on each patch, as kinds joined by a blank, and what is missing.

    Returns:
        By the patch's name; patches without any are left out.
    """
    try:
        store = verdicts()
        touched = store.touched_by(reader) if reader else frozenset[str]()
        kinds = kinds_in_sight(store.standing(), touched, reader, LOT)
    except InputError as error:
        return pd.Series(dtype=str), ((STORE_AWAY, str(error)),)
    return pd.Series({patch: " ".join(found) for patch, found in kinds.items()}, dtype=str), ()


def stamp(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from what it was before, or is elsewhere; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None  # the reader says what is wrong
    return status.st_size, status.st_mtime_ns


@st.cache_resource(max_entries=2, show_spinner="Reading the list of patches …")
def _manifest(root: str, stamp: tuple[int, int] | None) -> Manifest:  # noqa: ARG001 (part of the cache's key)
    return read_manifest(Path(root))


@st.cache_resource(max_entries=2, show_spinner="Loading the model …")
def _checkpoint(run: str, *stamps: tuple[int, int] | None) -> Checkpoint:  # noqa: ARG001 (as above)
    return load_checkpoint(Path(run))


@st.cache_resource(max_entries=2, show_spinner=False)
def _strips(data: str, _manifest: Manifest) -> dict[str, Strip]:  # noqa: ARG001 (as above)
    return strips_of(_manifest)


@st.cache_resource(max_entries=2, show_spinner=False)
def _left_out(root: str, stamp: tuple[int, int] | None) -> Mapping[str, LeftOutWindow]:  # noqa: ARG001 (as above)
    return read_left_out(Path(root))


@st.cache_resource(max_entries=2, show_spinner=False)
def _operating_point(run: str, stamp: tuple[int, int] | None, weights: str) -> OperatingPoint | None:  # noqa: ARG001
    return read_operating_point(Path(run), weights)


@st.cache_resource(max_entries=2, show_spinner=False)
def _predictions(path: str, stamp: tuple[int, int] | None, weights: str) -> pd.DataFrame:  # noqa: ARG001 (as above)
    return read_predictions(Path(path), weights)


@st.cache_resource(max_entries=2, show_spinner=False)
def _evidence(path: str, stamp: tuple[int, int] | None, weights: str) -> Mapping[str, Group]:  # noqa: ARG001 (as above)
    return read_evidence(Path(path), weights)


@st.cache_resource(max_entries=2, show_spinner="Reading what is known of the patches …")
def _known(
    data: str,  # noqa: ARG001 (as above)
    weights: str,  # noqa: ARG001 (as above)
    stamps: tuple[tuple[int, int] | None, ...],  # noqa: ARG001 (as above)
    _run: Path,
    _checkpoint: Checkpoint,
    _manifest: Manifest,
) -> tuple[pd.DataFrame, tuple[Remark, ...]]:
    remarks: list[Remark] = []

    def read(what: Callable[[Path, Checkpoint], Any], advice: Advice) -> Any:
        try:
            return what(_run, _checkpoint)
        except InputError as error:
            remarks.append((advice, str(error)))
            return None

    answers = read(predictions, NO_PREDICTIONS)
    groups = read(evidence, NO_EVIDENCE) or {}
    point = read(operating_point, WRONG_THRESHOLDS)
    return known_of(_manifest, answers, groups, point), tuple(remarks)


@st.cache_data(max_entries=2048, show_spinner=False)
def _thumbnail(image: str, mask: str, _manifest: Manifest, _patch: Patch) -> tuple[str, str]:  # noqa: ARG001 (as above)
    return thumbnail_of(_manifest.read_image(_patch), _manifest.read_mask(_patch))


@st.cache_data(max_entries=4096, show_spinner="Asking the model …")
def _probabilities(
    weights: str,  # noqa: ARG001 (as above)
    image: str,  # noqa: ARG001 (as above)
    _model: nn.Module,
    _grey: np.ndarray,
) -> tuple[float, ...]:
    return ask(_model, _grey)
