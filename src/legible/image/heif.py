"""HEIF pictures, as telephones store them, where `pillow-heif` is installed (the extra `heif`), and only then.

The library turns the picture as its container says; EXIF's orientation is not followed, as the format's standard wants.
"""

import io
from functools import cache
from importlib.util import find_spec

from PIL import Image

FORMAT = "HEIF"
"""The format's name in Pillow."""
BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"mif1"})
"""The brands of files with still pictures in HEVC."""
WORKING_BYTES_PER_PIXEL = 10
"""The bytes a pixel that the decoder needs beside the image: planes of up to 16 bits, and their colours."""


def is_heif(data: bytes) -> bool:
    """Return whether a file says that it is one."""
    return data[4:8] == b"ftyp" and data[8:12] in BRANDS


def is_readable() -> bool:
    """Return whether HEIF is read here."""
    return find_spec("pillow_heif") is not None


def open_heif(data: bytes) -> Image.Image:
    """Return the picture of which only the header was read. Needs `pillow-heif`."""
    _register()
    return Image.open(io.BytesIO(data), formats=(FORMAT,))


@cache
def _register() -> None:
    from pillow_heif import register_heif_opener  # only for those who read HEIF  # noqa: PLC0415

    register_heif_opener(thumbnails=False)
