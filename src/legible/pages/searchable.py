"""Searchable PDF: the image of each page with its words over it, invisible, so that they can be found and copied.

Each line is one text object, stretched to its place, with a space at its end. A PDF that was sent keeps its own pages.
"""

import ctypes
import io
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pypdfium2 as pdfium
from pypdfium2 import raw

from legible.arrays import GreyImage
from legible.pages.formats import DESCENT
from legible.pages.open import POINTS_PER_INCH, jpeg
from legible.pages.pdf_places import Displayed
from legible.pages.result import DocumentResult, LineResult, PageResult

FONT = "Helvetica"
FONT_SIZE = 10.0
DPI = 200.0
"""The resolution of images that do not state theirs."""


def searchable_pdf(document: DocumentResult, images: Iterable[GreyImage]) -> bytes:
    """Return a PDF of the pages' images, each with its text; there are as many images as pages.

    Each image is let go before the next one is asked for: those of a hundred pages fill the memory.
    """
    pdf = pdfium.PdfDocument.new()
    for page, image in zip(document.pages, images, strict=True):
        scale = POINTS_PER_INCH / (page.dpi or DPI)
        sheet = pdf.new_page(page.width * scale, page.height * scale)
        _draw_picture(pdf, sheet, image)
        _write_lines(pdf, sheet, page)
    return _saved(pdf)


def text_pdf(document: DocumentResult, *, dpi: tuple[float, float]) -> bytes:
    """Return a PDF of the text alone, which another program lays over its own pages. dpi: across and down."""
    pdf = pdfium.PdfDocument.new()
    for page in document.pages:
        width, height = (
            side * POINTS_PER_INCH / each for side, each in zip((page.width, page.height), dpi, strict=True)
        )
        sheet = pdf.new_page(width, height)
        raw.FPDFPage_InsertObject(sheet, _text_object(pdf, ""))  # a page of no content at all has none to lay over
        _write_lines(pdf, sheet, page)
    return _saved(pdf)


def with_text(document: DocumentResult, data: bytes) -> bytes:
    """Return the PDF that was read, with text added to those of its pages that had none."""
    pdf = pdfium.PdfDocument(data)
    for page in document.pages:
        if page.source == "image":
            _write_lines(pdf, pdf[page.number - 1], page)
    return _saved(pdf)


def _draw_picture(pdf: pdfium.PdfDocument, sheet: Any, image: GreyImage) -> None:
    width, height = sheet.get_size()
    picture = pdfium.PdfImage.new(pdf)
    picture.load_jpeg(io.BytesIO(jpeg(image)), inline=True)
    picture.set_matrix(pdfium.PdfMatrix().scale(width, height))
    sheet.insert_obj(picture)


def _write_lines(pdf: pdfium.PdfDocument, sheet: Any, page: PageResult) -> None:
    displayed = Displayed.of(sheet)
    for line in page.lines:
        if line.text.strip():
            _write_line(pdf, sheet, line, page, displayed)
    sheet.gen_content()


def _write_line(pdf: pdfium.PdfDocument, sheet: Any, line: LineResult, page: PageResult, displayed: Displayed) -> None:
    text = _text_object(pdf, line.text)
    scale = (displayed.width / page.width, displayed.height / page.height)
    matrix = _matrix(line, _width_of(text), scale=scale, page_height=displayed.height)
    for each in (matrix, displayed.own_matrix):
        raw.FPDFPageObj_Transform(text, *(ctypes.c_double(number) for number in each))
    raw.FPDFPage_InsertObject(sheet, text)


def _text_object(pdf: pdfium.PdfDocument, content: str) -> Any:
    """Return invisible text, and a space after it."""
    text = raw.FPDFPageObj_NewTextObj(pdf, FONT.encode(), ctypes.c_float(FONT_SIZE))
    encoded = (content + " ").encode("utf-16-le") + b"\0\0"
    raw.FPDFText_SetText(text, ctypes.cast(ctypes.create_string_buffer(encoded), ctypes.POINTER(ctypes.c_ushort)))
    raw.FPDFTextObj_SetTextRenderMode(text, raw.FPDF_TEXTRENDERMODE_INVISIBLE)
    return text


def _width_of(text: Any) -> float:
    """Return the width of a text object as it is set, without stretching."""
    sides = [ctypes.c_float() for _ in range(4)]
    raw.FPDFPageObj_GetBounds(text, *(ctypes.byref(side) for side in sides))
    left, _, right, _ = (side.value for side in sides)
    return max(right - left, 0.1)


def _matrix(
    line: LineResult, width: float, *, scale: tuple[float, float], page_height: float
) -> tuple[float, float, float, float, float, float]:
    """Return the matrix from text at the origin to the line's place: as long, high and tilted as the line."""
    points = np.array(line.polygon) * scale
    half = len(points) // 2
    lower = points[half:][::-1]
    start, stop = lower[0], lower[-1]
    along = math.hypot(*(stop - start).tolist())
    high = float(np.linalg.norm(points[:half].mean(axis=0) - lower.mean(axis=0)))
    angle = math.atan2(-(stop[1] - start[1]), stop[0] - start[0])
    stretch, tall = along / width, high / FONT_SIZE
    cos, sin = math.cos(angle), math.sin(angle)
    rise = DESCENT * high
    x, y = start[0] - sin * rise, page_height - start[1] + cos * rise
    return (stretch * cos, stretch * sin, -tall * sin, tall * cos, float(x), float(y))


def _saved(pdf: pdfium.PdfDocument) -> bytes:
    buffer = io.BytesIO()
    pdf.save(buffer)
    return buffer.getvalue()
