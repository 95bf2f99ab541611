"""The pages of a TIFF: the place of each page's table, and the file with one of them as its first.

The decoder reads only the first page of a file. A later page is read by pointing the file's header at its table (TIFF
6.0, section 2; BigTIFF is the same with eight bytes in place of four).
"""

import struct
from dataclasses import dataclass

from legible.errors import DamagedImageError

STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


@dataclass(frozen=True)
class _Layout:
    """How numbers stand in a file: their order, the place of the first offset, sizes of counts, entries and offsets."""

    order: str
    head: int
    count: str
    entry: int
    offset: str

    @staticmethod
    def of(data: bytes) -> "_Layout":
        order = "<" if data[:2] == b"II" else ">"
        is_big = b"+" in data[2:4]
        return _Layout(order, 8, "Q", 20, "Q") if is_big else _Layout(order, 4, "H", 12, "I")

    def number(self, data: bytes, kind: str, place: int) -> int:
        (value,) = struct.unpack_from(self.order + kind, data, place)
        return int(value)


def is_tiff(data: bytes) -> bool:
    return data[:4] in STARTS


def page_offsets(data: bytes, *, limit: int) -> list[int]:
    """Return where the table of each page stands; of more than `limit` pages those and one more.

    A chain that runs back into itself ends there. Raise DamagedImageError for one that leaves the file.
    """
    layout, found = _Layout.of(data), list[int]()
    try:
        place = layout.number(data, layout.offset, layout.head)
        while place and place not in found and len(found) <= limit:
            found.append(place)
            entries = layout.number(data, layout.count, place)
            after = place + struct.calcsize(layout.order + layout.count) + entries * layout.entry
            place = layout.number(data, layout.offset, after)
    except (struct.error, OverflowError) as error:
        if found:  # what the chain names before it breaks can be read
            return found
        raise DamagedImageError("the TIFF image is damaged; save it anew and send it again") from error
    return found


def with_first(data: bytes, offset: int) -> bytes:
    """Return the file with the page whose table stands at `offset` as its first."""
    layout = _Layout.of(data)
    pointer = struct.pack(layout.order + layout.offset, offset)
    return data[: layout.head] + pointer + data[layout.head + len(pointer) :]
