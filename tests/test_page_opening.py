"""Opening documents: pictures, TIFF and PDF of several pages, and what is refused with a word why."""

import io
import math
import struct
from contextlib import suppress

import numpy as np
import pypdfium2 as pdfium
import pytest
from page_documents import pdf_of
from PIL import Image, ImageDraw

from legible.errors import ImageError, ImageTooLargeError
from legible.pages import text_layer
from legible.pages.open import Document, DocumentTooLongError, PageLimits
from legible.pages.text_layer import LayerWord, lines_of


def picture_file(kind: str, *, pages: int = 1, size: tuple[int, int] = (80, 60)) -> bytes:
    buffer = io.BytesIO()
    pictures = [Image.new("L", size, 40 * number) for number in range(pages)]
    more = {"save_all": True, "append_images": pictures[1:]} if pages > 1 else {}
    pictures[0].save(buffer, kind, **more)
    return buffer.getvalue()


def printed_pdf(
    text: str = "Words that a program wrote",
    *,
    pages: int = 1,
    inches: float = 4,
    turn: int = 0,
    is_turned: bool = True,
) -> bytes:
    """A PDF whose text was never on paper: drawn by pdfium itself, at the top of each page.

    turn: degrees clockwise by which the page is displayed, its text drawn the other way. is_turned: whether it says so.
    """
    from ctypes import POINTER, c_float, c_ushort, cast, create_string_buffer  # noqa: PLC0415

    from pypdfium2 import raw  # noqa: PLC0415

    pdf = pdfium.PdfDocument.new()
    for _ in range(pages):
        sheet = pdf.new_page(inches * 72, inches * 72)
        line = raw.FPDFPageObj_NewTextObj(pdf, b"Helvetica", c_float(12))
        raw.FPDFText_SetText(line, cast(create_string_buffer(text.encode("utf-16-le") + b"\0\0"), POINTER(c_ushort)))
        raw.FPDFPageObj_Transform(line, 1, 0, 0, 1, 36, inches * 72 - 72)
        cos, sin, half = round(math.cos(math.radians(turn))), round(math.sin(math.radians(turn))), inches * 36
        raw.FPDFPageObj_Transform(line, cos, sin, -sin, cos, half * (1 - cos + sin), half * (1 - sin - cos))
        raw.FPDFPage_InsertObject(sheet, line)
        sheet.gen_content()
        sheet.set_rotation(turn if is_turned else 0)
    buffer = io.BytesIO()
    pdf.save(buffer)
    return buffer.getvalue()


def test_a_picture_is_one_page() -> None:
    (page,) = Document(picture_file("PNG")).pages()
    assert (page.number, page.image.shape, page.layer, page.dpi) == (1, (60, 80), (), None)


def test_a_tiff_gives_each_of_its_pages() -> None:
    pages = list(Document(picture_file("TIFF", pages=3)).pages())
    assert [int(page.image[0, 0]) for page in pages] == [0, 40, 80]
    assert [page.number for page in pages] == [1, 2, 3]


def test_a_chain_of_pages_that_bites_its_tail_ends() -> None:
    data = bytearray(picture_file("TIFF"))
    (table,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, table)
    struct.pack_into("<I", data, table + 2 + 12 * entries, table)
    assert Document(bytes(data)).page_count == 1


def test_an_animation_is_its_first_picture() -> None:
    assert Document(picture_file("WEBP", pages=2)).page_count == 1


def test_a_picture_is_turned_as_its_camera_says() -> None:
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("L", (80, 60)).save(buffer, "JPEG", exif=exif)
    (page,) = Document(buffer.getvalue()).pages()
    assert page.image.shape == (80, 60)


def test_a_pdf_is_rendered_with_the_text_it_brings() -> None:
    pages = list(Document(printed_pdf(pages=2)).pages())
    assert len(pages) == 2
    assert pages[0].dpi == 300
    assert pages[0].image.shape == (1200, 1200)
    (line,) = pages[0].layer
    assert line.text == "Words that a program wrote"
    left, top, right, bottom = line.box
    assert left == pytest.approx(150, abs=8)
    ink = pages[0].image[int(top) : int(bottom), int(left) : int(right)]
    assert ink.min() < 60
    assert pages[0].image[int(bottom) + 4 :].min() == 255


