"""The page in a real browser: draw a word, choose a file, see what went wrong."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import drawn_word
from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright
from serving import served

CHROMIUM = shutil.which("chromium")
QUIET = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed; on Debian: apt install chromium"),
]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, bundle_folder: Path) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("page"), LEGIBLE_BUNDLE=str(bundle_folder), LEGIBLE_FEEDBACK="1") as found:
        yield found


@pytest.fixture
def page(address: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        opened = browser.new_page(viewport={"width": 900, "height": 760})
        faults: list[str] = []
        opened.on("pageerror", lambda error: faults.append(str(error)))
        opened.goto(address)
        yield opened
        browser.close()
    assert faults == []


def test_a_chosen_file_is_read(page: Page, tmp_path: Path, print_face: Path) -> None:
    path = tmp_path / "word.png"
    Image.fromarray(drawn_word("Hamburg", print_face)).save(path)
    page.locator("#file").set_input_files(path)
    expect(page.locator("#text")).to_have_text("Hamburg")
    expect(page.locator("#confidence")).to_contain_text("%")
    page.locator("summary").click()
    expect(page.locator("#statistics")).to_contain_text("stroke width")
    if "LEGIBLE_SCREENSHOT" in os.environ:
        page.locator("summary").click()
        page.screenshot(path=os.environ["LEGIBLE_SCREENSHOT"])


def test_a_drawn_stroke_is_read(page: Page) -> None:
    box = page.locator("#canvas").bounding_box()
    assert box is not None
    middle, top = box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.2
    page.mouse.move(middle, top)
    page.mouse.down()
    page.mouse.move(middle, top + box["height"] * 0.6, steps=12)
    page.mouse.up()
    page.locator("#read").click()
    expect(page.locator("#result")).to_be_visible()
    expect(page.locator("#confidence")).to_contain_text("%")


def test_an_empty_pad_and_a_file_that_is_no_image_get_a_plain_word(page: Page, tmp_path: Path) -> None:
    page.locator("#read").click()
    expect(page.locator("#error")).to_contain_text("nothing to read yet")
    path = tmp_path / "note.png"
    path.write_text("no image")
    page.locator("#file").set_input_files(path)
    expect(page.locator("#error")).to_contain_text("this is not an image")


def test_it_works_by_keyboard(page: Page) -> None:
    page.locator("#canvas").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#error")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#error")).to_be_hidden()


def test_a_reading_is_corrected_with_one_key(page: Page, tmp_path: Path, print_face: Path) -> None:
    path = tmp_path / "word.png"
    Image.fromarray(drawn_word("Hamburg", print_face)).save(path)
    page.locator("#file").set_input_files(path)
    expect(page.locator("#right")).to_have_value("Hamburg")
    page.keyboard.press("c")
    page.keyboard.type("Homburg")
    page.keyboard.press("Enter")
    expect(page.locator("#kept")).to_have_text("Thank you, kept.")


def test_words_are_preferred_where_asked(page: Page, tmp_path: Path, print_face: Path) -> None:
    path = tmp_path / "word.png"
    Image.fromarray(drawn_word("Hamburg", print_face)).save(path)
    expect(page.locator("#prefer")).to_contain_text("Prefer English words")
    page.locator("#file").set_input_files(path)
    expect(page.locator("#text")).to_have_text("Hamburg")
    with page.expect_response(lambda answer: "lexicon=english" in answer.url) as caught:
        page.locator("#lexicon").check()
    assert caught.value.json()["text"] == "Hamburg"
    expect(page.locator("#text")).to_have_text("Hamburg")


@pytest.mark.parametrize("width", [900, 360])
def test_nothing_is_cut_off_on_a_screen_or_a_phone(page: Page, width: int, tmp_path: Path, print_face: Path) -> None:
    path = tmp_path / "line.png"
    Image.fromarray(drawn_word("a line that is much wider than a telephone", print_face)).save(path)
    page.set_viewport_size({"width": width, "height": 800})
    page.locator("#file").set_input_files(path)
    expect(page.locator("#result")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if "LEGIBLE_SCREENSHOTS" in os.environ:
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            page.screenshot(path=f"{os.environ['LEGIBLE_SCREENSHOTS']}/{width}-{theme}.png", full_page=True)
