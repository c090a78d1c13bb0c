"""The command `python -m app.benchmark`: how quick the inspector is under a user's hand, in a real browser.

Each time is taken in the page, from the click to the frame in which what was asked for is there. So it holds all that a user waits
for: the way to the inspector and back, its work, the browser's drawing. It needs Chromium, and `pip install -e '.[dev]'` for Playwright.
"""

import dataclasses
import math
import shutil
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.figure import Figure

from app.asking import usual_class
from app.catalogue import request_for
from app.explanations import Found, explain
from app.layers import png_address
from app.served import Served, served
from severstal_xai.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from severstal_xai.command import DONE, parse_settings, run
from severstal_xai.errors import InputError, check_range
from severstal_xai.imaging import model_input
from severstal_xai.manifest import Manifest, Patch, Split, read_manifest, write_manifest
from severstal_xai.markdown import table
from severstal_xai.overlay import heat_colours
from severstal_xai.predictions import PREDICTIONS_FILE, read_predictions, write_predictions
from severstal_xai.report_files import write_report

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

_QUICK = "method=grad_cam&compare=none"
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "chrome")
_WAIT = 120_000
"""Milliseconds for whatever the page is to show."""
_TARGETS = {
    "cached patch": 300,
    "cached strip": 500,
    "queue narrowed": 500,
    "queue scrolled, longest frame": 500,
    "first map": 2000,
}
"""Milliseconds, from the inspector's requirements, for two cores."""

_UNTIL = """
async ([button, heading, heat]) => {
  const deep = (root) => [root, ...[...root.querySelectorAll("*")].flatMap((node) => (node.shadowRoot ? deep(node.shadowRoot) : []))];
  const all = (query) => deep(document).flatMap((root) => [...root.querySelectorAll(query)]);
  const there = () =>
    all("h1, h2, h3").some((node) => new RegExp(heading).test(node.textContent)) &&
    (!heat || all("img").some((node) => new RegExp(heat).test(node.alt) && node.complete && !node.hidden));
  const known = all("h1, h2, h3").map((node) => node.textContent).join("|");
  const target = all("button, [role=option]").find((node) => new RegExp(button).test(node.innerText));
  const begin = performance.now();
  target.click();
  while (all("h1, h2, h3").map((node) => node.textContent).join("|") === known || !there()) {
    if (performance.now() - begin > 120000) return -1;
    await new Promise(requestAnimationFrame);
  }
  await new Promise(requestAnimationFrame);
  return performance.now() - begin;
}
"""
"""Click what says `button`; return the milliseconds until another heading and the heat are drawn."""
_LONGEST_FRAME = """
async (milliseconds) => {
  let [begin, last, longest] = [performance.now(), performance.now(), 0];
  while (last - begin < milliseconds) {
    const now = await new Promise(requestAnimationFrame);
    longest = Math.max(longest, now - last);
    last = now;
  }
  return longest;
}
"""


@dataclass(frozen=True)
class BenchmarkSettings:
    """What to measure.

    Args:
        run: The run folder.
        data: A data folder that the run's model was trained on.
        rows: So many patches in the queue: the data's, repeated.
        clicks: So many clicks of each kind.
        sessions: So many browsers at once, each of which must show its own patch's maps.
        hour: So many clicks while the inspector's memory is watched.
        output: The folder for `inspector.json`, `.md` and `.png`.
    """

    run: Path
    data: Path
    rows: int = 11_505
    clicks: int = 10
    sessions: int = 20
    hour: int = 720
    output: Path = Path("inspector_benchmark")

    def __post_init__(self) -> None:
        for name, least in (("rows", 1), ("clicks", 2), ("sessions", 1), ("hour", 10)):
            check_range(name, getattr(self, name), least)


@dataclass(frozen=True)
class Outcome:
    """What was measured.

    Args:
        times: Milliseconds of each click, by its kind.
        wrong: Sessions that showed another map than their patch's.
        sessions: How many there were.
        memory: The inspector's memory in MB, at equal distances through the clicks.
        architecture: The network's.
    """

    times: dict[str, list[float]]
    wrong: int
    sessions: int
    memory: list[float]
    architecture: str


def enlarged(settings: BenchmarkSettings, folder: Path) -> tuple[Manifest, Path]:
    """Write a data folder of so many patches, and a run that was trained on it and has answers for them.

    Returns:
        The data, and the run's folder.

    Raises:
        InputError: The data or the run is missing or damaged.
    """
    manifest, checkpoint = read_manifest(settings.data), load_checkpoint(settings.run)
    data, run = folder / "patches", folder / "run"
    for kind in ("images", "masks"):
        if (settings.data / kind).is_dir():
            shutil.copytree(settings.data / kind, data / kind)
    copies = math.ceil(settings.rows / len(manifest.patches))
    patches = [_copy(patch, number) for number in range(copies) for patch in manifest.patches][
        : settings.rows
    ]
    large = write_manifest(data, patches)
    run.mkdir()
    save_checkpoint(run, checkpoint.model, dataclasses.replace(checkpoint.card, data_checksum=large.checksum))
    weights = load_checkpoint(run).card.weights_sha256
    if (settings.run / PREDICTIONS_FILE).is_file():
        answers = read_predictions(settings.run / PREDICTIONS_FILE, checkpoint.card.weights_sha256)
        repeated = [
            answers.assign(patch=[_named(name, number) for name in answers["patch"]])
            for number in range(copies)
        ]
        write_predictions(run / PREDICTIONS_FILE, pd.concat(repeated, ignore_index=True), weights)
    return large, run


