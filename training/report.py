"""The model card: what a run's model was made from, how good it is, and what it is for."""

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from severstal_xai.bootstrap import RESAMPLES, Measure
from severstal_xai.classes import CLASSES
from severstal_xai.manifest import Manifest, Split, count_shared_strips
from severstal_xai.markdown import table
from severstal_xai.operating_point import STEM, OperatingPoint
from severstal_xai.paper import TABLE_5, TOP_1, TOP_3
from severstal_xai.predictions import PREDICTIONS_FILE
from severstal_xai.scores import SCORES_FILE
from training.compute import Compute
from training.history import Epoch, best_of
from training.plan import counts_of
from training.predictions import Answers
from training.run_folder import (
    AUGMENTATION_FILE,
    CONFUSION_FILE,
    CURVES_FILE,
    EVENTS,
    HISTORY_FILE,
    RELIABILITY_FILE,
)
from training.scores import Scores, normalised
from training.settings import PAPER, Settings

_OF_THE_MACHINE = {"data", "output", "overwrite", "resume", "save_every", "device", "workers"}
_PACKAGES = ("severstal-xai", "torch", "torchvision", "albumentations", "numpy")


@dataclass(frozen=True)
class Run:
    """All that is known of a finished run.

    Args:
        settings: Its settings.
        manifest: Its data.
        compute: Where and how it computed.
        epochs: What each epoch came to.
        answers: What the kept model says of the validation and test patches.
        test: The kept model's scores on the test split.
        validation: The kept model's scores on the validation split.
        measures: Its scores on the test split with their intervals.
        temperature: By which its logits are divided to be calibrated; fitted on the validation split.
        calibrated_error: The calibration error on the test split after that.
        operating_point: The thresholds of the defect classes.
    """

    settings: Settings
    manifest: Manifest
    compute: Compute
    epochs: Sequence[Epoch]
    answers: Mapping[Split, Answers]
    test: Scores
    validation: Scores
    measures: Mapping[str, Measure]
    temperature: float
    calibrated_error: float
    operating_point: OperatingPoint


def model_card(run: Run) -> str:
    """Write the run's README, in Markdown."""
    sections = (_title(run), _scores(run), _data(run.manifest), _settings(run), _use(run))
    return "\n\n".join(sections) + "\n"


def _title(run: Run) -> str:
    best = best_of(run.epochs)
    return f"""# {run.settings.architecture} on Severstal steel patches

Classifies a grey patch of 256 x 256 pixels of flat steel as one of {len(CLASSES)} classes. The kept model is
that of epoch {best.epoch} of {len(run.epochs)}: the best by validation top-1 ({best.validation_top1:.2%}, loss {best.validation_loss:.4f}).
Trained on {run.compute.device.type} in {run.compute.precision} ({run.compute.reason}); scored in float32, as it is used.

| file | what it holds |
| --- | --- |
| `model.safetensors`, `model.json` | the kept model |
| `last.safetensors`, `last.json` | the model after the last epoch |
| `{HISTORY_FILE}`, `{CURVES_FILE}` | loss and top-1 of each epoch; in `{EVENTS}` the same for TensorBoard |
| `{AUGMENTATION_FILE}` | what the network sees: patches under each augmentation |
| `{SCORES_FILE}`, `{CONFUSION_FILE}` | the scores below |
| `{RELIABILITY_FILE}` | how often the model is right where it is so and so sure |
| `{PREDICTIONS_FILE}` | each validation and test patch with its probabilities |
| [`{STEM}.md`]({STEM}.md), `.png`, `.json` | from which probability on a patch is flagged as a defect, and the misses and false alarms to expect |"""


def _scores(run: Run) -> str:
    test, measures = run.test, run.measures
    recall = f"{np.trace(TABLE_5) / 5:.2%}"
    summary = table(
        ["", "this model", "95 % interval", "paper (ResNet-101, full data)"],
        [
            ["test patches", str(test.count), "", "11,505 (its Table 3)"],
            ["top-1", f"{test.top1:.2%}", _interval(measures["top1"]), f"{TOP_1:.2%}"],
            ["top-3", f"{test.top3:.2%}", _interval(measures["top3"]), f"{TOP_3:.2%}"],
            [
                "balanced accuracy (mean recall)",
                f"{test.mean_recall:.2%}",
                _interval(measures["balanced_accuracy"]),
                recall,
            ],
        ],
    )
    return f"""## Scores on the test split

{summary}

The intervals are of {RESAMPLES:,} bootstrap samples of the strips: patches of one strip are not independent.

{_by_class(run)}

Confusion matrix, patches; rows are the actual class, columns the predicted one:

{_matrix([[str(count) for count in row] for row in test.confusion.tolist()])}

The same as shares of the actual class, and in brackets the paper's Table 5:

{_matrix(_beside_paper(test))}"""


