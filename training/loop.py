"""The training loop: what epochs do to a network. No files and no printing; the clock is an argument."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import SGD

from severstal_xai.errors import about
from severstal_xai.model import probabilities
from training.compute import Compute
from training.dataset import Batch
from training.history import Epoch
from training.objective import Objective
from training.schedule import Stream, chance, learning_rate
from training.settings import Settings
from training.state import Place
from training.tally import Fit, Tally

Watch = Callable[[int], object]
"""Told after each step how many patches it took."""

Ask = Callable[[nn.Module, Tensor], Tensor]
"""Gives a network's logits of images."""
AfterStep = Callable[[Place], object]
"""Told after each training step how far the run has come; what it raises ends the run."""


@dataclass(frozen=True)
class Judged:
    """What a network says of patches, on the CPU, and what they are."""

    logits: Float32[Tensor, "patches classes"]
    labels: Int64[Tensor, " patches"]

    def shares(self) -> Float64[np.ndarray, "patches classes"]:
        """Return the softmax probabilities."""
        shares: np.ndarray = probabilities(self.logits).numpy()
        return shares


def sgd(model: nn.Module, settings: Settings) -> SGD:
    """Return the paper's optimizer; momentum and weight decay are ours."""
    return SGD(
        model.parameters(),
        lr=settings.learning_rate,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
    )


def train(
    model: nn.Module,
    optimizer: SGD,
    training: Callable[[int, int], Iterable[Batch]],
    validation: Iterable[Batch],
    *,
    settings: Settings,
    objective: Objective,
    compute: Compute,
    begin: Place,
    watch: Watch,
    after_step: AfterStep,
    clock: Callable[[], float],
) -> Iterator[Place]:
    """Train the model, in place, by the paper's recipe: SGD, a rate that halves.

    Args:
        model: On the device already.
        optimizer: Of the model's weights.
        training: The batches of an epoch, by its number from 1, without its first so many.
        validation: The batches to validate on, the same after each epoch.
        settings: The recipe.
        objective: What is made small.
        compute: Where and how to compute.
        begin: How far the model has come.
        watch: Told of each step, of training and of validation.
        after_step: Told of each step of training.
        clock: Seconds from any start.

    Yields:
        How far the run has come after each epoch, whose row is the last; until the next one is asked for, the
        model is as the epoch left it.

    Raises:
        InputError: A loss is not a finite number, or a patch cannot be read; the message names the epoch.
    """
    place = begin
    while place.epoch <= settings.epochs:
        rate = learning_rate(settings.learning_rate, settings.halve_every, place.epoch)
        for group in optimizer.param_groups:
            group["lr"] = rate
        with about(f"epoch {place.epoch}"):
            start = clock()
            batches = training(place.epoch, place.tally.steps)
            trained = train_epoch(
                model,
                optimizer,
                batches,
                settings=settings,
                objective=objective,
                compute=compute,
                begin=place,
                watch=watch,
                after_step=after_step,
            )
            middle = clock()
            validated = fit_of(judge(model, validation, compute, watch))
            end = clock()
        epoch = Epoch(
            epoch=place.epoch,
            learning_rate=rate,
            train_loss=trained.fit().loss,
            train_top1=trained.fit().top1,
            validation_loss=validated.loss,
            validation_top1=validated.top1,
            seconds=end - start,
            images_per_second=(trained.fit().count - place.tally.count) / (middle - start),
        )
        place = Place(place.epoch + 1, Tally(), (*place.epochs, epoch))
        yield place


def train_epoch(
    model: nn.Module,
    optimizer: SGD,
    batches: Iterable[Batch],
    *,
    settings: Settings,
    objective: Objective,
    compute: Compute,
    begin: Place,
    watch: Watch,
    after_step: AfterStep,
) -> Tally:
    """Train on each batch once.

    Returns:
        What the epoch came to: the patches as they came, each judged by the weights of its step.

    Raises:
        InputError: The loss is not a finite number; the message names the step.
    """
    model.train()
    tally = begin.tally
    for images, wherever_labels in batches:
        labels = wherever_labels.to(compute.device, non_blocking=True)
        with _seeded(compute, settings.seed, begin.epoch, tally.steps, compute.index):
            logits = compute.logits(model, images)
        loss = objective(logits, labels)
        optimizer.zero_grad()
        compute.backward(loss)
        optimizer.step()

        tally.check_finite()  # of the step before: to read this one's would make a GPU wait
        tally = tally.plus(loss, (logits.argmax(dim=1) == labels).sum(), len(labels))
        watch(len(labels))
        after_step(dataclasses.replace(begin, tally=tally))
    tally.check_finite()
    return tally.of_all()


@torch.inference_mode()
def judge(
    model: nn.Module, batches: Iterable[Batch], compute: Compute, watch: Watch, ask: Ask | None = None
) -> Judged:
    """Ask the network, in eval mode, about every patch; each process asks about its own, and all get all answers.

    Args:
        model: The network.
        batches: This process's patches.
        compute: Where it runs.
        watch: Told how many patches are done.
        ask: Gives the logits of images; as in training unless told otherwise.
    """
    ask = ask or compute.logits
    model.eval()
    logits, labels = [], []
    for images, batch_labels in batches:
        logits.append(ask(model, images).cpu())
        labels.append(batch_labels)
        watch(len(batch_labels))
    return interleave(compute.gather(Judged(torch.cat(logits), torch.cat(labels))))


def interleave(parts: Sequence[Judged]) -> Judged:
    """Put together what processes judged of which each took every n-th patch.

    Example:
        >>> parts = [Judged(torch.tensor([[0.0], [2.0]]), torch.tensor([0, 2])), Judged(torch.tensor([[1.0]]), torch.tensor([1]))]
        >>> interleave(parts).labels
        tensor([0, 1, 2])
    """
    count = sum(len(part.labels) for part in parts)
    logits = parts[0].logits.new_empty((count, parts[0].logits.shape[1]))
    labels = parts[0].labels.new_empty(count)
    for index, part in enumerate(parts):
        logits[index :: len(parts)], labels[index :: len(parts)] = part.logits, part.labels
    return Judged(logits, labels)


def fit_of(judged: Judged) -> Fit:
    """Return the fit to judged patches.

    Raises:
        InputError: The loss is not a finite number.
    """
    loss = cross_entropy(judged.logits.double(), judged.labels)
    hits = judged.logits.argmax(dim=1) == judged.labels
    tally = Tally().plus(loss, hits.sum(), len(hits))
    with about("validation"):
        tally.check_finite()
    return tally.fit()


@contextmanager
def _seeded(compute: Compute, seed: int, *turn: int) -> Iterator[None]:
    """Seed torch's own chance (dropout, where a network has it) for a step; put back what was before."""
    with torch.random.fork_rng(devices=[compute.device] if compute.device.type == "cuda" else []):
        torch.manual_seed(int(chance(seed, Stream.NETWORK, *turn).generate_state(1)[0]))
        yield
