"""The containers of image files: what a file holds beside its pixels is removed before a decoder sees it.

It takes bounded time and memory.
"""

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from legible.errors import DamagedImageError, ImageTooLargeError
from legible.image import heif
from legible.image.tiff import first_page, orientation_of

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_KEPT = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
MAX_CHUNKS = 20_000
"""The most chunks of a PNG, or of a WebP."""
MANY_DATA_CHUNKS = 64
"""From this many on, the data chunks of a PNG are joined, because a decoder in Python takes time for each chunk."""
JPEG_START, SCAN = b"\xff\xd8", b"\xff\xda"
JPEG_KEPT = frozenset({0xE0, 0xEE, *range(0xC0, 0xD0), *range(0xDA, 0xE0)})
"""Markers of segments that pixels depend on: JFIF and Adobe, frames, tables, scans."""
MAX_SEGMENTS = 1000
MAX_METADATA = 65_536
"""The most bytes in which a turn is looked for."""
EXIF, XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
FILL = re.compile(rb"\xff+")
"""The bytes that may fill the room before a marker, the last of which begins it."""
XMP_TURN = re.compile(rb'tiff:Orientation(?:="|>)([1-8])')
WEBP_DROPPED = frozenset({b"EXIF", b"XMP ", b"ICCP"})
WEBP_FLAGS = 0x04 | 0x08 | 0x20
"""The flags of VP8X that announce XMP, EXIF and an ICC profile."""


@dataclass(frozen=True)
class Contained:
    """An image without its metadata."""

    format: str
    """The format's name in Pillow."""
    data: bytes
    turn: int = 1
    """EXIF's orientation, 1 to 8."""
    scans: int = 1
    """The number of times a decoder goes over all pixels."""
    working_bytes_per_pixel: int = 0
    """The bytes a pixel that a decoder needs beside the image."""
    tile_pixels: int = 0
    """The pixels of one tile, which may be larger than the picture."""
    decoded_pixels: int = 0
    """The pixels that a decoder goes over, where they are more than the picture has: those of all tiles and scans."""


