"""A run folder whose model is known through and through, the inspector running, and a real browser."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Page, sync_playwright
from streamlit import config
from streamlit.runtime.media_file_manager import MediaFileManager
from torch import nn

from app.benchmark.served import served
from explain.methods.sise import SISE
from severstal_xai.checkpoint import ModelCard, load_checkpoint, save_checkpoint
from severstal_xai.files import sha256
from severstal_xai.imaging import STRIP_SHAPE, encode_mask, encode_png
from severstal_xai.manifest import Manifest, Patch, Split, write_manifest
from severstal_xai.model import build_classifier
from severstal_xai.strips import PATCH_SIZE, Window, cut, patch_name, windows
from tests.app.hands import patient

MAIN = Path(__file__).resolve().parents[2] / "app/main.py"
BRIGHT = 3
"""The class that the planted network gives a patch with a bright spot; 0 to one without."""
Start = Callable[..., AbstractContextManager[str]]


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """The inspector and the browser need the other cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session", autouse=True)
def _settings() -> None:
    """Pages that are drawn without a server have the settings that `streamlit run app/main.py` finds beside that file."""
    config._main_script_path = str(MAIN)
    config.get_config_options(force_reparse=True)


@pytest.fixture
def made_on_click(monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable[[], Any]]:
    """What makes the files of the downloads that were drawn, by the files' names.

    Streamlit calls it when a download is clicked, in a thread without a visitor; pages without a server have no such thread.
    """
    files: dict[str, Callable[[], Any]] = {}

    def keep(_: object, make: Callable[[], Any], mime: str, place: str, file_name: str, **more: str) -> str:
        files[file_name] = make
        return file_name

    monkeypatch.setattr(MediaFileManager, "add_deferred", keep)
    return files


@torch.no_grad()
def planted_network() -> nn.Module:
    """A ResNet-18 that sees one thing: channel 0 is the image's brightness above mid-grey, from end to end.

    The residual branches are silent, so every block hands channel 0 on. The logit of class `BRIGHT` is its
    mean times 60, that of class 0 is 2, the others' are 0. A square of 60 x 60 pixels at grey 180 to 220 has
    about 1.5 in channel 0 and is a twentieth of the patch, so its logit is well above 2.
    """
    model = build_classifier("resnet18", 5, seed=0)
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            module.weight.zero_()
            if name == "conv1":
                module.weight[0, :, 3, 3] = 1 / 3
            elif "downsample" in name:
                module.weight[0, 0] = 1
    head = model.get_submodule("fc")
    assert isinstance(head, nn.Linear)
    head.weight.zero_()
    head.bias.zero_()
    head.weight[BRIGHT, 0], head.bias[0] = 60, 2
    return model


