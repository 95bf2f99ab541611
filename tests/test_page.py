"""The page in a real browser: draw a word, choose a file, see what went wrong."""

import os
import re
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
        asked: list[str] = []
        opened.on("pageerror", lambda error: faults.append(str(error)))
        opened.on("request", lambda request: asked.append(request.url))
        opened.goto(address)
        yield opened
        browser.close()
    assert faults == []
    assert [
        url for url in asked if not url.startswith((f"{address}/", "blob:", "data:"))
    ] == []  # nothing from elsewhere


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
    expect(page.locator("#error")).to_contain_text("This is not an image")
    expect(page.locator("#hint")).to_have_text("note.png (cannot be shown here)")
    expect(page.locator("#preview")).to_be_hidden()


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


def test_another_text_is_taken_with_its_number(page: Page, tmp_path: Path, print_face: Path) -> None:
    """Whatever the model thinks of: the reading is shown again with another text beside it."""
    path = tmp_path / "word.png"
    Image.fromarray(drawn_word("Hamburg", print_face)).save(path)
    page.locator("#file").set_input_files(path)
    expect(page.locator("#right")).to_have_value("Hamburg")
    page.evaluate("show({ ...current, alternatives: [{ text: 'Homburg', confidence: 0.1 }] }, 1)")
    expect(page.locator("#alternatives button")).to_have_text("Homburg10 %")
    page.keyboard.press("1")
    expect(page.locator("#right")).to_have_value("Homburg")
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


TRANSFER = """
async ([bytes, kind]) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([new Uint8Array(bytes)], "word.png", { type: "image/png" }));
  const event = kind === "paste"
    ? new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true })
    : new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true });
  document.body.dispatchEvent(event);
}
"""


@pytest.mark.parametrize("kind", ["paste", "drop"])
def test_an_image_is_pasted_or_dropped(page: Page, kind: str, tmp_path: Path, print_face: Path) -> None:
    path = tmp_path / "word.png"
    Image.fromarray(drawn_word("Hamburg", print_face)).save(path)
    page.evaluate(TRANSFER, [list(path.read_bytes()), kind])
    expect(page.locator("#text")).to_have_text("Hamburg")


def darkness(page: Page) -> int:
    """How many pixels of the drawing area are ink."""
    script = (
        "() => pen.getImageData(0, 0, canvas.width, canvas.height).data.filter((v, i) => i % 4 == 0 && v < 99).length"
    )
    return int(page.evaluate(script))


def test_a_finger_and_a_pen_draw(page: Page) -> None:
    box = page.locator("#canvas").bounding_box()
    assert box is not None
    x, y = box["x"] + 100, box["y"] + 50
    browser = page.context.new_cdp_session(page)
    for kind, points in (("touchStart", [{"x": x, "y": y}]), ("touchMove", [{"x": x, "y": y + 60}]), ("touchEnd", [])):
        browser.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    touched = darkness(page)
    assert touched > 500
    for kind, down in (("mousePressed", y), ("mouseMoved", y + 60), ("mouseReleased", y + 60)):
        place = {"x": x + 200, "y": down, "button": "left", "buttons": 1, "clickCount": 1, "pointerType": "pen"}
        browser.send("Input.dispatchMouseEvent", {"type": kind, **place})
    assert darkness(page) > touched + 500


def test_a_screen_reader_hears_the_reading_whole(page: Page, tmp_path: Path, print_face: Path) -> None:
    path = tmp_path / "word.png"
    Image.fromarray(drawn_word("Hamburg", print_face)).save(path)
    expect(page.get_by_role("img", name="Drawing area")).to_be_visible()
    page.locator("#file").set_input_files(path)
    expect(page.locator("#spoken")).to_have_text(re.compile(r"^Hamburg\. [0-9]+ percent, "))
    expect(page.get_by_role("meter", name="Confidence")).to_be_visible()
    expect(page.get_by_role("textbox", name="It should read")).to_have_value("Hamburg")
    expect(page.locator("#text")).to_have_attribute("aria-hidden", "true")


@pytest.mark.parametrize("width", [1280, 390, 360])
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
