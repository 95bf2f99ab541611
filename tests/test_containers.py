"""What a file holds beside its pixels costs nothing, and what its pixels cost is known from the header."""

import contextlib
import io
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from hostile_files import DEFLATE, FILES, as_mpo, encoded, fractions, grey_tiff, tiff_of_parts, word
from PIL import Image, ImageOps

from legible.errors import ImageError, ImageTooLargeError
from legible.image.containers import contained
from legible.image.decode import Limits, decode, open_image, turned
from legible.image.inputs import count_frames, grey_image

MAX_CPU_SECONDS = 1.5
SUPPORT = Path(__file__).parent / "support"


def status_of(data: bytes) -> int:
    try:
        decode(data)
    except ImageError as error:
        return error.status
    return 200


@pytest.mark.parametrize("name", [name for name in FILES if "40 megapixels" not in name and "800,000" not in name])
def test_a_hostile_file_is_read_or_refused_in_no_time(name: str) -> None:
    make, statuses = FILES[name]
    data = make()
    started = time.process_time()
    assert status_of(data) in statuses
    assert time.process_time() - started < MAX_CPU_SECONDS


MEASURED = """
import resource, sys
from hostile_files import FILES
from legible.errors import (ImageError)
from legible.image.decode import (decode)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
data = open(sys.argv[1], "rb").read()
try:
    decode(data)
    status = 200
except ImageError as error:
    status = error.status
print(status, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_decoding_takes_no_more_memory_than_the_limit(name: str, tmp_path: Path) -> None:
    """In a process of its own, by the most that it ever held."""
    make, statuses = FILES[name]
    (tmp_path / "file").write_bytes(make())
    command = [sys.executable, "-c", MEASURED, str(tmp_path / "file")]
    out = subprocess.check_output(command, env={"PYTHONPATH": str(SUPPORT)}, text=True)
    status, megabytes = map(int, out.split())
    assert status in statuses
    assert megabytes < Limits().max_memory_bytes / 1_000_000 * 1.2


def test_memory_is_known_from_the_header() -> None:
    data = encoded(Image.new("RGB", (3000, 2000)), "WEBP", lossless=True)
    with pytest.raises(ImageTooLargeError, match=r"3000 x 2000 pixels of this WEBP image takes 108 MB; at most 50 MB"):
        open_image(data, limits=Limits(max_memory_bytes=50_000_000))
    grey = encoded(Image.new("L", (3000, 2000)), "PNG")
    assert open_image(grey, limits=Limits(max_memory_bytes=50_000_000)).size == (3000, 2000)


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_every_turn_is_followed_as_pillow_does(turn: int, format_name: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    picture = Image.fromarray(np.arange(6000, dtype=np.uint8).reshape(60, 100))
    options = {"lossless": True} if format_name == "WEBP" else {}
    data = encoded(picture, format_name, exif=exif, **options)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert np.array_equal(decode(data), np.asarray(expected.convert("L")))


def test_a_turn_in_xmp_is_followed() -> None:
    jpeg = encoded(word(), "JPEG")
    xmp = b'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta tiff:Orientation="6"/>'
    data = jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(xmp) + 2) + xmp + jpeg[2:]
    assert decode(data).shape == (160, 72)


def test_turning_twice_by_half_is_no_turn() -> None:
    image = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert np.array_equal(turned(turned(image, 3), 3), image)
    assert turned(image, 6).tolist() == [[3, 0], [4, 1], [5, 2]]


@pytest.mark.parametrize("size", [100, 1000, 5000])
def test_an_image_by_strips_is_the_image(size: int) -> None:
    """Large ones are converted strip by strip; noise of four channels shows any seam."""
    height = 250
    pixels = np.random.default_rng(size).integers(0, 256, (height, size, 4)).astype(np.uint8)
    picture = Image.fromarray(pixels)
    white = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    assert np.array_equal(
        decode(encoded(picture, "PNG", compress_level=1)), np.asarray(white.convert("RGB").convert("L"))
    )


@pytest.mark.parametrize(
    "compression", ["raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "lzma", "zstd", "jpeg", "group4"]
)
def test_a_tiff_of_many_strips_is_read(compression: str) -> None:
    """As Pillow writes them: of 64 kB each."""
    mode = "1" if compression == "group4" else "L"
    data = encoded(word().resize((1200, 900)).convert(mode), "TIFF", compression=compression)
    assert decode(data).shape == (900, 1200)


def test_small_pictures_in_large_tiles_are_read() -> None:
    """Here both are the same bytes, as a writer may store a blank tile once."""
    tile = zlib.compress(bytes(range(256)) * 256)
    image = decode(tiff_of_parts(300, 20, tile, 2, compression=DEFLATE, tile=(256, 256)))
    assert image.shape == (20, 300)
    assert image[3, 250:260].tolist() == [250, 251, 252, 253, 254, 255, 0, 1, 2, 3]


def test_a_large_bmp_with_masks_is_not_one_in_runs() -> None:
    size, masks = 800, struct.pack("<III", 0xFF0000, 0xFF00, 0xFF)
    head = struct.pack("<IiiHHIIiiII", 40, size, size, 1, 32, 3, size * size * 4, 0, 0, 0, 0) + masks
    place = 14 + len(head)
    data = b"BM" + struct.pack("<IHHI", place + size * size * 4, 0, 0, place) + head + bytes(size * size * 4)
    assert decode(data).shape == (size, size)


Image.init()


@pytest.mark.parametrize("name", sorted(set(Image.SAVE) - {"PNG", "JPEG", "MPO", "WEBP", "TIFF", "BMP", "DIB"}))
def test_no_other_format_of_pillow_is_opened(name: str) -> None:
    """Each has its own decoder, with costs of its own; what a file begins with decides."""
    data = name.encode()
    with contextlib.suppress(OSError, ValueError, KeyError, AttributeError):  # a format that is only read, or so not
        data = encoded(word(), name)
    assert status_of(data) in (400, 415)


def test_an_mpo_is_a_jpeg() -> None:
    found = contained(as_mpo(encoded(word(), "JPEG")))
    assert found is not None
    assert (found.format, found.scans) == ("JPEG", 1)
    assert b"MPF" not in found.data


def test_only_what_pixels_depend_on_is_left() -> None:
    data = grey_tiff([(274, 3, 1, 6), (282, 5, 1_000, 8), (33_432, 2, 500, 8)])
    found = contained(data)
    assert found is not None
    assert found.turn == 6
    assert 282 not in Image.open(io.BytesIO(found.data)).tag_v2  # type: ignore[attr-defined]


def test_fractions_hide_no_turn() -> None:
    jpeg = encoded(word(), "JPEG", exif=b"Exif\0\0" + fractions(1000))
    assert decode(jpeg).shape == (160, 72)


def test_a_picture_of_pillow_is_turned_as_its_file_would_be() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(word(), "PNG", exif=exif)
    assert np.array_equal(grey_image(Image.open(io.BytesIO(data))), decode(data))


def test_the_pages_of_a_file_are_counted() -> None:
    data = encoded(word(), "TIFF", save_all=True, append_images=[word(), word()])
    assert (count_frames(data), count_frames(b"none"), count_frames(encoded(word(), "PNG"))) == (3, 1, 1)
