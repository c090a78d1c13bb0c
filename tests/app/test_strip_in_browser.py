"""A strip of six windows in a real browser: where its heat and its marks lie, what was said of it, and the way to the next."""

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from explain.methods import METHODS
from severstal_xai.checkpoint import ModelCard, load_checkpoint, save_checkpoint
from severstal_xai.classes import CLASSES
from severstal_xai.imaging import STRIP_SHAPE, model_input, read_grey
from severstal_xai.overlay import heat_colours
from severstal_xai.strips import PATCH_SIZE, STRIP_WIDTH, cut, windows

BRIGHT = 3
"""The class that the planted network sees in a bright square; the others' windows are sound to it, and this their likeliest defect."""

SHARE_OF_THE_BAND = """(band, alt) => {
    const picture = band.querySelector(`img[alt*="${alt}"]`).getBoundingClientRect(), whole = band.getBoundingClientRect();
    return [(picture.left - whole.left) / whole.width, picture.width / whole.width];
}"""
"""Where a picture begins and how wide it is, in the band's widths; asked at once, for a later run of the page draws it anew."""


@pytest.fixture(scope="module")
def strips_address(
    whole_strips: Any, planted_run: Path, start: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The inspector, showing the strips of six windows; the planted network learnt from them, as its card says."""
    run = tmp_path_factory.mktemp("runs") / "of_whole_strips"
    run.mkdir()
    card = ModelCard("resnet18", whole_strips.data.checksum, 1, {})
    save_checkpoint(run, load_checkpoint(planted_run).model, card)
    with start(whole_strips.data.root, run, run.parent / "log.txt") as found:
        yield found


def seen(band: Locator) -> np.ndarray:
    """What the screen shows of a strip: one colour for each of its pixels, at the pixel's middle."""
    screen = np.asarray(Image.open(io.BytesIO(band.page.screenshot())).convert("RGB"))
    box = band.bounding_box()
    assert box is not None
    rows, columns = ((np.arange(size) + 0.5) / size for size in STRIP_SHAPE)
    down = (2 * (box["y"] + rows * box["height"])).astype(int)
    along = (2 * (box["x"] + columns * box["width"])).astype(int)
    colours: np.ndarray = screen[down][:, along].astype(int)
    return colours


def heat_of(data: Any, run: Path) -> np.ndarray:
    """The strip's heat in colours, window by window: Grad-CAM of the class times its probability; black outside the windows."""
    model = load_checkpoint(run).model
    whole = np.zeros((*STRIP_SHAPE, 3), dtype=int)
    for window in windows():
        image = torch.from_numpy(model_input(data.read_image(data.find(f"broad_{window.index}"))))[None]
        share = model(image).softmax(dim=1)[0, BRIGHT]
        heat = (METHODS["grad_cam"]()(model, image, torch.tensor([BRIGHT]))[0] * share).detach().numpy()
        whole[:, window.x : window.x + PATCH_SIZE] = heat_colours(heat)
    return whole


def test_six_windows_their_heat_and_their_marks_lie_where_they_belong_on_the_strip(
    page: Page, strips_address: str, whole_strips: Any, planted_run: Path
) -> None:
    page.set_viewport_size({"width": 2700, "height": 1300})
    page.goto(f"{strips_address}/?strip=broad&sort=name")
    for window in windows():
        heat = f"Patch broad_{window.index} with the heat of Grad-CAM"
        expect(page.get_by_alt_text(heat)).to_be_visible()
        left, width = page.locator(".heats").evaluate(SHARE_OF_THE_BAND, heat)
        assert abs(left - window.x / STRIP_WIDTH) < 0.0005
        assert abs(width - PATCH_SIZE / STRIP_WIDTH) < 0.0005
    titles = page.locator(".card .title").all_inner_texts()
    sound, scratched = "0 · sound", "3 · scratches and scabs"
    assert titles == [sound, scratched, sound, sound, scratched, sound]

    lines = page.locator(".heats path.line")
    drawn = lines.evaluate_all(
        "lines => lines.map(line => [line.getAttribute('d'), line.getAttribute('stroke')])"
    )
    assert drawn == [
        [outline_of(row, column, whole_strips.side), "#" + bytes(CLASSES[label].colour).hex()]
        for label, row, column in whole_strips.squares
    ]

    page.get_by_label("Marked defects").uncheck()
    slider = page.get_by_role("slider", name="Opacity of the heat")
    slider.focus()
    slider.press("End")
    expect(page.get_by_text("100 %", exact=True)).to_be_visible()
    page.locator(".heats").scroll_into_view_if_needed()
    shown, expected = seen(page.locator(".heats")), heat_of(whole_strips.data, planted_run)
    inside = slice(32, STRIP_WIDTH - 32)
    # a window has a line around it and a number in its corner, which are no heat
    assert (np.abs(shown - expected)[:, inside] <= 3).mean() > 0.95
    for label, row, column in whole_strips.squares:
        window = windows()[{1: 1, 3: 4}[label]]
        brightness = cut(shown.sum(axis=2), window)[30:]  # below its number
        down, along = np.unravel_index(brightness.argmax(), brightness.shape)
        assert row <= down + 30 < row + whole_strips.side
        assert column <= along + window.x < column + whole_strips.side

    page.get_by_role("checkbox", name="Heat").uncheck()
    expect(slider).to_be_disabled()
    bare = seen(page.locator(".heats"))[:, :, 0]
    steel = read_grey((whole_strips.strips / "broad.png").read_bytes(), STRIP_SHAPE).astype(int)
    assert (np.abs(bare - steel)[:, inside] <= 3).mean() > 0.95, "the steel alone"
    page.get_by_role("checkbox", name="Heat").check()
    assert np.array_equal(seen(page.locator(".heats")), shown), "as opaque as before"


def outline_of(row: int, column: int, side: int) -> str:
    """The outline of a square: its upper and lower edge, then its left and right one."""
    across = [f"M{column} {y}H{column + side}" for y in (row, row + side)]
    down = [f"M{x} {row}V{row + side}" for x in (column, column + side)]
    return "".join(across + down)


def test_a_window_that_was_judged_says_so_on_its_strip_until_it_is_taken_back_and_a_key_leads_to_the_next_strip(
    page: Page, strips_address: str
) -> None:
    page.goto(f"{strips_address}/?strip=broad&sort=name")
    expect(page.get_by_alt_text("Patch broad_4 with the heat of Grad-CAM", exact=False)).to_be_visible()
    assert not page.get_by_text("judged:").count()
    page.get_by_role("button", name="Window 5").last.click()
    expect(page.get_by_role("heading", name="Patch broad_4")).to_be_visible()
    page.get_by_role("textbox", name="Your name").fill("Anna")
    page.keyboard.press("Enter")
    page.get_by_role("radio", name="segment wrong").click()
    page.get_by_role("button", name="Save verdict").click()
    expect(page.get_by_role("button", name="Take back: segment wrong")).to_be_visible()
    page.get_by_role("button", name="Its strip").click()
    expect(page.get_by_role("heading", name="Strip broad")).to_be_visible()
    judged = page.locator(".card").filter(has_text="judged: segment wrong")
    expect(judged).to_have_count(1)
    expect(judged).to_contain_text("Window 5")
    page.go_back()
    page.get_by_role("button", name="Take back: segment wrong").click()
    expect(page.get_by_text("takes record 1 back")).to_be_visible()
    expect(page.get_by_role("button", name="Take back")).to_have_count(0)
    page.get_by_role("button", name="Its strip").click()
    expect(page.get_by_role("heading", name="Strip broad")).to_be_visible()
    expect(page.get_by_text("judged:")).to_have_count(0)
    page.keyboard.press("Alt+ArrowRight")
    expect(page.get_by_role("heading", name="Strip calm")).to_be_visible()
    expect(page).to_have_url(re.compile("strip=calm"))
    expect(page.get_by_alt_text("Patch calm_5 with the heat of Grad-CAM", exact=False)).to_be_visible()
