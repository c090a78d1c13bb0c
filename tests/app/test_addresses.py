"""The address of every view, copied into another browser, shows the same view."""

import re

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.app.hands import SELECTS, at_rest, at_rest_as, choose, click_row, patient

WIDE = ViewportSize(width=1366, height=768)

VIEWS = {
    "strip": "/?split=train&method=layer_cam&strip=strip41&sort=name",
    "patch": "/patch?patch=strip33_0&method=grad_cam&compare=none&class=1&label=3",
    "patch, two methods and their effort": "/patch?patch=strip33_0&effort=fast&compare=xgrad_cam&why=open",
    "queue": "/queue?split=all&label=3&verdict=none&text=strip3&sort=name&reverse=yes",
    "queue, of which nothing matches": "/queue?predicted=2&answer=wrong&group=wrong_elsewhere&flagged=yes&low=0.2&high=0.9&margin_low=0.05&margin_high=0.5&sort=predicted",
    "queue, a sheet of pictures": "/queue?split=all&look=pictures&sort=name&reverse=yes",
    "overview": "/overview?split=all&label=3&sort=verdict",
}
READY = {
    "strip": "Patch strip41_0 with the heat of LayerCAM",
    "patch": "Patch strip33_0 with the heat of Grad-CAM",
    "patch, two methods and their effort": "Patch strip33_0 with the heat of SISE",
}


def opened(page: Page, address: str, view: str) -> dict[str, object]:
    page.goto(address)
    ready = READY.get(view)
    if ready:
        expect(page.get_by_alt_text(ready, exact=False).first).to_be_visible()
    else:
        expect(page.get_by_role("heading", name=re.compile("^[0-9,]+ patch|^All|^Run "))).to_be_visible()
    expect(page.locator(SELECTS).first).to_be_visible()  # a page's parts come one after the other
    if "why=open" in address:
        expect(page.get_by_text("After block 5")).to_be_visible()
    if "look=pictures" in address:
        expect(page.locator(".sheet img").first).to_be_visible()
    return at_rest(page)


@pytest.mark.parametrize("view", VIEWS)
def test_a_copied_address_shows_the_same_in_another_browser(
    page: Page, browser: Browser, address: str, view: str
) -> None:
    first = opened(page, address + VIEWS[view], view)
    assert first["choices"]
    assert first["address"] == sorted(VIEWS[view].partition("?")[2].split("&"))
    other = browser.new_context(viewport=WIDE)
    try:
        theirs = patient(other.new_page())
        opened(theirs, page.url, view)
        assert at_rest_as(theirs, first) == first
    finally:
        other.close()


def test_the_first_page_is_found_by_its_name_too_and_keeps_what_the_address_asks_for(
    page: Page, address: str
) -> None:
    page.goto(f"{address}/strip?split=train&method=layer_cam&strip=strip41&sort=name")
    expect(page.get_by_alt_text(READY["strip"], exact=False).first).to_be_visible()
    expect(page).to_have_url(address + VIEWS["strip"])
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_what_is_set_by_hand_is_in_the_address_and_comes_back_from_a_patch(page: Page, address: str) -> None:
    page.goto(f"{address}/queue?split=all")
    page.get_by_role("radio", name="Pictures").click()
    expect(page).to_have_url(f"{address}/queue?split=all&look=pictures")
    page.get_by_title("Open strip13_0").click()
    expect(page.get_by_role("heading", name="Patch strip13_0")).to_be_visible()
    page.get_by_role("button", name="Queue").click()
    expect(page.get_by_title("Open strip13_0")).to_be_visible()
    expect(page).to_have_url(f"{address}/queue?split=all&look=pictures")
    page.get_by_role("radio", name="Table").click()
    expect(page).to_have_url(f"{address}/queue?split=all")

    choose(page, "Marked as", "3 · scratches and scabs")
    expect(page.get_by_role("heading", name="4 patches of 20")).to_be_visible()
    choose(page, "Sorted by", "name")
    expect(page).to_have_url(f"{address}/queue?split=all&label=3&sort=name")
    page.get_by_text("The other way round").click()
    narrowed = "split=all&label=3&sort=name&reverse=yes"
    expect(page).to_have_url(f"{address}/queue?{narrowed}")
    click_row(page, 1)  # of strip33, strip32, strip31, strip30
    expect(page.get_by_role("heading", name="Patch strip32_0")).to_be_visible()
    expect(page).to_have_url(f"{address}/patch?patch=strip32_0&{narrowed}")


def test_a_filter_is_saved_by_name_and_opened_by_somebody_else(
    page: Page, browser: Browser, address: str
) -> None:
    page.goto(f"{address}/queue?label=3&sort=name")
    page.get_by_role("button", name="Save or change").click()
    page.get_by_role("textbox", name="Your name").fill("Anna")
    page.get_by_role("textbox", name="Your name").press("Enter")
    name = page.get_by_role("textbox", name="Name", exact=True)
    name.fill("Scabs by name")
    page.get_by_role("button", name="Save as new").click()
    expect(page.get_by_role("combobox", name="Open")).to_have_value("Scabs by name")
    other = browser.new_context(viewport=WIDE)
    try:
        theirs = patient(other.new_page())
        theirs.goto(f"{address}/queue")
        theirs.get_by_role("combobox", name="Open").click()
        theirs.get_by_role("option", name="Scabs by name · by Anna").click()
        expect(theirs).to_have_url(f"{address}/queue?label=3&sort=name")
        expect(theirs.get_by_role("heading", name="1 patch of 20")).to_be_visible()
    finally:
        other.close()