def _copy(patch: Patch, number: int) -> Patch:
    strip = f"{patch.strip}x{number}"
    return dataclasses.replace(patch, patch=_named(patch.patch, number), strip=strip)


def _named(patch: str, number: int) -> str:
    """Return the name of a patch's copy: the strip's number stands before the window's.

    Example:
        >>> _named("a_b_3", 7)
        'a_bx7_3'
    """
    strip, _, index = patch.rpartition("_")
    return f"{strip}x{number}_{index}"


def measure(settings: BenchmarkSettings, browser: "Browser", folder: Path) -> Outcome:
    """Measure all, one after the other; the inspector starts once."""
    manifest, run = enlarged(settings, folder)
    checkpoint = load_checkpoint(run)
    test = [patch for patch in manifest.of_split(Split.TEST) if patch.patch.split("x")[-1].startswith("0_")]
    enough = settings.clicks + settings.sessions + 1
    if len(test) < enough:
        raise InputError(
            f"{settings.data}: {len(test)} test patches, expected at least {enough} for so many clicks and sessions"
        )
    with served(manifest.root, run, folder) as inspector:
        page = browser.new_page(viewport={"width": 1366, "height": 768})
        page.set_default_timeout(_WAIT)
        times = {
            "cached patch": _walk(
                page, f"{inspector.address}/patch?{_QUICK}&sort=name", "Patch", settings.clicks
            ),
            "cached strip": _walk(page, f"{inspector.address}/?sort=name", "Strip", settings.clicks),
            "queue narrowed": _narrow(page, inspector, settings.clicks),
            "queue scrolled, longest frame": _scroll(page, settings.clicks),
            "first map": _first_maps(page, inspector, settings.clicks),
        }
        wrong = _sessions(browser, inspector, manifest, checkpoint, test[-settings.sessions :])
        memory = _hour(page, inspector, settings.hour)
    return Outcome(times, wrong, settings.sessions, memory, checkpoint.card.architecture)


def _until(page: "Page", button: str, heading: str, heat: str = "") -> float:
    taken: float = page.evaluate(_UNTIL, [button, heading, heat])
    if taken < 0:
        raise InputError(f"after a click on {button!r} the page did not show {heading!r} within two minutes")
    return taken


def _walk(page: "Page", address: str, heading: str, clicks: int) -> list[float]:
    """Go on so many times, that all is made; then back as often, and measure."""
    page.goto(address)
    page.get_by_alt_text("with the heat of Grad-CAM").first.wait_for()
    for _ in range(clicks):
        _until(page, "^Next", f"^{heading} ", "the heat of Grad-CAM")
        page.wait_for_timeout(500)
        page.get_by_text("Cancel", exact=True).first.wait_for(state="detached")
    times = []
    for _ in range(clicks):
        times.append(_until(page, "^Previous", f"^{heading} ", "the heat of Grad-CAM"))
        page.wait_for_timeout(500)
    return times


def _narrow(page: "Page", inspector: Served, clicks: int) -> list[float]:
    page.goto(f"{inspector.address}/queue?split=all")
    page.get_by_text("Click a row").wait_for()
    times = []
    for place in range(clicks):
        box = page.get_by_role("combobox", name="Marked as")
        box.evaluate("box => box.scrollIntoView({block: 'center'})")
        box.click()
        option = ("1 · pitting", "all classes")[place % 2]
        page.get_by_role("option", name=option, exact=True).wait_for()
        times.append(_until(page, f"^{option}$", r"[\d,]+ patches"))
        page.wait_for_timeout(500)
    return times


def _scroll(page: "Page", clicks: int) -> list[float]:
    """Turn the wheel over the table, and return the longest time without a new frame."""
    page.goto(page.url.partition("?")[0] + "?split=all")
    page.get_by_text("Click a row").wait_for()
    page.locator("[data-testid=stDataFrame]").hover()
    page.wait_for_timeout(1000)
    times = []
    for _ in range(clicks):
        page.mouse.wheel(0, 2000)
        times.append(float(page.evaluate(_LONGEST_FRAME, 600)))
    return times


def _first_maps(page: "Page", inspector: Served, clicks: int) -> list[float]:
    """Ask for SISE on patches that nobody has looked at, and measure until a map of it is there, be it a first one."""
    page.goto(f"{inspector.address}/patch?compare=none&sort=name&reverse=yes")
    page.get_by_alt_text("heat of SISE").first.wait_for()
    times = []
    for _ in range(min(clicks, 5)):
        times.append(_until(page, "^Next", "^Patch ", "heat of SISE"))
        page.wait_for_timeout(500)
    return times


