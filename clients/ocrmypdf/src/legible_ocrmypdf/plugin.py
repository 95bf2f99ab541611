"""The hooks by which OCRmyPDF reads pages with legible in place of Tesseract.

OCRmyPDF finds them by the entry point `ocrmypdf`, and reads with legible as soon as the package is installed;
`--ocr-engine tesseract` still reads with Tesseract. LEGIBLE_BUNDLE and LEGIBLE_DETECTOR name other models.
"""

import logging
import os
from functools import cache
from pathlib import Path
from typing import Any

from ocrmypdf import OcrEngine, hookimpl
from ocrmypdf.pluginspec import OrientationConfidence
from PIL import Image

import legible
from legible.errors import ImageError
from legible.pages.formats import to_hocr, to_text
from legible.pages.open import DPI
from legible.pages.read import PageOptions, PageReader
from legible.pages.result import DocumentResult, PageResult
from legible.pages.searchable import text_pdf
from legible.pages.shipped import open_reader
from legible.recognition.bundle import find_bundle, load_bundle

DETECTOR = "LEGIBLE_DETECTOR"
OTHER_ENGINES = frozenset({"tesseract", "none"})
LANGUAGES = {
    "eng": "", "deu": "äöüßÄÖÜ", "fra": "àâçéèêëîïôùûÀÇÉ", "spa": "áéíñóúü¿¡", "ita": "àèéìòù", "por": "ãáâçéêíóõú",
    "nld": "éë", "dan": "æøåÆØÅ", "nor": "æøåÆØÅ", "swe": "åäöÅÄÖ", "fin": "äöÄÖ", "pol": "ąćęłńóśźż",
    "ces": "áčďéěíňóřšťúůýž", "lat": "",
}  # fmt: skip
"""The languages that OCRmyPDF may be asked for, and the letters that each needs beside the plain ones."""
SURE = 1000.0
"""A confidence above every threshold of OCRmyPDF: legible turns a page only where it is sure."""


log = logging.getLogger(__name__)


class LegibleEngine(OcrEngine):  # type: ignore[misc]  # its types are not published
    """Reads the pictures of pages that OCRmyPDF makes."""

    @staticmethod
    def version() -> str:
        return legible.__version__

    @staticmethod
    def creator_tag(options: Any) -> str:  # noqa: ARG004
        return f"legible {legible.__version__}"

    def __str__(self) -> str:
        return f"legible {legible.__version__}"

    @staticmethod
    def languages(options: Any) -> set[str]:  # noqa: ARG004
        """Return the languages whose letters the bundle knows."""
        known = set(load_bundle(find_bundle()).charset.characters)
        return {name for name, letters in LANGUAGES.items() if set(letters) <= known}

    @staticmethod
    def get_orientation(input_file: Path, options: Any) -> OrientationConfidence:  # noqa: ARG004
        """Return by how many degrees, counter-clockwise, a page has to be turned."""
        (page,) = read(input_file).pages
        return OrientationConfidence(90 * page.turns, SURE if page.lines else 0.0)

    @staticmethod
    def get_deskew(input_file: Path, options: Any) -> float:  # noqa: ARG004
        """Return the degrees, counter-clockwise, that make a page level."""
        (page,) = read(input_file).pages
        return page.angle

    @staticmethod
    def generate_hocr(input_file: Path, output_hocr: Path, output_text: Path, options: Any) -> None:  # noqa: ARG004
        document = read(input_file)
        output_hocr.write_text(to_hocr(document), encoding="utf-8")
        output_text.write_text(to_text(document), encoding="utf-8")

    @staticmethod
    def generate_pdf(input_file: Path, output_pdf: Path, output_text: Path, options: Any) -> None:  # noqa: ARG004
        document = read(input_file)
        output_pdf.write_bytes(text_pdf(document, dpi=dpi_of(input_file)))
        output_text.write_text(to_text(document), encoding="utf-8")


@hookimpl
def get_ocr_engine(options: Any = None) -> LegibleEngine | None:
    """Return the engine, unless another is asked for by name."""
    return None if getattr(options, "ocr_engine", "auto") in OTHER_ENGINES else LegibleEngine()


def read(picture: Path) -> DocumentResult:
    """Return the text of a page, for whose sheet OCRmyPDF has looked.

    A page that is too large, or has too many lines, stays without text: the rest of its document is read.
    """
    try:
        return reader().read(picture.read_bytes())
    except ImageError as error:
        log.warning("[%s] no text is added to this page: %s", picture.name.partition("_")[0], error)
        with Image.open(picture) as image:
            return DocumentResult((PageResult(1, image.width, image.height, ()),))


@cache
def reader() -> PageReader:
    named = os.environ.get(DETECTOR, "")
    options = PageOptions(seconds=0.0, keep_text=False, find_sheet=False)
    return open_reader(load_bundle(find_bundle()), detector=Path(named) if named else None, options=options)


def dpi_of(picture: Path) -> tuple[float, float]:
    """Return the resolution that a picture states, across and down."""
    with Image.open(picture) as image:
        across, down = image.info.get("dpi", (DPI, DPI))
    return float(across), float(down)
