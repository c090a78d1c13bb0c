"""The inspector in a real browser, as a user clicks. What the model sees is planted: see the conftest."""

import io
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, WebSocketRoute, expect

from app.verdicts.readings import LOT, is_drawn
from explain.explainer import Explainer
from explain.methods import METHODS
from severstal_xai.checkpoint import ModelCard, load_checkpoint, save_checkpoint
from severstal_xai.classes import CLASSES
from severstal_xai.imaging import model_input
from severstal_xai.manifest import Manifest
from severstal_xai.model import build_classifier
from severstal_xai.overlay import heat_colours
from severstal_xai.strips import PATCH_SIZE
from tests.app.hands import choose, patient

Start = Callable[[Path, Path, Path], AbstractContextManager[str]]
QUICK = "method=grad_cam&compare=none"
LONG = "method=rise&compare=none&effort=paper"
"""Thousands of questions: on no machine is the whole map there before somebody has looked at a first one."""
STEPS = re.compile(r"of at most [\d,]+ steps, at most about .+ left\.")
"""For who walks from page to page: SISE takes seconds a patch."""
SQUARE = 60
"""The side of the made data's defects; its corner lies at 40 times the class less 20."""


def visit(page: Page, address: str, name: str = "") -> None:
    """Open a page and wait until both explanations are there."""
    page.goto(f"{address}/patch?patch={name}" if name else f"{address}/patch")
    wait_for_pictures(page, name)


def wait_for_pictures(page: Page, name: str, *methods: str) -> None:
    expect(page.get_by_role("heading", name=f"Patch {name}", exact=False)).to_be_visible()
    for method in methods or ("Grad-CAM", "SISE"):
        expect(page.get_by_alt_text(f"Patch {name} with the heat of {method}", exact=False)).to_be_visible()


def stage(page: Page, title: str) -> Locator:
    """The picture of that title, without its caption."""
    return page.get_by_role("group", name=f"{title}: plus and minus zoom")


def set_opacity(page: Page, key: str) -> None:
    slider = page.get_by_role("slider", name="Opacity of the heat")
    slider.focus()
    slider.press(key)


def seen(picture: Locator) -> np.ndarray:
    """What the screen shows of a picture: one colour for each of the patch's pixels, at the pixel's middle.

    A pixel of the patch is about 2.5 pixels of the screen (`device_scale_factor` in the conftest), so rounding
    to the screen's pixels stays within it.
    """
    screen = np.asarray(Image.open(io.BytesIO(picture.page.screenshot())).convert("RGB"))
    box, middles = picture.bounding_box(), (np.arange(PATCH_SIZE) + 0.5) / PATCH_SIZE
    assert box is not None
    rows = (2 * (box["y"] + middles * box["height"])).astype(int)
    columns = (2 * (box["x"] + middles * box["width"])).astype(int)
    colours: np.ndarray = screen[rows][:, columns].astype(int)
    return colours


