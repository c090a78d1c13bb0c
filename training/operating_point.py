"""The command `python -m training.operating_point`: the thresholds of a trained model, from what wrong answers cost.

It needs the run folder alone, neither the data nor the network: the run keeps the model's answers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from severstal_xai.bootstrap import Measure
from severstal_xai.checkpoint import ModelCard, read_card
from severstal_xai.classes import CLASSES, DEFECTS
from severstal_xai.command import DONE, parse_settings, run, to_plain
from severstal_xai.errors import InputError, check_range
from severstal_xai.manifest import Split
from severstal_xai.markdown import table
from severstal_xai.operating_point import (
    STEM,
    ClassPoint,
    Costs,
    Expected,
    OperatingPoint,
    as_json,
    read_operating_point,
)
from severstal_xai.predictions import PREDICTIONS_FILE
from severstal_xai.report_files import write_report
from training import run_folder
from training.figures import thresholds_figure
from training.predictions import Answers, read_answers
from training.thresholds import LEAST_PATCHES, choose, enough_of, expect, flags

_MUCH = 0.5
"""Share of all patches from which on a class's flags are called many."""


@dataclass(frozen=True)
class Settings:
    """Settings of the operating point.

    Args:
        run: The run folder.
        miss: What a patch of a defect class costs that is not flagged as it: a number, or one for each of the classes
            1 to 4; null for what was set last, or what the run was trained with.
        alarm: What a patch costs that is flagged as a class and is not of it, in the same unit; likewise.
        review_limit: Patches a strip, up to 6, that an inspector can look at: 6 for as many as the costs are worth;
            null for what was set last, or what the run was trained with.
        seed: Of the lot by which the intervals are drawn.
    """

    run: Path
    miss: float | list[float] | None = None
    alarm: float | list[float] | None = None
    review_limit: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_range("seed", self.seed, 0, 2**63 - 1)


def operating_point_of(
    answers: Mapping[Split, Answers], costs: Costs, weights_sha256: str, seed: int
) -> OperatingPoint:
    """Choose the thresholds on the validation patches, and count what they come to there and on the test patches."""
    validation, test = answers[Split.VALIDATION], answers[Split.TEST]
    thresholds = choose(validation.probabilities, validation.labels, costs)
    (by_class, review), (test_by_class, test_review) = (
        expect(flags(thresholds, one.probabilities), one.labels, one.strips, seed)
        for one in (validation, test)
    )
    return OperatingPoint(
        weights_sha256,
        costs,
        tuple(
            ClassPoint(steel.id, threshold, _note(steel.id, threshold, validation, costs), expected, on_test)
            for steel, threshold, expected, on_test in zip(
                DEFECTS, thresholds, by_class, test_by_class, strict=True
            )
        ),
        review,
        test_review,
    )


def _note(label: int, threshold: float | None, validation: Answers, costs: Costs) -> str:
    """Say what to know of a choice."""
    labels, count = validation.labels, int((validation.labels == label).sum())
    if threshold is None:
        few = f"{count} of {len(labels)} validation patches are of this class"
        needed = f"at least {LEAST_PATCHES}, and as many others, are needed"
        assert not enough_of(labels, label)
        return f"{few}, {needed} to choose a threshold: flagged where it is the model's answer"
    place = label - DEFECTS[0].id
    if costs.miss[place] == costs.alarm[place] == 0:
        return "misses and false alarms cost nothing, so any threshold costs least"
    flagged = (validation.probabilities[:, label] >= threshold).mean()
    if flagged == 0:
        limit = "" if costs.review_limit is None else " within the limit"
        return f"flags no validation patch: more would not pay{limit}"
    return f"flags {flagged:.0%} of all validation patches" if flagged > _MUCH else ""


def write_operating_point(folder: Path, point: OperatingPoint, validation: Answers) -> None:
    """Write the operating point for programs, as a table and as a picture."""
    figure = thresholds_figure(
        validation.probabilities, validation.labels, [one.threshold for one in point.classes]
    )
    write_report(folder / STEM, as_json(point), tabulate(point), figure)


