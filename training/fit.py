"""A whole run, from a data folder to a run folder: files, devices, clocks and the progress bar are here."""

import dataclasses
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import psutil
import yaml
from matplotlib.figure import Figure
from torch import nn
from torch.optim import SGD
from tqdm import tqdm

from severstal_xai.checkpoint import ModelCard, load_checkpoint, save_checkpoint
from severstal_xai.classes import CLASSES
from severstal_xai.command import to_yaml
from severstal_xai.files import whole_file, write_text
from severstal_xai.manifest import Manifest, Split, read_manifest
from training import run_folder
from training.compute import Compute, choose_compute
from training.contact_sheet import contact_sheet
from training.dataset import (
    Batches,
    Held,
    TrainingBatches,
    evaluation_batches,
    read_patches,
    training_batches,
    workers,
)
from training.events import open_events
from training.figures import confusion_figure, curves_figure, reliability_figure
from training.history import Epoch, best_of, table_of
from training.initial import initial_network
from training.loop import Judged, Watch, judge, sgd, train
from training.measures import (
    Measure,
    calibration_error,
    measures,
    scaled,
    temperature_of,
)
from training.objective import objective
from training.plan import check_splits, counts_of, plan
from training.report import Run, model_card
from training.scores import as_json, paper_as_json, score
from training.settings import Settings
from training.state import Begun, Place, capture, check_same, load_state, save_state
from training.tally import Tally

Say = Callable[[str], object]
"""Prints a line on the console."""

_DPI = 150
_AGREE_EVERY = 20
"""Steps after which several processes ask each other whether to save: asking makes them wait for each other."""


def fit(settings: Settings, say: Say) -> Run | None:
    """Train, keep the best epoch's model, score it on the test split, and write the run folder.

    Returns:
        What came of it; None in a process that trains with others and does not lead.

    Raises:
        InputError: Data, output or a setting is wrong, a patch cannot be read, or the loss is not finite. What
            was saved before stays as it is.
    """
    manifest = read_manifest(settings.data)
    check_splits(manifest)
    run_folder.check_output(
        settings.output, data=settings.data, overwrite=settings.overwrite, resume=settings.resume
    )
    begun = find_begun(settings, manifest)
    network = first_network(settings, begun)
    compute = choose_compute(settings.device, begun.precision if begun else settings.precision)
    compute.wait()  # nobody looks any more at what the first now changes
    if not compute.leads:
        held = read_patches(manifest, memory_for_patches(), lambda _: None)
        train_and_keep(Work(settings, manifest, compute, held), network, begun, say=lambda _: None)
        score_and_report(Work(settings, manifest, compute, held), ())
        return None
    for line in plan(settings, manifest, compute, workers(settings.workers, compute.device)):
        say(line)
    if begun:
        say(f"Goes on after epoch {len(begun.place.epochs)}, step {begun.place.tally.steps}")
    with tqdm(manifest.patches, desc="read the images", unit="image", leave=False, disable=None) as bar:
        held = read_patches(manifest, memory_for_patches(), bar.update)
    work = Work(settings, manifest, compute, held)
    with run_folder.owned(settings.output):
        epochs = train_and_keep(work, network, begun, say=say)
        return score_and_report(work, epochs)


@dataclass(frozen=True)
class Work:
    """What a run works with.

    Args:
        settings: Its settings.
        manifest: Its data.
        compute: Where and how it computes.
        held: The patches in memory, where they fit.
    """

    settings: Settings
    manifest: Manifest
    compute: Compute
    held: Held | None

    def training(self) -> TrainingBatches:
        """Return the batches to train on."""
        return training_batches(self.settings, self.manifest, self.compute, self.held)

    def evaluation(self, split: Split) -> Batches:
        """Return the batches of a split to judge."""
        return evaluation_batches(self.settings, self.manifest, split, self.compute, self.held)


