"""The first page of a TIFF with the tags that pixels depend on, and no others; the turn that EXIF's TIFF states.

A TIFF's tables may point anywhere, at each other, and at the same bytes again and again: a decoder that reads them all
can be made to hold gigabytes. Here only lengths are looked at.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from legible.errors import DamagedImageError, ImageTooLargeError
from legible.image.tiff_parts import (
    COMPRESSION,
    HEIGHT,
    JPEG,
    LISTS,
    STRIP_BYTES,
    STRIP_HEIGHT,
    STRIPS,
    TILE_BYTES,
    TILE_HEIGHT,
    TILE_WIDTH,
    TILES,
    WIDTH,
    Values,
    parts_of,
    tiled_pixels,
)

BITS, ORIENTATION, SAMPLES = 258, 274, 277
ACROSS, DOWN, RATIO = 282, 283, 5
"""The tags of the pixels to an inch across and down, and the type of their values: numerator and denominator."""
KEPT = frozenset({
    WIDTH, HEIGHT, BITS, COMPRESSION, 262, 266, STRIPS, SAMPLES, STRIP_HEIGHT, STRIP_BYTES, 284, 292, 293, 317, 320,
    TILE_WIDTH, TILE_HEIGHT, TILES, TILE_BYTES, 338, 339, 347, *range(512, 522), 529, 530, 531, 532,
})  # fmt: skip
"""Tags of size, depth, compression, colour, strips and tiles."""
TRANSPOSED = frozenset({5, 6, 7, 8})
"""The orientations that exchange width and height."""
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
    decoded_pixels: int
    """Those that a decoder goes over: of all tiles, and of all scans where strips or tiles are JPEG files."""


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

    def numbers(self, data: bytes, layout: _TiffLayout, *, most: int = 1) -> tuple[int, ...]:
        """Return the values, at most so many; none where they are no whole numbers."""
        code = WHOLE.get(self.kind)
        if code is None:
            return ()
        size, content = SIZES[self.kind], self.value
        if self.count * size > len(self.value):
            (at,) = layout.offset.unpack(self.value)
            content = data[at : at + size * most]
        there = min(self.count, most, len(content) // size)
        return struct.unpack(f"{layout.order}{there}{code}", content[: there * size])

    def ratio(self, data: bytes, layout: _TiffLayout) -> float:
        """Return a fraction; 0 where it is none."""
        if self.kind != RATIO or self.count != 1:
            return 0.0
        (at,) = layout.offset.unpack(self.value) if len(self.value) < SIZES[RATIO] else (0,)
        content = data[at : at + SIZES[RATIO]] if at else self.value
        above, below = struct.unpack(layout.order + "II", content)
        return above / below if below else 0.0


def pixel_height(data: bytes) -> float:
    """Return the height of the first page's pixels over their width, as the page stands upright; 1 if not stated."""
    layout, entries = _table(data)
    found = {entry.tag: entry for entry in entries}
    if ACROSS not in found or DOWN not in found:
        return 1.0
    across, down = (found[tag].ratio(data, layout) for tag in (ACROSS, DOWN))
    if not across or not down:
        return 1.0
    turn = found[ORIENTATION].numbers(data, layout) if ORIENTATION in found else ()
    return down / across if turn and turn[0] in TRANSPOSED else across / down


def orientation_of(exif: bytes) -> int:
    """Return the turn, 1 to 8, that EXIF's first table states; 0 where it states none."""
    try:
        layout, entries = _table(exif)
        stated = [entry.numbers(exif, layout) for entry in entries if entry.tag == ORIENTATION]
        turn = stated[0][0] if stated and stated[0] else 0
    except (DamagedImageError, ImageTooLargeError):
        return 0
    return turn if 1 <= turn <= 8 else 0  # noqa: PLR2004


def first_page(data: bytes) -> TiffPage:
    """Return the first page alone, its table at the end. Raise DamagedImageError or ImageTooLargeError."""
    layout, entries = _table(data)
    found = {entry.tag: entry for entry in entries}
    kept = [found[tag] for tag in sorted(KEPT & found.keys())]
    if any(entry.count > MAX_VALUES for entry in kept):
        raise ImageTooLargeError(f"the TIFF image has more than {MAX_VALUES} strips or tiles; save it anew")
    values = _values(data, layout, found)
    padded = data + b"\0" * (len(data) % 2)
    table = layout.count.pack(len(kept)) + b"".join(
        layout.entry.pack(entry.tag, entry.kind, entry.count, entry.value) for entry in kept
    )
    place = layout.offset.pack(len(padded))
    head = padded[:8] + place if layout.is_big else padded[:4] + place
    (turn, bits, samples), (columns, rows) = (
        [values.get(tag, (default,))[0] for tag in tags]
        for tags, default in (((ORIENTATION, BITS, SAMPLES), 1), ((TILE_WIDTH, TILE_HEIGHT), 0))
    )
    return TiffPage(
        head + padded[len(head) :] + table + layout.offset.pack(0),
        turn if 1 <= turn <= 8 else 1,  # noqa: PLR2004
        -(-max(bits, 1) * max(samples, 1) // 8),
        columns * rows,
        _decoded_pixels(data, values),
    )


def _values(data: bytes, layout: _TiffLayout, entries: Mapping[int, _Entry]) -> Values:
    """Return the values of lists, and the first one of other tags."""
    found = {
        tag: entries[tag].numbers(data, layout, most=MAX_VALUES if tag in LISTS else 1)
        for tag in (*KEPT, ORIENTATION)
        if tag in entries
    }
    return {tag: numbers for tag, numbers in found.items() if numbers}


def _decoded_pixels(data: bytes, values: Values) -> int:
    """Return the pixels that a decoder goes over. Raise ImageTooLargeError for strips or tiles that no page has."""
    parts = parts_of(values)
    for part in parts:
        part.check(data)
    scanned = sum(part.scanned_pixels(data) for part in parts) if values.get(COMPRESSION, (1,))[0] in JPEG else 0
    return max(tiled_pixels(values), scanned)


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