def test_a_large_page_is_rendered_with_fewer_dots() -> None:
    (page,) = Document(printed_pdf(), limits=PageLimits(max_pixels=250_000)).pages()
    assert page.dpi == pytest.approx(125)
    assert page.image.size <= 251_000


def test_a_page_too_large_at_any_resolution_is_refused() -> None:
    with pytest.raises(ImageTooLargeError, match="4 x 4 inches has more than 1000 pixels at 72 dpi"):
        list(Document(printed_pdf(), limits=PageLimits(max_pixels=1000)).pages())


def test_too_many_pages_are_refused_before_any_is_decoded() -> None:
    with pytest.raises(DocumentTooLongError, match="more than 2 pages; at most 2 are read"):
        Document(picture_file("TIFF", pages=3), limits=PageLimits(max_pages=2))
    with pytest.raises(DocumentTooLongError, match="3 pages; at most 2 are read"):
        Document(printed_pdf(pages=3), limits=PageLimits(max_pages=2))


def test_too_many_bytes_are_refused() -> None:
    with pytest.raises(ImageTooLargeError, match="at most 10 are read"):
        Document(picture_file("PNG"), limits=PageLimits(max_bytes=10))


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7 but nothing more", b"plain words", printed_pdf()[:400]])
def test_what_is_no_document_is_refused_with_a_word_why(content: bytes) -> None:
    with pytest.raises(ImageError):
        list(Document(content).pages())


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, of damaged tags
def test_damaged_files_raise_image_errors_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    for whole in (printed_pdf(), picture_file("TIFF", pages=2)):
        for _ in range(60):
            damaged = bytearray(whole)
            for place in rng.integers(0, len(damaged), int(rng.integers(1, 30))):
                damaged[place] = int(rng.integers(256))
            with suppress(ImageError):
                list(Document(bytes(damaged), limits=PageLimits(max_pixels=2_000_000)).pages())


def test_words_of_a_text_layer_are_parted_where_a_cell_begins() -> None:
    words = [
        LayerWord("Fresh", (0, 0, 50, 12)),
        LayerWord("milk", (55, 0, 90, 12)),
        LayerWord("1.10", (300, 1, 330, 12)),
        LayerWord("Bread", (0, 20, 50, 32)),
    ]
    assert [line.text for line in lines_of(words)] == ["Fresh milk", "1.10", "Bread"]


def test_a_scan_in_a_pdf_brings_no_text() -> None:
    buffer = io.BytesIO()
    picture = Image.new("L", (400, 500), 255)
    ImageDraw.Draw(picture).text((50, 50), "on paper", fill=0)
    picture.save(buffer, "PDF")
    (page,) = Document(buffer.getvalue()).pages()
    assert page.layer == ()


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_page_that_is_displayed_turned_keeps_its_text_where_it_is_displayed(turn: int) -> None:
    """As landscape tables are: each letter was a line of its own, with confidence 1."""
    (expected,), (found,) = ((next(Document(printed_pdf(turn=one)).pages()).layer) for one in (0, turn))
    assert found.text == expected.text == "Words that a program wrote"
    assert found.box == pytest.approx(expected.box, abs=1)


def test_a_page_that_is_displayed_in_part_has_its_text_where_it_is_displayed() -> None:
    pdf = pdfium.PdfDocument(printed_pdf())
    pdf[0].set_cropbox(18, 144, 288, 288)
    buffer = io.BytesIO()
    pdf.save(buffer)
    (whole,), (part,) = (next(Document(data).pages()).layer for data in (printed_pdf(), buffer.getvalue()))
    left, *_ = part.box
    assert left == pytest.approx(whole.box[0] - 18 / 72 * 300, abs=1)
    assert part.box[1] == pytest.approx(whole.box[1], abs=1)


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_page_whose_text_is_on_its_side_is_read_as_a_picture(turn: int) -> None:
    assert next(Document(printed_pdf(turn=turn, is_turned=False)).pages()).layer == ()


