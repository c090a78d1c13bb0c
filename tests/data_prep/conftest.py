"""Made sources: strips of noise as JPEG files, with annotations, in Kaggle's layout."""

import io
import zipfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep.__main__ import main

HEADER = "ImageId,ClassId,EncodedPixels\n"


@cache
def jpeg(seed: int) -> bytes:
    """A strip of grey noise, stored as RGB as Severstal's are."""
    grey = np.random.default_rng(seed).integers(60, 180, (256, 1600)).astype(np.uint8)
    content = io.BytesIO()
    Image.fromarray(np.repeat(grey[:, :, None], 3, axis=2)).save(content, "JPEG", quality=60)
    return content.getvalue()


def runs_on(*columns: int) -> str:
    """The encoding of rows 10 to 19 of each column."""
    return " ".join(f"{256 * column + 11} 10" for column in sorted(columns))


@pytest.fixture(scope="session")
def strip_jpeg() -> Callable[[int], bytes]:
    return jpeg


@pytest.fixture(scope="session")
def defect() -> Callable[..., str]:
    return runs_on


@pytest.fixture(scope="session")
def make_source() -> Callable[..., Path]:
    def make(folder: Path, csv: str | bytes, strips: Mapping[str, bytes]) -> Path:
        (folder / "train_images").mkdir(parents=True)
        for name, content in strips.items():
            (folder / "train_images" / name).write_bytes(content)
        (folder / "train.csv").write_bytes(csv if isinstance(csv, bytes) else csv.encode())
        return folder

    return make


@pytest.fixture(scope="session")
def zipped() -> Callable[..., Path]:
    """Return a folder as a zip, its entries below `root`."""

    def make(source: Path, archive: Path, root: str = "") -> Path:
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
            for path in sorted(source.rglob("*")):
                target.write(path, root + path.relative_to(source).as_posix())
        return archive

    return make


@pytest.fixture(scope="session")
def prepare() -> Callable[..., int]:
    """The real command, in this process: its status, or its exception."""

    def run(source: Path, output: Path, *flags: str) -> int:
        return main([f"--source={source}", f"--output={output}", "--workers=2", *flags])

    return run


@pytest.fixture(scope="session")
def small_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten strips: s0 to s3 with one defect of class 1 to 4, s4 with two classes, s5 to s8 of class 3, s9 sound."""
    folder = tmp_path_factory.mktemp("small") / "source"
    rows = [f"s{place}.jpg,{place + 1},{runs_on(40, 300 + 256 * place)}\n" for place in range(4)]
    rows += [f"s4.jpg,1,{runs_on(100)}\n", f"s4.jpg,3,{runs_on(700)}\n"]
    rows += [f"s{place}.jpg,3,{runs_on(287, 288, 1570)}\n" for place in range(5, 9)]
    (folder / "train_images").mkdir(parents=True)
    for place in range(10):
        (folder / "train_images" / f"s{place}.jpg").write_bytes(jpeg(place))
    (folder / "train.csv").write_text(HEADER + "".join(rows))
    return folder
