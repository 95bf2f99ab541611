"""The page in a real browser: draw a word, choose a file, see what went wrong."""

import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import drawn_word
from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright
from serving import served

from legible.observations.corrections import read_corrections

CHROMIUM = shutil.which("chromium")
QUIET = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed; on Debian: apt install chromium"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the service: its observations and corrections."""
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="module")
def address(folder: Path, bundle_folder: Path) -> Iterator[str]:
    with served(folder, LEGIBLE_BUNDLE=str(bundle_folder), LEGIBLE_FEEDBACK="1") as found:
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


CYRILLIC_EN = "\u041d"
"""A letter that looks like H."""
HELD = 10_000
"""Milliseconds: a correction is held back for four seconds before it is sent."""


@pytest.fixture
def word(tmp_path: Path, print_face: Path) -> Path:
    path = tmp_path / "word.png"
    Image.fromarray(drawn_word("Hamburg", print_face)).save(path)
    return path


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
    expect(page.locator("#kept")).to_have_text("Thank you, kept.", timeout=HELD)


def test_a_correction_can_be_undone_before_it_is_sent(page: Page, word: Path) -> None:
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.url.endswith("/feedback") else None)
    page.evaluate("heldSeconds = 60")  # so that a slow machine has the time to undo it
    page.locator("#file").set_input_files(word)
    expect(page.locator("#right")).to_have_value("Hamburg")
    page.locator("#right").fill("Homburg")
    page.locator("#send").click()
    expect(page.locator("#kept")).to_contain_text("is sent in 60 seconds")
    page.locator("#take-back").click()
    expect(page.locator("#kept")).to_have_text("Not sent.")
    expect(page.locator("#right")).to_have_value("Hamburg")
    assert page.evaluate("held") is None
    assert sent == []


def test_a_correction_is_not_lost_where_the_page_is_left(page: Page, word: Path, address: str, folder: Path) -> None:
    page.locator("#file").set_input_files(word)
    expect(page.locator("#right")).to_have_value("Hamburg")
    page.locator("#right").fill("left at once")
    page.locator("#send").click()
    page.goto(f"{address}/page/card.html")
    until = time.monotonic() + 20
    while "left at once" not in read_corrections(folder / "corrections").values():
        assert time.monotonic() < until
        page.wait_for_timeout(100)


def test_keys_of_another_script_and_an_empty_text_are_warned_of(page: Page, word: Path) -> None:
    page.evaluate("heldSeconds = 60")
    page.locator("#file").set_input_files(word)
    expect(page.locator("#right")).to_have_value("Hamburg")
    page.locator("#right").fill(f"{CYRILLIC_EN}amburg")
    expect(page.locator("#warning")).to_contain_text(f"{CYRILLIC_EN} (U+041D, Cyrillic)")
    page.locator("#right").fill("")
    page.locator("#send").click()
    expect(page.locator("#warning")).to_contain_text("says that the image shows none. Press Enter again")
    expect(page.locator("#take-back")).to_be_hidden()
    page.locator("#right").press("Enter")
    expect(page.locator("#kept")).to_contain_text("“no text” is sent")


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
    expect(page.locator("#kept")).to_have_text("Press Enter to send it.")
    page.keyboard.press("Enter")
    expect(page.locator("#kept")).to_have_text("Thank you, kept.", timeout=HELD)


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
    expect(page.locator("#spoken")).to_have_text(re.compile(r"^Hamburg, [0-9]+ %, (sure|not sure|a guess)"))
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


def draw_stroke(page: Page) -> None:
    box = page.locator("#canvas").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 100, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + 100, box["y"] + 120, steps=4)
    page.mouse.up()


def test_a_picture_takes_the_place_of_a_drawing_and_a_drawing_that_of_a_picture(page: Page, word: Path) -> None:
    draw_stroke(page)
    page.locator("#file").set_input_files(word)
    expect(page.locator("#text")).to_have_text("Hamburg")
    assert darkness(page) == 0
    page.locator("#read").click()
    expect(page.locator("#text")).to_have_text("Hamburg")
    draw_stroke(page)
    expect(page.locator("#preview")).to_be_hidden()
    assert darkness(page) > 0
    expect(page.locator("#result")).to_be_hidden()


def test_strokes_are_undone_one_by_one(page: Page) -> None:
    expect(page.locator("#undo")).to_be_disabled()
    draw_stroke(page)
    once = darkness(page)
    page.mouse.move(0, 0)
    draw_stroke(page)
    page.keyboard.press("Control+z")
    assert darkness(page) == once
    page.locator("#undo").click()
    assert darkness(page) == 0
    expect(page.locator("#hint")).to_be_visible()


