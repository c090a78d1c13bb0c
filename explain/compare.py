"""The command `python -m explain.compare RUN RUN`: two evaluations on the same patches, a patch's difference at a time.

Did retraining make the model look at the right thing? Both runs are evaluated first by `python -m explain.evaluate`; neither
data nor network is needed here.
"""

import itertools
import json
import sys
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from explain.evaluation.controls import CONTROLS
from explain.evaluation.evidence import Group, groups_of
from explain.evaluation.per_patch import CHECKSUMS, read_rows
from explain.evaluation.summary import METRICS, Metric
from explain.records import settings_of
from severstal_xai.bootstrap import FEWEST_STRIPS, RESAMPLES, Measure, Weights, resample, with_interval
from severstal_xai.command import DONE, parse_settings, run
from severstal_xai.errors import InputError, check_range
from severstal_xai.files import write_text
from severstal_xai.manifest import MANIFEST_FILE
from severstal_xai.markdown import table

_RUNS = ("--before", "--after")
ON_DEFECT, RIGHT_REASON = "evidence on the defect, %", "right for the right reason, %"
"""What the shares of patches are called whose evidence lies on the defect, and of those that are answered rightly besides."""


TOO_FEW = "too few strips to tell"
"""The verdict where an interval over strips says nothing."""


@dataclass(frozen=True)
class Settings:
    """What to compare.

    Args:
        before: A folder of `python -m explain.evaluate`, or a run folder that holds one.
        after: Another, to be held against it.
        output: The folder for `compare.md` and `compare.json`; null for the second evaluation's.
        seed: Of the lot by which the intervals are drawn.
    """

    before: Path
    after: Path
    output: Path | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_range("seed", self.seed, 0, 2**63 - 1)


@dataclass(frozen=True)
class Difference:
    """How a measure changed from one evaluation to the other, on the patches of both.

    Args:
        name: The measure, with the method where it is one's.
        before: Its mean before, in per cent.
        after: Its mean after.
        change: After less before, with its interval over strips.
        more_is_better: Whether a higher value is the better.
        strips: Of how many strips the patches are.
    """

    name: str
    before: float
    after: float
    change: Measure
    more_is_better: bool
    strips: int

    @property
    def verdict(self) -> str:
        """What the interval says; of few strips it says nothing."""
        if self.strips < FEWEST_STRIPS:
            return TOO_FEW
        if self.change.low <= 0 <= self.change.high:
            return "no difference that could be told"
        return "better" if (self.change.value > 0) == self.more_is_better else "worse"


@dataclass(frozen=True)
class _Sample:
    """Patches that are compared: their strips, and the lots over these."""

    strips: np.ndarray
    lots: Weights

    def where(self, known: np.ndarray) -> "_Sample":
        """Return some of the patches."""
        return _Sample(self.strips[known], self.lots[:, known])


@dataclass(frozen=True)
class Comparison:
    """What came of it.

    Args:
        patches: On how many patches.
        only_before: How many only the first evaluation has.
        only_after: How many only the second has.
        of_other_data: How many both have, of another image or mask: these are not compared.
        differences: Of right answers, of evidence on the defect, of right answers with their evidence there, and of each metric by
            each method of both.
        moves: How many patches went from a group of evidence to another.
    """

    patches: int
    only_before: int
    only_after: int
    of_other_data: int
    differences: tuple[Difference, ...]
    moves: dict[tuple[Group, Group], int]


