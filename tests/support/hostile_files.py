"""Small files that make a decoder work, or hold memory, far beyond their size."""

import io
import lzma
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence

from PIL import Image, ImageDraw

Tag = tuple[int, int, int, int]
"""Of a TIFF: tag, type, count, value or place."""


def encoded(image: Image.Image, format_name: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_name, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def word() -> Image.Image:
    image = Image.new("L", (160, 72), 255)
    ImageDraw.Draw(image).text((20, 20), "Hamburg", fill=0)
    return image


def as_mpo(jpeg: bytes) -> bytes:
    """The same picture, which Pillow then calls an MPO."""
    entries = b"".join(struct.pack("<LLLHH", 0x030000 if number == 0 else 0, 100, 0, 0, 0) for number in range(2))
    table = struct.pack("<H", 3) + struct.pack("<HHL4s", 0xB000, 7, 4, b"0100") + struct.pack("<HHLL", 0xB001, 4, 1, 2)
    table += struct.pack("<HHLLL", 0xB002, 7, len(entries), 8 + 2 + 36 + 4, 0)
    content = b"MPF\0II*\0" + struct.pack("<L", 8) + table + entries
    return jpeg[:2] + b"\xff\xe2" + struct.pack(">H", len(content) + 2) + content + jpeg[2:]


def many_scans(size: tuple[int, int], scans: int) -> bytes:
    """A progressive JPEG whose last scan is repeated so many times."""
    base = encoded(Image.new("L", size, 255), "JPEG", progressive=True, quality=10)
    last = base[base.rindex(b"\xff\xda") : -2]
    return base[:-2] + last * scans + base[-2:]


def many_segments(size: int, content: int) -> bytes:
    base = encoded(word(), "JPEG")
    segment = b"\xff\xe1" + struct.pack(">H", 8 + content) + b"Exif\0\0" + bytes(content)
    return base[:2] + segment * ((size - len(base)) // len(segment)) + base[2:]


def fractions(count: int) -> bytes:
    """Exif with a turn, and a tag of so many fractions."""
    head = b"II*\0" + struct.pack("<LHHHLHHHHLLL", 8, 2, 0x0112, 3, 1, 6, 0, 0x9999, 5, count, 8 + 2 + 24 + 4, 0)
    return head + struct.pack("<LL", 3, 7) * count


def png(
    width: int, height: int, *, chunks: Sequence[tuple[bytes, bytes]] = (), mode: tuple[int, int] = (8, 0)
) -> bytes:
    """A blank PNG of a depth and a colour type, with further chunks before its data."""
    depth, colour = mode
    row = 1 + width * depth // 8 * {0: 1, 2: 3, 6: 4}[colour]
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    data = zlib.compress(bytes(row) * height, 9)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in ((b"IHDR", header), *chunks, (b"IDAT", data), (b"IEND", b""))
    )


def tiff(tags: Mapping[int, Tag], data: bytes) -> bytes:
    table = b"".join(struct.pack("<HHII", *tags[tag]) for tag in sorted(tags))
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + struct.pack("<H", len(tags)) + table + bytes(4)


def grey_tiff(changes: Sequence[Tag], data: bytes = bytes(160 * 72), *, without: Sequence[int] = ()) -> bytes:
    """A grey TIFF of 160 x 72 with these tags added or changed, and without some."""
    plain = [
        (256, 3, 1, 160), (257, 3, 1, 72), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8),
        (277, 3, 1, 1), (278, 3, 1, 72), (279, 4, 1, 160 * 72),
    ]  # fmt: skip
    return tiff({tag[0]: tag for tag in (*plain, *changes) if tag[0] not in without}, data)


def run_length_bmp(width: int, height: int, body: bytes) -> bytes:
    place = 14 + 40 + 1024
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(body), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", place + len(body), 0, 0, place) + header + bytes(1024) + body


def tiff_of_parts(
    width: int,
    height: int,
    part: bytes,
    count: int,
    *,
    compression: int,
    rows: int = 0,
    tile: tuple[int, int] | None = None,
) -> bytes:
    """A grey TIFF whose strips of so many rows, or tiles of a size, are all the same bytes."""
    data = part + b"\0" * (len(part) % 2)
    lists = struct.pack("<I", 8) * count + struct.pack("<I", len(part)) * count
    places, sizes = (8 + len(data), 8 + len(data) + 4 * count) if count > 1 else (8, len(part))
    listed = (
        [(324, 4, count, places), (325, 4, count, sizes), (322, 4, 1, tile[0]), (323, 4, 1, tile[1])]
        if tile
        else [(273, 4, count, places), (279, 4, count, sizes), (278, 4, 1, rows)]
    )
    tags = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 8),
        (259, 3, 1, compression),
        (262, 3, 1, 1),
        (277, 3, 1, 1),
        *listed,
    ]
    return tiff({tag[0]: tag for tag in tags}, data + (lists if count > 1 else b""))


