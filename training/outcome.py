"""What came of a run: what its model says of the validation and test split, scored and told in files."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from severstal_xai.bootstrap import Measure
from severstal_xai.files import write_text
from severstal_xai.manifest import Split
from severstal_xai.predictions import PREDICTIONS_FILE, write_predictions
from severstal_xai.scores import SCORES_FILE
from training import run_folder
from training.figures import confusion_figure, curves_figure, reliability_figure, write_figure
from training.history import Epoch, best_of
from training.loop import Judged
from training.measures import calibration_error, measures, scaled, temperature_of
from training.operating_point import operating_point_of, write_operating_point
from training.predictions import answers_of, table_of
from training.report import Run, model_card
from training.scores import as_json, paper_as_json, score
from training.work import Work


def run_of(work: Work, epochs: Sequence[Epoch], judged: Mapping[Split, Judged], weights_sha256: str) -> Run:
    """Score what the kept model says of the validation and the test split, and choose its thresholds."""
    settings = work.settings
    answers = {split: answers_of(work.manifest, split, judged[split]) for split in judged}
    validation, test = answers[Split.VALIDATION], answers[Split.TEST]
    temperature = temperature_of(validation.probabilities, validation.labels)
    calibrated = scaled(test.probabilities, temperature)
    return Run(
        settings=settings,
        manifest=work.manifest,
        compute=work.compute,
        epochs=epochs,
        answers=answers,
        test=score(test.probabilities, test.labels),
        validation=score(validation.probabilities, validation.labels),
        measures=measures(test.probabilities, test.labels, test.strips, settings.seed),
        temperature=temperature,
        calibrated_error=float(calibration_error(calibrated, test.labels, np.ones((1, len(test.labels))))[0]),
        operating_point=operating_point_of(answers, settings.operating_point, weights_sha256, settings.seed),
    )


def write_reports(run: Run) -> None:
    """Write the predictions, the scores, the thresholds, the figures and the model card."""
    folder, weights_sha256 = run.settings.output, run.operating_point.weights_sha256
    test = run.answers[Split.TEST]
    write_predictions(folder / PREDICTIONS_FILE, table_of(run.manifest, run.answers), weights_sha256)
    write_text(folder / SCORES_FILE, json.dumps(scores_of(run), indent=2) + "\n")
    title = f"{run.settings.architecture}, epoch {best_of(run.epochs).epoch}"
    for name, figure in (
        (run_folder.CONFUSION_FILE, confusion_figure(run.test, title)),
        (run_folder.CURVES_FILE, curves_figure(run.epochs)),
        (
            run_folder.RELIABILITY_FILE,
            reliability_figure(test.probabilities, test.labels, run.temperature),
        ),
    ):
        write_figure(folder / name, figure)
    write_operating_point(folder, run.operating_point, run.answers[Split.VALIDATION])
    write_text(folder / run_folder.CARD_FILE, model_card(run))


def scores_of(run: Run) -> dict[str, Any]:
    """Return what `scores.json` holds."""
    return {
        "architecture": run.settings.architecture,
        "epoch": best_of(run.epochs).epoch,
        "data_checksum": run.manifest.checksum,
        "compute": {
            "device": run.compute.device.type,
            "precision": run.compute.precision,
            "reason": run.compute.reason,
        },
        "test": as_json(run.test) | {"measures": _measures_as_json(run.measures)},
        "validation": as_json(run.validation),
        "calibration": {"temperature": run.temperature, "error_after": run.calibrated_error},
        "paper": paper_as_json(),
    }


def _measures_as_json(measures: Mapping[str, Measure]) -> dict[str, Any]:
    """Return a value and an interval for each score, null where there is none."""
    return {
        name: {key: None if np.isnan(value) else value for key, value in dataclasses.asdict(one).items()}
        for name, one in measures.items()
    }
