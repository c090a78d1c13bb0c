"""What was measured, held against the targets, in words and as a figure."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from app.benchmark.memory import HOUR, MOST_AN_HOUR, Trend, trend_of
from app.benchmark.sessions import Crowd
from app.benchmark.shift import Shift
from severstal_xai.markdown import table

PATCH = "cached patch, Grad-CAM alone"
AS_IT_OPENS = "cached patch as it opens: SISE, Grad-CAM"
STRIP = "cached strip"
BY_CLASS = "queue narrowed by class"
BY_PART = "queue narrowed by part of the data"
BY_MARGIN = "queue narrowed by a range: the margin"
BY_NAME = "queue searched for a name"
SCROLLED = "queue scrolled"
BY_CLASS_IN_PICTURES = "queue as pictures, narrowed by class"
SHEETS = "queue as pictures, sheet turned"
FIRST = "first map of SISE, alone"
FIRST_OF_ANY = "first map on the page as it opens"
TARGETS = {
    PATCH: 300,
    AS_IT_OPENS: 300,
    STRIP: 500,
    BY_CLASS: 500,
    BY_PART: 500,
    BY_MARGIN: 500,
    BY_NAME: 500,
    SCROLLED: 500,
    BY_CLASS_IN_PICTURES: 500,
    SHEETS: 500,
    FIRST: 2000,
    FIRST_OF_ANY: 2000,
}
"""Milliseconds, as the inspector's requirements say."""
CORES, ARCHITECTURE, ROWS, SESSIONS = 2, "resnet101", 11_505, 20
"""What the targets speak of; the clicks are an hour's."""


@dataclass(frozen=True)
class Setting:
    """What was measured, and on what.

    Args:
        architecture: The network's.
        weights: The checksum of its weights.
        engine: What answers for it.
        usual_engine: What answers where nothing speaks against it.
        rows: Patches in the queue.
        processor: The processor's name.
        cores: How many of its cores the inspector and the browser share.
        load: How many processes were at work or waiting, on the average of the minute before; None where the system does not say.
        browser: The browser's version.
    """

    architecture: str
    weights: str
    engine: str
    usual_engine: str
    rows: int
    processor: str
    cores: int
    load: float | None
    browser: str


@dataclass(frozen=True)
class Outcome:
    """What was measured.

    Args:
        setting: On what.
        times: Milliseconds of each click, by its kind.
        crowd: What came of many sessions at once.
        shift: What came of many clicks.
    """

    setting: Setting
    times: dict[str, list[float]]
    crowd: Crowd
    shift: Shift

    @property
    def trend(self) -> Trend:
        """How the memory changes."""
        return trend_of(self.shift.memory, self.shift.round)


def deviations(outcome: Outcome) -> list[str]:
    """Return in words where this is not what the targets speak of."""
    setting = outcome.setting
    differing = (
        (setting.cores != CORES, f"{setting.cores} cores, not {CORES}"),
        (setting.architecture != ARCHITECTURE, f"{setting.architecture}, not {ARCHITECTURE}"),
        (setting.engine != setting.usual_engine, f"the engine {setting.engine}, not {setting.usual_engine}"),
        (setting.rows < ROWS, f"{setting.rows:,} patches, not {ROWS:,}"),
        (outcome.crowd.sessions < SESSIONS, f"{outcome.crowd.sessions} sessions at once, not {SESSIONS}"),
        (outcome.shift.clicks < HOUR, f"{outcome.shift.clicks:,} clicks, not an hour's {HOUR}"),
    )
    return [words for is_so, words in differing if is_so]


def told(outcome: Outcome) -> str:
    """Return what was measured, in Markdown: each target with its number, and whether it is met."""
    where = " here" if deviations(outcome) else ""
    return f"""# The inspector under a user's hand

{_on_what(outcome)}

## Times

Milliseconds from the click, the key or the wheel to the frame that shows all of what was asked for: pictures decoded, rows of the table drawn. Met: every click was in time.

{table(["what", "clicks", "median", "longest", "wanted", "in time", "target"], _lines(outcome, where))}

## Many at once

{_crowd_in_words(outcome.crowd, where)}

## Memory

{_memory_in_words(outcome.shift, outcome.trend, where)}

![Times by kind, and memory](inspector.png)
"""


