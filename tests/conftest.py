"""What tests of several rooms need: the real sample, and a small made data folder."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from severstal_xai.files import sha256
from severstal_xai.imaging import encode_mask, encode_png
from severstal_xai.manifest import Manifest, Patch, Split, write_manifest
from severstal_xai.strips import OFFSET, PATCH_SIZE, patch_name

ROOT = Path(__file__).resolve().parents[1]
Launch = Callable[..., "subprocess.CompletedProcess[str]"]
SPLITS = (Split.TRAIN, Split.TRAIN, Split.VALIDATION, Split.TEST)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing that is made here, by a command either, goes into the user's folder for caches."""
    os.environ["SEVERSTAL_XAI_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def real_sample() -> Path:
    """The folder of real Severstal strips, in Kaggle's layout."""
    folder = Path(os.environ.get("SEVERSTAL_SAMPLE", ROOT.parent / "shared/data/severstal_sample"))
    if not folder.is_dir():
        pytest.skip(f"no real strips at {folder} (SEVERSTAL_SAMPLE names their place)")
    return folder


@pytest.fixture(scope="session")
def launch(tmp_path_factory: pytest.TempPathFactory) -> Launch:
    """Start a command, by its module's name, in so many processes over gloo, and see that they were so many."""

    def start(processes: int, module: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        numbers = tmp_path_factory.mktemp("numbers")
        launcher = "-m accelerate.commands.launch --multi_gpu --mixed_precision no --dynamo_backend no"
        counts = f"--num_machines 1 --num_processes {processes} --main_process_port 0"
        done = subprocess.run(
            [
                sys.executable,
                *(f"{launcher} {counts}".split() if processes > 1 else ()),
                str(ROOT / "tests/launched.py"),
                module,
                *map(str, arguments),
            ],
            cwd=ROOT,
            env=os.environ
            | {"NUMBERS": str(numbers), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        begun = sorted(path.name for path in numbers.iterdir())
        assert begun == [f"{number} of {processes}" for number in range(processes)]
        return done

    return start


@pytest.fixture(scope="session")
def made_data(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """A data folder of 20 patches, four of each class, whose defect is a bright square of 60 pixels.

    Its place tells the class: at rows and columns 20, 60, 100, 140 from the patch's corner for classes 1 to 4.
    """
    return make_data(tmp_path_factory.mktemp("made_data"))


def make_data(folder: Path) -> Manifest:
    chance = np.random.default_rng(0)
    patches = [
        make_patch(folder, chance, strip=f"strip{label}{copy}", label=label, split=split)
        for label in range(5)
        for copy, split in enumerate(SPLITS)
    ]
    return write_manifest(folder, patches)


def make_patch(folder: Path, chance: np.random.Generator, *, strip: str, label: int, split: Split) -> Patch:
    grey = chance.integers(80, 120, (PATCH_SIZE, PATCH_SIZE)).astype(np.uint8)
    mask = np.zeros(grey.shape, dtype=bool)
    if label:
        corner = 40 * label - 20
        mask[corner : corner + 60, corner : corner + 60] = True
    grey[mask] += 100
    name = patch_name(strip, 0)
    image, truth = encode_png(grey), encode_mask(mask)
    image_path, mask_path = f"images/{name}.png", f"masks/{name}.png" if label else ""
    for path, content in ((image_path, image), (mask_path, truth)):
        if path:
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_bytes(content)
    return Patch(
        patch=name,
        strip=strip,
        index=0,
        x=OFFSET,
        label=label,
        split=split,
        evaluation=bool(label) and split == Split.TEST,
        defect_pixels=int(mask.sum()),
        mean_grey=float(grey.mean()),
        image=image_path,
        mask=mask_path,
        image_sha256=sha256(image),
        mask_sha256=sha256(truth) if label else "",
    )
