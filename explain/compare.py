"""The command `python -m explain.compare RUN RUN`: two evaluations on the same patches, a patch's difference at a time.

Did retraining make the model look at the right thing? Both runs are evaluated first by `python -m explain.evaluate`; neither
data nor network is needed here.
"""

import itertools
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from explain.evaluation.evidence import Group, groups_of
from explain.evaluation.per_patch import read_rows
from explain.evaluation.summary import METRICS, Metric
from severstal_xai.bootstrap import RESAMPLES, Measure, Weights, resample, with_interval
from severstal_xai.command import DONE, parse_settings, run
from severstal_xai.errors import InputError, check_range
from severstal_xai.files import write_text
from severstal_xai.manifest import MANIFEST_FILE
from severstal_xai.markdown import table

_RUNS = ("--before", "--after")


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
    """

    name: str
    before: float
    after: float
    change: Measure
    more_is_better: bool

    @property
    def verdict(self) -> str:
        """What the interval says."""
        if self.change.low <= 0 <= self.change.high:
            return "no difference that could be told"
        return "better" if (self.change.value > 0) == self.more_is_better else "worse"


@dataclass(frozen=True)
class Comparison:
    """What came of it.

    Args:
        patches: On how many patches.
        only_before: How many only the first evaluation has.
        only_after: How many only the second has.
        differences: Of right answers, of right answers for the right reason, and of each metric by each method of both.
        moves: How many patches went from a group of evidence to another.
    """

    patches: int
    only_before: int
    only_after: int
    differences: tuple[Difference, ...]
    moves: dict[tuple[Group, Group], int]


def compare(before: pd.DataFrame, after: pd.DataFrame, seed: int) -> Comparison:
    """Compare two evaluations' rows.

    Raises:
        InputError: They have no patch or no method in common, or name different classes for a patch.
    """
    both = sorted(set(before["patch"]) & set(after["patch"]))
    methods = [name for name in dict.fromkeys(after["method"]) if name in set(before["method"])]
    if not both or not methods:
        what = "patch" if not both else "method"
        raise InputError(f"the two evaluations have no {what} in common, expected one at least")
    one, other = (rows[rows["patch"].isin(both)] for rows in (before, after))
    labels = [rows.groupby("patch")["label"].first().reindex(both) for rows in (one, other)]
    if not labels[0].equals(labels[1]):
        patch = next(name for name in both if labels[0][name] != labels[1][name])
        raise InputError(
            f"patch {patch} is of class {labels[0][patch]} in one evaluation and {labels[1][patch]} in the other, expected "
            "the same data"
        )
    lots = resample(list(other.groupby("patch")["strip"].first().reindex(both)), RESAMPLES, seed)
    differences = [_of_answers(one, other, both, lots)]
    for method in methods:
        for metric in METRICS:
            found = _of_metric(one, other, both, lots, method=method, metric=metric)
            if found:
                differences.append(found)
    groups = [groups_of(rows, methods[0]).set_index("patch")["group"] for rows in (one, other)]
    common = groups[0].index.intersection(groups[1].index)
    pairs = zip(groups[0].reindex(common), groups[1].reindex(common), strict=True)
    return Comparison(
        patches=len(both),
        only_before=before["patch"].nunique() - len(both),
        only_after=after["patch"].nunique() - len(both),
        differences=tuple(differences),
        moves=dict(Counter((Group(first), Group(second)) for first, second in pairs)),
    )


def _of_answers(one: pd.DataFrame, other: pd.DataFrame, both: list[str], lots: Weights) -> Difference:
    values = [
        (rows["prediction"] == rows["label"])
        .groupby(rows["patch"])
        .first()
        .reindex(both)
        .to_numpy(dtype=float)
        for rows in (one, other)
    ]
    return _difference("right answers, %", values[0], values[1], lots, more_is_better=True)


def _of_metric(
    one: pd.DataFrame, other: pd.DataFrame, both: list[str], lots: Weights, *, method: str, metric: Metric
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
        name, values[0][known], values[1][known], lots[:, known], more_is_better=metric.more_is_better
    )


def _difference(
    name: str, before: np.ndarray, after: np.ndarray, lots: Weights, *, more_is_better: bool
) -> Difference:
    change = 100 * (after - before)
    with np.errstate(invalid="ignore"):  # a lot without a known patch says nothing
        drawn = (lots @ change) / lots.sum(axis=1)
    measure = with_interval(float(change.mean()), drawn)
    return Difference(name, 100 * float(before.mean()), 100 * float(after.mean()), measure, more_is_better)


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
    return f"""# {after} beside {before}

{compared.patches:,} patches that both evaluations have{f" ({alone})" if alone else ""}. A change is the mean over patches of second less first, in
brackets the middle 95 % of {RESAMPLES:,} bootstrap samples of the strips.

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
    (_, before), (place, after) = read_rows(settings.before), read_rows(settings.after)
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
