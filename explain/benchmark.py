"""The command `python -m explain.benchmark`: what the methods cost, side by side, on one model in one run.

Each method is measured in a process of its own, so that its memory is its own. A machine's speed drifts, so what
is compared is timed in turn, and told as a ratio: SISE beside as many bare forward passes on the same engine; each
engine beside float32; SISE's masks beside pytorch-grad-cam's Score-CAM. Each such comparison, and each method, is a
stage, whose figures are saved at once: what was killed goes on, and the report says where stages are of several runs.
"""

import dataclasses
import multiprocessing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import TypeAdapter
from tqdm import tqdm

from explain.benchmark_report import Benchmark, draw, tabulate
from explain.case import Case
from explain.measure import (
    Agreement,
    BudgetCost,
    EngineCost,
    LibraryCost,
    MethodCost,
    Overhead,
    agreement_with_float64,
    budget_costs,
    engine_costs,
    library_score_cam_cost,
    method_cost,
    overhead,
)
from explain.methods import METHODS
from explain.stages import close_stages, measured_once, now, open_stages, stage_times
from severstal_xai.command import DONE, parse_settings, run
from severstal_xai.errors import InputError, check_range
from severstal_xai.model import Architecture
from severstal_xai.report_files import write_report

Measured = TypeVar("Measured")
_BUDGETS = (0.1, 0.4)
"""The aim's, and that of the inspector's fast maps."""
_STAGES = "stages"


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
        output: The folder for `benchmark.json`, `.md` and `.png`; until they are there, `stages` in it keeps what is
            measured, and the same command goes on with that.
        overwrite: Whether to delete what an unfinished run has measured.
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
    overwrite: bool = False
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
    """Measure what is not yet, one after the other, each in a process of its own.

    Raises:
        InputError: The case cannot be measured, or the output holds stages of another one or of another machine.
    """
    case, folder, run_began = settings.case(), settings.output / _STAGES, now()
    _alone(case.check)
    machine = _alone(case.machine)
    open_stages(folder, case.maker(machine), overwrite=settings.overwrite)
    measured: list[str] = []
    with tqdm(total=len(settings.names()) + 5, desc="benchmark", unit="stage") as bar:

        def stage(name: str, kind: Any, work: Callable[..., Measured], *more: object) -> Measured:
            read: Callable[[Any], Measured] = TypeAdapter(kind).validate_python
            found = measured_once(folder, run_began, name, read, lambda: _alone(work, case, *more))
            measured.append(name)
            bar.update()
            return found

        return Benchmark(
            case=case,
            machine=machine,
            methods=tuple(
                stage(f"method_{name}", MethodCost, method_cost, name) for name in settings.names()
            ),
            engines=stage("engines", tuple[EngineCost, ...], engine_costs),
            overhead=stage("overhead", Overhead, overhead),
            score_cam=stage("score_cam_library", LibraryCost, library_score_cam_cost),
            budgets=stage("budgets", tuple[BudgetCost, ...], budget_costs, _BUDGETS),
            agreement=stage("agreement", Agreement, agreement_with_float64),
            times=stage_times(folder, measured),
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
    close_stages(settings.output / _STAGES)
    print(table)
    return DONE


if __name__ == "__main__":
    run(main)
