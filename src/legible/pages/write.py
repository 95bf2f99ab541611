"""A read document as the files of a format: one file, or one for each page where the format describes a page."""

from collections.abc import Callable, Mapping

from legible.pages.formats import to_alto, to_hocr, to_json, to_page_xml, to_text
from legible.pages.open import Document, PageLimits, is_pdf
from legible.pages.result import DocumentResult, PageFormat, PageResult
from legible.pages.searchable import searchable_pdf, with_text

SUFFIXES: Mapping[PageFormat, str] = {
    PageFormat.text: ".txt",
    PageFormat.json: ".json",
    PageFormat.hocr: ".hocr",
    PageFormat.alto: ".alto.xml",
    PageFormat.page: ".page.xml",
    PageFormat.pdf: ".pdf",
}
WHOLE: Mapping[PageFormat, Callable[[DocumentResult], str]] = {
    PageFormat.text: to_text,
    PageFormat.json: to_json,
    PageFormat.hocr: to_hocr,
}
BY_PAGE: Mapping[PageFormat, Callable[[PageResult], str]] = {
    PageFormat.alto: to_alto,
    PageFormat.page: to_page_xml,
}


USUAL_LIMITS = PageLimits()


def files_of(
    result: DocumentResult, form: PageFormat, *, stem: str, data: bytes, limits: PageLimits = USUAL_LIMITS
) -> dict[str, bytes]:
    """Return name and content of each file; data: the document that was read, for its pictures, within `limits`."""
    suffix = SUFFIXES[form]
    if form is PageFormat.pdf:
        return {stem + suffix: _pdf(result, data, limits)}
    if form in WHOLE:
        return {stem + suffix: WHOLE[form](result).encode()}
    named = len(result.pages) > 1
    return {
        f"{stem}-{page.number}{suffix}" if named else stem + suffix: BY_PAGE[form](page).encode()
        for page in result.pages
    }


def _pdf(result: DocumentResult, data: bytes, limits: PageLimits) -> bytes:
    if is_pdf(data):
        return with_text(result, data)
    return searchable_pdf(result, (page.image for page in Document(data, limits=limits).pages()))