def tabulate(point: OperatingPoint) -> str:
    """Write the operating point as Markdown."""
    limit = point.costs.review_limit
    within = "" if limit is None else f", where an inspector looks at {limit:g} a strip at most"
    notes = [
        f"- Class {one.label} ({CLASSES[one.label].name}): {one.note}." for one in point.classes if one.note
    ]
    if limit is not None and point.validation.patches.value > limit:
        notes.append(
            "- **The limit is not kept**: the classes without a threshold alone are flagged on more patches than that."
        )
    return f"""# Operating point

A patch is flagged as a defect class where the model's probability of the class reaches its threshold, and then an inspector
is to look at it. The thresholds are those that cost least on the validation patches{within}.

{_by_class(point)}
{"".join(f"{chr(10)}{note}" for note in notes)}{chr(10) if notes else ""}
{_together(point)}

In brackets 95 % intervals: the wider of the bootstrap's over strips and the exact one for patches. A strip has six patches; the counts hold for strips with as
many defects as these. The thresholds were chosen on the validation patches, so those numbers flatter; the test patches
had no part in it.

![Thresholds]({STEM}.png)
"""


def _by_class(point: OperatingPoint) -> str:
    rows = [
        [
            f"{one.label} {CLASSES[one.label].name}",
            "the model's answer" if one.threshold is None else f"{one.threshold:.6g}",
            f"{miss:g} : {alarm:g}",
            *_expected(one.validation),
            *_expected(one.test),
        ]
        for one, miss, alarm in zip(point.classes, point.costs.miss, point.costs.alarm, strict=True)
    ]
    counted = ("patches", "missed", "false alarms a strip")
    header = ["class", "threshold", "cost, miss : alarm", *(f"validation: {name}" for name in counted)]
    return table([*header, *(f"test: {name}" for name in counted)], rows)


def _together(point: OperatingPoint) -> str:
    both = (point.validation, point.test)
    return table(
        ["all classes together", "validation", "test"],
        [
            ["patches a strip to look at", *(_interval(review.patches) for review in both)],
            ["defects that nothing flags", *(_share(review.unseen) for review in both)],
        ],
    )


def _expected(expected: Expected) -> tuple[str, str, str]:
    return str(expected.patches), _share(expected.misses), _interval(expected.alarms)


def _share(measure: Measure | None) -> str:
    return "-" if measure is None else f"{measure.value:.0%} ({measure.low:.0%} to {measure.high:.0%})"


def _interval(measure: Measure) -> str:
    return f"{measure.value:.2f} ({measure.low:.2f} to {measure.high:.2f})"


def costs_before(folder: Path, card: ModelCard) -> object:
    """Return the costs that were set last for the model, else those that it was trained with, as plain values."""
    try:
        last = read_operating_point(folder, card.weights_sha256)
    except InputError:  # it is going to be replaced
        last = None
    return to_plain(last.costs) if last else card.settings.get("operating_point")


def costs_of(settings: Settings, before: object) -> Costs:
    """Return the costs: as set, else as before.

    Args:
        settings: Of the command.
        before: What `costs_before` found.

    Raises:
        InputError: A cost is neither set nor known of the run, or wrong.
    """
    known: dict[str, object] = {"review_limit": None, **(before if isinstance(before, dict) else {})}
    for name in ("miss", "alarm", "review_limit"):
        amount = getattr(settings, name)
        if amount is not None:
            known[name] = (
                (amount,) * len(DEFECTS) if name != "review_limit" and isinstance(amount, float) else amount
            )
        elif name not in known:
            raise InputError(f"{name} is not known of the run {settings.run}, expected --{name} NUMBER")
    try:
        return TypeAdapter(Costs).validate_python(known, strict=False)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{where}, as set or as known of the run {settings.run}: {first['msg']}") from error


def main() -> int:
    """Choose the thresholds, write them into the run folder and print them."""
    settings = parse_settings(
        Settings,
        command="python -m training.operating_point",
        description="Choose the thresholds of a trained model by what wrong answers cost.",
    )
    card = read_card(settings.run)
    answers = read_answers(settings.run / PREDICTIONS_FILE, card.weights_sha256)
    costs = costs_of(settings, costs_before(settings.run, card))
    point = operating_point_of(answers, costs, card.weights_sha256, settings.seed)
    with run_folder.owned(settings.run):
        write_operating_point(settings.run, point, answers[Split.VALIDATION])
    print(tabulate(point))
    print(f"Written to {settings.run / STEM}.json, .md and .png; the inspector uses it")
    return DONE


if __name__ == "__main__":
    run(main)