def compare(before: pd.DataFrame, after: pd.DataFrame, seed: int) -> Comparison:
    """Compare two evaluations' rows, where image and mask are the same.

    Raises:
        InputError: They have no patch or no method in common, controls aside, or no patch of the same image and mask, or do not say
            of which these are, or name different classes for a patch.
    """
    named = sorted(set(before["patch"]) & set(after["patch"]))
    if not named:
        raise InputError("the two evaluations have no patch in common, expected one at least")
    methods = _methods_of_both(before, after)
    both = _of_same_data(before, after, named)
    if not both:
        raise InputError(
            f"of the {len(named)} patches that the two evaluations have in common each is of another image or mask, expected the same data"
        )
    one, other = (rows[rows["patch"].isin(both)] for rows in (before, after))
    labels = [rows.groupby("patch")["label"].first().reindex(both) for rows in (one, other)]
    if not labels[0].equals(labels[1]):
        patch = next(name for name in both if labels[0][name] != labels[1][name])
        raise InputError(
            f"patch {patch} is of class {labels[0][patch]} in one evaluation and {labels[1][patch]} in the other, expected "
            "the same data"
        )
    strips = other.groupby("patch")["strip"].first().reindex(both).to_numpy(dtype=str)
    sample = _Sample(strips, resample(list(strips), RESAMPLES, seed))
    first = next(name for name in methods if name not in CONTROLS)
    groups = [groups_of(rows, first).set_index("patch")["group"] for rows in (one, other)]
    differences = [
        _of_answers(one, other, both, sample),
        *_of_reasons(groups[0].reindex(both), groups[1].reindex(both), sample, first),
    ]
    for method in methods:
        for metric in METRICS:
            found = _of_metric(one, other, both, sample, method=method, metric=metric)
            if found:
                differences.append(found)
    common = groups[0].index.intersection(groups[1].index)
    pairs = zip(groups[0].reindex(common), groups[1].reindex(common), strict=True)
    return Comparison(
        patches=len(both),
        only_before=before["patch"].nunique() - len(named),
        only_after=after["patch"].nunique() - len(named),
        of_other_data=len(named) - len(both),
        differences=tuple(differences),
        moves=dict(Counter((Group(first), Group(second)) for first, second in pairs)),
    )


def _methods_of_both(before: pd.DataFrame, after: pd.DataFrame) -> list[str]:
    """Return the methods and controls of both, in the second's order; refuse where these are controls alone."""
    names = [list(dict.fromkeys(rows["method"])) for rows in (before, after)]
    both = [name for name in names[1] if name in names[0]]
    if set(both) <= set(CONTROLS):
        one, other = (", ".join(name for name in some if name not in CONTROLS) or "none" for some in names)
        raise InputError(
            f"the two evaluations have no method in common, expected one at least: the first has {one}, the second {other}"
        )
    return both


def _of_same_data(before: pd.DataFrame, after: pd.DataFrame, patches: Sequence[str]) -> list[str]:
    """Return the patches whose image and mask are the same in both."""
    for rows, which in ((before, "first"), (after, "second")):
        missing = [name for name in CHECKSUMS if name not in rows]
        if missing:
            raise InputError(
                f"the {which} evaluation has no column {missing[0]} and cannot say of which data it is: `python -m explain.evaluate` "
                "writes its table anew"
            )
    one, other = (
        rows.drop_duplicates("patch").set_index("patch").loc[list(patches), list(CHECKSUMS)]
        for rows in (before, after)
    )
    same = (one == other).all(axis=1)
    return [str(name) for name in same.index[same]]


def check_made_alike(before: Path, after: Path, methods: Collection[str]) -> None:
    """Refuse two evaluations whose maps were made otherwise: another threshold would read as another model.

    Args:
        before: An evaluation's folder.
        after: Another's.
        methods: The names of the rows that are compared. One without its settings beside it is taken on trust.

    Raises:
        InputError: A method has other settings in one than in the other; the message names the first, and both.
    """
    for method in sorted(methods):
        one, other = (settings_of(place / method) for place in (before, after))
        if one is None or other is None:
            continue
        for name in dict.fromkeys([*one, *other]):
            if one.get(name) != other.get(name):
                raise InputError(
                    f"{method}: {name} {one.get(name)} in {before}, {other.get(name)} in {after}, expected maps that were made alike"
                )


def _of_answers(one: pd.DataFrame, other: pd.DataFrame, both: list[str], sample: _Sample) -> Difference:
    values = [
        (rows["prediction"] == rows["label"])
        .groupby(rows["patch"])
        .first()
        .reindex(both)
        .to_numpy(dtype=float)
        for rows in (one, other)
    ]
    return _difference("right answers, %", values[0], values[1], sample, more_is_better=True)


def _of_reasons(before: pd.Series, after: pd.Series, sample: _Sample, method: str) -> list[Difference]:
    """Compare how often the evidence lies on the defect, and how often it does where the answer is right; nothing without masks.

    Args:
        before: The patches' groups of evidence, missing where no defect is marked.
        after: The same, in the same order.
        sample: Of these patches.
        method: Whose maps tell where the evidence lies.
    """
    known = (before.notna() & after.notna()).to_numpy(dtype=bool)
    if not known.any():
        return []
    said = {
        ON_DEFECT: {Group.RIGHT_ON_DEFECT, Group.WRONG_ON_DEFECT},
        RIGHT_REASON: {Group.RIGHT_ON_DEFECT},
    }
    return [
        _difference(
            f"{method}: {name}",
            before[known].isin(groups).to_numpy(dtype=float),
            after[known].isin(groups).to_numpy(dtype=float),
            sample.where(known),
            more_is_better=True,
        )
        for name, groups in said.items()
    ]


