"""Bytes -> grey image, for bytes of anyone: the header decides before a pixel is decoded; only ImageError comes out.

PNG, JPEG, WebP, TIFF and BMP; never a path or an address. Turned as EXIF says, the first frame of an animation, 16
bits scaled to 8. Colours and transparency become grey by `image.colour`.
"""

import io
import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from legible.errors import DamagedImageError, ImageError, ImageTooLargeError, UnsupportedFormatError
from legible.image.colour import grey

GreyImage = npt.NDArray[np.uint8]
"""(H, W), 0 black to 255 white."""

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP")
SCAN, MAX_SCANS = b"\xff\xda", 100
"""Of a progressive JPEG, each of which goes over all pixels; encoders write about ten."""
WIDE_MODES = frozenset({"I", "F", "I;16", "I;16B", "I;16L", "I;16N"})
"""Modes of more than eight bits a pixel."""
DECODER_FAULTS = (
    OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, ZeroDivisionError,
    EOFError, MemoryError, RuntimeError, struct.error, Image.DecompressionBombError,
)  # fmt: skip
"""What Pillow is known to raise on damaged files."""


@dataclass(frozen=True)
class Limits:
    """Of one image: bytes of the file, and pixels by its header."""

    max_bytes: int = 10_000_000
    max_pixels: int = 40_000_000


def decode(data: bytes, *, limits: Limits = Limits()) -> GreyImage:
    """Return the grey image of a file's bytes. Raise ImageError, or the subclass that says why."""
    return decode_opened(open_image(data, limits=limits))


def open_image(data: bytes, *, limits: Limits = Limits()) -> Image.Image:
    """Return an image of which only the header was read. Raise ImageError for what can be refused by it."""
    if not data:
        raise ImageError("the image is empty; send the bytes of a PNG, JPEG, WebP, TIFF or BMP file")
    if len(data) > limits.max_bytes:
        raise ImageTooLargeError(f"the image has {len(data)} bytes; at most {limits.max_bytes} are read")
    image = _opened(data)
    _check_size(image, limits)
    if image.format == "JPEG" and data.count(SCAN) > MAX_SCANS:
        raise ImageTooLargeError(f"the JPEG image has more than {MAX_SCANS} scans; save it anew and send it again")
    return image


def decode_opened(image: Image.Image) -> GreyImage:
    """Return the grey image of one whose header was read. Raise DamagedImageError."""
    try:
        return _grey(image)
    except DECODER_FAULTS as error:
        raise DamagedImageError(f"the {image.format} image is damaged; save it anew and send it again") from error


def _opened(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise ImageTooLargeError("the image has too many pixels; shrink it") from error
    except UnidentifiedImageError as error:
        raise _unidentified(data) from error
    except DECODER_FAULTS as error:
        raise DamagedImageError("the image is damaged; save it anew and send it again") from error


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
    if data[4:8] == b"ftyp":
        name = "HEIF or AVIF"
    if name:
        return UnsupportedFormatError(f"{name} is not read; send PNG, JPEG, WebP, TIFF or BMP")
    return ImageError("this is not an image; send the bytes of a PNG, JPEG, WebP, TIFF or BMP file")


def _check_size(image: Image.Image, limits: Limits) -> None:
    width, height = image.size
    if width * height > limits.max_pixels:
        raise ImageTooLargeError(f"the image has {width} x {height} pixels; at most {limits.max_pixels} are read")
    if width < 1 or height < 1:
        raise DamagedImageError("the image has no pixels; save it anew and send it again")


def _grey(image: Image.Image) -> GreyImage:
    image.seek(0)
    image.load()
    upright = ImageOps.exif_transpose(image)
    if upright.mode in WIDE_MODES:
        return _narrowed(np.asarray(upright))
    return grey(upright)


def _narrowed(pixels: npt.NDArray[np.generic]) -> GreyImage:
    """Return pixels of eight bits: sixteen-bit integers are scaled where they need it, fractions by their range."""
    values = np.nan_to_num(pixels.astype(np.float64), posinf=255, neginf=0)
    low, high = float(values.min()), float(values.max())
    if np.issubdtype(pixels.dtype, np.integer):
        low, high = 0.0, 255.0 if high <= 255 and low >= 0 and pixels.dtype != np.uint16 else max(high, 65535.0)  # noqa: PLR2004
    return np.clip((values - low) * (255 / max(high - low, 1e-9)), 0, 255).round().astype(np.uint8)
