"""A whole run, from a data folder to a run folder: devices, clocks and the progress bar are here."""

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from torch import nn
from tqdm import tqdm

from severstal_xai.checkpoint import load_checkpoint
from severstal_xai.classes import CLASSES
from severstal_xai.command import to_plain
from severstal_xai.manifest import Manifest, Split, read_manifest
from training import run_folder
from training.compute import Compute, choose_compute
from training.dataset import read_patches, workers
from training.events import open_events
from training.history import Epoch, best_of
from training.initial import initial_network
from training.loop import Watch, judge, sgd, train
from training.objective import objective
from training.outcome import run_of, write_reports
from training.plan import check_splits, counts_of, plan
from training.report import Run
from training.saving import Saver, keep
from training.settings import Settings
from training.state import Begun, Place, check_same, load_state
from training.tally import Tally
from training.work import Work, memory_for_patches

Say = Callable[[str], object]
"""Prints a line on the console."""


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


def find_begun(settings: Settings, manifest: Manifest) -> Begun | None:
    """Return the state of the run to go on with; None where there is none, or a new one is wanted.

    Raises:
        InputError: The run was begun with other settings or on other data, or its state cannot be read.
    """
    path = settings.output / run_folder.STATE_FILE
    if not settings.resume or not path.is_file():
        return None
    begun = load_state(path)
    check_same(begun, to_plain(settings), manifest.checksum, where=settings.output)
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


def score_and_report(work: Work, epochs: Sequence[Epoch]) -> Run | None:
    """Score the saved best model on validation and test patches, and write all that tells of the run.

    Returns:
        The run; None in a process that does not lead.
    """
    compute = work.compute
    compute.wait()  # for the first to have written the model
    kept = load_checkpoint(work.settings.output, run_folder.BEST)
    model = compute.place(kept.model)
    batches = {split: work.evaluation(split) for split in (Split.VALIDATION, Split.TEST)}
    with progress(sum(map(len, batches.values())), "score", compute) as watch:
        judged = {
            split: judge(model, batches[split], compute, watch, compute.exact_logits) for split in batches
        }
    if not compute.leads:
        return None
    run = run_of(work, epochs, judged, kept.card.weights_sha256)
    write_reports(run)
    return run


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


@contextmanager
def progress(total: int, what: str, compute: Compute, done: int = 0) -> Iterator[Watch]:
    """Show a bar that counts patches, with the time left; silent where no terminal looks on."""
    hidden = None if compute.leads else True
    with tqdm(total=total, initial=done, desc=what, unit="patch", disable=hidden) as bar:
        yield lambda patches: bar.update(patches * compute.processes)
