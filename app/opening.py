"""What every page begins with: the folders, the data and the model, or words on what is missing and what to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import streamlit as st

from app import loading, messages, runs
from app.demo import offer as demo_offer
from app.folders import Folders
from app.loading import Remark
from severstal_xai.checkpoint import Checkpoint
from severstal_xai.errors import InputError
from severstal_xai.manifest import Manifest
from severstal_xai.operating_point import OperatingPoint


@dataclass(frozen=True)
class Opened:
    """What a page shows.

    Args:
        folders: Where it lies.
        manifest: The patches.
        checkpoint: The model.
        known: What is known of each patch before anybody judged it, as `app.review.rows.known_of` returns it.
        remarks: What is missing of that.
        point: The thresholds; None where there are none, or none that can be used.
    """

    folders: Folders
    manifest: Manifest
    checkpoint: Checkpoint
    known: pd.DataFrame
    remarks: tuple[Remark, ...]
    point: OperatingPoint | None

    @property
    def is_own_data(self) -> bool:
        """Whether the model was trained on this very data."""
        return self.checkpoint.card.data_checksum == self.manifest.checksum


def open_folders() -> Folders:
    """Return the folders that a page shows; where nothing lies in them yet, offer the demo and end the page there."""
    with messages.stopped_by_wrong_input(messages.WRONG_START):
        folders = loading.folders()
    if folders.wait_for_demo:
        demo_offer.draw(loading.building())
        st.stop()
    return runs.chosen(folders)


def open_all() -> Opened:
    """Return what a page shows; where a part is missing or damaged, say so and end the page there."""
    folders = open_folders()
    with messages.stopped_by_wrong_input(messages.no_data(folders.data)):
        manifest = loading.open_data(folders.data)
    with messages.stopped_by_wrong_input(messages.no_model(folders.data, folders.run)):
        checkpoint = loading.open_model(folders.run)
    known, remarks = loading.known_patches(folders.run, checkpoint, manifest)
    return Opened(folders, manifest, checkpoint, known, remarks, _point(folders.run, checkpoint))


def _point(run: Path, checkpoint: Checkpoint) -> OperatingPoint | None:
    """Return the thresholds; where they cannot be used the remarks say so."""
    try:
        return loading.operating_point(run, checkpoint)
    except InputError:
        return None


def tell_what_is_missing(opened: Opened, more: Sequence[Remark] = ()) -> None:
    """Say it where the model was trained on other data than is shown, or where something cannot be told."""
    if not opened.is_own_data:
        messages.warn(messages.OTHER_DATA)
    for advice, detail in (*opened.remarks, *more):
        messages.warn(advice, detail)