def _of_metric(
    one: pd.DataFrame, other: pd.DataFrame, both: list[str], sample: _Sample, *, method: str, metric: Metric
) -> Difference | None:
    """Compare a metric of a method on the patches where both know it; None where there are none."""
    values = [
        rows[rows["method"] == method].set_index("patch")[metric.column].reindex(both).to_numpy(dtype=float)
        for rows in (one, other)
    ]
    known = ~np.isnan(values[0]) & ~np.isnan(values[1])
    if not known.any():
        return None
    name = f"{method}: {metric.title}"
    return _difference(
        name, values[0][known], values[1][known], sample.where(known), more_is_better=metric.more_is_better
    )


def _difference(
    name: str, before: np.ndarray, after: np.ndarray, sample: _Sample, *, more_is_better: bool
) -> Difference:
    change = 100 * (after - before)
    with np.errstate(invalid="ignore"):  # a lot without a known patch says nothing
        drawn = (sample.lots @ change) / sample.lots.sum(axis=1)
    measure = with_interval(float(change.mean()), drawn)
    means = 100 * float(before.mean()), 100 * float(after.mean())
    return Difference(name, *means, measure, more_is_better, len(np.unique(sample.strips)))


def tabulate(compared: Comparison, before: str, after: str) -> str:
    """Write the comparison as Markdown."""
    rows = [
        [
            one.name,
            f"{one.before:.2f}",
            f"{one.after:.2f}",
            f"{one.change.value:+.2f} ({one.change.low:+.2f} to {one.change.high:+.2f})",
            one.verdict,
        ]
        for one in compared.differences
    ]
    moves = [[str(first), *(compared.moves.get((first, second), 0) for second in Group)] for first in Group]
    alone = ", ".join(
        f"{count} only in the {which}"
        for count, which in ((compared.only_before, "first"), (compared.only_after, "second"))
        if count
    )
    other = (
        f" Left out {'is' if compared.of_other_data == 1 else 'are'} {compared.of_other_data:,} that both have, but of another image or mask."
        * bool(compared.of_other_data)
    )
    return f"""# {after} beside {before}

{compared.patches:,} patches that both evaluations have{f" ({alone})" if alone else ""}.{other} A change is the mean over patches of second less first, in
brackets the middle 95 % of {RESAMPLES:,} bootstrap samples of the strips; of fewer than {FEWEST_STRIPS} strips it says nothing.

{table(["", "first", "second", "change", "verdict"], rows)}

Where the patches went, by what the answer was and where the evidence lay; the row is the first evaluation's group:

{table(["first, second:", *(str(group) for group in Group)], moves)}
"""


def _with_flags(words: Sequence[str]) -> list[str]:
    """Let two runs stand before all flags: `RUN RUN` is `--before RUN --after RUN`.

    Example:
        >>> _with_flags(["one", "other", "--seed", "1"])
        ['--before=one', '--after=other', '--seed', '1']
    """
    plain = list(itertools.takewhile(lambda word: not word.startswith("-"), words))
    if len(plain) != len(_RUNS):
        return list(words)
    return [*(f"{flag}={word}" for flag, word in zip(_RUNS, plain, strict=True)), *words[len(plain) :]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare and print the tables."""
    settings = parse_settings(
        Settings,
        command="python -m explain.compare",
        description="Two evaluations on the same patches: what changed, with intervals. The first two words are --before and --after.",
        arguments=_with_flags(sys.argv[1:] if arguments is None else arguments),
    )
    (origin, before), (place, after) = read_rows(settings.before), read_rows(settings.after)
    check_made_alike(origin, place, set(before["method"]) & set(after["method"]))
    folder = settings.output or place
    if folder.exists() and not folder.is_dir():
        raise InputError(f"output {folder}: a file, expected a folder")
    if (folder / MANIFEST_FILE).is_file():
        raise InputError(f"output {folder}: a data folder, expected a folder elsewhere")
    compared = compare(before, after, settings.seed)
    text = tabulate(compared, str(settings.before), str(settings.after))
    write_text(folder / "compare.md", text)
    values = [asdict(one) | {"verdict": one.verdict} for one in compared.differences]
    write_text(folder / "compare.json", json.dumps(values, indent=2) + "\n")
    print(text)
    return DONE


if __name__ == "__main__":
    run(main)