def memory_for_patches() -> int:
    """Return the bytes that a process may fill with patches: of half of what is free its share on this machine."""
    return int(psutil.virtual_memory().available // (2 * int(os.environ.get("LOCAL_WORLD_SIZE", "1"))))


def find_begun(settings: Settings, manifest: Manifest) -> Begun | None:
    """Return the state of the run to go on with; None where there is none, or a new one is wanted.

    Raises:
        InputError: The run was begun with other settings or on other data, or its state cannot be read.
    """
    path = settings.output / run_folder.STATE_FILE
    if not settings.resume or not path.is_file():
        return None
    begun = load_state(path)
    check_same(begun, plain(settings), manifest.checksum, where=settings.output)
    return begun


def first_network(settings: Settings, begun: Begun | None) -> nn.Module:
    """Return the network to train: as it is before the first step, or to be filled with a run's state."""
    return initial_network(dataclasses.replace(settings, initial="random") if begun else settings)


def train_and_keep(work: Work, network: nn.Module, begun: Begun | None, *, say: Say) -> Sequence[Epoch]:
    """Train, from the first step or from where a run has come, and save each epoch: last, best so far, history."""
    settings, manifest, compute = work.settings, work.manifest, work.compute
    network = compute.place(network)
    optimizer = sgd(network, settings)
    if begun:
        begun.restore(network, optimizer)
    place = _own_part(begun.place if begun else Place(), compute)
    training, validation = work.training(), work.evaluation(Split.VALIDATION)
    saver = Saver(work, network, optimizer)
    if not begun:
        saver.save(place)  # from here on it is this run that is gone on with, not one that is overwritten
    patches = len(training) + len(validation)
    done = len(place.epochs) * patches + place.tally.count
    with (
        progress(settings.epochs * patches, "train", compute, done) as watch,
        open_events(settings.output / run_folder.EVENTS) as events,
    ):
        for reached in train(
            compute.shared(network),
            optimizer,
            training,
            validation,
            settings=settings,
            objective=objective(settings.loss, counts_of(manifest)[Split.TRAIN], len(CLASSES)),
            compute=compute,
            begin=place,
            watch=watch,
            after_step=saver.after_step,
            clock=time.perf_counter,
        ):
            place = reached
            if compute.leads:
                keep(settings, manifest, network, place.epochs)
                events.add(place.epochs[-1])
            saver.save(place)
            say(epoch_line(place.epochs, settings.epochs))
    return place.epochs


def _own_part(place: Place, compute: Compute) -> Place:
    """Leave the sums of the steps before to the first process, or they would be counted once by each."""
    if compute.leads:
        return place
    return dataclasses.replace(place, tally=Tally(steps=place.tally.steps))


def keep(settings: Settings, manifest: Manifest, model: nn.Module, epochs: Sequence[Epoch]) -> None:
    """Save the model as the last and, if it is, as the best; an earlier run gives way to the first epoch."""
    epoch, folder = epochs[-1].epoch, settings.output
    if len(epochs) == 1:
        run_folder.clear(folder)
        write_figure(settings, run_folder.AUGMENTATION_FILE, contact_sheet(settings, manifest))
    write_text(folder / run_folder.SETTINGS_FILE, to_yaml(settings))
    card = ModelCard(settings.architecture, manifest.checksum, epoch, plain(settings))
    save_checkpoint(folder, model, card, run_folder.LAST)
    if best_of(epochs).epoch == epoch:
        save_checkpoint(folder, model, card, run_folder.BEST)
    write_text(folder / run_folder.HISTORY_FILE, table_of(epochs).to_csv(index=False, lineterminator="\n"))


class Saver:
    """Saves a run's state: when told to, and after a step where it is time."""

    def __init__(self, work: Work, network: nn.Module, optimizer: SGD) -> None:
        self._settings, self._manifest, self._compute = work.settings, work.manifest, work.compute
        self._network, self._optimizer = network, optimizer
        self._saved = time.monotonic()

    def after_step(self, place: Place) -> None:
        """Save where the last time is `save_every` minutes ago, unless the last loss is no number."""
        if self._is_due(place.tally.steps):
            place.tally.check_finite()
            self.save(place)

    def _is_due(self, steps: int) -> bool:
        due = time.monotonic() - self._saved >= 60 * self._settings.save_every
        if self._compute.processes == 1:
            return due
        return steps % _AGREE_EVERY == 0 and self._compute.agree(due)

    def save(self, place: Place) -> None:
        """Save; of several processes the first writes what all came to."""
        sums = self._compute.sum(place.tally.sums)
        self._saved = time.monotonic()
        if not self._compute.leads:
            return
        weights, momentum = capture(self._network, self._optimizer)
        begun = Begun(
            dataclasses.replace(place, tally=dataclasses.replace(place.tally, sums=sums)),
            plain(self._settings),
            self._manifest.checksum,
            self._compute.precision,
            weights,
            momentum,
        )
        save_state(self._settings.output / run_folder.STATE_FILE, begun)


def score_and_report(work: Work, epochs: Sequence[Epoch]) -> Run | None:
    """Score the saved best model on validation and test patches, and write all that tells of the run.

    Returns:
        The run; None in a process that does not lead.
    """
    compute = work.compute
    compute.wait()  # for the first to have written the model
    model = compute.place(load_checkpoint(work.settings.output, run_folder.BEST).model)
    batches = {split: work.evaluation(split) for split in (Split.VALIDATION, Split.TEST)}
    with progress(sum(map(len, batches.values())), "score", compute) as watch:
        judged = {split: judge(model, batches[split], compute, watch) for split in batches}
    if not compute.leads:
        return None
    run = run_of(work, epochs, judged)
    write_reports(run, judged)
    return run


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
        write_figure(run.settings, name, figure)
    write_text(folder / run_folder.CARD_FILE, model_card(run))


def write_figure(settings: Settings, name: str, figure: Figure) -> None:
    """Write a figure as PNG into the run's folder."""
    with whole_file(settings.output / name) as temporary:
        figure.savefig(temporary, format="png", dpi=_DPI)


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


def epoch_line(epochs: Sequence[Epoch], of: int) -> str:
    """Say what the last epoch came to, and how long the rest may take."""
    epoch = epochs[-1]
    left = sum(each.seconds for each in epochs) / len(epochs) * (of - epoch.epoch)
    best = ", best so far" if best_of(epochs) is epoch else ""
    return (
        f"epoch {epoch.epoch:>2}/{of}  rate {epoch.learning_rate:.3g}  "
        f"train loss {epoch.train_loss:.3f}, top-1 {epoch.train_top1:.1%}  "
        f"validation loss {epoch.validation_loss:.3f}, top-1 {epoch.validation_top1:.1%}{best}  "
        f"{epoch.images_per_second:.1f} images/s, {tqdm.format_interval(left)} left"
    )


def plain(settings: Settings) -> dict[str, Any]:
    """Return the settings as plain values, as they stand in `settings.yaml`."""
    values: dict[str, Any] = yaml.safe_load(to_yaml(settings))
    return values


@contextmanager
def progress(total: int, what: str, compute: Compute, done: int = 0) -> Iterator[Watch]:
    """Show a bar that counts patches, with the time left; silent where no terminal looks on."""
    hidden = None if compute.leads else True
    with tqdm(total=total, initial=done, desc=what, unit="patch", disable=hidden) as bar:
        yield lambda patches: bar.update(patches * compute.processes)
