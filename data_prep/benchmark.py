"""The command `python -m data_prep.benchmark`: the build's speed beside bare decoding and encoding.

Bare is what no build can do without, for the same files on the same cores: decode each strip, encode its patches
and their masks, write them down. What a build adds is all the rest: reading the run-length encodings, the rules,
checksums, whole files, the journal, the report, the manifest. Both are run in turn, several times, and the ratio
of each pair is taken, since a machine's speed drifts. The report costs the same for ten strips as for ten
thousand, so give it a few hundred at least.
"""

import dataclasses
import json
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import UInt8

from data_prep.build import build
from data_prep.settings import DataPrepSettings
from data_prep.source import Source, open_source
from data_prep.threads import run_bounded
from severstal_xai.command import CONFIGS, DONE, parse_settings, run
from severstal_xai.errors import InputError, check_range
from severstal_xai.imaging import PATCH_SHAPE, STRIP_SHAPE, encode_mask, encode_png, read_grey, read_mask
from severstal_xai.manifest import Patch, read_manifest
from severstal_xai.strips import Window, cut


@dataclass(frozen=True)
class BenchmarkSettings:
    """What to measure.

    Args:
        source: Kaggle's folder or zip.
        rounds: How many pairs, of which the median is told.
        workers: Threads, of both; 0 is one for each core.
    """

    source: Path
    rounds: int = 6
    workers: int = 0

    def __post_init__(self) -> None:
        check_range("rounds", self.rounds, 1)
        check_range("workers", self.workers, 0, 256)


@dataclass(frozen=True)
class Pair:
    """Seconds of one round."""

    bare: float
    build: float


@dataclass(frozen=True)
class StripFiles:
    """What is encoded of a strip.

    Args:
        image: The strip's file name.
        patches: Its patches.
        masks: Their ground truth, one bit a pixel (8 KiB each), by patch; none for sound ones.
    """

    image: str
    patches: tuple[Patch, ...]
    masks: Mapping[str, UInt8[np.ndarray, "8192"]]


def measure(settings: BenchmarkSettings) -> tuple[int, list[Pair]]:
    """Time bare work and the build in turn, after one build that is not counted; return the strips, the seconds."""
    with tempfile.TemporaryDirectory() as folder:
        _build(settings, Path(folder))
        files = list_files(open_source(settings.source), Path(folder))
    return len(files), [
        _measure_pair(settings, files, bare_first=place % 2 == 0) for place in range(settings.rounds)
    ]


def list_files(source: Source, data: Path) -> list[StripFiles]:
    """List what a build made of each strip that it could use."""
    by_strip: dict[str, list[Patch]] = defaultdict(list)
    for patch in read_manifest(data).patches:
        by_strip[patch.strip].append(patch)
    images, _ = source.list_images()
    listed = []
    for image in images:
        patches = tuple(by_strip[PurePosixPath(image).stem])
        masks = {
            patch.patch: np.packbits(read_mask((data / patch.mask).read_bytes()))
            for patch in patches
            if patch.mask
        }
        listed.append(StripFiles(image, patches, masks))
    return listed


def _measure_pair(settings: BenchmarkSettings, files: Sequence[StripFiles], *, bare_first: bool) -> Pair:
    """Time both; the first one leaves the disk something to do for the other, so they take turns."""
    with tempfile.TemporaryDirectory() as folder:
        bare, built = Path(folder, "bare"), Path(folder, "built")
        bare.mkdir()
        source = open_source(settings.source)
        works: list[tuple[str, Callable[[], None]]] = [
            ("bare", lambda: recode_all(source, files, bare, settings.workers)),
            ("build", lambda: _build(settings, built)),
        ]
        return Pair(**{name: _seconds(work) for name, work in works[:: 1 if bare_first else -1]})


def _seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def recode_all(source: Source, files: Sequence[StripFiles], folder: Path, workers: int) -> None:
    """Decode the strips, encode what a build made of them, and write it into one folder."""
    for _ in run_bounded(lambda one: _recode(source, one, folder), files, workers):
        pass


def _recode(source: Source, files: StripFiles, folder: Path) -> None:
    try:
        strip = read_grey(source.read_image(files.image), STRIP_SHAPE)
    except InputError:
        return  # a reject, for the build too
    for patch in files.patches:
        image = np.ascontiguousarray(cut(strip, Window(patch.index, patch.x)))
        (folder / f"{patch.patch}.png").write_bytes(encode_png(image))
    for name, bits in files.masks.items():
        mask = np.unpackbits(bits).reshape(PATCH_SHAPE).astype(bool)
        (folder / f"{name}_mask.png").write_bytes(encode_mask(mask))


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
    strips, pairs = measure(settings)
    told = {
        "strips": strips,
        "seconds": [dataclasses.asdict(pair) for pair in pairs],
        "median_bare_by_build": statistics.median(pair.bare / pair.build for pair in pairs),
    }
    print(json.dumps(told, indent=2))
    return DONE


if __name__ == "__main__":
    run(main)