def contained(data: bytes) -> Contained | None:
    """Return the one image of a file; None where it is of no format we read.

    Raise DamagedImageError, or ImageTooLargeError for more parts than an honest file has.
    """
    if data.startswith(PNG_SIGNATURE):
        return _png(data)
    if data.startswith(JPEG_START + b"\xff"):
        return _jpeg(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp(data)
    if data[:2] in (b"II", b"MM") and data[2:4] in (b"*\0", b"\0*", b"+\0", b"\0+"):
        page = first_page(data)
        return Contained(
            "TIFF", page.data, page.turn, working_bytes_per_pixel=page.bytes_per_pixel, tile_pixels=page.tile_pixels,
            decoded_pixels=page.decoded_pixels,
        )  # fmt: skip
    return _as_it_is(data)


def _as_it_is(data: bytes) -> Contained | None:
    """Return an image of a format whose decoders read no metadata, or skip it."""
    if heif.is_heif(data) and heif.is_readable():
        return Contained(heif.FORMAT, data, working_bytes_per_pixel=heif.WORKING_BYTES_PER_PIXEL)
    return Contained("BMP", data) if data.startswith(b"BM") else None


def _png(data: bytes) -> Contained:
    kept, seen, dropped, turn = list[tuple[bytes, int, int]](), set[bytes](), False, _Turn()
    for kind, start, end in _png_chunks(data):
        if kind in PNG_KEPT and (kind == b"IDAT" or kind not in seen):  # of the others a PNG has one each
            kept.append((kind, start, end))
            seen.add(kind)
            continue
        dropped = True
        if kind == b"eXIf":
            turn.look_in_exif(data[start + 8 : min(end - 4, start + MAX_METADATA)])
        elif kind == b"iTXt":
            turn.look_in_xmp(data[start + 8 : min(end - 4, start + MAX_METADATA)])
    if sum(kind == b"IDAT" for kind, _, _ in kept) > MANY_DATA_CHUNKS:
        data = PNG_SIGNATURE + b"".join(_joined(data, kept))
    elif dropped:
        data = PNG_SIGNATURE + b"".join(data[start:end] for _, start, end in kept)
    return Contained("PNG", data, turn.found or 1)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of each chunk, the last one perhaps cut off."""
    at, count = len(PNG_SIGNATURE), 0
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        yield kind, at, min(at + 12 + length, len(data))
        at, count = at + 12 + length, count + 1
        if kind == b"IEND":
            return
        if count > MAX_CHUNKS:
            raise ImageTooLargeError(f"the PNG image has more than {MAX_CHUNKS} chunks; save it anew and send it again")


def _joined(data: bytes, chunks: list[tuple[bytes, int, int]]) -> Iterator[bytes]:
    """Yield the chunks with all data in one, where the first stood."""
    parts = [data[start + 8 : end - 4] for kind, start, end in chunks if kind == b"IDAT"]
    for kind, start, end in chunks:
        if kind != b"IDAT":
            yield data[start:end]
        elif parts:
            content = b"".join(parts)
            parts = []
            yield struct.pack(">I4s", len(content), kind)
            yield content
            yield struct.pack(">I", zlib.crc32(content, zlib.crc32(kind)))


def _jpeg(data: bytes) -> Contained:
    kept, turn, at, components, is_progressive = [JPEG_START], _Turn(), 2, 3, False
    for _ in range(MAX_SEGMENTS):
        at = data.find(b"\xff", at)
        at = _last_of_fill(data, at)
        if at < 0 or at + 4 > len(data):
            return Contained("JPEG", b"".join(kept))  # without a scan: the decoder says that it is damaged
        marker = data[at + 1]
        if marker == SCAN[1]:
            kept.append(data[at:])
            working = 2 * components if is_progressive else 0
            return Contained("JPEG", b"".join(kept), turn.found or 1, data.count(SCAN, at), working)
        if marker == 0 or marker == 1 or 0xD0 <= marker <= 0xD8:  # noqa: PLR2004, PLR1714  # without content
            at += 2
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in JPEG_KEPT:
            kept.append(data[at:end])
        elif marker == 0xE1:  # noqa: PLR2004
            turn.look_in_segment(data[at + 4 : end])
        if marker in (0xC2, 0xC6, 0xCA, 0xCE):
            is_progressive, components = True, max(data[at + 9], 1) if at + 9 < len(data) else 3
        at = end
    raise ImageTooLargeError(f"the JPEG image has more than {MAX_SEGMENTS} segments; save it anew and send it again")


class _Turn:
    """The turn that EXIF or XMP states, the first of each alone: honest files have no more, and looking takes time."""

    def __init__(self) -> None:
        self.found = 0
        self._has_exif = False

    def look_in_exif(self, content: bytes) -> None:
        if not self._has_exif:
            self.found = self.found or orientation_of(content.removeprefix(EXIF))
        self._has_exif = True

    def look_in_xmp(self, content: bytes) -> None:
        stated = None if self.found else XMP_TURN.search(content)
        self.found = int(stated[1]) if stated else self.found

    def look_in_segment(self, content: bytes) -> None:
        """Look in a segment of a JPEG, which says what it holds."""
        if content.startswith(EXIF):
            self.look_in_exif(content)
        elif content.startswith(XMP):
            self.look_in_xmp(content)


def _last_of_fill(data: bytes, at: int) -> int:
    """Return where the last of the bytes stands that fill the room before a marker; -1 for -1."""
    found = FILL.match(data, at) if at >= 0 else None
    return found.end() - 1 if found else at


def _webp(data: bytes) -> Contained:
    """Return the image of a WebP; its decoder holds two canvases of four bytes a pixel, and hands over a third."""
    kept, turn, at = list[bytes](), _Turn(), 12
    for _ in range(MAX_CHUNKS):
        if at + 8 > len(data):
            break
        kind, length = struct.unpack_from("<4sI", data, at)
        end = at + 8 + length + length % 2
        if kind == b"EXIF":
            turn.look_in_exif(data[at + 8 : min(end, at + MAX_METADATA)])
        elif kind == b"XMP ":
            turn.look_in_xmp(data[at + 8 : min(end, at + MAX_METADATA)])
        if kind not in WEBP_DROPPED:
            kept.append(_without_flags(data[at:end]) if kind == b"VP8X" else data[at:end])
        at = end
    else:
        raise ImageTooLargeError(f"the WebP image has more than {MAX_CHUNKS} chunks; save it anew and send it again")
    content = b"WEBP" + b"".join(kept)
    if len(content) + 8 < min(len(data), int.from_bytes(data[4:8], "little") + 8):
        data = b"RIFF" + struct.pack("<I", len(content)) + content
    return Contained("WEBP", data, turn.found or 1, working_bytes_per_pixel=12)


def _without_flags(chunk: bytes) -> bytes:
    return chunk[:8] + bytes([chunk[8] & ~WEBP_FLAGS]) + chunk[9:] if len(chunk) > 8 else chunk  # noqa: PLR2004


def damaged(format_name: str) -> DamagedImageError:
    return DamagedImageError(f"the {format_name} image is damaged; save it anew and send it again")
