"""Which patches are for training, validation and test, and which form the evaluation subset.

Chance is a hash of the seed and the name: the same on every system and for every version of every library, and
a patch that joins later disturbs the others' order not at all.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from fractions import Fraction

from data_prep.settings import SplitSettings
from severstal_xai.manifest import Split

Counts = Mapping[Split, int]


def quota(patches: int, settings: SplitSettings) -> dict[Split, int]:
    """Return how many patches of a class go where: shares rounded down for training, then for validation.

    Example: class 1 of Table 3, 1,336 patches: 935 for training, a fifth of them held back, and 401.
        >>> sizes = quota(1336, SplitSettings("patch", 0.7, 0.2, seed=0))
        >>> {str(split): size for split, size in sizes.items()}
        {'train': 748, 'validation': 187, 'test': 401}
    """
    training = math.floor(_exact(settings.train_share) * patches)
    validation = math.floor(_exact(settings.validation_share) * training)
    return {Split.TRAIN: training - validation, Split.VALIDATION: validation, Split.TEST: patches - training}


def _exact(share: float) -> Fraction:
    """Return the decimal that the user wrote: 0.7 of 10 is 7, whatever a float makes of it."""
    return Fraction(str(share))


def split_by_patch(labels: Mapping[str, int], settings: SplitSettings) -> dict[str, Split]:
    """Share out patches, each class for itself.

    Args:
        labels: Each patch's class.
        settings: Shares and seed.
    """
    splits: dict[str, Split] = {}
    for label in sorted(set(labels.values())):
        names = shuffled((name for name, its in labels.items() if its == label), settings.seed, "split")
        sizes = quota(len(names), settings)
        places = [split for split, size in sizes.items() for _ in range(size)]
        splits.update(zip(names, places, strict=True))
    return splits


def split_by_strip(
    labels: Mapping[str, int], strips: Mapping[str, str], settings: SplitSettings
) -> dict[str, Split]:
    """Share out whole strips, so that no patch of the test has a neighbour in training.

    Each strip counts for the rarest class that it shows; class after class, from the rarest, strips go where
    most of that class's quota is still open, large ones first, so that the small ones fill what is left. The
    shares hold as nearly as whole strips allow.

    Args:
        labels: Each patch's class.
        strips: Each patch's strip.
        settings: Shares and seed.
    """
    contents: dict[str, Counter[int]] = {}
    for name, label in labels.items():
        contents.setdefault(strips[name], Counter())[label] += 1
    totals = Counter(labels.values())
    open_places = {label: quota(total, settings) for label, total in totals.items()}
    chosen: dict[str, Split] = {}
    for label in sorted(totals, key=lambda label: (totals[label], -label)):
        mine = [strip for strip in contents if strip not in chosen and label in contents[strip]]
        order = shuffled(mine, settings.seed, "split")
        for strip in sorted(order, key=lambda strip: -contents[strip][label]):
            chosen[strip] = _most_open(open_places[label], quota(totals[label], settings))
            for its, count in contents[strip].items():
                open_places[its][chosen[strip]] -= count
    return {name: chosen[strips[name]] for name in labels}


def _most_open(places: Counts, sizes: Counts) -> Split:
    """Return where the largest share of the quota is open; a split without a quota takes nothing."""
    wanted = [split for split in Split if sizes[split] > 0]
    return max(wanted, key=lambda split: places[split] / sizes[split])


def shuffled(names: Iterable[str], seed: int, purpose: str) -> list[str]:
    """Return the names in an order that depends on the seed, the purpose and each name alone."""
    return sorted(names, key=lambda name: hashlib.sha256(f"{purpose}:{seed}:{name}".encode()).digest())


def choose_evaluation(test_labels: Mapping[str, int], limits: Mapping[int, int], seed: int) -> set[str]:
    """Return the paper's evaluation subset: the defect classes' test patches, at most so many of some classes.

    Args:
        test_labels: The test patches' classes.
        limits: The largest number by class; a class that is not there has no limit.
        seed: Another seed is another choice.
    """
    chosen: set[str] = set()
    for label in sorted(set(test_labels.values()) - {0}):
        names = shuffled((name for name, its in test_labels.items() if its == label), seed, "evaluation")
        chosen.update(names[: limits.get(label)])
    return chosen
