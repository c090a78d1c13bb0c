"""`python -m data_prep.synthesize`: make synthetic strips with annotations, in Kaggle's layout."""

import io
import math
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from tqdm import tqdm

from data_prep.source import IMAGES
from data_prep.synthetic.strip import StripSource, strip_name
from severstal_xai.annotation_file import ANNOTATIONS
from severstal_xai.classes import DEFECTS
from severstal_xai.command import CONFIGS, DONE, parse_settings, run, to_yaml
from severstal_xai.errors import InputError, check_range
from severstal_xai.files import delete_leftovers, is_temporary, write_bytes, write_text
from severstal_xai.rle import encode_rle

COMMAND = "data_prep.synthesize"
MADE_WITH = "synthesize.yaml"
"""The settings, beside the strips and their annotations, which are written last."""
_HEADER = "ImageId,ClassId,EncodedPixels\n"
_MOST_STRIPS = 1_000_000
_MAKE = 1
"""Raise it with every change that makes other strips of the same settings, so that no folder mixes two makes."""
_HOLDINGS = ["none"] + [
    "+".join(str(defect.id) for defect in chosen)
    for count in range(1, len(DEFECTS) + 1)
    for chosen in combinations(DEFECTS, count)
]


@dataclass(frozen=True)
class Settings:
    """What to make.

    Args:
        output: The folder for the strips; new, empty, or begun by the same command.
        strips: How many, 1 or more. The first n strips of a seed are the same however many are made.
        seed: 0 or more; another seed, other strips.
        workers: Threads; 0 for one a processor. The strips do not depend on it.
        shares: How often strips hold which classes: none, 1, 3+4 and so on, each with its weight, in any unit.
        chequered: The share of chequered plate among the strips without a defect, 0 to 1.
        jpeg_quality: 1 to 95, as Pillow counts.
    """

    output: Path
    strips: int
    seed: int
    workers: int
    shares: dict[str, float]
    chequered: float
    jpeg_quality: int

    def check(self) -> None:
        """Refuse settings that nothing can be made of.

        Raises:
            InputError: A value is out of its range; the message names the setting, the value and the range.
        """
        check_range("strips", self.strips, 1, _MOST_STRIPS)
        check_range("seed", self.seed, 0)
        check_range("workers", self.workers, 0, 256)
        check_range("chequered", self.chequered, 0, 1)
        check_range("jpeg_quality", self.jpeg_quality, 1, 95)
        _check_shares(self.shares)

    def recipe(self) -> str:
        """Return what the content of the folder depends on, as YAML."""
        content = asdict(self)
        for elsewhere in ("output", "workers"):
            del content[elsewhere]
        content["shares"] = {name: self.shares[name] for name in _HOLDINGS if name in self.shares}
        return f"# python -m {COMMAND}, strips of make {_MAKE}\n{to_yaml(SimpleNamespace(**content))}"

    def source(self) -> StripSource:
        """Return the source of the strips; the order that the shares were written in changes nothing."""
        shares = {name: self.shares[name] for name in _HOLDINGS if name in self.shares}
        return StripSource(self.seed, shares, self.chequered)


def main(arguments: list[str] | None = None) -> int:
    """Make the strips that the settings ask for, unless they are there already."""
    settings = parse_settings(
        Settings,
        command=f"python -m {COMMAND}",
        description="Make synthetic steel strips with annotations, in Kaggle's layout.",
        defaults=CONFIGS / "synthesize.yaml",
        arguments=arguments,
    )
    settings.check()
    if _is_complete(settings):
        print(f"{settings.output}: these {settings.strips} strips are there already; nothing done")
        return DONE
    synthesize(settings)
    print(f"{settings.output}: {settings.strips} strips in {IMAGES}/, annotations in {ANNOTATIONS}")
    return DONE