def _on_what(outcome: Outcome) -> str:
    setting = outcome.setting
    load = "" if setting.load is None else f" Load before it began: {setting.load:.1f}."
    measured = (
        f"{setting.architecture} (weights {setting.weights[:12]}) on the engine {setting.engine}; {setting.rows:,} patches, each an image of its own. "
        f"{setting.cores} cores of {setting.processor}, shared by the inspector and Chromium {setting.browser}.{load}"
    )
    differing = deviations(outcome)
    if not differing:
        return f"{measured} That is what the targets speak of."
    return (
        f"{measured}\n\n**This is not what the targets speak of:** {'; '.join(differing)}. "
        "So each verdict says “here”: it tells nothing of the target itself."
    )


def _lines(outcome: Outcome, where: str) -> list[list[str]]:
    return [
        [
            kind,
            str(len(times)),
            f"{statistics.median(times):.0f}",
            f"{max(times):.0f}",
            str(TARGETS[kind]),
            f"{sum(time <= TARGETS[kind] for time in times)} of {len(times)}",
            _verdict(is_met=max(times) <= TARGETS[kind], where=where),
        ]
        for kind, times in outcome.times.items()
    ]


def _verdict(*, is_met: bool, where: str) -> str:
    return f"{'met' if is_met else 'not met'}{where}"


def _crowd_in_words(crowd: Crowd, where: str) -> str:
    return f"""{crowd.sessions} sessions, each in a browser of its own, walked from patch to patch; of {crowd.compared} pictures of heat, no two alike, \
{crowd.wrong or "none"} differed by bytes from that of the session's patch. No map is mixed up: **{_verdict(is_met=not crowd.wrong, where=where)}**.

The inspector's memory: {crowd.before:.0f} MB before they came, {crowd.highest:.0f} MB at most while they were there, {crowd.after:.0f} MB when they had gone."""


def _memory_in_words(shift: Shift, trend: Trend, where: str) -> str:
    errands = [[words, clicks] for words, clicks in shift.errands.items()]
    return f"""{shift.clicks:,} clicks, {len(shift.memory) - 1} rounds of a shift by one page of one browser:

{table(["in each round", "clicks"], errands)}

The inspector's memory before the first round and after each: {_listed(shift.memory)} MB.

Through the second half it changed by {trend.slope:+.2f} MB per 100 clicks ({trend.low:+.2f} to {trend.high:+.2f}, 95 % interval of Theil and Sen's slope). \
At the upper end an hour's {HOUR} clicks add {trend.share_an_hour:+.1%} to {trend.level:.0f} MB; flat is below {MOST_AN_HOUR:.0%}. \
Memory is flat: **{_verdict(is_met=trend.is_flat, where=where)}**."""


def _listed(memory: Sequence[float]) -> str:
    return ", ".join(f"{one:.0f}" for one in memory)


def draw(outcome: Outcome) -> Figure:
    """Draw the times by kind, and the memory."""
    figure = Figure(figsize=(12, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    kinds = list(outcome.times)
    left.boxplot(list(outcome.times.values()), orientation="horizontal", tick_labels=kinds)
    left.plot([TARGETS[kind] for kind in kinds], range(1, len(kinds) + 1), "k|", markersize=14)
    left.invert_yaxis()
    left.set(xlabel="milliseconds; the bar is what is wanted", xscale="log")
    shift = outcome.shift
    right.plot([place * shift.round for place in range(len(shift.memory))], shift.memory, "o-")
    right.set(xlabel="clicks of a shift", ylabel="the inspector's memory, MB", ylim=(0, None))
    return figure