def _by_class(run: Run) -> str:
    kinds = ("precision", "recall", "f1", "average_precision")
    counts = run.test.confusion.sum(axis=1)
    rows = [
        [f"{steel.id} {steel.name}", str(counts[steel.id])]
        + [_with_interval(run.measures[f"{kind}_{steel.id}"]) for kind in kinds]
        for steel in CLASSES
        if counts[steel.id]
    ]
    return table(["class", "patches", "precision", "recall", "F1", "average precision"], rows)


def _interval(measure: Measure) -> str:
    return "" if np.isnan(measure.low) else f"{measure.low:.2%} to {measure.high:.2%}"


def _with_interval(measure: Measure) -> str:
    if np.isnan(measure.value):
        return "-"
    interval = "" if np.isnan(measure.low) else f" ({measure.low:.2f} to {measure.high:.2f})"
    return f"{measure.value:.3f}{interval}"


def _beside_paper(test: Scores) -> list[list[str]]:
    return [
        ["-" if np.isnan(ours) else f"{ours:.3f} ({paper:g})" for ours, paper in zip(*rows, strict=True)]
        for rows in zip(normalised(test.confusion).tolist(), TABLE_5, strict=True)
    ]


def _data(manifest: Manifest) -> str:
    counts = counts_of(manifest)
    by_split = table(
        ["class", *(str(split) for split in Split)],
        [
            [f"{steel.id} {steel.name}", *(str(counts[split][steel.id]) for split in Split)]
            for steel in CLASSES
        ],
    )
    test = len(manifest.of_split(Split.TEST))
    shared = count_shared_strips((patch.strip, patch.split) for patch in manifest.patches)
    return f"""## Data

The manifest's SHA-256 is `{manifest.checksum}`.

{by_split}

{shared} of the {test} test patches share their strip with a patch of training or validation. Neighbours on a strip look alike, so
the scores on such patches say less about strips that the model has never seen."""


def _settings(run: Run) -> str:
    versions = ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)
    return f"""## Settings

{table(["setting", "value", "whose"], _setting_rows(run.settings))}

Made with Python {platform.python_version()}, {versions}."""


def _setting_rows(settings: Settings) -> Iterable[list[str]]:
    for name, value in asdict(settings).items():
        if isinstance(value, dict):
            yield from ([f"{name}.{part}", str(amount), "ours"] for part, amount in value.items())
        else:
            yield [name, "all" if value is None else str(value), whose(name, value)]


def whose(name: str, value: object) -> str:
    """Say whether a setting's value is the paper's.

    Example:
        >>> whose("epochs", 40), whose("epochs", 8), whose("momentum", 0.9)
        ('the paper', 'ours (the paper: 40)', 'ours')
    """
    if name in _OF_THE_MACHINE:
        return "this run's"
    if name not in PAPER:
        return "ours"
    paper = "all" if PAPER[name] is None else PAPER[name]
    return "the paper" if value == PAPER[name] else f"ours (the paper: {paper})"


def _use(run: Run) -> str:
    error = run.measures["calibration_error"].value
    leaning = "too sure" if run.temperature > 1 else "not sure enough"
    helps = (
        "" if run.calibrated_error < error else "; it does not help here: of so few patches it cannot be told"
    )
    return f"""## Intended use and limits

For research, and as the model that explanation methods are judged on. It supports an inspector's judgement and does not
replace it; nobody has qualified it for releasing or rejecting steel.

- It knows strips that look like those it was trained on: other cameras, lighting or steel need new data and new scores.
- A patch has one class. Whatever it shows, the model names one of the five, also for what is no steel.
- The probabilities are not calibrated, the model is {leaning}: they miss the share of right answers by {error:.3f} on
  average (ECE), and by {run.calibrated_error:.3f} with the logits divided by {run.temperature:.3f}, the temperature fitted on
  the validation split ([`{RELIABILITY_FILE}`]({RELIABILITY_FILE})){helps}.
- Classes are uneven: read each class's row above, not top-1 alone.
- Severstal published its classes as numbers; their names here are ours."""


def _matrix(rows: Iterable[Sequence[str]]) -> str:
    return table(
        ["actual", *(str(steel.id) for steel in CLASSES)],
        [[f"{steel.id} {steel.name}", *row] for steel, row in zip(CLASSES, rows, strict=True)],
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "(not installed)"
