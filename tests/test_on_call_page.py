"""The page of the person on call in Chromium: on a phone and a desk, light and dark."""

from collections.abc import Iterator

import pytest
from findings import HOUR, START, drifted, usual
from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright
from serving import free_port
from test_page import CHROMIUM, QUIET

from legible.monitoring.exporter import Exporter

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed; on Debian: apt install chromium"),
]

PHONE, DESK = {"width": 360, "height": 740}, {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("kept")
    pictures = tuple(folder / f"20261129T10-7-{number:012x}.png" for number in range(12))
    for path in pictures:
        Image.new("L", (300, 40), 200).save(path)
    exporter, port = Exporter(), free_port()
    close = exporter.serve(port=port)
    exporter.publish(usual(START))
    exporter.publish(drifted(START + HOUR, pictures=pictures))
    yield f"http://127.0.0.1:{port}/"
    close()


@pytest.fixture(params=[(PHONE, "light"), (PHONE, "dark"), (DESK, "light"), (DESK, "dark")], ids=str)
def page(request: pytest.FixtureRequest, address: str) -> Iterator[Page]:
    size, scheme = request.param
    faults: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        opened = browser.new_page(viewport=size, color_scheme=scheme)
        opened.on("console", lambda message: faults.append(message.text))
        opened.goto(address)
        yield opened
        browser.close()
    assert faults == []


def test_the_page_fits_shows_its_images_and_can_be_read(page: Page) -> None:
    expect(page.locator("h1")).to_have_text("Drift: unlike this deployment's normal")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("[...document.images].every(image => image.naturalWidth === 300)")
    assert len(page.locator("img").all()) == 12
    assert page.locator("svg rect.beyond").count() == 1
    assert contrast(page, ".finding", "color") > 7
    assert contrast(page, ".finding h1", "color") > 4.5


def contrast(page: Page, selector: str, name: str) -> float:
    """The contrast of a colour with the paper, as the Web Content Accessibility Guidelines define it."""
    colours = page.evaluate(
        "([selector, name]) => [getComputedStyle(document.querySelector(selector))[name], "
        "getComputedStyle(document.querySelector('.finding')).backgroundColor]",
        [selector, name],
    )
    one, other = sorted((luminance(colour) for colour in colours), reverse=True)
    return (one + 0.05) / (other + 0.05)


def luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
