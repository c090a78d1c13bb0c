"""What came of a run: what its model says of the validation and test split, scored and told in files."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from severstal_xai.classes import CLASSES
from severstal_xai.files import whole_file, write_text
from severstal_xai.manifest import Manifest, Split
from training import run_folder
from training.figures import confusion_figure, curves_figure, reliability_figure, write_figure
from training.history import Epoch, best_of
from training.loop import Judged
from training.measures import Measure, calibration_error, measures, scaled, temperature_of
from training.report import Run, model_card
from training.scores import as_json, paper_as_json, score
from training.work import Work


def run_of(work: Work, epochs: Sequence[Epoch], judged: Mapping[Split, Judged]) -> Run:
    """Score what the kept model says of the validation and the test split."""
    validation, test = judged[Split.VALIDATION], judged[Split.TEST]
    temperature = temperature_of(validation.shares(), validation.labels.numpy())
    shares, labels = test.shares(), test.labels.numpy()
    strips = [patch.strip for patch in work.manifest.of_split(Split.TEST)]
    ones = np.ones((1, len(labels)))
    return Run(
        settings=work.settings,
        manifest=work.manifest,
        compute=work.compute,
        epochs=epochs,
        test=score(test.logits, test.labels),
        validation=score(validation.logits, validation.labels),
        measures=measures(shares, labels, strips, work.settings.seed),
        temperature=temperature,
        calibrated_error=float(calibration_error(scaled(shares, temperature), labels, ones)[0]),
    )


def write_reports(run: Run, judged: Mapping[Split, Judged]) -> None:
    """Write the predictions, the scores, the figures and the model card."""
    folder = run.settings.output
    with whole_file(folder / run_folder.PREDICTIONS_FILE) as temporary:
        answers = [predictions(run.manifest, split, judged[split]) for split in judged]
        pd.concat(answers).to_parquet(temporary, index=False)
    write_text(folder / run_folder.SCORES_FILE, json.dumps(scores_of(run), indent=2) + "\n")
    test = judged[Split.TEST]
    title = f"{run.settings.architecture}, epoch {best_of(run.epochs).epoch}"
    for name, figure in (
        (run_folder.CONFUSION_FILE, confusion_figure(run.test, title)),
        (run_folder.CURVES_FILE, curves_figure(run.epochs)),
        (
            run_folder.RELIABILITY_FILE,
            reliability_figure(test.shares(), test.labels.numpy(), run.temperature),
        ),
    ):
        write_figure(folder / name, figure)
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


def predictions(manifest: Manifest, split: Split, judged: Judged) -> pd.DataFrame:
    """Return a row a patch: name, split, label, predicted class, and the softmax probability of each class."""
    patches = manifest.of_split(split)
    probabilities = judged.shares()
    table = pd.DataFrame(
        {
            "patch": [patch.patch for patch in patches],
            "split": str(split),
            "label": [patch.label for patch in patches],
            "predicted": probabilities.argmax(axis=1),
        }
    )
    return table.assign(**{f"p{steel.id}": probabilities[:, steel.id] for steel in CLASSES})