def near(pixels: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    alike: np.ndarray = np.abs(pixels - np.array(colour)).max(axis=2) < 40
    return alike


def extent(mask: np.ndarray) -> tuple[int, int, int, int]:
    """The first and last row, the first and last column."""
    rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
    return int(rows[0]), int(rows[-1]), int(columns[0]), int(columns[-1])


def alike(first: np.ndarray, second: np.ndarray) -> float:
    """The share of pixels that are alike to 3 levels; a noise shifted by a pixel keeps less than a tenth."""
    return float((np.abs(first - second.astype(int)) <= 3).mean())


def test_a_visitor_walks_from_patch_to_patch(page: Page, address: str) -> None:
    page.goto(f"{address}/patch?{QUICK}")
    wait_for_pictures(page, "strip03_0", "Grad-CAM")
    assert page.url.endswith(f"?{QUICK}&patch=strip03_0")
    expect(page.get_by_role("button", name="Previous")).to_be_disabled()
    page.get_by_role("button", name="Next").click()
    wait_for_pictures(page, "strip13_0", "Grad-CAM")
    choose(page, "Marked as", "3 · scratches and scabs")
    wait_for_pictures(page, "strip33_0", "Grad-CAM")
    assert sorted(page.url.partition("?")[2].split("&")) == sorted(
        [*QUICK.split("&"), "label=3", "patch=strip33_0"]
    )
    choose(page, "Marked as", "all classes")
    wait_for_pictures(page, "strip03_0", "Grad-CAM")
    choose(page, "Patch (5 in the list)", "strip43_0 · class 4")
    wait_for_pictures(page, "strip43_0", "Grad-CAM")
    expect(page.get_by_text("The model disagrees")).to_be_visible()


def test_who_clicks_a_window_of_a_strip_gets_its_patch_and_finds_back(page: Page, address: str) -> None:
    page.goto(f"{address}/?label=3")
    expect(page.get_by_role("heading", name="Strip strip33")).to_be_visible()
    heat = page.get_by_alt_text("Patch strip33_0 with the heat of Grad-CAM", exact=False)
    expect(heat).to_be_visible()
    left, whole = heat.bounding_box(), page.locator(".heats").bounding_box()
    assert left is not None
    assert whole is not None
    assert abs((left["x"] - whole["x"]) / whole["width"] - 32 / 1600) < 0.002
    expect(page.get_by_text("Not in the data").first).to_be_visible()
    page.get_by_role("button", name="Window 1").last.click()
    wait_for_pictures(page, "strip33_0", "Grad-CAM")
    page.get_by_role("button", name="Its strip").click()
    expect(page.get_by_role("heading", name="Strip strip33")).to_be_visible()
    assert sorted(page.url.partition("?")[2].split("&")) == ["label=3", "strip=strip33"]
    page.go_back()
    expect(page.get_by_role("heading", name="Patch strip33_0")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Strip strip33")).to_be_visible()
    page.go_forward()
    expect(page.get_by_role("heading", name="Patch strip33_0")).to_be_visible()
    page.go_forward()
    expect(page.get_by_role("heading", name="Strip strip33")).to_be_visible()
    page.get_by_role("link", name="Review queue").click()
    expect(page.get_by_role("heading", name="1 patch of 20")).to_be_visible()  # narrowed as before: class 3
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Strip", exact=True).click(button="middle")
    expect(opened.value.get_by_role("heading", name="Strip strip33")).to_be_visible()


def test_a_shared_address_shows_its_patch_with_the_outline_on_the_defect(
    page: Page, address: str, made_data: Manifest
) -> None:
    visit(page, address, "strip11_0")
    assert page.url.endswith("?patch=strip11_0&split=train")
    part = page.get_by_role("combobox", name="Part of the data")
    expect(part).to_have_value("training: the model learnt from these")

    defect = (20, 20 + SQUARE - 1, 20, 20 + SQUARE - 1)
    outlined = seen(stage(page, "Image"))
    # the line lies between the pixels, 2 screen pixels wide: it may show in the pixel to either side
    assert np.abs(np.subtract(extent(near(outlined, CLASSES[1].colour)), defect)).max() <= 1

    page.get_by_label("Marked defect").uncheck()
    bare = seen(stage(page, "Image"))[:, :, 0]
    assert extent(bare >= 180) == defect  # the square holds 180 to 219, the steel 80 to 119
    assert alike(bare, made_data.read_image(made_data.find("strip11_0"))) > 0.98


def test_heat_lies_on_the_defect_and_opacity_asks_nothing_of_the_server(
    page: Page, address: str, made_data: Manifest, planted_run: Path
) -> None:
    sent: list[int] = []
    page.on("websocket", lambda connection: connection.on("framesent", lambda frame: sent.append(len(frame))))
    visit(page, address, "strip33_0")
    page.get_by_label("Marked defect").uncheck()
    half, before = seen(stage(page, "Grad-CAM")), len(sent)
    set_opacity(page, "End")
    expect(page.get_by_text("100 %", exact=True)).to_be_visible()
    grad_cam, sise = seen(stage(page, "Grad-CAM")), seen(stage(page, "SISE"))
    set_opacity(page, "Home")
    bare = seen(stage(page, "Grad-CAM"))
    set_opacity(page, "End")
    heat = page.get_by_role("checkbox", name="Heat")
    heat.uncheck()
    assert np.array_equal(seen(stage(page, "Grad-CAM")), bare), "the image alone"
    heat.check()
    assert np.array_equal(seen(stage(page, "Grad-CAM")), grad_cam), "as opaque as before"
    assert len(sent) == before

    assert alike(bare[:, :, 0], made_data.read_image(made_data.find("strip33_0"))) > 0.98
    assert alike(half, (bare + grad_cam) / 2) > 0.98
    defect = range(100, 100 + SQUARE)
    for shown, method in ((grad_cam, METHODS["grad_cam"]()), (sise, METHODS["sise"](budget=0.8))):
        assert alike(shown, heat_colours(heat_of(made_data, planted_run, "strip33_0", method))) > 0.98
        brightness = shown.sum(axis=2)
        row, column = np.unravel_index(brightness.argmax(), brightness.shape)
        assert row in defect
        assert column in defect
        assert brightness[row, column] > 600, "pale yellow: the model is sure, so the hottest pixel is hot"
        assert brightness[:50].max() < 100, "cold, nearly black, where no coarse cell meets the defect"


def heat_of(data: Manifest, run: Path, name: str, method: Explainer) -> np.ndarray:
    """Map times probability, of the planted network's class."""
    model = load_checkpoint(run).model
    image = torch.from_numpy(model_input(data.read_image(data.find(name))))[None]
    heat: np.ndarray = (
        method(model, image, torch.tensor([3]))[0] * model(image).softmax(dim=1)[0, 3]
    ).numpy()
    return heat


def test_a_key_that_leads_away_takes_the_note_along_and_each_page_is_one_step_back(
    page: Page, address: str
) -> None:
    page.goto(f"{address}/patch?patch=strip13_0&{QUICK}")
    page.get_by_role("textbox", name="Your name").fill("Anna")
    page.keyboard.press("Enter")
    page.get_by_role("radio", name="unsure").click()
    page.get_by_role("textbox", name="Note").fill("half a note")
    page.keyboard.press("Alt+ArrowRight")
    expect(page.get_by_role("heading", name="Patch strip13_0")).to_have_count(0)
    page.get_by_role("link", name="Overview").click()
    expect(page.get_by_role("heading", name="Run planted")).to_be_visible()
    page.get_by_role("link", name="Review queue").click()
    expect(page.get_by_text("Click a row")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Run planted")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Patch ")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Patch strip13_0")).to_be_visible()
    expect(page.get_by_role("textbox", name="Note")).to_have_value("half a note")


def test_the_name_outlives_a_page_that_is_loaded_anew_but_not_its_tab(page: Page, address: str) -> None:
    where = f"{address}/patch?patch=strip13_0&{QUICK}"
    page.goto(where)
    name = page.get_by_role("textbox", name="Your name")
    name.fill("Anna")
    page.keyboard.press("Enter")
    expect(page.get_by_role("radio", name="unsure")).to_be_visible()
    page.reload()
    expect(name).to_have_value("Anna")
    expect(page.get_by_role("radio", name="unsure")).to_be_visible()
    name.fill("")
    page.keyboard.press("Enter")
    expect(page.get_by_text("To judge, write your name.")).to_be_visible()
    page.reload()
    expect(page.get_by_text("To judge, write your name.")).to_be_visible()
    name.fill("Ben")
    page.keyboard.press("Enter")
    expect(page.get_by_role("radio", name="unsure")).to_be_visible()
    other = page.context.new_page()
    other.goto(where)
    expect(other.get_by_text("To judge, write your name.")).to_be_visible()


def test_who_reads_a_patch_second_sees_what_the_first_said_once_both_have_judged(
    page: Page, browser: Browser, address: str
) -> None:
    drawn = "strip22_0"
    assert is_drawn(drawn, LOT)
    where = f"{address}/patch?patch={drawn}&{QUICK}"
    come_to_judge(page, where, "Anna")
    judge(page, "not a defect", "Anna")
    other = browser.new_context()
    try:
        second = patient(other.new_page())
        come_to_judge(second, where, "Ben")
        expect(second.get_by_text("This patch is read twice")).to_be_visible()
        assert "Anna" not in second.content()
        judge(second, "agrees", "Ben")
        expect(second.get_by_text("Anna, 20")).to_contain_text("not a defect")
        page.reload()
        expect(page.get_by_text("Ben, 20")).to_contain_text("agrees")
    finally:
        other.close()


def come_to_judge(page: Page, where: str, name: str) -> None:
    page.goto(where)
    page.get_by_role("textbox", name="Your name").fill(name)
    page.keyboard.press("Enter")
    expect(page.get_by_role("radio", name="unsure")).to_be_visible()


def judge(page: Page, verdict: str, name: str) -> None:
    page.get_by_role("radio", name=verdict).click()
    page.get_by_role("button", name="Save verdict").click()
    expect(page.get_by_text(f"{name}, 20")).to_contain_text(verdict)


def test_the_pictures_zoom_and_move_together(page: Page, address: str, made_data: Manifest) -> None:
    visit(page, address, "strip33_0")
    page.get_by_label("Marked defect").uncheck()
    page.get_by_role("button", name="Zoom in").click()
    picture = stage(page, "Image")
    picture.focus()
    for key in ("+", "ArrowRight", "ArrowDown"):
        picture.press(key)
    transforms = page.locator(".stack").evaluate_all("stacks => stacks.map(stack => stack.style.transform)")
    assert len(transforms) == 3
    assert len(set(transforms)) == 1
    # 1.5 x 1.5 = 2.25 times about the middle, then a tenth of the view to the right and down
    middle = int(PATCH_SIZE * (0.5 + 0.1 / 2.25))
    grey = made_data.read_image(made_data.find("strip33_0"))
    shown = seen(picture)[:, :, 0]
    assert shown[PATCH_SIZE // 2, PATCH_SIZE // 2] in grey[middle - 1 : middle + 2, middle - 1 : middle + 2]
    page.get_by_role("button", name="Whole patch").click()
    assert alike(seen(picture)[:, :, 0], grey) > 0.98


def test_after_a_click_the_wheel_zooms_where_the_mouse_is_and_a_drag_moves_the_pictures(
    page: Page, address: str, made_data: Manifest
) -> None:
    page.goto(f"{address}/patch?patch=strip33_0&{QUICK}")
    wait_for_pictures(page, "strip33_0", "Grad-CAM")
    page.get_by_label("Marked defect").uncheck()
    picture = stage(page, "Image")
    place_on(picture, 0.25, 0.75)
    page.mouse.wheel(0, -100)
    page.wait_for_timeout(500)
    assert views(page) == [(1, 0, 0)] * 2, "until then the wheel is the page's"

    x, y = place_on(picture, 0.25, 0.75)
    page.mouse.click(x, y)
    # A factor of e for 300 of the page's pixels; Playwright counts the screen's, of which two make one (`device_scale_factor`).
    page.mouse.wheel(0, -2 * 300 * np.log(2))
    expect(page.get_by_text("2\u00d7", exact=True)).to_be_visible()
    for view in views(
        page
    ):  # what lay at a quarter of the whole lies at a quarter of the half, and so for the rows
        assert np.allclose(view, (2, 0.25 - 0.25 / 2, 0.75 - 0.75 / 2), atol=0.002)
    grey = made_data.read_image(made_data.find("strip33_0"))
    part = grey[96 : 96 + PATCH_SIZE // 2, 32 : 32 + PATCH_SIZE // 2]
    assert alike(seen(picture)[:, :, 0], part.repeat(2, axis=0).repeat(2, axis=1)) > 0.95

    width = picture.evaluate("stage => stage.clientWidth")
    page.mouse.down()
    page.mouse.move(x - width / 8, y + width / 4, steps=5)
    page.mouse.up()
    page.mouse.move(x, y)  # no longer held: it moves nothing
    for view in views(page):  # as many pixels of the screen are half as much of the patch
        assert np.allclose(view, (2, 0.125 + 1 / 16, 0.375 - 1 / 8), atol=0.005)


def place_on(picture: Locator, across: float, down: float) -> tuple[float, float]:
    """Put the mouse onto a picture, at a share of its width and height; return where that is."""
    picture.scroll_into_view_if_needed()
    box = picture.bounding_box()
    assert box is not None
    x, y = box["x"] + across * box["width"], box["y"] + down * box["height"]
    picture.page.mouse.move(x, y)
    return x, y


def views(page: Page) -> list[tuple[float, float, float]]:
    """How far each picture is zoomed, and the share of the patch that lies left of it and above it."""
    transforms = page.locator(".stack").evaluate_all("stacks => stacks.map(stack => stack.style.transform)")
    found = [re.fullmatch(r"scale\((.*)\) translate\((.*)%, (.*)%\)", transform) for transform in transforms]
    return [(float(one[1]), -float(one[2]) / 100, -float(one[3]) / 100) for one in found if one]


def test_another_class_to_explain_has_its_own_heat(page: Page, address: str) -> None:
    visit(page, address, "strip33_0")
    expect(page.get_by_text("hottest pixel 1.00")).to_have_count(2)
    choose(page, "Which class to explain", "1 · pitting")
    # the planted network's logit of class 1 depends on no pixel, and its probability is below a hundredth
    expect(page.get_by_text("hottest pixel 0.00")).to_have_count(2)
    expect(page.get_by_text("no heat at all")).to_have_count(2)


def test_who_asks_why_sees_the_blocks_and_the_sum_grow_to_the_heat(page: Page, address: str) -> None:
    visit(page, address, "strip33_0")
    expect(page.locator(".stage")).to_have_count(3)
    page.get_by_text("Why, step by step").click()
    # each of the five blocks found something and has a sum, the last four let something through; the heat
    expect(page.locator(".table .stage.ready")).to_have_count(5 + 4 + 5 + 1)
    page.set_viewport_size({"width": 1366, "height": 2400})
    brightness = seen(stage(page, "After block 5")).sum(axis=2)
    defect = slice(100, 100 + SQUARE)
    assert brightness[defect, defect].mean() > 2 * brightness[:50].mean()


def test_an_empty_place_fills_as_the_page_advises(
    page: Page, start: Start, made_data: Manifest, planted_run: Path, tmp_path: Path
) -> None:
    data, run = tmp_path / "patches", tmp_path / "run"
    with start(data, run, tmp_path / "log.txt") as address:
        page.goto(address)
        expect(page.get_by_text("There are no patches to show.")).to_be_visible()
        expect(page.get_by_text(f"--output {data}").last).to_be_visible()

        shutil.copytree(made_data.root, data)
        page.reload()
        expect(page.get_by_text("There is no trained model to ask.")).to_be_visible()

        shutil.copytree(planted_run, run)
        page.goto(f"{address}/patch?{QUICK}")
        wait_for_pictures(page, "strip03_0", "Grad-CAM")

        (data / "images/strip03_0.png").write_bytes(b"not an image")
        page.reload()
        expect(page.get_by_text("This patch cannot be shown.")).to_be_visible()
        page.get_by_role("button", name="Next").click()
        wait_for_pictures(page, "strip13_0", "Grad-CAM")


@pytest.fixture(scope="module")
def slow_address(
    made_data: Manifest,
    start: Start,
    convert: Callable[[Path], None],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """The inspector with a network of random weights, which takes many questions: some seconds at the least."""
    run = tmp_path_factory.mktemp("slow") / "random"
    run.mkdir()
    save_checkpoint(
        run, build_classifier("resnet18", 5, seed=0), ModelCard("resnet18", made_data.checksum, 1, {})
    )
    convert(run)
    with start(made_data.root, run, run.parent / "log.txt") as found:
        yield found


def test_a_page_that_waits_for_maps_stays_though_the_browser_names_the_address_before(
    page: Page, slow_address: str
) -> None:
    late = False

    def hand_on(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def send(message: str | bytes) -> None:
            if isinstance(message, bytes) and late:
                message = message.replace(b"patch=strip13_0", b"patch=strip43_0")
            server.send(message)

        socket.on_message(send)

    page.route_web_socket(re.compile("_stcore/stream"), hand_on)
    page.goto(f"{slow_address}/patch?patch=strip13_0&{LONG}")
    expect(page.get_by_alt_text("Patch strip13_0 with a first heat of RISE", exact=False)).to_be_visible()
    late = True
    steps = page.get_by_text(STEPS).inner_text()
    expect(page.get_by_text(STEPS)).not_to_have_text(steps)  # it was looked at once more
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("cancelled, from")).to_be_visible()
    expect(page).to_have_url(re.compile("patch=strip13_0"))


def test_a_first_map_sharpens_under_what_the_user_has_set_and_is_cancelled(
    page: Page, slow_address: str
) -> None:
    page.goto(f"{slow_address}/patch?patch=strip33_0&{LONG}")
    expect(page.get_by_alt_text("Patch strip33_0 with a first heat of RISE", exact=False)).to_be_visible()
    note = page.get_by_text("first map, from").inner_text()  # from how many questions hangs on the machine
    expect(page.get_by_text(STEPS)).to_be_visible()
    set_opacity(page, "End")
    page.get_by_role("button", name="Zoom in").click()
    stage(page, "RISE").focus()
    expect(page.get_by_text(note, exact=True)).to_have_count(0)
    assert_still_set(page, "RISE")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("cancelled, from")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    expect(page.get_by_role("button", name="Make RISE after all")).to_be_visible()


def test_the_whole_map_comes_under_what_the_user_has_set(page: Page, slow_address: str) -> None:
    page.goto(f"{slow_address}/patch?patch=strip33_0&effort=fast")
    expect(page.get_by_alt_text("Patch strip33_0 with the heat of Grad-CAM", exact=False)).to_be_visible()
    set_opacity(page, "End")
    page.get_by_role("button", name="Zoom in").click()
    stage(page, "Grad-CAM").focus()
    expect(page.get_by_alt_text("Patch strip33_0 with the heat of SISE", exact=False)).to_be_visible()
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    assert_still_set(page, "Grad-CAM")


def assert_still_set(page: Page, title: str) -> None:
    """The picture that had the focus has it, all are zoomed in by one step, and the heat is as opaque as it can be."""
    assert stage(page, title).evaluate("stage => stage.matches(':focus')")
    expect(page.get_by_text("100 %", exact=True).first).to_be_visible()
    transforms = page.locator(".stack").evaluate_all("stacks => stacks.map(stack => stack.style.transform)")
    assert transforms
    assert all(transform.startswith("scale(1.5)") for transform in transforms)
