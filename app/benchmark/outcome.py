"""What was measured, in words and as a figure."""

import statistics
from dataclasses import dataclass

from matplotlib.figure import Figure

from severstal_xai.markdown import table

PATCH = "cached patch"
STRIP = "cached strip"
NARROWED = "queue narrowed"
SCROLLED = "queue scrolled, longest frame"
FIRST = "first map of SISE, alone"
FIRST_OF_ANY = "first map on the page as it opens"
TARGETS = {PATCH: 300, STRIP: 500, NARROWED: 500, SCROLLED: 500, FIRST: 2000, FIRST_OF_ANY: 2000}
"""Milliseconds, as the inspector's requirements say for two cores."""


@dataclass(frozen=True)
class Outcome:
    """What was measured.

    Args:
        times: Milliseconds of each click, by its kind.
        wrong: Maps, of two a session, that were not those of the session's patch.
        sessions: How many there were.
        memory: The inspector's memory in MB, at equal distances through the clicks.
        clicks: How many clicks that were.
        architecture: The network's.
        rows: Patches in the queue.
    """

    times: dict[str, list[float]]
    wrong: int
    sessions: int
    memory: list[float]
    clicks: int
    architecture: str
    rows: int


def told(outcome: Outcome) -> str:
    """Return what was measured, in Markdown."""
    lines = [
        [
            kind,
            str(len(times)),
            f"{statistics.median(times):.0f}",
            f"{max(times):.0f}",
            str(TARGETS[kind]),
            f"{sum(time <= TARGETS[kind] for time in times)} of {len(times)}",
        ]
        for kind, times in outcome.times.items()
    ]
    memory = outcome.memory
    return f"""# The inspector under a user's hand

{outcome.architecture}, {outcome.rows:,} patches; milliseconds from the click to the frame that shows all of it.

{table(["what", "clicks", "median", "longest", "wanted", "in time"], lines)}

{outcome.sessions} sessions at once, two maps each: {outcome.wrong or "none"} differed, by bytes, from those of the session's patch.

The inspector's memory, at equal distances through {outcome.clicks:,} clicks: {", ".join(f"{one:.0f}" for one in memory)} MB;
from the middle to the end it changed by {memory[-1] - memory[len(memory) // 2]:+.0f} MB.
"""


def draw(outcome: Outcome) -> Figure:
    """Draw the times by kind, and the memory."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    kinds = list(outcome.times)
    left.boxplot(list(outcome.times.values()), orientation="horizontal", tick_labels=kinds)
    left.plot([TARGETS[kind] for kind in kinds], range(1, len(kinds) + 1), "k|", markersize=14)
    left.set(xlabel="milliseconds; the bar is what is wanted", xscale="log")
    right.plot(range(1, len(outcome.memory) + 1), outcome.memory, "o-")
    right.set(xlabel=f"tenths of {outcome.clicks:,} clicks", ylabel="memory, MB", ylim=(0, None))
    return figure
