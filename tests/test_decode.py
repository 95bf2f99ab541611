import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from legible.errors import DamagedImageError, ImageError, ImageTooLargeError, UnsupportedFormatError
from legible.image.decode import FORMATS, Limits, decode


def picture(mode: str = "L", size: tuple[int, int] = (40, 20)) -> Image.Image:
    image = Image.new("L", size, 255)
    ImageDraw.Draw(image).rectangle((4, 4, 15, 15), fill=0)
    return image.convert(mode)


def encoded(image: Image.Image, format_name: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_name, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that says it has this size, and a few bytes of pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = b"".join(
        struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        for name, content in ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 64)), (b"IEND", b""))
    )
    return b"\x89PNG\r\n\x1a\n" + chunks


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_every_format_gives_the_same_grey(format_name: str, mode: str) -> None:
    options = {"lossless": True} if format_name == "WEBP" else {}
    image = decode(encoded(picture(mode), format_name, **options))
    assert image.shape == (20, 40)
    assert image.dtype == np.uint8
    assert image[10, 10] < 10
    assert image[10, 30] > 245


@pytest.mark.parametrize("mode", ["1", "P", "LA", "RGBA", "CMYK", "I;16"])
def test_every_kind_of_pixel_gives_the_same_grey(mode: str) -> None:
    if mode == "I;16":
        source = Image.fromarray(np.asarray(picture()).astype(np.uint16) * 257)
    else:
        source = picture("RGB").convert(mode) if mode == "CMYK" else picture(mode)
    image = decode(encoded(source, "TIFF" if mode == "CMYK" else "PNG"))
    assert image[10, 10] < 10
    assert image[10, 30] > 245


def test_transparency_is_white_paper() -> None:
    image = Image.new("RGBA", (10, 10), (0, 0, 0, 0))
    assert decode(encoded(image)).min() == 255


def test_a_transparent_palette_colour_is_white_paper() -> None:
    image = picture("P")
    light = image.getpixel((30, 10))
    assert decode(encoded(image, transparency=light))[10, 30] == 255


def word(ink: tuple[int, ...], paper: tuple[int, ...]) -> Image.Image:
    image = Image.new("RGBA" if len(paper) == 4 else "RGB", (120, 40), paper)
    ImageDraw.Draw(image).text((8, 4), "Word", font=ImageFont.load_default(size=28), fill=ink)
    return image


@pytest.mark.parametrize("ink", [(255, 255, 255, 255), (255, 240, 120, 255), (190, 190, 190, 255)])
def test_pale_text_on_transparent_ground_is_laid_on_black(ink: tuple[int, ...]) -> None:
    image = decode(encoded(word(ink, (255, 255, 255, 0))))
    assert image[0, 0] == 0
    assert image.max() > 180


@pytest.mark.parametrize("ink", [(0, 0, 0, 255), (150, 30, 30, 255), (150, 150, 150, 255)])
def test_dark_text_on_transparent_ground_is_laid_on_white(ink: tuple[int, ...]) -> None:
    assert decode(encoded(word(ink, (0, 0, 0, 0))))[0, 0] == 255


def test_transparent_corners_of_a_page_do_not_turn_it_dark() -> None:
    page = word((0, 0, 0, 255), (255, 255, 255, 255))
    page.paste((0, 0, 0, 0), (0, 0, 6, 6))
    assert decode(encoded(page))[0, 0] == 255


EQUALLY_LIGHT = [((200, 0, 0), (0, 102, 0)), ((0, 0, 255), (61, 20, 0)), ((255, 255, 90), (255, 255, 255))]


@pytest.mark.parametrize(("ink", "paper"), EQUALLY_LIGHT)
def test_colours_of_one_lightness_are_told_apart(ink: tuple[int, ...], paper: tuple[int, ...]) -> None:
    image = word(ink, paper)
    luminance = np.asarray(image.convert("L"))
    seen = decode(encoded(image))
    assert int(luminance.max()) - int(luminance.min()) < 40
    assert int(seen.max()) - int(seen.min()) > 90


def test_black_text_across_two_colours_stays_in_sight() -> None:
    image = Image.new("RGB", (120, 40), (200, 0, 0))
    image.paste((0, 102, 0), (60, 0, 120, 40))
    ImageDraw.Draw(image).text((8, 4), "Word", font=ImageFont.load_default(size=28), fill=(0, 0, 0))
    assert np.array_equal(decode(encoded(image)), np.asarray(image.convert("L")))


