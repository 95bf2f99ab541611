"""Formats of read pages: what goes in comes back out, and the XML has the shape that its schemas ask for."""

import io
import json
import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime

import numpy as np
import pypdfium2 as pdfium
import pytest

from legible.pages.formats import ALTO, PAGE, to_alto, to_hocr, to_json, to_page_xml, to_text
from legible.pages.from_json import ReadingError, document_of
from legible.pages.open import Document
from legible.pages.pdf_places import Displayed
from legible.pages.result import BlockResult, DocumentResult, LineResult, PageResult, Polygon, WordResult
from legible.pages.searchable import searchable_pdf, with_text


def box(left: float, top: float, right: float, bottom: float) -> Polygon:
    return ((left, top), (right, top), (right, bottom), (left, bottom))


def line(text: str, *, left: float = 100, top: float = 100) -> LineResult:
    words, x = [], left
    for word in text.split(" "):
        words.append(WordResult(word, 0.9, box(x, top, x + 20 * len(word), top + 30)))
        x += 20 * (len(word) + 1)
    return LineResult(text, 0.8, box(left, top, x - 20, top + 30), tuple(words))


def page(number: int = 1) -> PageResult:
    heading = BlockResult(((line("A title & <more>"),),))
    table = BlockResult(
        (
            (line("Bread", top=200), line("2.50", left=500, top=200)),
            (line("Fresh milk", top=240), line("1.10", left=500, top=240)),
        )
    )
    return PageResult(number, 800, 600, (heading, table))


DOCUMENT = DocumentResult((page(), page(2)))
TEXTS = ["A title & <more>", "Bread", "2.50", "Fresh milk", "1.10"]


def test_text_has_tabs_between_cells_and_blank_lines_between_blocks() -> None:
    one = "A title & <more>\n\nBread\t2.50\nFresh milk\t1.10"
    assert to_text(DOCUMENT) == f"{one}\f{one}\n"


def test_json_has_every_line_in_order_with_its_place() -> None:
    pages = json.loads(to_json(DOCUMENT))["pages"]
    lines = [found for block in pages[1]["blocks"] for found in block["lines"]]
    assert [found["text"] for found in lines] == TEXTS
    assert lines[0]["polygon"] == [[100, 100], [420, 100], [420, 130], [100, 130]]
    assert pages[0]["size"] == [800, 600]
    assert [word["text"] for word in lines[3]["words"]] == ["Fresh", "milk"]


def test_json_is_read_back_as_it_was_written() -> None:
    assert document_of(to_json(DOCUMENT).encode()) == DOCUMENT


def test_a_corrected_line_has_words_along_its_polygon() -> None:
    content = json.loads(to_json(DOCUMENT))
    content["pages"][0]["blocks"][0]["lines"][0]["text"] = "Another title"
    line = document_of(json.dumps(content).encode()).pages[0].lines[0]
    assert line.text == "Another title"
    assert [word.text for word in line.words] == ["Another", "title"]
    first, second = (word.box for word in line.words)
    assert first[0] == pytest.approx(100, abs=4)
    assert second[2] == pytest.approx(420, abs=4)
    assert 100 < first[2] < second[0] < 420
    assert first[1::2] == pytest.approx((100, 130), abs=1)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("pages",), []), (("pages",), 3), (("pages", 0, "number"), 2), (("pages", 0, "size"), [0, 9]),
        (("pages", 0, "size"), None), (("pages", 0, "blocks"), "text"), (("pages", 0, "angle"), "NaN"),
        (("pages", 0, "outline"), [[1]]), (("pages", 0, "blocks", 0, "lines", 0, "text"), 7),
        (("pages", 0, "blocks", 0, "lines", 0, "text"), "\ud800"),
        (("pages", 0, "blocks", 0, "lines", 0, "polygon"), [[1, 2], [3, 4]]),
        (("pages", 0, "blocks", 0, "lines", 0, "polygon"), [[1, 2], [3, 4], [5, 6], [7, 1e300]]),
        (("pages", 0, "blocks", 0, "lines", 0, "confidence"), "sure"),
        (("pages", 0, "blocks", 0, "lines", 0, "reading_id"), "\ud800"), (("pages", 0, "size"), [10**9, 9]),
    ],
)  # fmt: skip
def test_json_of_anything_else_is_refused(place: tuple[str | int, ...], value: object) -> None:
    content = json.loads(to_json(DOCUMENT))
    parent = content
    for step in place[:-1]:
        parent = parent[step]
    parent[place[-1]] = value
    with pytest.raises(ReadingError):
        document_of(json.dumps(content).encode())


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b"[" * 100_000])
def test_what_is_no_json_of_a_document_is_refused(content: bytes) -> None:
    with pytest.raises(ReadingError):
        document_of(content)


