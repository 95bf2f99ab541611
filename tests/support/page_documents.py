"""Documents of whole pages for tests: drawn ones, and those that nobody should read."""

import io
from pathlib import Path

import numpy as np
import pypdfium2 as pdfium
from PIL import Image, ImageDraw

from legible.arrays import GreyImage
from legible.synth.fonts import load_face

LINES = ("Some words of a page", "that a printer made", "and nobody wrote")


def drawn_page(face: Path, *texts: str, size: tuple[int, int] = (600, 400), letters: int = 30) -> GreyImage:
    """A page with these lines, one below the other."""
    font = load_face(face, letters)
    page = Image.new("L", size, 255)
    pen = ImageDraw.Draw(page)
    for row, text in enumerate(texts or LINES):
        pen.text((60, 90 + 2 * letters * row), text, font=font, fill=0, anchor="ls")
    return np.asarray(page)


def encoded_page(image: GreyImage, form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, form)
    return buffer.getvalue()


def pages_as_tiff(*images: GreyImage) -> bytes:
    buffer = io.BytesIO()
    first, *others = (Image.fromarray(image) for image in images)
    first.save(buffer, "TIFF", save_all=True, append_images=others)
    return buffer.getvalue()


def pages_as_pdf(*images: GreyImage, dpi: int = 150) -> bytes:
    """A scan: each page is a picture."""
    buffer = io.BytesIO()
    first, *others = (Image.fromarray(image) for image in images)
    first.save(buffer, "PDF", save_all=True, append_images=others, resolution=dpi)
    return buffer.getvalue()


def empty_pdf(pages: int) -> bytes:
    pdf = pdfium.PdfDocument.new()
    for _ in range(pages):
        pdf.new_page(200, 300)
    buffer = io.BytesIO()
    pdf.save(buffer)
    return buffer.getvalue()


def pdf_of(*objects: bytes, trailer: bytes = b"") -> bytes:
    """A PDF of these objects, numbered from 1; the first is its catalogue."""
    content, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(content))
        content += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    end = b"trailer\n<</Size %d/Root 1 0 R%s>>\nstartxref\n%d\n%%%%EOF\n"
    return content + head + table + end % (len(objects) + 1, trailer, len(content))


def locked_pdf() -> bytes:
    """A PDF whose password nobody knows."""
    secret = b"<" + b"5a" * 32 + b">"
    return pdf_of(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 300]>>",
        b"<</Filter/Standard/V 1/R 2/O %s/U %s/P -4>>" % (secret, secret),
        trailer=b"/Encrypt 4 0 R/ID[<00><00>]",
    )


def written_pdf(text: str) -> bytes:
    """A PDF that was never on paper: its text is text."""
    drawn = b"BT /F1 24 Tf 40 200 Td (%s) Tj ET" % text.encode()
    return pdf_of(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 400 300]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(drawn), drawn),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    )


def page_corpus(face: Path) -> list[bytes]:
    """Small documents of every kind, to be damaged."""
    first = drawn_page(face, "words", size=(200, 110), letters=20)
    second = drawn_page(face, "others", size=(180, 104), letters=18)
    tiffs = []
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "group4"):
        buffer = io.BytesIO()
        one, other = (
            Image.fromarray(page).convert("1" if compression == "group4" else "L") for page in (first, second)
        )
        one.save(buffer, "TIFF", save_all=True, append_images=[other], compression=compression)
        tiffs.append(buffer.getvalue())
    pictures = [encoded_page(first, form) for form in ("PNG", "JPEG", "WEBP", "BMP")]
    pdfs = [pages_as_pdf(first, second, dpi=300), written_pdf("Written on a screen"), empty_pdf(3), locked_pdf()]
    return [*pdfs * 3, *tiffs, *pictures]  # as many PDFs as others


def specks(count: int, *, size: int = 1600) -> GreyImage:
    """So many specks on white, at random."""
    page = np.full((size, size), 255, np.uint8)
    places = np.random.default_rng(0).integers(0, size - 1, (count, 2))
    page[places[:, 0], places[:, 1]] = 0
    return page
