r"""How far two inspectors agree beyond chance: Cohen's $\kappa$ (Educational and Psychological Measurement 1960).

$\kappa = (p_o - p_e) / (1 - p_e)$, with $p_o$ the share of patches that both judged alike and $p_e$ what that share would be
if each gave their own answers as often, but by lot. 1 is full agreement, 0 what chance gives.

By default only blind readings count: whoever has seen another's verdict tends to join it. Intervals are the bootstrap's over
strips (`severstal_xai.bootstrap`).
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float

from app.verdicts.records import Entry, Kind, Verdict, implied_class
from severstal_xai.bootstrap import RESAMPLES, Measure, resample, with_interval

LEAST_STRIPS = 10
"""With fewer the bootstrap promises more than it knows, and no interval is given."""
_AT_ONCE = 2_000_000
"""Numbers of a lot that are held at once: 16 MB."""


@dataclass(frozen=True)
class Kappa:
    """How far two readers agree.

    Args:
        patches: How many they both judged.
        agreed: The share that they judged alike, 0 to 1; NaN where there is none.
        kappa: Cohen's kappa, -1 to 1, with its interval of 95 %; None where it is not defined. The interval's ends are NaN
            where none can be given.
        note: Why there is no value or no interval; empty where there are both.
    """

    patches: int
    agreed: float
    kappa: Measure | None
    note: str


@dataclass(frozen=True)
class Agreement:
    """Two readers beside each other.

    Args:
        readers: The two, by name.
        kinds: What they said, a wrong class's right one too.
        classes: The classes that their verdicts imply; patches on which one leaves it open do not count.
        other_marks: Patches that both judged, but with another image or other marks before them; they do not count.
    """

    readers: tuple[str, str]
    kinds: Kappa
    classes: Kappa
    other_marks: int


def cohens_kappa(
    first: Sequence[Hashable], second: Sequence[Hashable], strips: Sequence[str], seed: int = 0
) -> Kappa:
    """Return how far two readers agree beyond chance.

    Args:
        first: The one's answer on each patch.
        second: The other's.
        strips: Each patch's strip, for the interval.
        seed: Of the lot by which the interval is drawn.

    Example: alike on three of four; by lot they would be on half: (3/4 - 1/2) / (1 - 1/2).
        >>> cohens_kappa("aabb", "aaab", ["s"] * 4).kappa.value
        0.5
    """
    patches = len(first)
    if patches == 0:
        return Kappa(0, np.nan, None, "no patch that both judged")
    answers = {answer: place for place, answer in enumerate(dict.fromkeys([*first, *second]))}
    cells = np.array([answers[a] * len(answers) + answers[b] for a, b in zip(first, second, strict=True)])
    counts = np.bincount(cells, minlength=len(answers) ** 2).astype(np.float64)
    value = float(_kappas(counts[None], len(answers))[0])
    agreed = float(np.trace(counts.reshape(len(answers), -1)) / patches)
    if np.isnan(value):
        return Kappa(patches, agreed, None, "both gave every patch the same answer: chance does as well")
    if agreed == 1.0:
        return Kappa(patches, agreed, Measure(value, np.nan, np.nan), "no interval: they never disagreed")
    if len(set(strips)) < LEAST_STRIPS:
        note = f"no interval: {len(set(strips))} strips, {LEAST_STRIPS} are needed"
        return Kappa(patches, agreed, Measure(value, np.nan, np.nan), note)
    drawn = _kappas(_resampled(cells, len(answers) ** 2, strips, seed), len(answers))
    return Kappa(patches, agreed, with_interval(value, drawn), "")


def _resampled(
    cells: np.ndarray, kinds: int, strips: Sequence[str], seed: int
) -> Float[np.ndarray, "resamples cells"]:
    """Return the table of both readers' answers, flat, in each sample drawn from the strips."""
    one_hot = np.zeros((len(cells), kinds))
    one_hot[np.arange(len(cells)), cells] = 1
    at_once = max(1, min(RESAMPLES, _AT_ONCE // len(cells)))
    parts = range(0, RESAMPLES, at_once)
    return np.concatenate(
        [
            resample(strips, min(at_once, RESAMPLES - begin), seed + place) @ one_hot
            for place, begin in enumerate(parts)
        ]
    )


def _kappas(tables: Float[np.ndarray, "tables cells"], answers: int) -> Float[np.ndarray, " tables"]:
    """Return kappa of each table; NaN where chance alone gives full agreement."""
    joint = tables.reshape(len(tables), answers, answers)
    joint = joint / joint.sum(axis=(1, 2), keepdims=True)
    observed = np.trace(joint, axis1=1, axis2=2)
    expected = (joint.sum(axis=1) * joint.sum(axis=2)).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        kappas = (observed - expected) / (1 - expected)
    return np.where(np.isclose(expected, 1.0, rtol=0, atol=1e-12), np.nan, kappas)


def agreements(entries: Iterable[Entry], *, blind_only: bool = True, seed: int = 0) -> tuple[Agreement, ...]:
    """Return how far each two readers agree, of those who judged a patch in common.

    Args:
        entries: All records, by number, withdrawals too.
        blind_only: Whether only verdicts count that were given blindly: of each reader the last one that was not taken
            back. Else each reader's current one.
        seed: Of the lots by which the intervals are drawn.
    """
    by_reader = _readings(entries, blind_only=blind_only)
    found = []
    for readers in combinations(sorted(by_reader), 2):
        one, other = (by_reader[reader] for reader in readers)
        pairs = [(one[patch], other[patch]) for patch in sorted(one.keys() & other.keys())]
        if pairs:
            found.append(_agreement(readers, pairs, seed))
    return tuple(found)


def _readings(entries: Iterable[Entry], *, blind_only: bool) -> Mapping[str, Mapping[str, Verdict]]:
    """Return by reader and patch the verdict that counts."""
    kept: dict[int, Verdict] = {}
    for entry in entries:
        if entry.verdict.withdraws is not None:
            kept.pop(entry.verdict.withdraws, None)
        elif entry.verdict.kind != Kind.WITHDRAWN and (entry.verdict.seen.blind or not blind_only):
            kept[entry.number] = entry.verdict
    by_reader: dict[str, dict[str, Verdict]] = {}
    for verdict in kept.values():
        by_reader.setdefault(verdict.reader, {})[verdict.seen.patch] = verdict
    return by_reader


def _agreement(readers: tuple[str, ...], pairs: Sequence[tuple[Verdict, Verdict]], seed: int) -> Agreement:
    alike = [(one, other) for one, other in pairs if _marks(one) == _marks(other)]
    classes = [(implied_class(one), implied_class(other), one.seen.strip) for one, other in alike]
    known = [(one, other, strip) for one, other, strip in classes if one is not None and other is not None]
    return Agreement(
        (readers[0], readers[1]),
        cohens_kappa(
            [(one.kind, one.label) for one, _ in alike],
            [(other.kind, other.label) for _, other in alike],
            [one.seen.strip for one, _ in alike],
            seed,
        ),
        cohens_kappa(
            [one for one, _, _ in known],
            [other for _, other, _ in known],
            [strip for _, _, strip in known],
            seed,
        ),
        len(pairs) - len(alike),
    )


def _marks(verdict: Verdict) -> tuple[str, int, str]:
    return verdict.seen.image_sha256, verdict.seen.label, verdict.seen.mask_sha256