def synthesize(settings: Settings) -> None:
    """Make the strips; what an earlier, interrupted run of the same settings made is kept.

    Raises:
        InputError: The folder holds something else.
    """
    _claim(settings)
    workers = settings.workers or os.cpu_count() or 1
    pool = ThreadPoolExecutor(workers)
    try:
        made = pool.map(lambda number: make_strip(settings, number), range(settings.strips))
        annotations = dict(tqdm(made, total=settings.strips, desc="strips", unit="strip"))
    finally:
        pool.shutdown(cancel_futures=True)
    in_order = "".join(annotations[name] for name in sorted(annotations))
    write_text(settings.output / ANNOTATIONS, _HEADER + in_order)


def make_strip(settings: Settings, number: int) -> tuple[str, str]:
    """Write one strip's image, unless it is there; return its file name and its rows of `train.csv`."""
    source, name = settings.source(), strip_name(settings.seed, number)
    plan = source.plan(number)
    path = settings.output / IMAGES / name
    if not path.exists():
        write_bytes(path, encode_jpeg(source.paint(number, plan), settings.jpeg_quality))
    rows = [f"{name},{label},{encode_rle(mask)}\n" for label, mask in plan.masks().items()]
    return name, "".join(rows)


def encode_jpeg(grey: UInt8[np.ndarray, "height width"], quality: int) -> bytes:
    """Encode a strip as the real ones are: RGB of three equal channels, colour at half resolution."""
    content = io.BytesIO()
    Image.fromarray(grey).convert("RGB").save(content, "JPEG", quality=quality, subsampling="4:2:0")
    return content.getvalue()


def _claim(settings: Settings) -> None:
    """Make the folder ours: new or empty, or begun with these very settings."""
    _check_folder(settings)
    write_text(settings.output / MADE_WITH, settings.recipe())
    (settings.output / IMAGES).mkdir(exist_ok=True)
    delete_leftovers(settings.output)


def _is_complete(settings: Settings) -> bool:
    """Return whether all that these settings ask for is there; refuse a folder that holds anything else."""
    _check_folder(settings)
    finished = (settings.output / ANNOTATIONS).is_file()
    return finished and _file_names(settings) <= _present(settings.output / IMAGES)


def _file_names(settings: Settings) -> set[str]:
    return {strip_name(settings.seed, number) for number in range(settings.strips)}


def _present(folder: Path) -> set[str]:
    """Return the names of a folder's entries; those of half-written files do not count."""
    return {entry.name for entry in folder.iterdir() if not is_temporary(entry)} if folder.is_dir() else set()


def _check_folder(settings: Settings) -> None:
    """Refuse a folder that holds anything but strips of these settings.

    Raises:
        InputError: It is a file or lies in one, or holds other files or strips of other settings.
    """
    folder = settings.output
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not nearest.is_dir():
        raise InputError(f"output: {nearest} is a file, expected a folder, new or empty")
    if not _present(folder):
        return
    record = folder / MADE_WITH
    if not record.is_file():
        raise InputError(
            f"output: {folder} is not empty and holds no {MADE_WITH}, expected a new or empty folder"
        )
    if record.read_bytes() != settings.recipe().encode():
        raise InputError(
            f"output: {folder} holds strips of other settings, those in its {MADE_WITH}; expected a new or empty folder"
        )
    strangers = _present(folder / IMAGES) - _file_names(settings)
    if strangers:
        raise InputError(
            f"output: {folder / IMAGES} holds {min(strangers)}, expected these settings' strips alone"
        )


def _check_shares(shares: Mapping[str, float]) -> None:
    for name, weight in shares.items():
        if name not in _HOLDINGS:
            raise InputError(
                f"shares: {name!r}, expected {_HOLDINGS[0]!r} or classes in order, such as '3' or '3+4'"
            )
        if not (math.isfinite(weight) and weight >= 0):
            raise InputError(f"shares: {weight} for {name!r}, expected a number of 0 or more")
    if not sum(shares.values()) > 0:
        raise InputError(f"shares: {dict(shares)}, expected at least one above 0")


if __name__ == "__main__":
    run(main)
