"""From the bytes of a document to its pages, one by one: images, TIFF and PDF. Only ImageError is raised.

A page of a PDF that was never on paper has its own text, which is kept: it is exact, and costs nothing.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pypdfium2 as pdfium
from PIL import Image
from pypdfium2 import raw

from legible.arrays import GreyImage
from legible.errors import DamagedImageError, ImageError, ImageTooLargeError
from legible.image.decode import Limits, decode
from legible.image.tiff import pixel_height
from legible.pages.text_layer import LayerLine, text_layer
from legible.pages.tiff_pages import is_tiff, page_offsets, with_first

PDF = b"%PDF-"
PDF_STARTS_WITHIN = 1024
"""The most bytes that may precede a PDF's header."""
POINTS_PER_INCH = 72
DPI = 300.0
"""The resolution at which pages of a PDF are rendered, where that many pixels are allowed."""
MIN_DPI = 72.0
RENDER_FAULTS = (pdfium.PdfiumError, ValueError, OSError, MemoryError, RuntimeError)


class DocumentTooLongError(ImageTooLargeError):
    """The document has more pages than the limits allow."""

    code = "too_many_pages"


class LockedDocumentError(ImageError):
    """The PDF needs a password."""

    code = "locked"


@dataclass(frozen=True)
class PageLimits:
    """The limits of a document: bytes of the file, pages, and pixels of each page."""

    max_bytes: int = 50_000_000
    max_pages: int = 100
    max_pixels: int = 40_000_000


@dataclass(frozen=True)
class OpenedPage:
    """A page's grey image, upright by EXIF, and its own text, if any."""

    number: int
    image: GreyImage
    layer: tuple[LayerLine, ...] = ()
    dpi: float | None = None
    pixel_height: float = 1.0
    """The height of a pixel over its width, which faxes state: theirs of usual resolution are twice as high as wide."""


class Document:
    """An opened file; its pages are decoded when they are asked for."""

    def __init__(self, data: bytes, *, limits: PageLimits = PageLimits()) -> None:
        if len(data) > limits.max_bytes:
            raise ImageTooLargeError(f"the file has {len(data)} bytes; at most {limits.max_bytes} are read")
        self._limits = limits
        self._data = data
        self._pdf = _opened_pdf(data) if is_pdf(data) else None
        self._tables = page_offsets(data, limit=limits.max_pages) if is_tiff(data) else []
        self.page_count = len(self._pdf) if self._pdf else max(len(self._tables), 1)
        if self.page_count > limits.max_pages:
            count = self.page_count if self._pdf else f"more than {limits.max_pages}"
            raise DocumentTooLongError(
                f"the file has {count} pages; at most {limits.max_pages} are read: send it in parts"
            )

    def pages(self) -> Iterator[OpenedPage]:
        """Return each page in order. Raise ImageError for one that cannot be decoded."""
        for number in range(self.page_count):
            yield self._pdf_page(number) if self._pdf else self._picture(number)

    def _picture(self, number: int) -> OpenedPage:
        data = with_first(self._data, self._tables[number]) if number else self._data
        limits = Limits(max_bytes=self._limits.max_bytes, max_pixels=self._limits.max_pixels)
        image = decode(data, limits=limits)
        return OpenedPage(number + 1, image, pixel_height=pixel_height(data) if self._tables else 1.0)

    def _pdf_page(self, number: int) -> OpenedPage:
        assert self._pdf is not None  # noqa: S101
        try:
            page = _with_annotations(self._pdf, number)
            dpi = self._dpi(*page.get_size())
            bitmap = page.render(scale=dpi / POINTS_PER_INCH, grayscale=True, may_draw_forms=False)
            image = np.ascontiguousarray(bitmap.to_numpy().reshape(bitmap.height, bitmap.width, -1)[..., 0])
            image = image.astype(np.uint8)
            layer = text_layer(page, image, scale=dpi / POINTS_PER_INCH)
        except RENDER_FAULTS as error:
            raise DamagedImageError(
                f"page {number + 1} of the PDF is damaged; save it anew and send it again"
            ) from error
        return OpenedPage(number + 1, image, tuple(layer), dpi)

    def _dpi(self, width: float, height: float) -> float:
        """Return DPI, or less where the page would have too many pixels. Raise ImageTooLargeError below MIN_DPI."""
        inches = max(width * height, 1.0) / POINTS_PER_INCH**2
        dpi = min(DPI, float(np.sqrt(self._limits.max_pixels / inches)))
        if dpi < MIN_DPI:
            raise ImageTooLargeError(
                f"a page of {width / POINTS_PER_INCH:.0f} x {height / POINTS_PER_INCH:.0f} inches has more than "
                f"{self._limits.max_pixels} pixels at {MIN_DPI:.0f} dpi; send it in parts"
            )
        return dpi


def is_pdf(data: bytes) -> bool:
    return PDF in data[:PDF_STARTS_WITHIN]


def _with_annotations(pdf: pdfium.PdfDocument, number: int) -> pdfium.PdfPage:
    """Return a page of which filled fields, notes and stamps are part, as they are displayed."""
    page = pdf[number]
    if raw.FPDFPage_GetAnnotCount(page) <= 0:
        return page
    shown = page.get_bbox()
    page.set_mediabox(*shown)  # PDFium makes a page that inherits its boxes one of US Letter as it flattens it
    page.set_cropbox(*shown)
    raw.FPDFPage_Flatten(page, raw.FLAT_NORMALDISPLAY)
    return pdf[number]


def _opened_pdf(data: bytes) -> pdfium.PdfDocument:
    try:
        document = pdfium.PdfDocument(data)
        document.init_forms()
        if len(document) == 0:
            raise DamagedImageError("the PDF has no pages; save it anew and send it again")
    except pdfium.PdfiumError as error:
        if getattr(error, "err_code", None) == raw.FPDF_ERR_PASSWORD:
            raise LockedDocumentError("the PDF is locked by a password; send it without one") from error
        raise DamagedImageError("the PDF is damaged; save it anew and send it again") from error
    return document


def jpeg(image: GreyImage, *, quality: int = 80) -> bytes:
    """Return a page's image as a JPEG file."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
