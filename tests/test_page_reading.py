"""Pages read whole: lines found and read, words in their places, order, tilt, what holds no text, and the clock."""

import dataclasses
import io
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from truth_detector import TruthDetector

from legible.detection.geometry import LineShape, moved_points
from legible.detection.lines import FoundLine
from legible.detection.maps import PageMaps
from legible.pages.clock import PageTimeoutError
from legible.pages.open import Document, OpenedPage
from legible.pages.read import CrowdedPageError, PageOptions, PageReader, leveled
from legible.pages.square_pixels import with_square_pixels
from legible.pages.text_layer import LayerLine, LayerWord
from legible.pages.trust import LineTrust
from legible.pages.words import expected_breaks, word_spans
from legible.reading import Character, Reading
from legible.recognition.bundle import load_bundle
from legible.recognition.recognizer import Recognizer
from legible.synth.fonts import load_face

TEXTS = ("Some words of a page", "that a printer made", "in three lines")


@pytest.fixture(scope="module")
def recognizer(bundle_folder: Path) -> Recognizer:
    return Recognizer.from_bundle(load_bundle(bundle_folder))


@dataclasses.dataclass(frozen=True)
class Drawn:
    image: np.ndarray
    lines: tuple[LineShape, ...]


@pytest.fixture(scope="module")
def drawn(print_face: Path) -> Drawn:
    face = load_face(print_face, 34)
    picture = Image.new("L", (600, 300), 255)
    pen, lines = ImageDraw.Draw(picture), []
    for row, text in enumerate(TEXTS):
        pen.text((60, 80 + 60 * row), text, font=face, fill=0, anchor="ls")
        left, top, right, bottom = pen.textbbox((60, 80 + 60 * row), text, font=face, anchor="ls")
        lines.append(LineShape.from_box(left - 1, top - 2, right + 1, bottom + 2))
    return Drawn(np.asarray(picture), tuple(lines))


def reader(recognizer: Recognizer, drawn: Drawn, **options: float) -> PageReader:
    detector = TruthDetector(*drawn.lines, width=drawn.image.shape[1])
    return PageReader(recognizer, detector, options=PageOptions(**options))  # type: ignore[arg-type]


def test_a_page_is_read_in_order_with_its_words_in_place(recognizer: Recognizer, drawn: Drawn) -> None:
    page = reader(recognizer, drawn).read_opened(OpenedPage(1, drawn.image))
    assert [line.text for line in page.lines] == list(TEXTS)
    for line, shape in zip(page.lines, drawn.lines, strict=True):
        assert line.box == pytest.approx(shape.box, abs=8)
        assert " ".join(word.text for word in line.words) == line.text
        assert all(0 <= word.confidence <= 1 for word in line.words)
        for word, following in pairwise(line.words):
            between = drawn.image[int(word.box[1]) : int(word.box[3]), round(word.box[2]) + 1 : round(following.box[0])]
            assert between.shape[1] > 3
            assert between.min() > 128


def test_a_file_is_read_page_by_page(recognizer: Recognizer, drawn: Drawn) -> None:
    buffer = io.BytesIO()
    page = Image.fromarray(drawn.image)
    page.save(buffer, "TIFF", save_all=True, append_images=[page])
    document = reader(recognizer, drawn).read(buffer.getvalue())
    assert [page.number for page in document.pages] == [1, 2]
    assert document.pages[0].text.split() == document.pages[1].text.split() == " ".join(TEXTS).split()


def test_text_that_a_page_brings_is_kept_and_said(recognizer: Recognizer, drawn: Drawn) -> None:
    layer = (LayerLine((LayerWord("Written", (60, 50, 120, 80)), LayerWord("before", (130, 50, 200, 80)))),)
    page = reader(recognizer, drawn).read_opened(OpenedPage(1, drawn.image, layer))
    assert (page.source, page.text) == ("text layer", "Written before")
    read = reader(recognizer, drawn, keep_text=False).read_opened(OpenedPage(1, drawn.image, layer))
    assert (read.source, len(read.lines)) == ("image", 3)


