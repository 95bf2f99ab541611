"""Uploads that break services, each with what may come of it."""

import io
import struct
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Upload:
    name: str
    data: bytes
    statuses: tuple[int, ...]
    file_name: str = "word.png"


def encoded(image: Image.Image, format_name: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_name, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def claimed_png(width: int, height: int) -> bytes:
    """A small PNG that says it is huge."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 64)), (b"IEND", b""))
    )
    return b"\x89PNG\r\n\x1a\n" + chunks


def uploads() -> list[Upload]:
    grey = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 120)).astype(np.uint8))
    colour = grey.convert("RGB")
    deep = Image.fromarray(np.arange(4800, dtype=np.uint16).reshape(40, 120) * 13)
    exif = Image.Exif()
    exif[0x0112] = 6
    png = encoded(grey, "PNG")
    return [
        Upload("truncated", png[: len(png) // 2], (400,)),
        Upload("zero bytes", b"", (400,)),
        Upload("text", b"this is no picture", (400,)),
        Upload("20,000 x 20,000 pixels in a small PNG", claimed_png(20_000, 20_000), (413,)),
        Upload("animated", encoded(colour, "PNG", save_all=True, append_images=[colour, colour]), (200,)),
        Upload("CMYK", encoded(colour.convert("CMYK"), "JPEG"), (200,)),
        Upload("1 x 1", encoded(Image.new("L", (1, 1), 7), "PNG"), (200,)),
        Upload("30,000 x 1", encoded(Image.new("L", (30_000, 1), 7), "PNG"), (200,)),
        Upload("1 x 1,000,000", encoded(Image.effect_noise((1, 1_000_000), 99), "PNG"), (413,)),
        Upload("wrong extension", encoded(grey, "BMP"), (200,), file_name="word.jpg"),
        Upload("16-bit", encoded(deep, "PNG"), (200,)),
        Upload("EXIF turned", encoded(colour, "JPEG", exif=exif), (200,)),
        Upload("unicode file name", png, (200,), file_name="слово—字.png"),
        Upload("another format", encoded(grey, "GIF"), (415,)),
    ]
