"""A document from its JSON, perhaps with corrected lines: the way back of `formats.to_json`, for bytes of anybody."""

import json
import math
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from legible.detection.geometry import LineShape
from legible.detection.straighten import MARGIN, page_polygon
from legible.errors import ImageError
from legible.pages.result import BlockResult, DocumentResult, LineResult, PageResult, Polygon, WordResult
from legible.pages.words import expected_breaks

MIN_CORNERS = 4
MAX_POINTS = 200
MAX_PAGES, MAX_TEXT = 1000, 10_000
MAX_SIDE = 1_000_000
"""The most pixels along a side of a page; further away no point may lie either."""
SPACE = 0.3
"""The width of a gap between two words whose places are not known, as a fraction of a line's height."""


class ReadingError(ImageError):
    """The JSON is not that of a read document."""

    code = "bad_request"


def document_of(content: bytes) -> DocumentResult:
    """Return the document of the JSON that `/read_page` answers. Raise ReadingError for anything else."""
    try:
        pages: Any = json.loads(content)["pages"]
        if not 0 < len(pages) <= MAX_PAGES:
            raise ReadingError(f"the reading has {len(pages)} pages; it needs 1 to {MAX_PAGES}")
        return DocumentResult(tuple(_page(page, number) for number, page in enumerate(pages, start=1)))
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError, OverflowError) as error:
        message = "the reading is not what /read_page answers; send its JSON, in which texts alone are changed"
        raise ReadingError(message) from error


def _page(page: Mapping[str, Any], number: int) -> PageResult:
    width, height = (int(side) for side in page["size"])
    if page["number"] != number or min(width, height) < 1 or max(width, height) > MAX_SIDE:
        raise ReadingError(
            f"page {number} of the reading has another number, no size, or a side of more than {MAX_SIDE} pixels; "
            "send the JSON as it came"
        )
    blocks = (_block(block["lines"]) for block in page["blocks"] if block["lines"])
    return PageResult(
        number,
        width,
        height,
        tuple(blocks),
        angle=_finite(page["angle"]),
        turns=int(page["turns"]) % 4,
        outline=tuple((_finite(x), _finite(y)) for x, y in page["outline"]),
        source="text layer" if page["source"] == "text layer" else "image",
    )


def _block(lines: Sequence[Mapping[str, Any]]) -> BlockResult:
    rows = groupby(lines, key=lambda line: line.get("row", 0))
    return BlockResult(tuple(tuple(_line(line) for line in row) for _, row in rows))


def _line(line: Mapping[str, Any]) -> LineResult:
    text, polygon, sure = _text(line["text"]), _polygon(line["polygon"]), _chance(line["confidence"])
    words = tuple(
        WordResult(_text(word["text"]), _chance(word["confidence"]), _polygon(word["polygon"]))
        for word in line["words"]
    )
    if [word.text for word in words] != text.split():
        words = words_along(text, polygon, sure)
    return LineResult(text, sure, polygon, words, _text(line.get("reading_id", ""))[:100])


def words_along(text: str, polygon: Polygon, confidence: float) -> tuple[WordResult, ...]:
    """Return the words of a line whose places are not known: along its polygon, by the widths of their letters."""
    words = text.split()
    if not words:
        return ()
    points = np.array(polygon)
    half = len(points) // 2
    shape = LineShape(points[:half], points[half:][::-1])
    gap = SPACE * shape.height / max(shape.length, 1.0) / 2
    breaks = [(max(place - gap, 0.0), min(place + gap, 1.0)) for place in expected_breaks(words, 0.0, 1.0)]
    edges = np.sort([0.0, *(side for pair in breaks for side in pair), 1.0])
    margin = MARGIN * shape.height  # of the cut that `page_polygon` divides
    spans = ((margin + edges * shape.length) / (shape.length + 2 * margin)).reshape(-1, 2)
    return tuple(
        WordResult(word, confidence, tuple((float(x), float(y)) for x, y in page_polygon(shape, start, stop)))
        for word, (start, stop) in zip(words, spans.tolist(), strict=True)
    )


def _text(text: Any) -> str:
    if not isinstance(text, str) or len(text) > MAX_TEXT:
        raise ValueError("no text")
    text.encode()  # half of a surrogate pair cannot be written
    return " ".join(text.split())


def _polygon(points: Any) -> Polygon:
    found = tuple((_finite(x), _finite(y)) for x, y in points)
    if len(found) % 2 or not MIN_CORNERS <= len(found) <= MAX_POINTS:
        raise ValueError("no polygon of a line")
    return found


def _finite(number: Any) -> float:
    value = float(number)
    if not math.isfinite(value) or abs(value) > MAX_SIDE:
        raise ValueError("no number of pixels")
    return value


def _chance(number: Any) -> float:
    return min(max(_finite(number), 0.0), 1.0)
