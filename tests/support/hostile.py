"""Uploads that break services, each with what may come of it."""

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from hostile_files import FILES, encoded
from PIL import Image


@dataclass(frozen=True)
class Upload:
    """A file that is made when it is asked for: to make them all takes seconds, which collecting tests need not."""

    name: str
    make: Callable[[], bytes]
    statuses: tuple[int, ...]
    file_name: str = "word.png"


def claimed_png(width: int, height: int) -> bytes:
    """A small PNG that says it is huge."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 64)), (b"IEND", b""))
    )
    return b"\x89PNG\r\n\x1a\n" + chunks


def bombs(grey: Image.Image) -> list[Upload]:
    """A small file of each format whose header claims a size that no memory holds."""
    jpeg, bmp, webp, tiff = (bytearray(encoded(grey, name)) for name in ("JPEG", "BMP", "WEBP", "TIFF"))
    frame = jpeg.index(b"\xff\xc0")
    struct.pack_into(">HH", jpeg, frame + 5, 65_000, 65_000)
    struct.pack_into("<ii", bmp, 18, 1_000_000, 1_000_000)
    struct.pack_into("<HH", webp, webp.index(b"\x9d\x01\x2a") + 3, 16_383, 16_383)
    for tag in (256, 257):  # width and height, as long or short
        entry = next(at for kind in (4, 3) if (at := tiff.find(struct.pack("<HH", tag, kind))) >= 0)
        struct.pack_into("<HHII", tiff, entry, tag, 4, 1, 1_000_000)
    found = {"PNG": claimed_png(20_000, 20_000), "JPEG": jpeg, "BMP": bmp, "WebP": webp, "TIFF": tiff}
    return [
        Upload(f"a small {name} that claims to be huge", partial(bytes, data), (413,)) for name, data in found.items()
    ]


def whole(one: bytes, _: bytes, __: np.random.Generator) -> bytes:
    return one


def cut(one: bytes, _: bytes, random: np.random.Generator) -> bytes:
    return one[: int(random.integers(len(one) + 1))]


def changed(one: bytes, _: bytes, random: np.random.Generator) -> bytes:
    """Up to twenty bytes of it."""
    data = np.frombuffer(one, np.uint8).copy()
    if len(data):
        slots = random.integers(len(data), size=int(random.integers(1, 20)))
        data[slots] = random.integers(256, size=len(slots))
    return data.tobytes()


def enlarged(one: bytes, _: bytes, random: np.random.Generator) -> bytes:
    """A number somewhere in it is huge."""
    place = int(random.integers(len(one) + 1))
    return one[:place] + b"\xff\xff\xff\x7f" + one[place + 4 :]


def joined(one: bytes, other: bytes, random: np.random.Generator) -> bytes:
    return one[: int(random.integers(len(one) + 1))] + other[len(other) // 2 :]


DAMAGES = (whole, cut, changed, enlarged, joined)


def damaged(images: list[bytes], count: int, *, seed: int) -> Iterator[bytes]:
    """So many of the images, each damaged in one of these ways."""
    random = np.random.default_rng(seed)
    for _ in range(count):
        one, other = (images[number] for number in random.integers(len(images), size=2))
        yield DAMAGES[random.integers(len(DAMAGES))](one, other, random)


def uploads() -> list[Upload]:
    grey = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 120)).astype(np.uint8))
    colour = grey.convert("RGB")
    deep = Image.fromarray(np.arange(4800, dtype=np.uint16).reshape(40, 120) * 13)
    exif = Image.Exif()
    exif[0x0112] = 6
    png = encoded(grey, "PNG")
    return [
        Upload("truncated", partial(bytes, png[: len(png) // 2]), (400,)),
        Upload("zero bytes", bytes, (400,)),
        Upload("text", partial(bytes, b"this is no picture"), (400,)),
        *bombs(grey),
        Upload("animated", partial(encoded, colour, "PNG", save_all=True, append_images=[colour, colour]), (200,)),
        Upload("WebP", partial(encoded, colour, "WEBP"), (200,)),
        Upload("TIFF", partial(encoded, grey, "TIFF"), (200,)),
        Upload("CMYK", partial(encoded, colour.convert("CMYK"), "JPEG"), (200,)),
        Upload("1 x 1", partial(encoded, Image.new("L", (1, 1), 7), "PNG"), (200,)),
        Upload("30,000 x 1", partial(encoded, Image.new("L", (30_000, 1), 7), "PNG"), (200,)),
        Upload("1 x 1,000,000", partial(encoded, Image.effect_noise((1, 1_000_000), 99), "PNG"), (413,)),
        Upload("wrong extension", partial(encoded, grey, "BMP"), (200,), file_name="word.jpg"),
        Upload("16-bit", partial(encoded, deep, "PNG"), (200,)),
        Upload("EXIF turned", partial(encoded, colour, "JPEG", exif=exif), (200,)),
        Upload("unicode file name", partial(bytes, png), (200,), file_name="слово—字.png"),
        Upload("another format", partial(encoded, grey, "GIF"), (415,)),
        *(Upload(name, make, statuses) for name, (make, statuses) in FILES.items()),
    ]
