"""From bytes to a grey image, for bytes of unknown origin: only ImageError is raised, and limits hold before decoding.

PNG, JPEG, WebP, TIFF and BMP, and HEIF where its library is installed; never a path or a URL. The rotation in EXIF is
followed, the first frame of an animation is read, 16 bits are scaled to 8. Colours and transparency become grey by
`image.colour`. Metadata is removed before it is parsed (`image.containers`), and the cost of decoding is known from the
header: memory by bytes a pixel, time by scans.
"""

import io
import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from legible.arrays import GreyImage
from legible.errors import DamagedImageError, ImageError, ImageTooLargeError, UnsupportedFormatError
from legible.extras import PACKAGE
from legible.image import heif
from legible.image.colour import grey
from legible.image.containers import Contained, contained, damaged
from legible.image.strips import by_strips, strips
from legible.image.tiff import ORIENTATION, TRANSPOSED

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP")
MAX_SCANS = 100
"""The most scans of a progressive JPEG, each of which goes over all pixels; encoders write about ten."""
MAX_SCANNED_PIXELS = 400_000_000
"""The most pixels of all scans together."""
RUN_LENGTH = (1, 2)
"""The compressions of a BMP in runs."""
MAX_RUN_LENGTH_BYTES, MAX_RUN_LENGTH_PIXELS = 1_000_000, 4_000_000
"""The most bytes and pixels of a BMP in runs, whose decoder is written in Python."""
GREY_BYTES = 2
"""The bytes a pixel of the grey image, and of its rotated copy."""
TURN, WORK = "legible-turn", "legible-work"
"""The keys of an opened image's `info` for EXIF's orientation, and for the work of decoding it."""
USUAL_SCANS = 10
"""The scans of a progressive JPEG that encoders write: decoding them takes as long as decoding a PNG."""
STORED_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}
"""The bytes a pixel that Pillow holds, by mode; other modes take four."""
LEFT_RIGHT, TOP_DOWN = frozenset({2, 3, 6, 7}), frozenset({3, 4, 7, 8})
"""The EXIF orientations that exchange left and right, top and bottom."""
WIDE_MODES = frozenset({"I", "F", "I;16", "I;16B", "I;16L", "I;16N"})
"""Pillow's modes with more than eight bits a pixel."""
DECODER_FAULTS = (
    OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, ZeroDivisionError,
    EOFError, MemoryError, RuntimeError, struct.error, Image.DecompressionBombError,
)  # fmt: skip
"""The exceptions that Pillow is known to raise on damaged files."""


@dataclass(frozen=True)
class Limits:
    """The limits of one image: bytes of the file, and pixels by its header."""

    max_bytes: int = 10_000_000
    max_pixels: int = 40_000_000
    max_memory_bytes: int = 256_000_000


def decode(data: bytes, *, limits: Limits = Limits()) -> GreyImage:
    """Return the grey image of a file's bytes. Raise ImageError, or the subclass that says why."""
    return decode_opened(open_image(data, limits=limits))


def open_image(data: bytes, *, limits: Limits = Limits()) -> Image.Image:
    """Return an image of which only the header was read. Raise ImageError for what can be refused by it."""
    if not data:
        raise ImageError("the image is empty; send the bytes of a PNG, JPEG, WebP, TIFF or BMP file")
    if len(data) > limits.max_bytes:
        raise ImageTooLargeError(f"the image has {len(data)} bytes; at most {limits.max_bytes} are read")
    found = contained(data)
    if found is None:
        raise _unidentified(data)
    image = _opened(found)
    _check_size(image, found, limits)
    image.info |= {TURN: found.turn, WORK: _work(image, found)}
    return image


def decoding_work(image: Image.Image) -> int:
    """Return the work of decoding an opened image, in pixels of a plain one."""
    return int(image.info.get(WORK, image.width * image.height))


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Return width and height as an opened image is read, turned."""
    width, height = image.size
    return (height, width) if image.info.get(TURN) in TRANSPOSED else (width, height)


def decode_opened(image: Image.Image) -> GreyImage:
    """Return the grey image of one whose header was read. Raise DamagedImageError."""
    try:
        image.load()
        turn = image.info[TURN] if TURN in image.info else image.getexif().get(ORIENTATION, 1)
        return turned(_grey(image), turn)
    except DECODER_FAULTS as error:
        raise DamagedImageError(f"the {image.format} image is damaged; save it anew and send it again") from error


def turned(image: GreyImage, turn: int) -> GreyImage:
    """Return the image upright, given EXIF's orientation, 1 to 8."""
    upright = image.T if turn in TRANSPOSED else image
    upright = upright[:, ::-1] if turn in LEFT_RIGHT else upright
    upright = upright[::-1] if turn in TOP_DOWN else upright
    return np.ascontiguousarray(upright)