def slow_deflate(content: bytes, size: int) -> bytes:
    """Compressed content after as many empty blocks as fit into so many bytes."""
    plain = zlib.compress(content, 0)
    return plain[:2] + b"\0\0\0\xff\xff" * ((size - len(plain)) // 5) + plain[2:]


def exif_tables(size: int) -> list[tuple[bytes, bytes]]:
    """PNG chunks of Exif, each a table of a thousand tags without a turn."""
    table = b"".join(struct.pack("<HHII", 0x9000 + number, 3, 1, 0) for number in range(1000))
    content = b"II*\0" + struct.pack("<IH", 8, 1000) + table + bytes(4)
    return [(b"eXIf", content)] * (size // len(content))


STRIPS = (273, 278, 279)
DEFLATE, LZMA, AS_JPEG = 8, 34_925, 7
"""Compressions of a TIFF."""
FILES: Mapping[str, tuple[Callable[[], bytes], tuple[int, ...]]] = {
    "2,000 scans as an MPO": (lambda: as_mpo(many_scans((316, 316), 2000)), (413,)),
    "90 scans of few pixels": (lambda: as_mpo(many_scans((316, 316), 80)), (200,)),
    "45 scans of ten million pixels": (lambda: as_mpo(many_scans((3160, 3160), 38)), (413,)),
    "half a million Exif segments": (lambda: many_segments(9_900_000, 10), (413,)),
    "9.9 MB of large Exif segments": (lambda: many_segments(9_900_000, 60_000), (200,)),
    "a million fractions in Exif": (lambda: png(160, 72, chunks=[(b"eXIf", fractions(1_000_000))]), (200,)),
    "texts that inflate": (
        lambda: png(160, 72, chunks=[(b"zTXt", b"k\0\0" + zlib.compress(bytes(1_000_000), 9))] * 63),
        (200,),
    ),
    "thousands of empty data chunks": (lambda: png(160, 72, chunks=[(b"IDAT", b"")] * 15_000), (200,)),
    "800,000 chunks": (lambda: png(160, 72, chunks=[(b"IDAT", b"")] * 800_000), (413,)),
    "a million fractions in a TIFF": (
        lambda: grey_tiff([(282, 5, 1_000_000, 8)], bytes(8_000_000)), (200,),
    ),
    "900 tags of the same 9 MB": (
        lambda: grey_tiff([(40_000 + n, 7, 9_000_000, 8) for n in range(900)], bytes(9_000_000)), (200,),
    ),
    "a tile of 3.6 gigapixels": (
        lambda: grey_tiff(
            [(259, 3, 1, 5), (322, 4, 1, 60_000), (323, 4, 1, 60_000), (324, 4, 1, 8), (325, 4, 1, 160 * 72)],
            without=STRIPS,
        ),
        (413,),
    ),
    "9.9 MB of Exif tables": (lambda: png(160, 72, chunks=exif_tables(9_800_000)), (200,)),
    "thousands of palettes": (lambda: png(160, 72, chunks=[(b"tRNS", b"\0\0")] * 15_000), (200,)),
    "10 MB of bytes that fill": (
        lambda: encoded(word(), "JPEG")[:2] + b"\xff" * 9_900_000 + encoded(word(), "JPEG")[2:], (200,),
    ),
    "tiles far higher than the picture": (
        lambda: tiff_of_parts(
            316, 316, zlib.compress(bytes(16 * 2_480_000), 9), 20, compression=DEFLATE, tile=(16, 2_480_000)
        ),
        (413,),
    ),
    "4,000 tiles of 40 megapixels": (
        lambda: tiff_of_parts(
            64_000, 600, lzma.compress(bytes(16 * 2_480_000)), 4000, compression=LZMA, tile=(16, 2_480_000)
        ),
        (413,),
    ),
    "5,000 strips of the same million bytes": (
        lambda: tiff_of_parts(1000, 5000, slow_deflate(bytes(1000), 1_000_000), 5000, compression=DEFLATE, rows=1),
        (413,),
    ),
    "79 strips of the same 90 scans": (
        lambda: tiff_of_parts(6320, 6320, many_scans((6320, 80), 90), 79, compression=AS_JPEG, rows=80), (413,),
    ),
    "a TIFF of 2,000 scans": (
        lambda: tiff_of_parts(316, 316, many_scans((316, 316), 2000), 1, compression=AS_JPEG, rows=316), (400,),
    ),
    "a TIFF of 80 scans of ten million pixels": (
        lambda: tiff_of_parts(3160, 3160, many_scans((3160, 3160), 80), 1, compression=AS_JPEG, rows=3160), (413,),
    ),
    "a BMP whose lines end early": (lambda: run_length_bmp(6320, 6320, b"\1\5\0\0" * 6320), (413,)),
    "60,000 tags": (lambda: tiff({n: (n, 3, 1, 1) for n in range(256, 60_256)}, bytes(8)), (413,)),
    "a BMP in runs of one pixel": (lambda: run_length_bmp(3000, 3000, b"\1\5" * 4_000_000), (413,)),
    "a WebP of 40 megapixels in 86 bytes": (
        lambda: encoded(Image.new("RGB", (6320, 6320)), "WEBP", lossless=True, quality=0, method=0), (413,),
    ),
    "a PNG of 40 megapixels, 16 bits": (lambda: png(6320, 6320, mode=(16, 0)), (200,)),
    "a PNG of 40 megapixels, transparent": (lambda: png(6320, 6320, mode=(8, 6)), (200,)),
    "a progressive JPEG of 40 megapixels in colour": (
        lambda: encoded(Image.new("RGB", (6320, 6320)), "JPEG", progressive=True, subsampling=0), (413,),
    ),
}  # fmt: skip
"""Each by name: how it is made, and the statuses it may be answered with."""
