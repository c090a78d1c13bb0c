"""New strips in a real browser: files are dropped, a folder fills, and what comes out is downloaded. The model is the planted one."""

import csv
import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, FilePayload, Page, expect

from severstal_xai.files import sha256
from severstal_xai.imaging import STRIP_SHAPE, encode_png
from tests.app.hands import at_rest, at_rest_as, click_row, patient

Start = Callable[..., AbstractContextManager[str]]
ROW = 40
"""Its height in the table, in pixels."""


def steel(*bright: int, seed: int = 0) -> np.ndarray:
    """A strip with a bright square in these windows, which the planted network calls class 3 (see test_new_strips)."""
    grey = np.random.default_rng(seed).integers(60, 90, STRIP_SHAPE).astype(np.uint8)
    for index in bright:
        left = 32 + 256 * index + 100
        grey[100:160, left : left + 60] += 130
    return grey


def jpeg(grey: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(grey).save(content, "JPEG", quality=95)
    return content.getvalue()


def downloaded(page: Page, button: str) -> list[dict[str, str]]:
    with page.expect_download() as file:
        page.get_by_role("button", name=button).click()
    return list(csv.DictReader(io.StringIO(file.value.path().read_text())))


def test_files_that_are_dropped_are_judged_opened_explained_and_downloaded(page: Page, address: str) -> None:
    good, calm = jpeg(steel(2)), encode_png(steel(seed=1))
    page.goto(f"{address}/new")
    expect(page.get_by_text("There is nothing here yet.")).to_be_visible()
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(
        [
            FilePayload(name=name, mimeType="image/jpeg", buffer=content)
            for name, content in (
                ("good.jpg", good),
                ("calm.png", calm),
                ("words.jpg", b"these are words"),
                ("low.png", encode_png(steel()[:250])),
                ("cut.jpg", good[: len(good) // 2]),
            )
        ]
    )
    whole = "2 images, 1 with a defect as the answer on a window"  # without "so far": both were asked about
    expect(page.get_by_text(whole, exact=True)).to_be_visible()
    expect(page.get_by_text("3 files were not taken")).to_be_visible()
    wrong = downloaded(page, "Files not taken (CSV)")
    assert [(row["file"], row["reason"].split(",")[0].partition(":")[0]) for row in wrong] == [
        ("words.jpg", "neither a JPEG nor a PNG file by its content"),
        ("low.png", "image of 1600 x 250 pixels (width x height)"),
        ("cut.jpg", "damaged image file"),
    ]
    rows = downloaded(page, "Results (CSV)")
    assert [(row["file"], row["window"]) for row in rows if row["answer"] == "3"] == [("good.jpg", "3")]
    assert len(rows) == 12
    assert {row["sha256"] for row in rows} == {sha256(good), sha256(calm)}
    with page.expect_download() as report:
        page.get_by_role("button", name="Report (PDF)").click()
    assert report.value.path().read_bytes().startswith(b"%PDF")

    click_row(page, 0, ROW)
    expect(page.get_by_role("heading", name="New strip good")).to_be_visible()
    assert page.url.endswith(f"/new?upload={sha256(good)}")
    expect(page.get_by_alt_text("Patch good_2 with the heat of Grad-CAM", exact=False)).to_be_visible()
    expect(page.get_by_text("Marked defects", exact=True)).to_be_hidden()
    page.get_by_role("button", name="Window 3").last.click()
    expect(page.get_by_role("heading", name="Window 3 of good")).to_be_visible()
    heat = page.get_by_role("group", name="Grad-CAM: plus and minus zoom").locator(".heat")
    expect(heat).to_be_visible()
    expect(page.get_by_text("Marked defect", exact=True)).to_be_hidden()
    shared = page.url
    page.get_by_role("button", name="All new strips").click()
    expect(page.get_by_text("2 images, 1 with a defect as the answer")).to_be_visible()
    page.goto(shared)  # loaded anew, which is another session
    expect(page.get_by_text("This upload is not here.")).to_be_visible()


def test_a_watched_folder_is_followed_and_an_address_of_a_file_in_it_can_be_shared(
    page: Page, browser: Browser, start: Start, planted_run: Path, tmp_path: Path
) -> None:
    mill, nothing = tmp_path / "mill_7", tmp_path / "nothing"
    mill.mkdir()
    (mill / "first.png").write_bytes(encode_png(steel(seed=1)))
    with start(nothing, planted_run, tmp_path / "log.txt", watch=mill) as address:
        page.goto(f"{address}/new")
        expect(page.get_by_text("1 image, none with a defect as the answer")).to_be_visible()

        whole = jpeg(steel(4))
        (mill / "later.jpg").write_bytes(whole[:30_000])  # it arrives in two parts
        expect(page.get_by_text("1 just arrived")).to_be_visible()
        (mill / "later.jpg").write_bytes(whole)
        expect(page.get_by_text("2 images, 1 with a defect as the answer")).to_be_visible()
        expect(page.get_by_text("was not taken")).to_have_count(0)

        (mill / "first.png").write_bytes(encode_png(steel(0, 5)))
        (mill / "later.jpg").unlink()
        expect(page.get_by_text("1 image, 1 with a defect as the answer")).to_be_visible()
        expect(page.get_by_text(str(tmp_path))).to_have_count(0)

        click_row(page, 0, ROW)
        expect(page.get_by_text("Of 6 windows the model finds a defect on 2.")).to_be_visible()
        assert page.url.endswith("/new?strip=first.png")
        heat = "Patch first_5 with the heat of Grad-CAM"
        expect(page.get_by_alt_text(heat, exact=False)).to_be_visible()
        first, other = at_rest(page), browser.new_context(viewport=page.viewport_size)
        try:
            theirs = patient(other.new_page())
            theirs.goto(page.url)
            expect(theirs.get_by_alt_text(heat, exact=False)).to_be_visible()
            assert at_rest_as(theirs, first) == first
        finally:
            other.close()