def test_words_beside_a_page_that_run_upwards_are_one_line() -> None:
    words = [
        LayerWord("Level", (100, 0, 150, 12)),
        LayerWord("upwards", (0, 200, 12, 260), (0, -1)),
        LayerWord("too", (0, 170, 12, 195), (0, -1)),
    ]
    assert [line.text for line in lines_of(words)] == ["Level", "upwards too"]


def test_a_text_layer_that_takes_minutes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_layer, "MAX_CHARACTERS", 20)
    assert next(Document(printed_pdf("Twenty characters...")).pages()).layer
    with pytest.raises(text_layer.LongLayerError, match="at most 20 are read: send it in parts"):
        next(Document(printed_pdf("Twenty-one characters")).pages())


FIELD = b"<</Type/Annot/Subtype/Widget/FT/Tx/T(a)/V(Smith)/DA(/F 12 Tf)/Rect[40 100 300 120]/P 3 0 R/F 4%s>>"
DRAWN = b"/Type/XObject/Subtype/Form/Resources<</Font<</F 5 0 R>>/XObject<</X 7 0 R>>>>"


def laid_out_pdf(
    content: bytes, *others: bytes, page: bytes = b"", catalogue: bytes = b"", font: bytes = b"", inherited: bytes = b""
) -> bytes:
    """A page of PDF operators; `others` are its objects from 6 on, its pictures or contents /X and /Y."""
    return pdf_of(
        b"<</Type/Catalog/Pages 2 0 R%s>>" % catalogue,
        b"<</Type/Pages/Kids[3 0 R]/Count 1/MediaBox[0 0 400 300]%s>>" % inherited,
        b"<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</Font<</F 5 0 R>>/XObject<</X 6 0 R/Y 7 0 R>>"
        b"/Properties<</L 6 0 R>>>>%s>>" % page,
        stream(content),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding%s>>" % font,
        *others,
    )


def stream(content: bytes, entries: bytes = b"") -> bytes:
    return b"<<%s/Length %d>>stream\n%s\nendstream" % (entries, len(content), content)


def written(text: bytes, *, left: int = 40, bottom: int = 200) -> bytes:
    return b"BT /F 12 Tf %d %d Td (%s) Tj ET\n" % (left, bottom, text)


def names(**codes: str) -> bytes:
    """What a font says of its letters."""
    pairs = b"".join(b"<%02X><%s>" % (ord(letter), code.encode()) for letter, code in codes.items())
    return stream(
        b"/CIDInit/ProcSet findresource begin 12 dict begin begincmap 1 begincodespacerange <00><FF> "
        b"endcodespacerange %d beginbfchar %s endbfchar endcmap end end" % (len(codes), pairs)
    )


def layer_of(data: bytes) -> list[str]:
    return [line.text for line in next(Document(data).pages()).layer]


HEADING = written(b"Invoice number 12345")


@pytest.mark.parametrize("field", [FIELD % b"/AP<</N 7 0 R>>", FIELD % b""])
@pytest.mark.parametrize("inherited", [b"", b"/CropBox[20 50 350 250]"])
def test_filled_fields_of_a_form_are_read(field: bytes, inherited: bytes) -> None:
    """They were neither in the text nor in the picture."""
    look = stream(b"BT /F 12 Tf 2 5 Td (Smith) Tj ET", DRAWN + b"/BBox[0 0 260 20]")
    form = b"/AcroForm<</Fields[6 0 R]/NeedAppearances true/DR<</Font<</F 5 0 R>>>>/DA(/F 12 Tf 0 g)>>"
    (page,) = Document(
        laid_out_pdf(HEADING, field, look, page=b"/Annots[6 0 R]", catalogue=form, inherited=inherited)
    ).pages()
    assert [line.text for line in page.layer] == ["Invoice number 12345", "Smith"]
    assert page.image.shape == ((834, 1375) if inherited else (1250, 1667))
    left, top, right, bottom = (round(side) for side in page.layer[1].box)
    assert page.image[top:bottom, left:right].min() < 60


