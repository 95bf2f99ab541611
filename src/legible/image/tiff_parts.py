"""The strips or tiles of a TIFF page. A decoder goes over each one that is listed, with whatever bytes it names.

So they must hardly share bytes, and must not be far larger than the page: else a small file makes hours of work.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from legible.errors import ImageTooLargeError

WIDTH, HEIGHT, COMPRESSION = 256, 257, 259
STRIPS, STRIP_HEIGHT, STRIP_BYTES = 273, 278, 279
TILE_WIDTH, TILE_HEIGHT, TILES, TILE_BYTES = 322, 323, 324, 325
LISTS = frozenset({STRIPS, STRIP_BYTES, TILES, TILE_BYTES})
"""The tags that list the place and the bytes of each strip or tile."""
JPEG, SCAN = (6, 7), b"\xff\xda"
"""The compressions by which each strip is a JPEG file, and how a scan begins in one."""
MAX_PADDING, MAX_PADDED_PIXELS = 4, 4_000_000
"""All tiles have at most this many times the pixels of the page, or these many pixels if that is more."""
MAX_SHARED_BYTES = 1_000_000
"""The most bytes of strips or tiles in a smaller file: some writers store a blank tile once."""

Values = Mapping[int, tuple[int, ...]]
"""The values of a page's tags, where they are whole numbers."""


@dataclass(frozen=True)
class TiffParts:
    """The strips or the tiles of a page, all of one size in pixels."""

    pixels: int
    """The pixels of each."""
    places: tuple[int, ...]
    sizes: tuple[int, ...]
    """The bytes of each."""

    def check(self, data: bytes) -> None:
        """Raise ImageTooLargeError where all together have far more bytes than the file."""
        if sum(end - start for start, end in self._spans(data)) > max(len(data), MAX_SHARED_BYTES):
            raise ImageTooLargeError("the TIFF image uses the same bytes for several strips or tiles; save it anew")

    def scanned_pixels(self, data: bytes) -> int:
        """Return the pixels that all scans of JPEG files go over."""
        return self.pixels * sum(data.count(SCAN, start, end) for start, end in self._spans(data))

    def _spans(self, data: bytes) -> list[tuple[int, int]]:
        """Return where each begins and ends in the file."""
        pairs = zip(self.places, self.sizes, strict=False)
        return [(place, min(place + size, len(data))) for place, size in pairs if place < len(data)]


def parts_of(values: Values) -> list[TiffParts]:
    """Return the strips, the tiles, or both of a page, as it may list both."""
    width, height = _first(values, WIDTH), _first(values, HEIGHT)
    found = []
    if values.get(STRIPS):
        rows = min(_first(values, STRIP_HEIGHT, height), height)
        found.append(TiffParts(width * rows, values[STRIPS], values.get(STRIP_BYTES, ())))
    if values.get(TILES):
        _check_padding(tiled_pixels(values), width * height)
        tile = _first(values, TILE_WIDTH) * _first(values, TILE_HEIGHT)
        found.append(TiffParts(tile, values[TILES], values.get(TILE_BYTES, ())))
    return found


def tiled_pixels(values: Values) -> int:
    """Return the pixels of all tiles, and those beyond the page with them."""
    columns, rows = _first(values, TILE_WIDTH), _first(values, TILE_HEIGHT)
    return _cover(_first(values, WIDTH), columns) * _cover(_first(values, HEIGHT), rows) * columns * rows


def _check_padding(tiled: int, pixels: int) -> None:
    if tiled > max(MAX_PADDING * pixels, MAX_PADDED_PIXELS):
        raise ImageTooLargeError(f"the TIFF image has {pixels} pixels and {tiled} in its tiles; save it anew")


def _first(values: Values, tag: int, default: int = 0) -> int:
    return values.get(tag, (default,))[0]


def _cover(length: int, part: int) -> int:
    """Return how many parts cover a length: 10, 4 -> 3."""
    return -(-length // max(part, 1))
