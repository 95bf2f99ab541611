"""Whole pages on the page, in a real browser: lines over the picture, corrections, copies, files, corners, a phone."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from ink_detector import write_ink_detector
from page_documents import LINES, drawn_page, encoded_page, locked_pdf, pages_as_pdf
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright
from serving import Service, started
from test_page import CHROMIUM, QUIET
from waiting import wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed; on Debian: apt install chromium"),
]
SECOND = ("On another page", "stand other words")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, bundle_folder: Path) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("document-page")
    detector = str(write_ink_detector(folder / "detector.tflite"))
    variables = {"LEGIBLE_BUNDLE": str(bundle_folder), "LEGIBLE_FEEDBACK": "1", "LEGIBLE_DETECTOR": detector}
    with started(folder, **variables) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield opened
        opened.close()


@pytest.fixture
def page(service: Service, browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    opened = context.new_page()
    faults: list[str] = []
    asked: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(service.address)
    expect(opened.locator("#kinds")).to_be_visible()
    yield opened
    context.close()
    assert faults == []
    assert [url for url in asked if not url.startswith((f"{service.address}/", "blob:", "data:"))] == []


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, print_face: Path) -> Path:
    folder = tmp_path_factory.mktemp("files")
    first, second = drawn_page(print_face), drawn_page(print_face, *SECOND)
    blank = np.full((400, 600), 255, np.uint8)
    (folder / "letter.pdf").write_bytes(pages_as_pdf(first, second, blank))
    (folder / "letter.png").write_bytes(encoded_page(first))
    (folder / "locked.pdf").write_bytes(locked_pdf())
    photograph = np.full((700, 900), 90, np.uint8)
    photograph[150:550, 200:800] = first
    Image.fromarray(photograph).save(folder / "photograph.jpg", quality=95)
    many = drawn_page(print_face, *["many lines of a page"] * 14, size=(500, 1000), letters=30)
    (folder / "many.png").write_bytes(encoded_page(many))
    return folder


def read(page: Page, path: Path) -> None:
    page.get_by_text("Whole page", exact=True).click()
    page.locator("#file").set_input_files(path)
    expect(page.locator("#read-pages")).to_be_visible(timeout=30_000)


def lines(page: Page) -> list[str]:
    return page.locator("#lines .line span").all_inner_texts()


def test_a_pdf_is_shown_page_by_page_with_its_lines_over_it(page: Page, files: Path) -> None:
    read(page, files / "letter.pdf")
    expect(page.locator("#where")).to_have_text("Page 1 of 3")
    assert lines(page) == list(LINES)
    assert page.locator("#overlay polygon").count() == 3
    assert page.evaluate("byId('picture').naturalWidth") > 300
    page.locator("#next").click()
    assert lines(page) == list(SECOND)
    page.keyboard.press("PageDown")
    expect(page.locator("#nothing")).to_have_text("No text was found on this page.")
    expect(page.locator("#next")).to_be_disabled()
    page.keyboard.press("PageUp")
    assert lines(page) == list(SECOND)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_picture_that_its_exif_turns_is_shown_as_its_lines_lie(page: Page, files: Path, form: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = files / f"turned.{form.lower()}"
    with Image.open(files / "letter.png") as letter:
        letter.transpose(Image.Transpose.ROTATE_90).save(turned, form, exif=exif.tobytes())
    page.locator("[name=kind][value=page]").check()
    page.locator("#file").set_input_files(turned)
    expect(page.locator("#said")).to_contain_text("lines")
    page.wait_for_function("document.getElementById('picture').naturalWidth > 0")
    sizes = page.evaluate("[document.getElementById('picture').naturalWidth, pages[0].size[0]]")
    assert sizes[0] == sizes[1] == 600


def test_a_dropped_pdf_is_read_whatever_was_chosen_before(page: Page, files: Path) -> None:
    page.locator("#file").set_input_files(files / "letter.pdf")
    expect(page.locator("#read-pages")).to_be_visible(timeout=30_000)
    expect(page.locator("[name=kind][value=page]")).to_be_checked()


def test_hovering_a_line_shows_its_text_and_confidence_and_doubtful_ones_are_marked(page: Page, files: Path) -> None:
    read(page, files / "letter.png")
    page.evaluate("pages[0].blocks[0].lines[0].accepted = false; draw()")
    expect(page.locator("#overlay polygon").first).to_have_class("doubtful")
    expect(page.locator("#lines li").first).to_contain_text("%, doubtful")
    page.locator("#overlay polygon").first.hover()
    expect(page.locator("#tip-text")).to_have_text(LINES[0])
    expect(page.locator("#tip-sure")).to_contain_text("%")
    page.locator("#overlay polygon").nth(1).click()
    expect(page.locator("#lines .line").nth(1)).to_be_focused()


def test_a_line_is_corrected_in_place_sent_and_in_what_is_downloaded(
    page: Page, service: Service, files: Path, tmp_path: Path
) -> None:
    read(page, files / "letter.png")
    page.locator("#lines .line").first.click()
    page.keyboard.type("Same words of a page")
    page.keyboard.press("Enter")
    expect(page.locator("#said")).to_have_text("Corrected, and sent. Thank you.")
    assert lines(page)[0] == "Same words of a page"
    expect(page.locator("#lines .line").first).to_be_focused()
    folder = service.log.parent / "corrections/v1"
    wait_until(lambda: any("Same words of a page" in path.read_text() for path in folder.glob("*.jsonl")))
    page.locator("#format").select_option("text")
    with page.expect_download() as caught:
        page.locator("#download").click()
    assert caught.value.suggested_filename == "letter.txt"
    caught.value.save_as(tmp_path / "letter.txt")
    assert (tmp_path / "letter.txt").read_text().split("\n")[0] == "Same words of a page"


def test_all_of_it_works_by_keyboard(page: Page, files: Path) -> None:
    read(page, files / "letter.png")
    page.locator("#lines .line").first.focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#lines .line").nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".edit input")).to_have_value(LINES[1])
    page.keyboard.press("Escape")
    expect(page.locator(".edit")).to_have_count(0)
    expect(page.locator("#lines .line").nth(1)).to_be_focused()
    page.evaluate("pages[0].blocks.at(-1).lines.at(-1).accepted = false; draw()")
    page.keyboard.press("n")
    expect(page.locator(".edit input")).to_have_value(LINES[2])


STARTS = {
    "pdf": b"%PDF-",
    "hocr": b"<?xml",
    "alto": b"<?xml",
    "page": b"<?xml",
    "json": b"{",
    "text": LINES[0].encode(),
}


@pytest.mark.parametrize(
    ("form", "name"),
    [("pdf", "letter.pdf"), ("hocr", "letter.hocr"), ("alto", "letter.alto.xml"), ("page", "letter.page.xml"),
     ("json", "letter.json"), ("text", "letter.txt")],
)  # fmt: skip
def test_each_format_is_downloaded(page: Page, files: Path, tmp_path: Path, form: str, name: str) -> None:
    read(page, files / "letter.png")
    page.locator("#format").select_option(form)
    with page.expect_download() as caught:
        page.locator("#download").click()
    assert caught.value.suggested_filename == name
    caught.value.save_as(tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(STARTS[form])
    expect(page.locator("#said")).to_have_text(f"Saved as {name}.")


def test_all_text_is_copied(page: Page, files: Path) -> None:
    read(page, files / "letter.pdf")
    page.locator("#copy").click()
    expect(page.locator("#said")).to_have_text("Copied.")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.split() == " ".join([*LINES, *SECOND]).split()


def test_corners_are_dragged_moved_by_keys_and_read_with(page: Page, files: Path) -> None:
    read(page, files / "photograph.jpg")
    page.locator("#set-corners").click()
    handles = page.locator(".handle")
    expect(handles).to_have_count(4)
    box = page.locator("#sheet").bounding_box()
    assert box is not None
    for number, (x, y) in enumerate(((200, 150), (800, 150), (800, 550), (200, 550))):
        place = handles.nth(number).bounding_box()
        assert place is not None
        page.mouse.move(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
        page.mouse.down()
        page.mouse.move(box["x"] + x / 900 * box["width"], box["y"] + y / 700 * box["height"], steps=4)
        page.mouse.up()
    handles.nth(0).focus()
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowLeft")
    with page.expect_response(lambda answer: "corners=" in answer.url) as caught:
        page.locator("#use-corners").click()
    (said,) = parse_qs(urlsplit(caught.value.url).query)["corners"]
    assert np.array(said.split(","), int) == pytest.approx(np.array([200, 150, 800, 150, 800, 550, 200, 550]), abs=6)
    expect(page.locator("#corners-bar")).to_be_hidden()
    expect(page.locator("#lines .line span").first).to_have_text(LINES[0])
    page.locator("#set-corners").click()
    page.keyboard.press("Escape")
    expect(page.locator("#handles")).to_be_hidden()


def test_what_is_wrong_is_said_in_plain_words(page: Page, files: Path) -> None:
    page.get_by_text("Whole page", exact=True).click()
    page.locator("#file").set_input_files(files / "locked.pdf")
    expect(page.locator("#error")).to_contain_text("locked by a password")
    expect(page.locator("#reading-bar")).to_be_hidden()


def test_a_reading_is_stopped(page: Page, files: Path) -> None:
    waiting: list[Route] = []
    page.route("**/read_page**", lambda route: waiting.append(route))  # noqa: PLW0108  # it gets no attributes otherwise
    page.get_by_text("Whole page", exact=True).click()
    page.locator("#file").set_input_files(files / "letter.png")
    expect(page.locator("#elapsed")).to_contain_text("Reading")
    page.locator("#stop").click()
    expect(page.locator("#said")).to_have_text("Stopped.")
    assert len(waiting) == 1


def test_a_picture_of_many_lines_is_read_as_a_page_by_itself(page: Page, files: Path) -> None:
    page.locator("#file").set_input_files(files / "many.png")
    expect(page.locator("#read-pages")).to_be_visible(timeout=30_000)
    assert len(lines(page)) == 14
    page.get_by_text("Word or line").click()
    expect(page.locator("#canvas")).to_be_visible()
    expect(page.locator("#document")).to_be_hidden()


@pytest.mark.parametrize("width", [1280, 390, 360])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_is_cut_off_on_a_screen_or_a_phone(
    browser: Browser, service: Service, files: Path, width: int, theme: str
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=theme, has_touch=width < 500, is_mobile=width < 500
    )
    page = context.new_page()
    page.goto(service.address)
    read(page, files / "letter.pdf")
    if width < 500:
        page.locator("#overlay polygon").nth(1).tap()
        expect(page.locator("#tip-text")).to_have_text(LINES[1])
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator("#lines .line").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if "LEGIBLE_SCREENSHOTS" in os.environ:
        page.screenshot(path=f"{os.environ['LEGIBLE_SCREENSHOTS']}/document-{width}-{theme}.png", full_page=True)
    context.close()


def test_settings_say_whether_pages_are_read(page: Page) -> None:
    assert json.loads(page.evaluate("fetch('/page/settings.json').then((answer) => answer.text())"))["pages"] is True
