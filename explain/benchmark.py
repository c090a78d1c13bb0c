"""The command `python -m explain.benchmark`: what the methods cost, side by side, on one model in one run.

Each method is measured in a process of its own, so that its memory is its own. A machine's speed drifts, so what
is compared is timed in turn, and told as a ratio: SISE beside as many bare forward passes on the same engine; each
engine beside float32; SISE's masks beside pytorch-grad-cam's Score-CAM.
"""

import dataclasses
import multiprocessing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from explain.benchmark_report import Benchmark, draw, tabulate
from explain.case import Case
from explain.measure import (
    agreement_with_float64,
    budget_costs,
    engine_costs,
    library_score_cam_cost,
    method_cost,
    overhead,
)
from explain.methods import METHODS
from severstal_xai.command import DONE, parse_settings, run
from severstal_xai.errors import InputError, check_range
from severstal_xai.model import Architecture
from severstal_xai.report_files import write_report

Measured = TypeVar("Measured")
_BUDGETS = (0.1, 0.4)
"""The aim's, and that of the inspector's fast maps."""


@dataclass(frozen=True)
class BenchmarkSettings:
    """What to measure.

    Args:
        run: The run folder of a trained network; null measures one of random weights.
        data: A data folder, whose test patches are explained; null explains light with grain.
        architecture: The network, where no run is given.
        size: Height and width in pixels of the image, where no data is given.
        methods: Names of methods, with commas between them.
        mu: SISE's, for the ratios.
        images: How many images each method explains; the agreement with float64 is measured on as many.
        output: The folder for `benchmark.json`, `.md` and `.png`.
        device: Where the model runs; auto takes a GPU where there is one.
    """

    run: Path | None = None
    data: Path | None = None
    architecture: Architecture = "resnet50"
    size: int = 224
    methods: str = ",".join(METHODS)
    mu: float = 0.0
    images: int = 1
    output: Path = Path("benchmark")
    device: Literal["auto", "cpu", "cuda"] = "auto"

    def __post_init__(self) -> None:
        check_range("size", self.size, 32, 4096)
        check_range("mu", self.mu, 0)
        check_range("images", self.images, 1)
        for name in self.names():
            if name not in METHODS:
                raise InputError(f"method {name!r}, expected one of {', '.join(METHODS)}")

    def names(self) -> list[str]:
        """Return the methods' names."""
        return [name.strip() for name in self.methods.split(",")]

    def case(self) -> Case:
        """Return what is explained."""
        return Case(self.run, self.data, self.architecture, self.size, self.mu, self.images, self.device)


def measure(settings: BenchmarkSettings) -> Benchmark:
    """Measure everything, one after the other, each in a process of its own."""
    case = settings.case()
    _alone(case.check)
    return Benchmark(
        case=case,
        machine=_alone(case.machine),
        methods=tuple(_alone(method_cost, case, name) for name in settings.names()),
        engines=tuple(_alone(engine_costs, case)),
        overhead=_alone(overhead, case),
        score_cam=_alone(library_score_cam_cost, case),
        budgets=_alone(budget_costs, case, _BUDGETS),
        agreement=_alone(agreement_with_float64, case),
    )


def _alone(work: Callable[..., Measured], *arguments: object) -> Measured:
    """Run the work in a fresh process and return its result, or raise what it raised."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write the three files and print the table."""
    settings = parse_settings(
        BenchmarkSettings,
        command="python -m explain.benchmark",
        description="What the methods and the engines cost, side by side, beside the paper's Table 7.",
        arguments=arguments,
    )
    measured = measure(settings)
    table = tabulate(measured)
    write_report(settings.output / "benchmark", dataclasses.asdict(measured), table, draw(measured))
    print(table)
    return DONE


if __name__ == "__main__":
    run(main)
