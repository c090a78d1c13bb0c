"""The paper's Table 1 or 4 as it prints it, with both networks: this run's, and the other one's from the run beside it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from explain.evaluation.rows import ORDERED
from explain.evaluation.summary import Figures, Metric
from explain.evaluation.tables import measured
from explain.evaluation.variants import seeds_of
from explain.natural.paper import METHODS, NAMES, TABLE_NUMBERS, as_printed
from explain.natural.per_pair import Run
from explain.natural.settings import Settings
from explain.natural.torchray import NETWORKS, Architecture, Dataset
from explain.words import counted
from severstal_xai.bootstrap import Measure
from severstal_xai.markdown import table

BothFigures = Mapping[Architecture, Sequence[Figures]]
"""What the metrics come to, by the network; of a network without a run, nothing."""
_ALIKE = ("masks", "size")
"""Settings that every row hangs on."""


def both_networks(dataset: Dataset, figures: BothFigures, said: str) -> str:
    """Return the section of the report.

    Args:
        dataset: The data set.
        figures: Of the networks that there are.
        said: What is to be known of the run beside, as `of_run_beside` or `no_run_beside` says it.
    """
    names = [*METHODS, *(name + ORDERED for name in METHODS if _is_in(figures, name + ORDERED))]
    ordered = f" `{names[-1]}` is the same map with ties ordered by the sum before the gates." * (
        names[-1] not in METHODS
    )
    lines = [
        line for network in NETWORKS for line in _lines(dataset, network, figures.get(network, ()), names)
    ]
    return f"""## Both networks

The paper's Table {TABLE_NUMBERS[dataset]} as it prints it: ours with the interval, and in square brackets the paper's figure, which stands alone where a
method was not evaluated. The best of each line is bold, ours and the paper's. Drop % is better the lower, all others the higher.{ordered}

{said}

{table(["network", "metric", *names], lines)}"""


def _is_in(figures: BothFigures, name: str) -> bool:
    return any(name in one.measures for some in figures.values() for one in some)


def _lines(
    dataset: Dataset, network: Architecture, figures: Sequence[Figures], names: Sequence[str]
) -> Iterator[list[str]]:
    """Yield a network's lines, in the paper's order."""
    known = {one.metric.column: one.measures for one in figures}
    for metric in as_printed(dataset, network):
        yield [NAMES[network], metric.title, *_cells(metric, known.get(metric.column, {}), names)]


def _cells(metric: Metric, ours: Mapping[str, Measure], names: Sequence[str]) -> Iterator[str]:
    theirs = metric.paper or {}
    best = _best(metric, {name: ours[name].value for name in names if name in ours})
    paper_best = _best(metric, theirs)
    for name in names:
        here = _bold(measured(ours[name]), name in best) if name in ours else ""
        paper = f"[{_bold(f'{theirs[name]:g}', name in paper_best)}]" if name in theirs else ""
        yield f"{here} {paper}".strip()


def _best(metric: Metric, values: Mapping[str, float]) -> set[str]:
    """Return who is best, all that share the place; nobody where there is nobody to be better than."""
    if len(values) < 2:
        return set()
    best = max(values.values()) if metric.more_is_better else min(values.values())
    return {name for name, value in values.items() if value == best}


def _bold(text: str, is_bold: bool) -> str:
    return f"**{text}**" if is_bold else text


def no_run_beside(settings: Settings, why: str) -> str:
    """Say that the other network's run is not to be had, and how it comes in.

    Args:
        settings: Of this run.
        why: What is wrong with the other.
    """
    other = settings.other_network()
    return (
        f"**{NAMES[other]} is missing here**; its run is looked for beside this one ({why}). Made by `python -m explain.natural "
        f"--dataset {settings.dataset} --architecture {other}` and with all else as here, it is taken up when the command of "
        "this run is given again, which makes nothing anew."
    )


def of_run_beside(own: Run, other: Run, folder: str) -> str:
    """Say where the other network's figures are from, and whether both runs are of the same images and settings.

    Args:
        own: This run.
        other: The other network's.
        folder: What its folder is called.
    """
    read = f"{NAMES[other.architecture]} is read from the run in the folder `{folder}` beside this run's."
    differences = differences_of(own, other)
    if differences:
        return (
            f"{read} **The two runs are not alike**, so that each network is to be held against the paper, and not one against the "
            f"other: {'; '.join(differences)}."
        )
    pairs, images = own.rows["pair"].nunique(), own.rows["image"].nunique()
    return f"{read} Both runs are of the same {counted(pairs, 'pair')} of {counted(images, 'image')}, made with the same settings."


def differences_of(own: Run, other: Run) -> list[str]:
    """Return how two runs differ, in their images and in what makes the figures of a method that both have."""
    here, there = NAMES[own.architecture], NAMES[other.architecture]
    pairs, other_pairs = set(own.rows["pair"]), set(other.rows["pair"])
    said = []
    if pairs != other_pairs:
        said.append(
            f"of the pairs of an image and a class, {len(pairs - other_pairs):,} are of {here}'s run alone, "
            f"{len(other_pairs - pairs):,} of {there}'s, {len(pairs & other_pairs):,} of both"
        )
    for name, (ours, theirs) in _made(own, other).items():
        if ours != theirs:
            said.append(f"{name} {ours} for {here}, {theirs} for {there}")
    return said


def _made(own: Run, other: Run) -> dict[str, tuple[Any, Any]]:
    """Return what makes the figures of the two, side by side, by its name."""
    settings = [run.settings for run in (own, other)]
    made = {name: (settings[0].get(name), settings[1].get(name)) for name in _ALIKE}
    methods = [name for name in METHODS if all((run.rows["method"] == name).any() for run in (own, other))]
    if "sise" in methods:
        first, second = (dict(some.get("sise") or {}) for some in settings)
        made |= {f"sise.{name}": (first.get(name), second.get(name)) for name in {**first, **second}}
    for name in methods:
        runs = [len(seeds_of(run.rows).get(name, [name])) for run in (own, other)]
        made[f"seeds of {name}"] = (runs[0], runs[1])
    return made