@pytest.fixture(scope="session")
def planted_run(
    made_data: Manifest, convert: Callable[[Path], None], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A run folder with the planted network, trained, as its card says, on the made data."""
    folder = tmp_path_factory.mktemp("runs") / "planted"
    folder.mkdir()
    save_checkpoint(folder, planted_network(), ModelCard("resnet18", made_data.checksum, 1, {}))
    convert(folder)
    return folder


@dataclass(frozen=True)
class WholeStrips:
    """Strips of which all six windows are patches, and the images that those were cut from.

    Args:
        data: The data folder: strips "broad" and "calm".
        strips: The folder of the images.
        squares: Class and upper left corner (row, column on the strip) of the bright squares of "broad", a window each.
        side: Theirs, in pixels.
    """

    data: Manifest
    strips: Path
    squares: tuple[tuple[int, int, int], ...]
    side: int


@pytest.fixture(scope="session")
def whole_strips(tmp_path_factory: pytest.TempPathFactory) -> WholeStrips:
    """Strip "broad" has a bright square in its second window, of class 1, and one in its fifth, of class 3; "calm" has none."""
    folder, strips, side = tmp_path_factory.mktemp("six"), tmp_path_factory.mktemp("train_images"), 60
    squares = ((1, 30, 288 + 70), (3, 130, 1056 + 110))
    chance = np.random.default_rng(1)
    patches = []
    for name in ("broad", "calm"):
        grey = chance.integers(60, 100, STRIP_SHAPE).astype(
            np.uint8
        )  # below mid-grey: the planted network sees none of it
        labels = np.zeros(STRIP_SHAPE, dtype=int)
        for label, row, column in squares if name == "broad" else ():
            labels[row : row + side, column : column + side] = label
        grey[labels > 0] += 120
        (strips / f"{name}.png").write_bytes(encode_png(grey))
        patches += [_cut_out(folder, name, window, grey, labels) for window in windows()]
    return WholeStrips(write_manifest(folder, patches), strips, squares, side)


def _cut_out(folder: Path, strip: str, window: Window, whole: np.ndarray, labels: np.ndarray) -> Patch:
    name, grey, mask = patch_name(strip, window.index), cut(whole, window), cut(labels, window) > 0
    label = int(cut(labels, window).max())
    image, truth = encode_png(np.ascontiguousarray(grey)), encode_mask(mask) if label else b""
    image_path, mask_path = f"images/{name}.png", f"masks/{name}.png" if label else ""
    for path, content in ((image_path, image), (mask_path, truth)):
        if path:
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_bytes(content)
    return Patch(
        patch=name,
        strip=strip,
        index=window.index,
        x=window.x,
        label=label,
        split=Split.TEST,
        evaluation=bool(label),
        defect_pixels=int(mask.sum()),
        mean_grey=float(grey.mean()),
        image=image_path,
        mask=mask_path,
        image_sha256=sha256(image),
        mask_sha256=sha256(truth) if label else "",
    )


@pytest.fixture(scope="session")
def convert() -> Callable[[Path], None]:
    """What leaves a model's conversion in the cache that the inspector looks into: beside a browser it takes a minute."""
    return _convert


def _convert(run: Path) -> None:
    SISE(mu=0.99).explain(load_checkpoint(run).model, torch.zeros(3, PATCH_SIZE, PATCH_SIZE), BRIGHT)


@contextmanager
def inspector(data: Path, run: Path, log: Path, *options: str, watch: Path | None = None) -> Iterator[str]:
    """Start the inspector as a user does, and give its address; no traceback or warning may be in its log."""
    with serve(data, run, log, *options, watch=watch) as address:
        yield address
    said = log.read_text()
    assert "Traceback" not in said, said
    assert "arning" not in said, said


@contextmanager
def serve(data: Path, run: Path, log: Path, *options: str, watch: Path | None = None) -> Iterator[str]:
    """Start the inspector and give its address, whatever it logs.

    It asks no other machine for anything: `tests/app/offline` notes whom its Python calls.
    """
    calls = log.with_suffix(".calls")
    quiet = {"OMP_NUM_THREADS": "1"}  # the browser needs the other cores
    watched = {"CALLS": str(calls), "PYTHONPATH": str(Path(__file__).with_name("offline"))}
    arguments = ("--watch", watch) if watch else ()
    with served(data, run, log, *options, arguments=arguments, environment=quiet | watched) as started:
        yield started.address
    assert calls.read_text() == "watching\n"


@pytest.fixture(scope="session")
def start() -> Start:
    """What starts the inspector: (data folder, run folder, log file, more arguments) to its address."""
    return inspector


@pytest.fixture(scope="session")
def start_for_trouble() -> Start:
    """As `start`; the test looks itself into the log, where something is to be told."""
    return serve


@pytest.fixture(scope="session")
def address(
    made_data: Manifest, planted_run: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The inspector's address, showing the made data and the planted network."""
    with inspector(made_data.root, planted_run, tmp_path_factory.mktemp("log") / "log.txt") as found:
        yield found


@pytest.fixture(scope="session")
def chromium() -> str:
    """The system's Chromium."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium on this machine (`chromium` on the PATH)")
    return found


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    """Headless Chromium."""
    quiet = ["background-networking", "component-update", "sync", "gpu"]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--no-first-run", *(f"--disable-{what}" for what in quiet)],
        )
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A new visitor at a mill's PC, without internet: whatever is asked of another machine fails the test."""
    context = browser.new_context(viewport={"width": 1366, "height": 768}, device_scale_factor=2)
    visitor = patient(context.new_page())
    asked: list[str] = []
    faults: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    visitor.on("websocket", lambda connection: asked.append(connection.url))
    visitor.on("pageerror", lambda error: faults.append(str(error)))
    yield visitor
    context.close()
    remote = [url for url in asked if urlsplit(url).scheme not in {"data", "blob"}]
    assert {urlsplit(url).hostname for url in remote} == {"127.0.0.1"}
    assert any(url.startswith("ws:") for url in remote)
    assert not faults