def _opened(found: Contained) -> Image.Image:
    try:
        if found.format == heif.FORMAT:
            return heif.open_heif(found.data)
        return Image.open(io.BytesIO(found.data), formats=(found.format,))
    except Image.DecompressionBombError as error:
        raise ImageTooLargeError("the image has too many pixels; shrink it") from error
    except (UnidentifiedImageError, *DECODER_FAULTS) as error:
        raise damaged(found.format) from error


def _unidentified(data: bytes) -> ImageError:
    known = {
        b"GIF8": "GIF",
        b"%PDF": "PDF",
        b"\0\0\0\x0cjP": "JPEG 2000",
        b"8BPS": "PSD",
        b"qoif": "QOI",
        b"<svg": "SVG",
    }
    name = next((name for start, name in known.items() if data.startswith(start)), None)
    if heif.is_heif(data):
        return UnsupportedFormatError(
            f"HEIF is read where its library is installed (pip install {PACKAGE}[heif]); send JPEG or PNG"
        )
    if data[4:8] == b"ftyp":
        name = "AVIF or video"
    if name == "PDF":
        return UnsupportedFormatError("a PDF is read as whole pages: by /read_page, or legible page")
    if name:
        return UnsupportedFormatError(f"{name} is not read; send PNG, JPEG, WebP, TIFF or BMP")
    return ImageError("this is not an image; send the bytes of a PNG, JPEG, WebP, TIFF or BMP file")


def _check_size(image: Image.Image, found: Contained, limits: Limits) -> None:
    width, height = image.size
    pixels = max(width * height, found.tile_pixels)
    if pixels > limits.max_pixels:
        what = f"{width} x {height} pixels" if pixels == width * height else f"a tile of {pixels} pixels"
        raise ImageTooLargeError(f"the image has {what}; at most {limits.max_pixels} are read")
    if width < 1 or height < 1:
        raise DamagedImageError("the image has no pixels; save it anew and send it again")
    max_scans = min(MAX_SCANS, max(MAX_SCANNED_PIXELS // max(pixels, 1), 1))
    if found.scans > max_scans:
        raise ImageTooLargeError(
            f"the {found.format} image has more than {max_scans} scans; save it anew and send it again"
        )
    if found.decoded_pixels > MAX_SCANNED_PIXELS:
        raise ImageTooLargeError(
            f"the tiles or scans of the {found.format} image have {found.decoded_pixels} pixels; save it anew"
        )
    if _is_in_runs(image) and (len(found.data) > MAX_RUN_LENGTH_BYTES or pixels > MAX_RUN_LENGTH_PIXELS):
        raise ImageTooLargeError(
            f"the BMP image in runs has more than {MAX_RUN_LENGTH_BYTES} bytes or {MAX_RUN_LENGTH_PIXELS} pixels; "
            "save it as PNG"
        )
    needed = pixels * (STORED_BYTES.get(image.mode, 4) + found.working_bytes_per_pixel + GREY_BYTES)
    if needed > limits.max_memory_bytes:
        raise ImageTooLargeError(
            f"to decode {width} x {height} pixels of this {found.format} image takes {needed // 1_000_000} MB; at most "
            f"{limits.max_memory_bytes // 1_000_000} MB are given; shrink it, or save it as a grey PNG"
        )


def _is_in_runs(image: Image.Image) -> bool:
    return image.format == "BMP" and image.info.get("compression") in RUN_LENGTH


def _work(image: Image.Image, found: Contained) -> int:
    """Return the work of decoding, in pixels of a plain image."""
    if image.format == heif.FORMAT or _is_in_runs(image):
        return MAX_SCANNED_PIXELS
    scanned = image.width * image.height * max(found.scans, USUAL_SCANS) // USUAL_SCANS
    return max(scanned, found.decoded_pixels)


def _grey(image: Image.Image) -> GreyImage:
    return _narrowed(image) if image.mode in WIDE_MODES else grey(image)


def _narrowed(image: Image.Image) -> GreyImage:
    """Return pixels of eight bits: sixteen-bit integers are scaled where they need it, fractions by their range."""
    ranges = [(float(values.min()), float(values.max())) for values in map(_finite, strips(image))]
    low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
    kind = np.asarray(next(strips(image))).dtype
    if np.issubdtype(kind, np.integer):
        low, high = 0.0, 255.0 if high <= 255 and low >= 0 and kind != np.uint16 else max(high, 65535.0)  # noqa: PLR2004
    scale = 255 / max(high - low, 1e-9)
    return by_strips(image, lambda strip: np.clip((_finite(strip) - low) * scale, 0, 255).round().astype(np.uint8))


def _finite(strip: Image.Image) -> npt.NDArray[np.float64]:
    return np.nan_to_num(np.asarray(strip).astype(np.float64), posinf=255, neginf=0)