def test_hocr_gives_the_words_back_with_their_boxes() -> None:
    root = ET.fromstring(re.sub("<!DOCTYPE.*?>", "", to_hocr(DOCUMENT)))  # noqa: S314
    spans = [e for e in root.iter() if e.get("class") == "ocrx_word"]
    assert [e.text for e in spans] == 2 * " ".join(TEXTS).split()
    assert spans[0].get("title") == "bbox 100 100 120 130; x_wconf 90"
    assert {e.get("class") for e in root.iter()} == {None, "ocr_page", "ocr_carea", "ocr_par", "ocr_line", "ocrx_word"}


@pytest.mark.parametrize(
    ("polygon", "said"),
    [
        (((100, 100), (400, 100), (400, 130), (100, 130)), ""),
        (((100, 100), (400, 130), (397, 160), (97, 130)), "; baseline 0.100 -36"),
        (((100, 400), (100, 100), (130, 100), (130, 400)), "; textangle 90"),
        (((400, 130), (100, 130), (100, 100), (400, 100)), "; textangle 180"),
        (((130, 100), (130, 400), (100, 400), (100, 100)), "; textangle 270"),
    ],
)
def test_hocr_says_how_a_line_lies_that_is_not_level(polygon: Polygon, said: str) -> None:
    lying = LineResult("up", 0.9, polygon, ())
    hocr = to_hocr(DocumentResult((PageResult(1, 800, 600, (BlockResult(((lying,),)),)),)))
    titles = re.findall(r'class="ocr_line"[^>]*title="bbox [0-9 ]+([^"]*)"', hocr)
    assert titles == [said]


def test_alto_gives_lines_and_words_back() -> None:
    root = ET.fromstring(to_alto(page(), file_name="page.png"))  # noqa: S314
    lines = list(root.iter(f"{{{ALTO}}}TextLine"))
    texts = [" ".join(word.attrib["CONTENT"] for word in one.iter(f"{{{ALTO}}}String")) for one in lines]
    assert texts == TEXTS
    assert [lines[0].get(name) for name in ("HPOS", "VPOS", "WIDTH", "HEIGHT")] == ["100", "100", "320", "30"]


ALTO_CHILDREN = {
    "alto": ["Description", "Styles", "Tags", "Layout"],
    "Description": ["MeasurementUnit", "sourceImageInformation", "OCRProcessing", "Processing"],
    "Page": ["TopMargin", "LeftMargin", "RightMargin", "BottomMargin", "PrintSpace"],
    "TextBlock": ["Shape", "TextLine"],
    "TextLine": ["Shape", "String", "SP", "HYP"],
}
PAGE_CHILDREN = {
    "PcGts": ["Metadata", "Page"],
    "Metadata": ["Creator", "Created", "LastChange", "Comments"],
    "Page": ["AlternativeImage", "Border", "PrintSpace", "ReadingOrder", "TextRegion"],
    "TextRegion": ["Coords", "TextLine", "TextEquiv"],
    "TextLine": ["Coords", "Baseline", "Word", "TextEquiv"],
    "Word": ["Coords", "Glyph", "TextEquiv"],
}
"""The order of children in the schemas, of what is written; these are not the schemas themselves."""


@pytest.mark.parametrize(
    ("xml", "namespace", "children", "mixed"),
    [(to_alto(page()), ALTO, ALTO_CHILDREN, {"String", "SP"}), (to_page_xml(page()), PAGE, PAGE_CHILDREN, set())],
)
def test_children_stand_in_the_order_of_the_schema_and_ids_are_unique(
    xml: str, namespace: str, children: dict[str, list[str]], mixed: set[str]
) -> None:
    root = ET.fromstring(xml)  # noqa: S314
    seen: list[str] = []
    for element in root.iter():
        assert element.tag.startswith(f"{{{namespace}}}")
        seen += [value for name, value in element.items() if name.lower() == "id"]
        allowed = children.get(element.tag.partition("}")[2])
        if allowed:
            names = [child.tag.partition("}")[2] for child in element]
            places = [allowed.index(name) for name in names if name not in mixed]
            assert places == sorted(places)
            assert set(names) <= set(allowed)
    assert len(seen) == len(set(seen)) > 5


