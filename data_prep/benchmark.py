"""The command `python -m data_prep.benchmark`: the build's speed beside bare decoding and encoding.

Bare is what no build can do without, on the same strips and the same cores: decode each strip, encode the six
windows of those with a defect, write them down. Both are run in turn, several times, and the ratio of each
pair is taken, since a machine's speed drifts.
"""

import dataclasses
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from data_prep.annotations import read_annotations
from data_prep.build import build, run_bounded
from data_prep.settings import DataPrepSettings
from data_prep.source import Source, open_source
from severstal_xai.command import CONFIGS, DONE, parse_settings, run
from severstal_xai.imaging import STRIP_SHAPE, encode_png, read_grey
from severstal_xai.strips import cut, windows


@dataclass(frozen=True)
class BenchmarkSettings:
    """What to measure.

    Args:
        source: Kaggle's folder or zip.
        rounds: How many pairs, of which the median is told.
        workers: Threads, of both; 0 is one for each core.
    """

    source: Path
    rounds: int = 5
    workers: int = 0


@dataclass(frozen=True)
class Pair:
    """Seconds of one round."""

    bare: float
    build: float


def measure(settings: BenchmarkSettings) -> list[Pair]:
    """Time bare work and the build in turn, after one round that is not counted."""
    pairs = [_measure_pair(settings) for _ in range(settings.rounds + 1)]
    return pairs[1:]


def _measure_pair(settings: BenchmarkSettings) -> Pair:
    with tempfile.TemporaryDirectory() as folder:
        bare, built = Path(folder, "bare"), Path(folder, "built")
        bare.mkdir()
        return Pair(
            bare=_seconds(lambda: _work_bare(settings, bare)), build=_seconds(lambda: _build(settings, built))
        )


def _seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _work_bare(settings: BenchmarkSettings, folder: Path) -> None:
    source = open_source(settings.source)
    images, _ = source.list_images()
    defective = set(read_annotations(source.read_annotations(), images).masks)
    for _ in run_bounded(
        lambda name: _recode(source, name, folder, name in defective), images, settings.workers
    ):
        pass


def _recode(source: Source, name: str, folder: Path, defective: bool) -> None:
    strip = read_grey(source.read_image(name), STRIP_SHAPE)
    for window in windows() if defective else ():
        (folder / f"{name}_{window.index}.png").write_bytes(encode_png(cut(strip, window).copy()))


def _build(settings: BenchmarkSettings, folder: Path) -> None:
    defaults = parse_settings(
        DataPrepSettings,
        command="python -m data_prep",
        description="",
        defaults=CONFIGS / "data_prep.yaml",
        arguments=[f"--output={folder}", f"--source={settings.source}", f"--workers={settings.workers}"],
    )
    build(defaults)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the pairs and the median ratio as JSON."""
    settings = parse_settings(
        BenchmarkSettings,
        command="python -m data_prep.benchmark",
        description="Time the build beside bare decoding and encoding of the same strips on the same cores.",
        arguments=arguments,
    )
    pairs = measure(settings)
    ratio = statistics.median(pair.bare / pair.build for pair in pairs)
    print(
        json.dumps(
            {"seconds": [dataclasses.asdict(pair) for pair in pairs], "median_bare_by_build": ratio}, indent=2
        )
    )
    return DONE


if __name__ == "__main__":
    run(main)