@pytest.mark.parametrize("ink", [(0, 0, 0), (20, 40, 160), (120, 0, 0), (0, 80, 0)])
def test_dark_text_on_white_keeps_its_luminance(ink: tuple[int, ...]) -> None:
    image = word(ink, (255, 255, 255))
    assert np.array_equal(decode(encoded(image)), np.asarray(image.convert("L")))


def test_large_images_keep_what_luminance_hides_too() -> None:
    small = word((200, 0, 0), (0, 102, 0))
    seen = decode(encoded(small.resize((small.width * 12, small.height * 12))))
    assert int(seen.max()) - int(seen.min()) > 90


def test_exif_turns_the_image() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn to the right brings it upright
    assert decode(encoded(picture(), "JPEG", exif=exif)).shape == (40, 20)


def test_the_first_frame_of_an_animation_is_read() -> None:
    frames = [picture(), Image.new("L", (40, 20), 0)]
    for format_name in ("PNG", "WEBP", "TIFF"):
        data = encoded(frames[0].convert("RGB"), format_name, save_all=True, append_images=[frames[1].convert("RGB")])
        assert decode(data)[10, 30] > 240


def test_a_fraction_image_is_scaled_by_its_range() -> None:
    image = Image.fromarray(np.linspace(0, 1, 50, dtype=np.float32).reshape(5, 10))
    assert decode(encoded(image, "TIFF")).max() == 255


def test_pixels_are_counted_from_the_header_before_decoding() -> None:
    with pytest.raises(ImageTooLargeError, match="8000 x 8000 pixels; at most 40000000"):
        decode(png_header(8_000, 8_000))
    with pytest.raises(ImageTooLargeError, match="too many pixels"):
        decode(png_header(20_000, 20_000))


def test_bytes_are_counted_first() -> None:
    with pytest.raises(ImageTooLargeError, match="at most 10 are"):
        decode(encoded(picture()), limits=Limits(max_bytes=10))


def test_a_jpeg_of_thousands_of_scans_is_refused_before_decoding() -> None:
    data = encoded(picture(), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    with pytest.raises(ImageTooLargeError, match="more than 100 scans"):
        decode(data[:-2] + last * 200 + data[-2:])
    assert decode(data[:-2] + last * 5 + data[-2:]).shape == (20, 40)


@pytest.mark.parametrize("data", [b"", b"hello", b"\0" * 100, b"<html></html>"])
def test_what_is_no_image_is_refused(data: bytes) -> None:
    with pytest.raises(ImageError) as raised:
        decode(data)
    assert raised.value.code == "not_an_image"


@pytest.mark.parametrize(
    ("format_name", "said"),
    [("GIF", "GIF is not read; send PNG, JPEG"), ("PDF", "a PDF is read as whole pages: by /read_page")],
)
def test_another_format_is_refused_by_name(format_name: str, said: str) -> None:
    with pytest.raises(UnsupportedFormatError, match=said):
        decode(encoded(picture(), format_name))


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_truncated_image_is_damaged(format_name: str) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 60)).astype(np.uint8))
    data = encoded(noise, format_name)
    with pytest.raises(DamagedImageError):
        decode(data[: len(data) // 2])


@pytest.mark.parametrize("size", [(1, 1), (30_000, 1), (1, 30_000)])
def test_odd_shapes_are_read(size: tuple[int, int]) -> None:
    assert decode(encoded(Image.new("L", size, 128))).shape == size[::-1]


@pytest.mark.filterwarnings("ignore")
def test_only_image_errors_come_out_of_mutated_files() -> None:
    rng = np.random.default_rng(0)
    seeds = [encoded(picture(mode), name) for name in FORMATS for mode in ("L", "RGB", "1")]
    seeds += [encoded(picture("P")), encoded(picture("RGBA")), encoded(picture("RGB").convert("CMYK"), "TIFF")]
    for number in range(3000):
        data = bytearray(seeds[number % len(seeds)])
        for place in rng.integers(0, len(data), int(rng.integers(1, 6))):
            data[place] = int(rng.integers(0, 256))
        try:
            decode(bytes(data), limits=Limits(max_pixels=1_000_000))
        except ImageError:
            continue