def test_a_picture_is_turned_and_turned_back(page: Page, word: Path, tmp_path: Path) -> None:
    with Image.open(word) as image:
        turned = image.transpose(Image.Transpose.ROTATE_90)
        turned.save(tmp_path / "turned.png")
    page.locator("#file").set_input_files(tmp_path / "turned.png")
    expect(page.locator("#result")).to_be_visible()
    page.locator("#right-turn").click()
    expect(page.locator("#text")).to_have_text("Hamburg")
    page.locator("#undo").click()
    expect(page.locator("#text")).not_to_have_text("Hamburg")


def test_a_part_of_a_picture_is_cut_out_and_read(page: Page, tmp_path: Path, print_face: Path) -> None:
    words = [Image.fromarray(drawn_word(text, print_face)) for text in ("Hamburg", "Berlin")]
    wide = Image.new("L", (1200, 300), 255)
    wide.paste(words[0], (40, 100))
    wide.paste(words[1], (760, 100))
    wide.save(tmp_path / "two.png")
    page.locator("#file").set_input_files(tmp_path / "two.png")
    expect(page.locator("#result")).to_be_visible()
    box = page.locator("#canvas").bounding_box()
    assert box is not None
    page.locator("#crop").click()
    page.mouse.move(box["x"] + box["width"] * 0.55, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.99, box["y"] + box["height"] - 20, steps=5)
    page.mouse.up()
    expect(page.locator("#text")).to_have_text("Berlin", timeout=HELD)
    page.locator("#undo").click()
    expect(page.locator("#text")).to_contain_text("Hamburg")


def test_confidence_has_words_and_a_colour_that_agree(page: Page, word: Path) -> None:
    page.locator("#file").set_input_files(word)
    expect(page.locator("#result")).to_be_visible()
    for confidence, accepted, words, level in ((0.97, "true", "sure", "high"), (0.14, "false", "a guess", "low")):
        page.evaluate(f"show({{ ...current, confidence: {confidence}, accepted: {accepted} }}, 1)")
        expect(page.locator("#confidence")).to_contain_text(f"{round(confidence * 100)} %, {words}")
        expect(page.locator("#sure")).to_have_attribute("data-level", level)
        expect(page.get_by_role("meter")).to_have_attribute("aria-valuetext", f"{round(confidence * 100)} %, {words}")
    expect(page.locator("#spoken")).to_have_text("Hamburg, 14 %, a guess")


def test_a_text_is_copied(page: Page, word: Path) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("#file").set_input_files(word)
    page.locator("#copy-text").click()
    expect(page.locator("#copied")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()") == "Hamburg"


def test_samples_are_read_and_the_session_is_remembered(page: Page, word: Path) -> None:
    for count, sample in enumerate(("sample-word.png", "sample-line.png"), start=1):
        page.locator(f"[data-image='{sample}']").click()
        expect(page.locator("#readings li")).to_have_count(count)  # another image would take the place of one in hand
        expect(page.locator("#wait")).to_be_hidden()
    page.locator("#file").set_input_files(word)
    expect(page.locator("#text")).to_have_text("Hamburg")
    expect(page.locator("#readings li")).to_have_count(3)
    first = page.locator("#readings button").last
    text = first.inner_text()
    first.click()
    expect(page.locator("#right")).not_to_have_value("")
    assert text.startswith(page.locator("#right").input_value())


def test_end_users_are_not_sent_to_the_metrics(page: Page) -> None:
    assert "metrics" not in page.locator("footer").inner_text().lower()


def test_a_call_is_sent_from_the_documentation_which_knows_where_it_is_served(
    page: Page, word: Path, address: str
) -> None:
    page.goto(f"{address}/docs")
    call = page.locator("#post-read")
    expect(call.locator("pre").first).to_have_text(f"curl -F image=@word.png {address}/read")
    call.locator("input[type=file]").set_input_files(word)
    call.locator("input[name=alternatives]").fill("2")
    expect(call.locator("pre").first).to_contain_text(f"'{address}/read?alternatives=2'")
    call.locator("button").click()
    expect(call.locator("pre").last).to_contain_text("200")
    expect(call.locator("pre").last).to_contain_text('"text": "Hamburg"')
    page.emulate_media(color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 24, 28)"
    feedback = page.locator("#post-feedback")
    feedback.locator("summary").click()
    feedback.locator("button").click()
    expect(feedback.locator("pre").last).to_contain_text("404")


def test_the_card_is_rendered(page: Page, address: str) -> None:
    page.goto(f"{address}/page/card.html")
    expect(page.locator("#card h1")).to_be_visible()
    assert page.locator("#card table").count() > 3
    assert "**" not in page.locator("#card").inner_text()
    assert "| --- |" not in page.locator("#card").inner_text()
