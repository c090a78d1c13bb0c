"""The command `python -m training.benchmark`: whether the loader keeps up with the model.

Three speeds, in images a second, of the settings that `python -m training` takes: the model's bound, which is that of one
batch in memory trained on again and again; the loader's, which is that of batches nobody trains on; and what a run
reaches, which is both. They are measured in turn, several times, since a machine's speed drifts, and each round's ratio of
the run to the model's bound is taken: where the loader never starves the model it is 1.
"""

import json
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice, repeat

import torch

from severstal_xai.classes import CLASSES
from severstal_xai.command import CONFIGS, DONE, parse_settings, run
from severstal_xai.manifest import Split, read_manifest
from training.compute import Compute, choose_compute
from training.dataset import Batch, TrainingBatches, read_patches, training_batches
from training.initial import initial_network
from training.loop import sgd, train_epoch
from training.objective import objective
from training.plan import check_splits, counts_of
from training.settings import Settings
from training.state import Place
from training.work import memory_for_patches

_ROUNDS = 3
_STEPS = 12
_ENOUGH = 0.95


@dataclass(frozen=True)
class Speeds:
    """Images a second of one round."""

    model: float
    loader: float
    run: float

    @property
    def share(self) -> float:
        """The run's as a share of the model's bound."""
        return self.run / self.model


def measure(settings: Settings) -> tuple[Compute, bool, list[Speeds]]:
    """Measure; return where it was, whether the patches were kept in memory, and each round's speeds."""
    manifest = read_manifest(settings.data)
    check_splits(manifest)
    compute = choose_compute(settings.device, settings.precision)
    held = read_patches(manifest, memory_for_patches(), lambda _: None)
    batches = training_batches(settings, manifest, compute, held)
    network = compute.place(initial_network(settings))
    optimizer = sgd(network, settings)
    minimised = objective(settings.loss, counts_of(manifest)[Split.TRAIN], len(CLASSES))

    def train_on(some: Iterable[Batch]) -> None:
        train_epoch(
            network,
            optimizer,
            some,
            settings=settings,
            objective=minimised,
            compute=compute,
            begin=Place(),
            watch=lambda _: None,
            after_step=lambda _: None,
        )
        if compute.device.type == "cuda":
            torch.cuda.synchronize()

    one = next(iter(batches(1)))
    train_on(repeat(one, 2))  # the first steps are slower, and not counted
    steps = min(_STEPS, -(-len(batches) // settings.batch_size))
    rounds = []
    for number in range(1, _ROUNDS + 1):
        model = images_per_second(lambda: train_on(repeat(one, steps)), steps * len(one[1]))
        patches = sum(len(labels) for _, labels in _some(batches, number, steps))
        loader = images_per_second(partial(_exhaust, _some(batches, number, steps)), patches)
        whole = images_per_second(partial(train_on, _some(batches, number, steps)), patches)
        rounds.append(Speeds(model, loader, whole))
    return compute, held is not None, rounds


def _some(batches: TrainingBatches, epoch: int, steps: int) -> Iterator[Batch]:
    return islice(iter(batches(epoch)), steps)


def _exhaust(batches: Iterable[Batch]) -> None:
    for _ in batches:
        pass


def images_per_second(work: Callable[[], None], images: int) -> float:
    """Return how many images a second the work takes."""
    begin = time.perf_counter()
    work()
    return images / (time.perf_counter() - begin)


def main() -> int:
    """Measure and print a table and a line of JSON."""
    settings = parse_settings(
        Settings,
        command="python -m training.benchmark",
        description="Whether the loader keeps up with the model, by the settings of python -m training.",
        defaults=CONFIGS / "training.yaml",
    )
    compute, held, rounds = measure(settings)
    middle = {
        "model's bound": statistics.median(one.model for one in rounds),
        "loader's bound": statistics.median(one.loader for one in rounds),
        "run": statistics.median(one.run for one in rounds),
    }
    share = statistics.median(one.share for one in rounds)
    print(
        f"{settings.architecture}, batches of {settings.batch_size}, {compute.device.type}, {compute.precision}; "
        f"patches {'in memory' if held else 'read anew each time'}"
    )
    for name, speed in middle.items():
        print(f"{name:<16}{speed:10.1f} images/s")
    print(
        f"run / model's bound {share:.3f} (aim: >= {_ENOUGH}; rounds {', '.join(f'{one.share:.3f}' for one in rounds)})"
    )
    print(json.dumps({"share": share, "held": held, "rounds": [asdict(one) for one in rounds]}))
    return DONE


if __name__ == "__main__":
    run(main)