def fax(drawn: Drawn, *, turn: int = 1) -> bytes:
    """The page as a fax of standard resolution, half as high; turn: its orientation by its tag."""
    half = Image.fromarray(drawn.image).resize((600, 150), Image.Resampling.BOX)
    density = {"x_resolution": 200, "y_resolution": 100}
    if turn == 6:
        half = half.transpose(Image.Transpose.ROTATE_90)
        density = {"x_resolution": 100, "y_resolution": 200}
    buffer = io.BytesIO()
    half.save(buffer, "TIFF", tiffinfo={274: turn}, resolution_unit=2, **density)
    return buffer.getvalue()


@pytest.mark.parametrize("turn", [1, 6])
def test_a_fax_whose_pixels_are_twice_as_high_as_wide_is_read_as_it_looks(
    recognizer: Recognizer, drawn: Drawn, turn: int
) -> None:
    """Its letters were half as high, and every tenth was read wrongly."""
    (opened,) = Document(fax(drawn, turn=turn)).pages()
    assert opened.pixel_height == 2
    page = reader(recognizer, drawn).read_opened(opened)
    assert (page.width, page.height) == (600, 150)
    assert [
        line.polygon[0] == pytest.approx((shape.polygon[0][0], shape.polygon[0][1] / 2), abs=5)
        for line, shape in zip(page.lines, drawn.lines, strict=True)
    ] == [True] * 3


def test_pixels_that_no_scanner_writes_are_taken_as_they_are(drawn: Drawn) -> None:
    page = OpenedPage(1, drawn.image, pixel_height=72.0)
    image, back = with_square_pixels(page, max_pixels=1_000_000)
    assert image is drawn.image
    assert (back == np.eye(3)).all()


@pytest.mark.parametrize("pixel_height", [0.5, 2.0])
def test_square_pixels_are_no_more_than_a_page_may_have(drawn: Drawn, pixel_height: float) -> None:
    page = OpenedPage(1, drawn.image, pixel_height=pixel_height)
    image, back = with_square_pixels(page, max_pixels=drawn.image.size)
    assert image.size == pytest.approx(drawn.image.size, rel=0.01)
    assert back[1, 1] / back[0, 0] == pytest.approx(1 / pixel_height, rel=0.02)


def test_a_blank_page_has_no_lines(recognizer: Recognizer, drawn: Drawn) -> None:
    blank = Drawn(np.full_like(drawn.image, 255), ())
    page = reader(recognizer, blank).read_opened(OpenedPage(1, blank.image))
    assert (page.blocks, page.text) == ((), "")


def test_lines_without_ink_are_no_text(recognizer: Recognizer, drawn: Drawn) -> None:
    mistaken = Drawn(np.full_like(drawn.image, 255), drawn.lines)
    assert reader(recognizer, mistaken).read_opened(OpenedPage(1, mistaken.image)).blocks == ()


def test_a_page_that_takes_too_long_is_ended_with_a_word_why(recognizer: Recognizer, drawn: Drawn) -> None:
    ticks = iter(range(0, 1000, 20))
    detector = TruthDetector(*drawn.lines, width=drawn.image.shape[1])
    slow = PageReader(recognizer, detector, options=PageOptions(seconds=10), clock=lambda: float(next(ticks)))
    with pytest.raises(PageTimeoutError, match="not read within 10 seconds"):
        slow.read_opened(OpenedPage(1, drawn.image))


