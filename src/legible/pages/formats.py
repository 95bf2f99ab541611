"""A read document in the formats of archives, editors and programs: JSON, text, hOCR, ALTO 4 and PAGE XML.

All places are in pixels of each page's image. ALTO and PAGE describe one page in a file.
"""

import json
import math
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import legible
from legible.pages.result import DocumentResult, LineResult, PageResult, Polygon, WordResult

ALTO = "http://www.loc.gov/standards/alto/ns-v4#"
ALTO_SCHEMA = "http://www.loc.gov/standards/alto/v4/alto-4-4.xsd"
PAGE = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"
PAGE_SCHEMA = f"{PAGE}/pagecontent.xsd"
XHTML = "http://www.w3.org/1999/xhtml"
INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
LEVEL = 0.005
"""Lines that slope less are level."""
DESCENT = 0.2
"""How far the baseline of a line is above its lower edge, as a fraction of its height."""
CREATOR = f"legible {legible.__version__}"


def to_json(document: DocumentResult) -> str:
    """Return the pages, blocks, lines and words in reading order, as the service answers."""
    return json.dumps({"pages": [page_as_dict(page) for page in document.pages]}, ensure_ascii=False)


def page_as_dict(page: PageResult) -> dict[str, Any]:
    """Return one page as it is in the JSON."""
    return {
        "number": page.number,
        "size": [page.width, page.height],
        "outline": _rounded(page.outline),
        "angle": round(page.angle, 2),
        "turns": page.turns,
        "source": page.source,
        "blocks": [
            {"lines": [_line_as_dict(line, number) for number, row in enumerate(block.rows) for line in row]}
            for block in page.blocks
        ],
    }


def to_text(document: DocumentResult) -> str:
    """Return plain text: a form feed between pages, a blank line between blocks, a tab between cells of a row."""
    return document.text + "\n"


def to_hocr(document: DocumentResult) -> str:
    """Return hOCR 1.2: XHTML with places and confidences in titles."""
    html = ET.Element("html", {"xmlns": XHTML, "lang": "und"})
    head = ET.SubElement(html, "head")
    ET.SubElement(head, "title").text = "Recognised text"
    ET.SubElement(head, "meta", {"http-equiv": "Content-Type", "content": "text/html; charset=utf-8"})
    ET.SubElement(head, "meta", {"name": "ocr-system", "content": CREATOR})
    capabilities = "ocr_page ocr_carea ocr_par ocr_line ocrx_word ocrp_wconf"
    ET.SubElement(head, "meta", {"name": "ocr-capabilities", "content": capabilities})
    body = ET.SubElement(html, "body")
    for page in document.pages:
        _hocr_page(body, page)
    return _document(html, "<!DOCTYPE html>\n")


def to_alto(page: PageResult, *, file_name: str = "") -> str:
    """Return one page as ALTO 4.4."""
    root = ET.Element("alto", {"xmlns": ALTO, "xmlns:xsi": INSTANCE, "xsi:schemaLocation": f"{ALTO} {ALTO_SCHEMA}"})
    description = ET.SubElement(root, "Description")
    ET.SubElement(description, "MeasurementUnit").text = "pixel"
    source = ET.SubElement(description, "sourceImageInformation")
    ET.SubElement(source, "fileName").text = file_name
    processing = ET.SubElement(description, "Processing", {"ID": "reading"})
    software = ET.SubElement(processing, "processingSoftware")
    ET.SubElement(software, "softwareName").text = "legible"
    ET.SubElement(software, "softwareVersion").text = legible.__version__
    size = {"WIDTH": str(page.width), "HEIGHT": str(page.height)}
    numbered = {"ID": f"page_{page.number}", "PHYSICAL_IMG_NR": str(page.number), **size}
    element = ET.SubElement(ET.SubElement(root, "Layout"), "Page", numbered)
    space = ET.SubElement(element, "PrintSpace", {"HPOS": "0", "VPOS": "0", **size})
    for block_number, block in enumerate(page.blocks, start=1):
        name = f"block_{page.number}_{block_number}"
        area = ET.SubElement(space, "TextBlock", {"ID": name, **_alto_box(block.box)})
        for line_number, line in enumerate(block.lines, start=1):
            _alto_line(area, line, f"line_{page.number}_{block_number}_{line_number}")
    return _document(root)


