"""The first page of a TIFF with the tags that pixels depend on, and no others; the turn that EXIF's TIFF states.

A TIFF's tables may point anywhere, at each other, and at the same bytes again and again: a decoder that reads them all
can be made to hold gigabytes. Here only lengths are looked at.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from legible.errors import DamagedImageError, ImageTooLargeError

ORIENTATION = 274
WIDTH, HEIGHT, BITS, SAMPLES, TILE_WIDTH, TILE_HEIGHT = 256, 257, 258, 277, 322, 323
KEPT = frozenset({
    WIDTH, HEIGHT, BITS, 259, 262, 266, 273, SAMPLES, 278, 279, 284, 292, 293, 317, 320, TILE_WIDTH, TILE_HEIGHT, 324,
    325, 338, 339, 347, *range(512, 522), 529, 530, 531, 532,
})  # fmt: skip
"""Tags of size, depth, compression, colour, strips and tiles."""
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of a value by its type."""
WHOLE = {1: "B", 3: "H", 4: "I", 16: "Q"}
MAX_ENTRIES = 1000
MAX_VALUES = 65_536
"""The most values of a tag: strips, tiles, colours."""


@dataclass(frozen=True)
class TiffPage:
    """A TIFF of one page."""

    data: bytes
    turn: int
    bytes_per_pixel: int
    """Before they are unpacked, as one strip or tile may hold all of them."""
    tile_pixels: int


@dataclass(frozen=True)
class _TiffLayout:
    """How numbers are written: the byte order, and their widths, which BigTIFF doubles."""

    order: str
    is_big: bool

    @property
    def count(self) -> struct.Struct:
        return struct.Struct(self.order + ("Q" if self.is_big else "H"))

    @property
    def entry(self) -> struct.Struct:
        """The layout of an entry: tag, type, count, value."""
        return struct.Struct(self.order + ("HHQ8s" if self.is_big else "HHI4s"))

    @property
    def offset(self) -> struct.Struct:
        return struct.Struct(self.order + ("Q" if self.is_big else "I"))


@dataclass(frozen=True)
class _Entry:
    tag: int
    kind: int
    count: int
    value: bytes

    def number(self, data: bytes, layout: _TiffLayout) -> int:
        """Return the first value, a whole number; 0 where it is none."""
        code = WHOLE.get(self.kind)
        size = SIZES.get(self.kind, 0)
        if code is None or not self.count:
            return 0
        content = self.value
        if self.count * size > len(self.value):
            (at,) = layout.offset.unpack(self.value)
            content = data[at : at + size]
        return int(struct.unpack(layout.order + code, content[:size])[0]) if len(content) >= size else 0


def orientation_of(exif: bytes) -> int:
    """Return the turn, 1 to 8, that EXIF's first table states; 0 where it states none."""
    try:
        layout, entries = _table(exif)
        turn = next((entry.number(exif, layout) for entry in entries if entry.tag == ORIENTATION), 0)
    except (DamagedImageError, ImageTooLargeError):
        return 0
    return turn if 1 <= turn <= 8 else 0  # noqa: PLR2004


def first_page(data: bytes) -> TiffPage:
    """Return the first page alone, its table at the end. Raise DamagedImageError or ImageTooLargeError."""
    layout, entries = _table(data)
    found = {entry.tag: entry for entry in entries}
    numbers = {tag: found[tag].number(data, layout) for tag in (*KEPT, ORIENTATION) if tag in found}
    kept = [found[tag] for tag in sorted(KEPT & found.keys())]
    if any(entry.count > MAX_VALUES for entry in kept):
        raise ImageTooLargeError(f"the TIFF image has more than {MAX_VALUES} strips or tiles; save it anew")
    padded = data + b"\0" * (len(data) % 2)
    table = layout.count.pack(len(kept)) + b"".join(
        layout.entry.pack(entry.tag, entry.kind, entry.count, entry.value) for entry in kept
    )
    place = layout.offset.pack(len(padded))
    head = padded[:8] + place if layout.is_big else padded[:4] + place
    turn = numbers.get(ORIENTATION, 1)
    depth = -(-max(numbers.get(BITS, 1), 1) * max(numbers.get(SAMPLES, 1), 1) // 8)
    return TiffPage(
        head + padded[len(head) :] + table + layout.offset.pack(0),
        turn if 1 <= turn <= 8 else 1,  # noqa: PLR2004
        depth,
        numbers.get(TILE_WIDTH, 0) * numbers.get(TILE_HEIGHT, 0),
    )


def _table(data: bytes) -> tuple[_TiffLayout, list[_Entry]]:
    """Return the entries of the first table whose values lie within the data."""
    layout = _TiffLayout("<" if data[:2] == b"II" else ">", is_big=b"+" in data[2:4])
    try:
        (at,) = layout.offset.unpack_from(data, 8 if layout.is_big else 4)
        (count,) = layout.count.unpack_from(data, at)
        if count > MAX_ENTRIES:
            raise ImageTooLargeError(f"the TIFF image has more than {MAX_ENTRIES} tags; save it anew")
        return layout, list(_entries(data, layout, at + layout.count.size, count))
    except (struct.error, OverflowError) as error:
        raise DamagedImageError("the TIFF image is damaged; save it anew and send it again") from error


def _entries(data: bytes, layout: _TiffLayout, at: int, count: int) -> Iterator[_Entry]:
    for number in range(count):
        tag, kind, values, value = layout.entry.unpack_from(data, at + number * layout.entry.size)
        size = SIZES.get(kind, 0) * values
        if size <= len(value) or layout.offset.unpack(value)[0] + size <= len(data):
            yield _Entry(tag, kind, values, value)