def test_page_xml_gives_lines_back_in_reading_order() -> None:
    root = ET.fromstring(to_page_xml(page(), created=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)))  # noqa: S314
    name = f"{{{PAGE}}}"
    texts = [one.find(f"{name}TextEquiv/{name}Unicode").text for one in root.iter(f"{name}TextLine")]  # type: ignore[union-attr]
    assert texts == TEXTS
    assert root.findtext(f"{name}Metadata/{name}Created") == "2026-01-02T03:04:05"
    refs = [e.get("regionRef") for e in root.iter(f"{name}RegionRefIndexed")]
    assert refs == [e.get("id") for e in root.iter(f"{name}TextRegion")]


def test_what_no_xml_may_hold_is_left_out() -> None:
    block = BlockResult(((line("a\x00b\x1fc"),),))
    broken = PageResult(1, 100, 100, (block,))
    for xml in (to_alto(broken), to_page_xml(broken)):
        assert "abc" in "".join(ET.fromstring(xml).itertext()) + xml  # noqa: S314


def test_an_empty_page_is_written_in_every_format() -> None:
    empty = PageResult(1, 100, 80, ())
    assert to_text(DocumentResult((empty,))) == "\n"
    ET.fromstring(to_alto(empty))  # noqa: S314
    ET.fromstring(to_page_xml(empty))  # noqa: S314


def pdf_texts(data: bytes) -> list[str]:
    pdf = pdfium.PdfDocument(data)
    return [one.get_textpage().get_text_range() for one in pdf]


def test_a_searchable_pdf_gives_its_words_back_in_order_and_in_place() -> None:
    images = [np.full((600, 800), 255, np.uint8)] * 2
    data = searchable_pdf(DOCUMENT, images)
    for text in pdf_texts(data):
        assert text.split() == " ".join(TEXTS).split()
    sheet = pdfium.PdfDocument(data)[0]
    scale = sheet.get_width() / 800
    found = sheet.get_textpage().search("Fresh").get_next()
    left, bottom, right, top = sheet.get_textpage().get_charbox(found[0])
    assert left / scale == pytest.approx(100, abs=8)
    assert 600 - top / scale == pytest.approx(246, abs=14)
    assert right > left
    assert top > bottom


def test_a_tilted_line_is_written_along_its_own_direction() -> None:
    polygon = ((100.0, 100.0), (400.0, 200.0), (390.0, 230.0), (90.0, 130.0))
    tilted = LineResult("tilted words", 0.9, polygon, ())
    document = DocumentResult((PageResult(1, 800, 600, (BlockResult(((tilted,),)),)),))
    sheet = pdfium.PdfDocument(searchable_pdf(document, [np.full((600, 800), 255, np.uint8)]))[0]
    text = sheet.get_textpage()
    assert text.get_text_range().split() == ["tilted", "words"]
    scale = sheet.get_width() / 800
    first, last = (600 - text.get_charbox(index)[1] / scale for index in (0, 11))
    assert last - first == pytest.approx(90, abs=25)


def test_pages_that_brought_no_text_get_it_and_others_keep_theirs() -> None:
    images = [np.full((600, 800), 255, np.uint8)] * 2
    scan = searchable_pdf(DocumentResult((PageResult(1, 800, 600, ()), PageResult(2, 800, 600, ()))), images)
    assert pdf_texts(scan) == ["", ""]
    known = PageResult(2, 800, 600, page(2).blocks, source="text layer")
    assert [bool(text) for text in pdf_texts(with_text(DocumentResult((page(), known)), scan))] == [True, False]


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_text_lies_over_a_scan_as_it_is_displayed(turn: int) -> None:
    scan = pdfium.PdfDocument.new()
    sheet = scan.new_page(400, 300)
    sheet.set_rotation(turn)
    sheet.set_cropbox(50, 20, 400, 300)
    buffer = io.BytesIO()
    scan.save(buffer)
    width, height = (round(2 * side) for side in scan[0].get_size())
    line = LineResult("words", 0.9, ((100, 100), (300, 100), (300, 140), (100, 140)), ())
    known = DocumentResult((PageResult(1, width, height, (BlockResult(((line,),)),)),))
    written = pdfium.PdfDocument(with_text(known, buffer.getvalue()))[0]
    left, bottom, right, top = next(iter(written.get_objects())).get_bounds()
    places = [Displayed.of(written).point(x, y) for x, y in ((left, bottom), (right, top))]
    assert np.sort(np.array(places) * 2, axis=0) == pytest.approx(np.array([[100, 100], [300, 140]]), abs=12)


def test_a_scan_with_somebodys_reading_over_it_brings_no_text_of_its_own() -> None:
    data = searchable_pdf(DOCUMENT, [np.full((600, 800), 255, np.uint8)] * 2)
    assert [opened.layer for opened in Document(data).pages()] == [(), ()]