def test_a_page_of_specks_is_refused(recognizer: Recognizer, drawn: Drawn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("legible.pages.read.MAX_LINES", 2)
    with pytest.raises(CrowdedPageError, match="3 marks that look like lines; at most 2"):
        reader(recognizer, drawn).read_opened(OpenedPage(1, drawn.image))


def test_a_text_layer_of_too_many_lines_is_refused(
    recognizer: Recognizer, drawn: Drawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("legible.pages.read.MAX_LINES", 2)
    lines = tuple(LayerLine((LayerWord("word", (0.0, 30.0 * n, 40.0, 30.0 * n + 20)),)) for n in range(3))
    page = OpenedPage(1, drawn.image, lines)
    with pytest.raises(CrowdedPageError, match="3 lines; at most 2 are read"):
        reader(recognizer, drawn).read_opened(page)
    assert reader(recognizer, drawn).read_opened(dataclasses.replace(page, layer=lines[:2])).source == "text layer"


def test_a_page_on_its_side_that_seems_full_of_marks_is_turned_all_the_same(
    recognizer: Recognizer, drawn: Drawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("legible.pages.read.MAX_LINES", 5)
    specks = tuple(LineShape.from_box(30, 30 + 80 * n, 90, 50 + 80 * n) for n in range(6))
    level, sideways = (TruthDetector(*lines, width=width) for lines, width in ((drawn.lines, 600), (specks, 300)))

    class Turning:
        def maps(self, image: np.ndarray) -> PageMaps:
            return (level if image.shape[1] > image.shape[0] else sideways).maps(image)

    page = PageReader(recognizer, Turning()).read_opened(OpenedPage(1, np.rot90(drawn.image, 3)))
    assert page.turns == 1
    assert [line.text for line in page.lines] == list(TEXTS)


def reading(text: str, confidence: float) -> Reading:
    return Reading(text, confidence, tuple(Character(sign, confidence) for sign in text))


@pytest.mark.parametrize(
    ("score", "text", "confidence", "expected"),
    [(0.9, "words", 0.9, True), (0.9, "words", 0.1, False), (0.9, "", 0.0, False), (0.9, "l", 0.5, False),
     (0.9, "l", 0.9, True), (0.4, "words", 0.5, False), (0.99, "--", 0.99, False)],
)  # fmt: skip
def test_detector_and_reading_decide_together_what_is_text(
    score: float,
    text: str,
    confidence: float,
    expected: bool,  # noqa: FBT001
) -> None:
    line = FoundLine(LineShape.from_box(0, 0, 100, 20), score)
    assert LineTrust().is_text(line, reading(text, confidence), usual_height=20.0) is expected


def test_a_leveled_page_keeps_all_of_itself_and_knows_the_way_back() -> None:
    image = np.full((100, 200), 250, np.uint8)
    level, back = leveled(image, 10)
    assert level.shape == (134, 215)
    middle = np.array([[level.shape[1] / 2, level.shape[0] / 2]])
    assert moved_points(middle, back) == pytest.approx(np.array([[100, 50]]), abs=1)


def bars(*spans: tuple[int, int], width: int = 200) -> np.ndarray:
    image = np.full((30, width), 255, np.uint8)
    for start, stop in spans:
        image[10:20, start:stop] = 0
    return image


def test_words_stand_between_the_widest_gaps_near_to_where_they_are_expected() -> None:
    image = bars((10, 28), (31, 50), (70, 88), (91, 110), (113, 130))
    assert word_spans(image, "abcd efghij") == [(10 / 200, 50 / 200), (70 / 200, 130 / 200)]


def test_without_enough_gaps_words_stand_where_their_letters_say() -> None:
    (first, second) = word_spans(bars((10, 190)), "aaaa aaaa")
    assert first == pytest.approx((0.05, 0.5), abs=0.01)
    assert second == pytest.approx((0.5, 0.95), abs=0.01)


def test_no_text_has_no_words() -> None:
    assert word_spans(bars((10, 20)), "") == []


def test_wide_letters_push_a_break_to_the_right() -> None:
    assert expected_breaks(["mmm", "iii"], 0, 100)[0] > expected_breaks(["iii", "mmm"], 0, 100)[0]