def to_page_xml(page: PageResult, *, file_name: str = "", created: datetime | None = None) -> str:
    """Return one page as PAGE XML 2019; `created` is now, unless another time is given."""
    root = ET.Element("PcGts", {"xmlns": PAGE, "xmlns:xsi": INSTANCE, "xsi:schemaLocation": f"{PAGE} {PAGE_SCHEMA}"})
    metadata = ET.SubElement(root, "Metadata")
    ET.SubElement(metadata, "Creator").text = CREATOR
    stamp = (created or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%S")
    ET.SubElement(metadata, "Created").text = stamp
    ET.SubElement(metadata, "LastChange").text = stamp
    size = {"imageWidth": str(page.width), "imageHeight": str(page.height)}
    element = ET.SubElement(root, "Page", {"imageFilename": file_name or f"page_{page.number}", **size})
    if page.blocks:
        ordered = ET.SubElement(ET.SubElement(element, "ReadingOrder"), "OrderedGroup", {"id": "order"})
        for number in range(len(page.blocks)):
            ET.SubElement(ordered, "RegionRefIndexed", {"index": str(number), "regionRef": f"region_{number + 1}"})
    for number, block in enumerate(page.blocks, start=1):
        region = ET.SubElement(element, "TextRegion", {"id": f"region_{number}"})
        _coords(region, _corners(block.box))
        for line_number, line in enumerate(block.lines, start=1):
            _page_line(region, line, f"line_{number}_{line_number}")
        _equivalent(region, "\n".join(line.text for line in block.lines))
    return _document(root)


def _line_as_dict(line: LineResult, row: int) -> dict[str, Any]:
    return {
        "text": line.text,
        "confidence": round(line.confidence, 4),
        **({"reading_id": line.reading_id} if line.reading_id else {}),
        "row": row,
        "polygon": _rounded(line.polygon),
        "words": [
            {"text": word.text, "confidence": round(word.confidence, 4), "polygon": _rounded(word.polygon)}
            for word in line.words
        ],
    }


def _rounded(polygon: Polygon) -> list[list[float]]:
    return [[round(x, 1), round(y, 1)] for x, y in polygon]


def _hocr_page(body: ET.Element, page: PageResult) -> None:
    title = f"bbox 0 0 {page.width} {page.height}; ppageno {page.number - 1}"
    element = ET.SubElement(body, "div", {"class": "ocr_page", "id": f"page_{page.number}", "title": title})
    for block_number, block in enumerate(page.blocks, start=1):
        name = f"block_{page.number}_{block_number}"
        area = ET.SubElement(element, "div", {"class": "ocr_carea", "id": name, "title": _bbox(block.box)})
        paragraph = {"class": "ocr_par", "id": name.replace("block", "par"), "title": _bbox(block.box)}
        lines = ET.SubElement(area, "p", paragraph)  # programs look for lines in paragraphs alone
        for line_number, line in enumerate(block.lines, start=1):
            name = f"line_{page.number}_{block_number}_{line_number}"
            title = f"{_bbox(line.box)}{_hocr_direction(line)}"
            row = ET.SubElement(lines, "span", {"class": "ocr_line", "id": name, "title": title})
            for word_number, word in enumerate(_words(line), start=1):
                title = f"{_bbox(word.box)}; x_wconf {round(100 * word.confidence)}"
                attributes = {"class": "ocrx_word", "id": f"{name}_{word_number}", "title": title}
                element_word = ET.SubElement(row, "span", attributes)
                element_word.text, element_word.tail = word.text, " "


def _hocr_direction(line: LineResult) -> str:
    """Return how a line lies, where it is not level: turned by quarters counter-clockwise, or along a sloping baseline,
    whose offset is from the lower left corner of the line's box.
    """
    (left, top), (right, end) = line.polygon[0], line.polygon[len(line.polygon) // 2 - 1]
    quarters = round(math.atan2(top - end, right - left) / (math.pi / 2)) % 4
    if quarters:
        return f"; textangle {90 * quarters}"
    low_left, low_right = line.polygon[-1], line.polygon[len(line.polygon) // 2]
    slope = (low_right[1] - low_left[1]) / max(low_right[0] - low_left[0], 1.0)
    if abs(slope) < LEVEL:
        return ""
    offset = low_left[1] - DESCENT * math.dist(low_left, line.polygon[0]) - line.box[3]
    return f"; baseline {slope:.3f} {offset:.0f}"


def _alto_line(area: ET.Element, line: LineResult, name: str) -> None:
    element = ET.SubElement(area, "TextLine", {"ID": name, **_alto_box(line.box)})
    ET.SubElement(ET.SubElement(element, "Shape"), "Polygon", {"POINTS": _points(line.polygon)})
    for number, word in enumerate(_words(line), start=1):
        if number > 1:
            ET.SubElement(element, "SP")
        confidence = f"{word.confidence:.4f}"
        content = {"ID": f"{name}_{number}", "CONTENT": word.text, "WC": confidence, **_alto_box(word.box)}
        ET.SubElement(element, "String", content)


def _words(line: LineResult) -> tuple[WordResult, ...]:
    """Return the words of a line; all of it as one where they are not known, as ALTO wants one at least."""
    return line.words or (WordResult(line.text, line.confidence, line.polygon),)


def _alto_box(box: tuple[float, float, float, float]) -> dict[str, str]:
    left, top, right, bottom = box
    return {"HPOS": _whole(left), "VPOS": _whole(top), "WIDTH": _whole(right - left), "HEIGHT": _whole(bottom - top)}


def _page_line(region: ET.Element, line: LineResult, name: str) -> None:
    element = ET.SubElement(region, "TextLine", {"id": name})
    _coords(element, line.polygon)
    for number, word in enumerate(line.words, start=1):
        part = ET.SubElement(element, "Word", {"id": f"{name}_{number}"})
        _coords(part, word.polygon)
        _equivalent(part, word.text, word)
    _equivalent(element, line.text, line)


def _equivalent(element: ET.Element, text: str, sure: LineResult | WordResult | None = None) -> None:
    attributes = {} if sure is None else {"conf": f"{sure.confidence:.4f}"}
    ET.SubElement(ET.SubElement(element, "TextEquiv", attributes), "Unicode").text = text


def _coords(element: ET.Element, polygon: Polygon) -> None:
    ET.SubElement(element, "Coords", {"points": _points(polygon)})


def _corners(box: tuple[float, float, float, float]) -> Polygon:
    left, top, right, bottom = box
    return ((left, top), (right, top), (right, bottom), (left, bottom))


def _points(polygon: Polygon) -> str:
    """Return whole, non-negative pixels, as both schemas want them."""
    return " ".join(f"{_whole(max(x, 0))},{_whole(max(y, 0))}" for x, y in polygon)


def _bbox(box: tuple[float, float, float, float]) -> str:
    return "bbox " + " ".join(_whole(max(side, 0)) for side in box)


def _whole(number: float) -> str:
    return str(round(number))


def _document(root: ET.Element, doctype: str = "") -> str:
    for element in root.iter():
        _clean(element)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + doctype + ET.tostring(root, encoding="unicode") + "\n"


def _clean(element: ET.Element) -> None:
    """Remove characters that XML does not allow."""
    if element.text:
        element.text = _allowed(element.text)
    for name, value in element.items():
        element.set(name, _allowed(value))


def _allowed(text: Iterable[str]) -> str:
    return "".join(sign for sign in text if sign in "\t\n\r" or (sign >= " " and sign not in "\ufffe\uffff"))