def _sessions(
    browser: "Browser",
    inspector: Served,
    manifest: Manifest,
    checkpoint: Checkpoint,
    patches: Sequence[Patch],
) -> int:
    """Open so many sessions at once; return how many show another map than is made for their patch here, byte by byte."""
    pages = [browser.new_context(viewport={"width": 1366, "height": 768}).new_page() for _ in patches]
    for page, patch in zip(pages, patches, strict=True):
        page.set_default_timeout(10 * _WAIT)
        page.goto(f"{inspector.address}/patch?patch={patch.patch}&effort=fast", wait_until="commit")
    wrong = 0
    for page, patch in zip(pages, patches, strict=True):
        for method, title in (("grad_cam", "Grad-CAM"), ("sise", "SISE")):
            picture = page.get_by_alt_text(f"Patch {patch.patch} with the heat of {title}").first
            picture.wait_for()
            shown = picture.evaluate("image => image.parentElement.querySelector('.heat').src")
            wrong += shown != _expected(manifest, checkpoint, patch, method)
        page.context.close()
    return wrong


def _expected(manifest: Manifest, checkpoint: Checkpoint, patch: Patch, method: str) -> str:
    """Return the picture of a patch's heat, made here."""
    import torch  # noqa: PLC0415 -- the command's help needs none

    grey = manifest.read_image(patch)
    with torch.no_grad():
        shares = checkpoint.model(torch.from_numpy(model_input(grey))[None]).softmax(dim=1)[0].tolist()
    target = usual_class(shares)
    request = request_for(method, "fast", target, checkpoint.card.weights_sha256, patch.image_sha256)
    found = explain(request, checkpoint.model, grey)
    if not isinstance(found, Found):
        raise InputError(f"patch {patch.patch}: {method} failed here ({found.reason})")
    return png_address(heat_colours(found.saliency * shares[target]))


def _hour(page: "Page", inspector: Served, clicks: int) -> list[float]:
    """Click forwards, and back at the end; return the memory at each of ten equal distances."""
    page.goto(f"{inspector.address}/patch?{_QUICK}&split=all&sort=name")
    page.get_by_alt_text("with the heat of Grad-CAM").first.wait_for()
    memory = []
    for place in range(clicks):
        _until(page, "^Next", "^Patch ")
        if (place + 1) % max(1, clicks // 10) == 0:
            memory.append(inspector.memory())
    return memory


def told(outcome: Outcome) -> str:
    """Return what was measured, in Markdown."""
    rows = [
        [
            kind,
            f"{statistics.median(times):.0f}",
            f"{max(times):.0f}",
            str(_TARGETS[kind]),
            "yes" if statistics.median(times) <= _TARGETS[kind] else "**no**",
        ]
        for kind, times in outcome.times.items()
    ]
    memory = outcome.memory
    return f"""# The inspector under a user's hand

{outcome.architecture}; milliseconds from the click to the frame that shows it, each kind {len(next(iter(outcome.times.values())))} times.

{table(["what", "median", "longest", "wanted", "met"], rows)}

{outcome.sessions} sessions at once: {outcome.wrong or "no"} maps that were not those of the session's patch, byte by byte.

The inspector's memory, at equal distances through the clicks: {", ".join(f"{one:.0f}" for one in memory)} MB;
from the middle to the end it changed by {memory[-1] - memory[len(memory) // 2]:+.0f} MB.
"""


def draw(outcome: Outcome) -> Figure:
    """Draw the times by kind, and the memory."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    kinds = list(outcome.times)
    left.boxplot(list(outcome.times.values()), orientation="horizontal", tick_labels=kinds)
    left.plot([_TARGETS[kind] for kind in kinds], range(1, len(kinds) + 1), "k|", markersize=14)
    left.set(xlabel="milliseconds; the bar is what is wanted", xscale="log")
    right.plot(range(1, len(outcome.memory) + 1), outcome.memory, "o-")
    right.set(xlabel="tenths of the clicks", ylabel="memory, MB", ylim=(0, None))
    return figure


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write the three files and print the table."""
    settings = parse_settings(
        BenchmarkSettings,
        command="python -m app.benchmark",
        description="How quick the inspector is under a user's hand, in a real browser.",
        arguments=arguments,
    )
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 -- who does not measure needs none
    except ImportError as error:
        raise InputError("Playwright is not installed, expected `pip install -e '.[dev]'`") from error
    chromium = next(filter(None, map(shutil.which, _CHROMIUM)), None)
    if chromium is None:
        raise InputError(f"no browser found, expected one of {', '.join(_CHROMIUM)} on the PATH")
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        outcome = measure(settings, browser, Path(folder))
        browser.close()
    text = told(outcome)
    write_report(settings.output / "inspector", dataclasses.asdict(outcome), text, draw(outcome))
    print(text)
    return DONE


if __name__ == "__main__":
    run(main)