def test_notes_and_stamps_are_read_and_hidden_ones_are_not() -> None:
    look = stream(b"BT /F 12 Tf 2 5 Td (PAID IN FULL) Tj ET", DRAWN + b"/BBox[0 0 260 20]")
    for flags, expected in ((4, ["PAID IN FULL"]), (2, [])):
        stamp = b"<</Type/Annot/Subtype/Stamp/Rect[40 100 300 120]/F %d/AP<</N 7 0 R>>>>" % flags
        assert layer_of(laid_out_pdf(HEADING, stamp, look, page=b"/Annots[6 0 R]")) == [
            "Invoice number 12345",
            *expected,
        ]


LOW = written(b"not shown", bottom=120)


@pytest.mark.parametrize(
    "content",
    [
        b"1 g " + LOW,  # white on white
        b"%s 30 110 200 30 re f" % LOW,  # redacted by a black bar
        b"q 0 0 10 10 re W n %s Q" % LOW,  # clipped
        b"/OC /L BDC %s EMC" % LOW,  # on a layer that is off
        written(b"not shown", bottom=-60),  # beyond the page
    ],
)
def test_text_that_a_page_does_not_show_is_left_out(content: bytes) -> None:
    off = b"/OCProperties<</OCGs[6 0 R]/D<</OFF[6 0 R]>>>>"
    data = laid_out_pdf(HEADING + content, b"<</Type/OCG/Name(x)>>", catalogue=off)
    assert layer_of(data) == ["Invoice number 12345"]


def test_hyphens_at_the_end_of_a_line_are_kept() -> None:
    assert layer_of(laid_out_pdf(written(b"very impor-") + written(b"tant words", bottom=186))) == [
        "very impor-",
        "tant words",
    ]


def test_characters_beyond_the_basic_plane_are_kept() -> None:
    assert layer_of(laid_out_pdf(written(b"where xBz is small"), names(B="D835DC65"), font=b"/ToUnicode 6 0 R")) == [
        "where x\U0001d465z is small"
    ]


def test_text_of_a_font_that_does_not_say_its_characters_is_read_as_a_picture() -> None:
    private = names(**{letter: f"E0{ord(letter):02X}" for letter in "abcdefghijklmnopqrstuvwxyz"})
    data = laid_out_pdf(
        written(b"PAGE 12 OF 40") + written(b"body text", bottom=100), private, font=b"/ToUnicode 6 0 R"
    )
    assert layer_of(data) == []
    bullets = laid_out_pdf(
        written(b"b FIRST ITEM") + written(b"b SECOND", bottom=100), private, font=b"/ToUnicode 6 0 R"
    )
    assert layer_of(bullets) == ["FIRST ITEM", "SECOND"]


def test_words_that_run_to_the_left_are_one_line_in_their_order() -> None:
    hebrew = names(**{letter: f"05{0xD0 + place:02X}" for place, letter in enumerate("abcdefghi")})
    assert layer_of(laid_out_pdf(written(b"ihg 12 fed cba"), hebrew, font=b"/ToUnicode 6 0 R")) == [
        "\u05d0\u05d1\u05d2 \u05d3\u05d4\u05d5 12 \u05d6\u05d7\u05d8"
    ]


PICTURE = stream(b"\x80" * 16, b"/Type/XObject/Subtype/Image/Width 4/Height 4/ColorSpace/DeviceGray/BitsPerComponent 8")
STAMPED = written(b"CONFIDENTIAL ABC-000123", left=100, bottom=5)


@pytest.mark.parametrize(
    ("content", "others"),
    [
        (b"q 400 0 0 150 0 150 cm /X Do Q q 400 0 0 150 0 0 cm /X Do Q ", [PICTURE]),  # in strips
        (b"q 400 0 0 300 0 0 cm /Y Do Q ", [PICTURE, stream(b"/X Do", DRAWN.replace(b"7", b"6") + b"/BBox[0 0 1 1]")]),
    ],
)
def test_a_scan_with_a_printed_number_is_a_scan(content: bytes, others: list[bytes]) -> None:
    """The number alone was its text."""
    assert layer_of(laid_out_pdf(content + STAMPED, *others)) == []
    assert layer_of(laid_out_pdf(b"q .1 0 0 .1 0 0 cm %s Q " % content + STAMPED, *others)) == [
        "CONFIDENTIAL ABC-000123"
    ]
