"""The command `python -m app.benchmark`: how quick the inspector is under a user's hand, in a real browser.

It needs Chromium, and `pip install -e '.[dev]'` for Playwright. The inspector is started on a free port, with the data repeated until
there is as much of it as Severstal has, each copy an image of its own: half a GB in the folder for temporary files. The targets speak of two
cores and ResNet-101; what is measured elsewhere says so.
"""

import dataclasses
import logging
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch

from app.benchmark import clicks, outcome, queue
from app.benchmark.clock import with_a_clock, with_an_end
from app.benchmark.enlarged import enlarged
from app.benchmark.memory import FEWEST, HOUR
from app.benchmark.outcome import Outcome, Setting
from app.benchmark.queue_steps import SHEET, known_to
from app.benchmark.served import Served, served
from app.benchmark.sessions import WALKED, at_once, heats, walks_of
from app.benchmark.shift import ROUND, rounds_for, worked
from app.review.sheets import QueueLook
from explain.engines import choose_engine, usual_engine
from severstal_xai import machine
from severstal_xai.checkpoint import Checkpoint, load_checkpoint
from severstal_xai.command import DONE, parse_settings, run
from severstal_xai.errors import InputError, check_range
from severstal_xai.imaging import model_input
from severstal_xai.manifest import Manifest, Split
from severstal_xai.report_files import write_report

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "chrome")


@dataclass(frozen=True)
class BenchmarkSettings:
    """What to measure.

    Args:
        run: The run folder.
        data: A data folder that the run's model was trained on.
        rows: So many patches in the queue: the data's, repeated, each copy shifted.
        clicks: So many clicks of each kind.
        sessions: So many browsers at once, each of which walks through three patches and must show their maps.
        memory_clicks: So many clicks, at least, of a shift while the inspector's memory is watched, 25 a round; 720 are an hour's worth.
        output: The folder for `inspector.json`, `.md` and `.png`.
    """

    run: Path
    data: Path
    rows: int = outcome.ROWS
    clicks: int = 10
    sessions: int = outcome.SESSIONS
    memory_clicks: int = HOUR
    output: Path = Path("inspector_benchmark")

    def __post_init__(self) -> None:
        for name, least in (
            ("rows", 1),
            ("clicks", 2),
            ("sessions", 1),
            ("memory_clicks", (FEWEST - 2) * ROUND + 1),
        ):
            check_range(name, getattr(self, name), least)


@dataclass(frozen=True)
class Prepared:
    """What is measured.

    Args:
        manifest: The data, as large as it is wanted.
        run: The folder of a run that was trained on it.
        checkpoint: The run's model.
        known: What the queue knows of each patch.
    """

    manifest: Manifest
    run: Path
    checkpoint: Checkpoint
    known: pd.DataFrame


def prepare(settings: BenchmarkSettings, folder: Path) -> Prepared:
    """Write the data and the run that are measured into a folder.

    Raises:
        InputError: Data or run are missing or damaged, or there are too few patches for so many clicks.
    """
    manifest, run = enlarged(settings.data, settings.run, settings.rows, folder)
    test, train = manifest.of_split(Split.TEST), manifest.of_split(Split.TRAIN)
    walked, clicks = settings.clicks + 1, settings.clicks
    for what, there, enough in (
        ("strips with test patches", len({patch.strip for patch in test}), walked),
        ("test patches", len(test), 2 * walked + WALKED * settings.sessions),
        ("training patches", len(train), walked),
        ("patches", len(manifest.patches), max(walked * SHEET, 8 * rounds_for(settings.memory_clicks))),
    ):
        if there < enough:
            raise InputError(
                f"{settings.data}, repeated to --rows {settings.rows}: {there} {what}, expected at least {enough} for "
                f"--clicks {clicks}, --sessions {settings.sessions} and --memory_clicks {settings.memory_clicks}"
            )
    checkpoint = load_checkpoint(run)
    return Prepared(manifest, run, checkpoint, known_to(manifest, run, checkpoint))


