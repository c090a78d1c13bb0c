"""What was measured, as a Markdown table beside the paper's and as a picture."""

import math
import statistics
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from explain.case import Case
from explain.measure import (
    Agreement,
    BudgetCost,
    EngineCost,
    LibraryCost,
    MethodCost,
    Overhead,
)
from explain.paper import TABLE_7
from explain.stages import StageTime
from severstal_xai.markdown import table


@dataclass(frozen=True)
class Benchmark:
    """All that was measured, and when: in one run, or in several that went on with each other's stages."""

    case: Case
    machine: dict[str, str | int]
    methods: tuple[MethodCost, ...]
    engines: tuple[EngineCost, ...]
    overhead: Overhead
    score_cam: LibraryCost
    budgets: tuple[BudgetCost, ...]
    agreement: Agreement
    times: tuple[StageTime, ...]


def tabulate(measured: Benchmark) -> str:
    """Return the Markdown text."""
    parts = (_heading(measured), _methods(measured), _engines(measured), _aims(measured), _budgets(measured))
    return "\n\n".join(parts) + "\n"


def _heading(measured: Benchmark) -> str:
    case = measured.case
    network = f"the run {case.run}" if case.run else f"{case.architecture}, random weights"
    images = (
        f"test patches of {case.data}" if case.data else f"drawn light with grain, {case.size} x {case.size}"
    )
    machine = ", ".join(f"{name} {value}" for name, value in measured.machine.items())
    return f"# What the methods cost\n\n{network}; {images}; SISE's mu {case.mu:g}. {machine}.\n\n{_when(measured)}"


def _when(measured: Benchmark) -> str:
    """Say when it was measured; of several runs, when each stage was."""
    runs = sorted({one.run for one in measured.times})
    if len(runs) == 1:
        return f"Measured in one run, begun {_moment(runs[0])}."
    rows = [
        (one.stage, _moment(one.began), f"{runs.index(one.run) + 1} of {len(runs)}") for one in measured.times
    ]
    return (
        f"**Measured in {len(runs)} runs**, each of which went on where the one before had ended. What a ratio compares was "
        "timed in turn within one stage and holds. Seconds of stages of different runs are from different times, and a "
        "machine is not always equally fast: compare them with care.\n\n"
        + table(("stage", "begun", "run"), rows)
    )


def _moment(moment: str) -> str:
    return f"{moment[:19]} UTC"


def _methods(measured: Benchmark) -> str:
    rows = [
        (one.method, f"{one.seconds:.3g}", one.forwards, f"{one.peak_mib:.0f}", *_paper(one.method))
        for one in sorted(measured.methods, key=lambda one: one.seconds)
    ]
    header = ("method", "seconds", "forwards", "peak MiB", "paper: VGG16, T4", "paper: ResNet-50, T4")
    note = "Forwards: images that the network was asked about. Peak: memory beyond the loaded model."
    return f"{table(header, rows)}\n\n{note}"


def _engines(measured: Benchmark) -> str:
    rows = [
        (one.engine, _figure(one.milliseconds), _figure(one.speed), one.reason) for one in measured.engines
    ]
    return table(("engine", "ms an image", "times float32 eager", "why"), rows)


def _aims(measured: Benchmark) -> str:
    return table(("ratio", "measured", "aim"), _ratios(measured))


def _budgets(measured: Benchmark) -> str:
    header = (
        "SISE's budget, mu 0",
        "seconds",
        "share of the passes",
        "Spearman with the full map: median",
        "lowest",
        "claim off by at most",
    )
    return table(header, [_budget(one) for one in measured.budgets])


def _ratios(measured: Benchmark) -> list[tuple[Any, ...]]:
    sise, agreement = measured.overhead, measured.agreement
    taken = {one.engine: one.speed for one in measured.engines}.get(sise.engine)
    ratios: list[tuple[Any, ...]] = [
        (f"SISE / {sise.forwards} bare forwards, {sise.engine}", f"{sise.ratio:.3f}", "<= 1.05"),
        (f"{sise.engine} / float32 eager, speed", _figure(taken), ">= 8 (bfloat16)"),
        ("a mask: pytorch-grad-cam's Score-CAM / ours", f"{measured.score_cam.speed:.2f}", ">= 8 (bfloat16)"),
        ("Spearman with float64, lowest", f"{min(agreement.spearman):.6f}", ">= 0.99"),
    ]
    if agreement.energy_pointing_difference:
        worst = max(agreement.energy_pointing_difference)
        ratios.append(("EBPG beside float64, largest difference in points", f"{worst:.4f}", "<= 0.5"))
    peak = [one.peak_mib for one in measured.methods if one.method == "sise"]
    if peak:
        ratios.append(("SISE's peak memory, MiB", f"{peak[0]:.0f}", "<= 572 (600 MB)"))
    return ratios


def _budget(cost: BudgetCost) -> tuple[str, ...]:
    off = max(abs(claim - true) for claim, true in zip(cost.claimed, cost.spearman, strict=True))
    return (
        f"{cost.budget:g}",
        f"{cost.seconds:.3g}",
        f"{cost.share:.3f}",
        f"{statistics.median(cost.spearman):.4f}",
        f"{min(cost.spearman):.4f}",
        f"{off:.4f}",
    )


def _paper(method: str) -> tuple[str, str]:
    vgg16, resnet50 = TABLE_7.get(method, (math.nan, math.nan))
    return _figure(None if math.isnan(vgg16) else vgg16), _figure(None if math.isnan(resnet50) else resnet50)


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def draw(measured: Benchmark) -> Figure:
    """Draw the methods' seconds beside the paper's for ResNet-50, on a logarithmic scale."""
    methods = sorted(measured.methods, key=lambda one: one.seconds)
    figure = Figure(figsize=(8, 0.5 * len(methods) + 1.6), layout="constrained")
    axes = figure.subplots()
    places = range(len(methods))
    axes.barh(
        [place + 0.2 for place in places],
        [one.seconds for one in methods],
        0.38,
        label="here",
        color="#0072B2",
    )
    paper = [TABLE_7.get(one.method, (math.nan, math.nan))[1] for one in methods]
    axes.barh(
        [place - 0.2 for place in places], paper, 0.38, label="paper: ResNet-50 on a T4", color="#BBBBBB"
    )
    axes.set_yticks(list(places), [f"{one.method}\n{one.forwards:,} forwards" for one in methods], fontsize=8)
    axes.set_xscale("log")
    axes.set_xlabel("seconds an image")
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    return figure
