"""The command `python -m app.benchmark`: how quick the inspector is under a user's hand, in a real browser.

It needs Chromium, and `pip install -e '.[dev]'` for Playwright. The inspector is started on a free port, with the data repeated until
there is as much of it as Severstal has.
"""

import dataclasses
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app.benchmark import clicks, outcome
from app.benchmark.enlarged import enlarged
from app.benchmark.outcome import Outcome
from app.benchmark.served import served
from app.benchmark.sessions import mixed_up
from severstal_xai.checkpoint import load_checkpoint
from severstal_xai.classes import DEFECTS
from severstal_xai.command import DONE, parse_settings, run
from severstal_xai.errors import InputError, check_range
from severstal_xai.manifest import Manifest, Split
from severstal_xai.report_files import write_report

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "chrome")


@dataclass(frozen=True)
class BenchmarkSettings:
    """What to measure.

    Args:
        run: The run folder.
        data: A data folder that the run's model was trained on.
        rows: So many patches in the queue: the data's, repeated.
        clicks: So many clicks of each kind.
        sessions: So many browsers at once, each of which must show its own patch's maps.
        memory_clicks: So many clicks while the inspector's memory is watched; 720 are an hour's worth.
        output: The folder for `inspector.json`, `.md` and `.png`.
    """

    run: Path
    data: Path
    rows: int = 11_505
    clicks: int = 10
    sessions: int = 20
    memory_clicks: int = 720
    output: Path = Path("inspector_benchmark")

    def __post_init__(self) -> None:
        for name, least in (("rows", 1), ("clicks", 2), ("sessions", 1), ("memory_clicks", 10)):
            check_range(name, getattr(self, name), least)


def prepare(settings: BenchmarkSettings, folder: Path) -> tuple[Manifest, Path]:
    """Write the data and the run that are measured; return both.

    Raises:
        InputError: Data or run are missing or damaged, or there are too few patches for so many clicks.
    """
    manifest, large_run = enlarged(settings.data, settings.run, settings.rows, folder)
    strips = {patch.strip for patch in manifest.of_split(Split.TEST)}
    enough = max(settings.clicks + 1, settings.sessions)
    if len(strips) < enough or len(manifest.patches) <= settings.memory_clicks:
        raise InputError(
            f"{settings.data}: {len(strips)} strips with test patches among {len(manifest.patches)} patches (--rows {settings.rows}), "
            f"expected at least {enough} for so many clicks and sessions, and more patches than --memory_clicks {settings.memory_clicks}"
        )
    return manifest, large_run


def measure(
    settings: BenchmarkSettings, browser: "Browser", manifest: Manifest, large_run: Path, folder: Path
) -> Outcome:
    """Measure all, one after the other, on one inspector whose log and verdicts lie in the folder.

    Raises:
        InputError: The inspector does not start.
        playwright.sync_api.TimeoutError: A page does not show within two minutes what was asked of it.
    """
    checkpoint, test = load_checkpoint(large_run), manifest.of_split(Split.TEST)
    with served(manifest.root, large_run, folder / "inspector.log") as inspector:
        page = clicks.patient(browser.new_page(viewport={"width": 1366, "height": 768}))
        asked = page, inspector, settings.clicks
        times = {
            outcome.PATCH: clicks.patches_once_more(*asked),
            outcome.STRIP: clicks.strips_once_more(*asked),
            outcome.NARROWED: clicks.queue_narrowed(*asked, _headings(manifest)),
            outcome.SCROLLED: clicks.queue_scrolled(*asked),
            outcome.FIRST: clicks.first_maps(*asked),
            outcome.FIRST_OF_ANY: clicks.first_maps_of_any(*asked),
        }
        page.goto("about:blank")
        wrong = mixed_up(browser, inspector, manifest, checkpoint, test[-settings.sessions :])
        memory = clicks.memory_over(page, inspector, settings.memory_clicks)
    return Outcome(
        times,
        wrong,
        settings.sessions,
        memory,
        settings.memory_clicks,
        checkpoint.card.architecture,
        len(manifest.patches),
    )


def _headings(manifest: Manifest) -> list[tuple[str, str]]:
    """Return what can be chosen in "Marked as", with the queue's heading after it."""
    labels, known = [patch.label for patch in manifest.patches], len(manifest.patches)
    narrowed = [
        (f"{defect.id} · {defect.name}", f"{labels.count(defect.id):,} patches of {known:,}")
        for defect in DEFECTS
        if 1 < labels.count(defect.id) < known
    ]
    return [*narrowed, ("all classes", f"All {known:,} patches")]


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
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepared = prepare(settings, folder)
        measured = _in_a_browser(lambda browser: measure(settings, browser, *prepared, folder))
    text = outcome.told(measured)
    write_report(settings.output / "inspector", dataclasses.asdict(measured), text, outcome.draw(measured))
    print(text)
    return DONE


if __name__ == "__main__":
    run(main)
