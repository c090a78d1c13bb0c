"""The training loop: what epochs do to a network. No files and no printing; the clock is an argument."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float32, Int64
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from severstal_xai.errors import InputError, about
from training.compute import Compute
from training.dataset import Batch
from training.history import Epoch
from training.schedule import Stream, chance, learning_rate
from training.settings import Settings

Watch = Callable[[int], object]
"""Told after each step how many patches it took."""


@dataclass(frozen=True)
class Fit:
    """How well a network fits patches.

    Args:
        loss: Mean cross-entropy, in nats.
        top1: Share of patches, 0 to 1, whose class is the most probable one.
        count: Patches.
    """

    loss: float
    top1: float
    count: int


@dataclass(frozen=True)
class Judged:
    """What a network says of patches, on the CPU, and what they are."""

    logits: Float32[Tensor, "patches classes"]
    labels: Int64[Tensor, " patches"]


def train(
    model: nn.Module,
    training: Callable[[int], Iterable[Batch]],
    validation: Iterable[Batch],
    *,
    settings: Settings,
    compute: Compute,
    watch: Watch,
    clock: Callable[[], float],
) -> Iterator[Epoch]:
    """Train the model, in place, by the paper's recipe: SGD, cross-entropy, a rate that halves.

    Args:
        model: On the device already.
        training: The batches of an epoch, by its number from 1.
        validation: The batches to validate on, the same after each epoch.
        settings: The recipe.
        compute: Where and how to compute.
        watch: Told of each step, of training and of validation.
        clock: Seconds from any start.

    Yields:
        What each epoch came to; until the next one is asked for, the model is as the epoch left it.

    Raises:
        InputError: A loss is not a finite number, or a patch cannot be read; the message names the epoch.
    """
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=settings.learning_rate,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
    )
    for number in range(1, settings.epochs + 1):
        rate = learning_rate(settings.learning_rate, settings.halve_every, number)
        for group in optimizer.param_groups:
            group["lr"] = rate
        with about(f"epoch {number}"), _seeded(settings.seed, number, compute.device):
            start = clock()
            trained = train_epoch(model, training(number), optimizer, compute, watch)
            middle = clock()
            validated = fit_of(judge(model, validation, compute, watch))
            end = clock()
        yield Epoch(
            epoch=number,
            learning_rate=rate,
            train_loss=trained.loss,
            train_top1=trained.top1,
            validation_loss=validated.loss,
            validation_top1=validated.top1,
            seconds=end - start,
            images_per_second=trained.count / (middle - start),
        )


def train_epoch(
    model: nn.Module,
    batches: Iterable[Batch],
    optimizer: torch.optim.Optimizer,
    compute: Compute,
    watch: Watch,
) -> Fit:
    """Train on each batch once.

    Returns:
        The fit to the patches as they came, each judged by the weights of its step.

    Raises:
        InputError: The loss is not a finite number; the message names the step.
    """
    model.train()
    losses: list[Tensor] = []
    hits: list[Tensor] = []
    sizes: list[int] = []
    for images, wherever_labels in batches:
        labels = wherever_labels.to(compute.device, non_blocking=True)
        logits = compute.logits(model, images)
        loss = cross_entropy(logits, labels)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()

        check_finite(losses)  # of the step before: to read this one's would make a GPU wait
        losses.append(loss.detach())
        hits.append((logits.argmax(dim=1) == labels).sum())
        sizes.append(len(labels))
        watch(len(labels))
    check_finite(losses)
    return mean_fit(losses, hits, sizes)


@torch.inference_mode()
def judge(model: nn.Module, batches: Iterable[Batch], compute: Compute, watch: Watch) -> Judged:
    """Ask the network, in eval mode, about every patch."""
    model.eval()
    logits, labels = [], []
    for images, batch_labels in batches:
        logits.append(compute.logits(model, images).cpu())
        labels.append(batch_labels)
        watch(len(batch_labels))
    return Judged(torch.cat(logits), torch.cat(labels))


def fit_of(judged: Judged) -> Fit:
    """Return the fit to judged patches.

    Raises:
        InputError: The loss is not a finite number.
    """
    loss = cross_entropy(judged.logits.double(), judged.labels)
    with about("validation"):
        check_finite([loss])
    hits = judged.logits.argmax(dim=1) == judged.labels
    return Fit(loss.item(), hits.double().mean().item(), len(hits))


def mean_fit(losses: Sequence[Tensor], hits: Sequence[Tensor], sizes: Sequence[int]) -> Fit:
    """Average over patches: a batch counts by its size.

    Example:
        >>> mean_fit([torch.tensor(1.0), torch.tensor(4.0)], [torch.tensor(2), torch.tensor(1)], [2, 2])
        Fit(loss=2.5, top1=0.75, count=4)
    """
    weights = torch.tensor(sizes, dtype=torch.float64)
    count = sum(sizes)
    loss = (torch.stack(list(losses)).double().cpu() * weights).sum() / count
    return Fit(loss.item(), torch.stack(list(hits)).sum().item() / count, count)


def check_finite(losses: Sequence[Tensor]) -> None:
    """Refuse a last loss that is not a finite number; steps count from 1."""
    if losses and not losses[-1].isfinite():
        raise InputError(
            f"step {len(losses)}: the loss is {losses[-1].item()}, expected a finite number; "
            "try a lower learning_rate"
        )


@contextmanager
def _seeded(seed: int, epoch: int, device: torch.device) -> Iterator[None]:
    """Seed torch's own chance (dropout, where a network has it) for an epoch; put back what was before."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(int(chance(seed, Stream.NETWORK, epoch).generate_state(1)[0]))
        yield