def measure(settings: BenchmarkSettings, browser: "Browser", prepared: Prepared, folder: Path) -> Outcome:
    """Measure all, one after the other, on one inspector whose log and verdicts lie in the folder.

    Raises:
        InputError: The inspector does not start.
        playwright.sync_api.TimeoutError: A page does not show within two minutes what was asked of it.
    """
    manifest, checkpoint = prepared.manifest, prepared.checkpoint
    setting = setting_of(prepared, browser)
    walked = settings.clicks + 1
    # The clicks go from the first test patch on for what is cached, and from the last one back for first maps.
    unseen = manifest.of_split(Split.TEST)[walked:-walked]
    _say(
        f"{len(manifest.patches):,} patches are laid out; making the maps that {settings.sessions} sessions must show"
    )
    heats_of = partial(heats, manifest, checkpoint, prepared.known)
    walks = walks_of(heats_of, unseen, settings.sessions, np.random.default_rng(0))
    with served(manifest.root, prepared.run, folder / "inspector.log") as inspector:
        page = with_a_clock(browser.new_page(viewport={"width": 1366, "height": 768}))
        times = _times(page, inspector, settings.clicks, prepared.known)
        page.goto("about:blank")
        _say(f"{settings.sessions} sessions at once")
        crowd = at_once(browser, inspector.address, walks, inspector.memory)
        page.close()
        _say(f"{crowd.wrong} of {crowd.compared} maps wrong; a shift of {settings.memory_clicks} clicks")
        worker = with_an_end(browser.new_page(viewport={"width": 1366, "height": 768}))
        shift = worked(worker, inspector.address, manifest, settings.memory_clicks, inspector.memory)
    return Outcome(setting, times, crowd, shift)


def setting_of(prepared: Prepared, browser: "Browser") -> Setting:
    """Return on what it is measured. The engine is chosen here as the inspector chooses its own: by the same model on the same machine."""
    card, model = prepared.checkpoint.card, prepared.checkpoint.model
    image = torch.from_numpy(model_input(prepared.manifest.read_image(prepared.manifest.patches[0])))
    return Setting(
        card.architecture,
        card.weights_sha256,
        choose_engine(model, image).name,
        usual_engine(image.device),
        len(prepared.manifest.patches),
        machine.processor(),
        machine.cores(),
        machine.load(),
        browser.version,
    )


def _times(page: "Page", inspector: Served, count: int, known: pd.DataFrame) -> dict[str, list[float]]:
    asked, rows = (page, inspector.address, count), queue.Asked(page, inspector.address, known, count)
    kinds: dict[str, Callable[[], list[float]]] = {
        outcome.PATCH: lambda: clicks.patches_once_more(*asked),
        outcome.AS_IT_OPENS: lambda: clicks.patches_as_they_open_once_more(*asked),
        outcome.STRIP: lambda: clicks.strips_once_more(*asked),
        outcome.BY_CLASS: lambda: queue.narrowed_by_choice(rows, "label", QueueLook.TABLE),
        outcome.BY_PART: lambda: queue.narrowed_by_choice(rows, "split", QueueLook.TABLE),
        outcome.BY_MARGIN: lambda: queue.narrowed_by_margin(rows),
        outcome.BY_NAME: lambda: queue.narrowed_by_name(rows),
        outcome.SCROLLED: lambda: queue.scrolled(rows),
        outcome.BY_CLASS_IN_PICTURES: lambda: queue.narrowed_by_choice(rows, "label", QueueLook.PICTURES),
        outcome.SHEETS: lambda: queue.sheets_turned(rows),
        outcome.FIRST: lambda: clicks.first_maps(*asked),
        outcome.FIRST_OF_ANY: lambda: clicks.first_maps_of_any(*asked),
    }
    times = {}
    for name, timed in kinds.items():
        times[name] = timed()
        _say(f"{name}: {statistics.median(times[name]):.0f} ms")
    return times


def _say(words: str) -> None:
    """Tell who waits how far it is, and leave what was measured on the screen should something stop it later."""
    print(words, file=sys.stderr, flush=True)


def _in_a_browser(measured: Callable[["Browser"], Outcome]) -> Outcome:
    try:
        from playwright.sync_api import (  # noqa: PLC0415 -- who does not measure needs none
            TimeoutError as TooLate,
        )
        from playwright.sync_api import sync_playwright  # noqa: PLC0415
    except ImportError as error:
        raise InputError("Playwright is not installed, expected `pip install -e '.[dev]'`") from error
    chromium = next(filter(None, map(shutil.which, _CHROMIUM)), None)
    if chromium is None:
        raise InputError(f"no browser found, expected one of {', '.join(_CHROMIUM)} on the PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            return measured(browser)
        except TooLate as error:
            raise InputError(f"the page was too late: {error.message}") from error
        finally:
            browser.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write the three files and print the table."""
    settings = parse_settings(
        BenchmarkSettings,
        command="python -m app.benchmark",
        description="How quick the inspector is under a user's hand, in a real browser.",
        arguments=arguments,
    )
    if settings.output.exists() and not settings.output.is_dir():
        raise InputError(f"--output {settings.output}: is a file, expected a folder")
    logging.getLogger("streamlit").setLevel(logging.ERROR)  # here is no server, as it would warn
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepared = prepare(settings, folder)
        measured = _in_a_browser(lambda browser: measure(settings, browser, prepared, folder))
    text = outcome.told(measured)
    write_report(settings.output / "inspector", dataclasses.asdict(measured), text, outcome.draw(measured))
    print(text)
    return DONE


if __name__ == "__main__":
    run(main)
