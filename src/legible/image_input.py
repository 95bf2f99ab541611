"""The inputs of `legible.read` and of the client: paths, bytes, open files, PIL images and arrays.

It needs the standard library alone; Pillow is imported where a PIL image or an array has to be encoded.
"""

import io
import os
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from legible.errors import ImageTooLargeError

MAX_FILE_BYTES = 100_000_000
"""The most bytes of a file that are read: a device or a file of holes has more than the memory."""


@runtime_checkable
class BinaryFile(Protocol):
    """An open file, or anything else with `read`."""

    def read(self, size: int = -1, /) -> bytes: ...


ImageInput = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryFile | Any
"""A path, the bytes of a file, an open file, a PIL image, or an array (H, W), (H, W, 3) or (H, W, 4) of uint8."""
NOT_IN_PNG = frozenset({"CMYK", "YCbCr"})
"""Pillow's modes of colours that JPEG has and PNG has not."""
KINDS = "a path, the bytes of an image file, an open file, a PIL image or an array of uint8"


def image_file(image: ImageInput) -> tuple[str, bytes]:
    """Return a name and the bytes of an image file. Raise OSError for a path without a file, TypeError for others.

    >>> image_file(Path("scans/word.png"))[0]
    'word.png'
    """
    if isinstance(image, str | os.PathLike):
        path = Path(image)
        return path.name, file_bytes(path)
    if isinstance(image, bytes | bytearray | memoryview):
        return "image", bytes(image)
    if is_pil_image(image) or is_array(image):
        return "image.png", _encoded(image)
    if isinstance(image, BinaryFile):
        return Path(str(getattr(image, "name", "image"))).name, _bytes_of(image)
    raise TypeError(f"{type(image).__name__} is no image; give {KINDS}")


def file_bytes(path: Path, *, limit: int = MAX_FILE_BYTES) -> bytes:
    """Return the bytes of a file. Raise ImageTooLargeError for one that has more than the limit, or no end."""
    with path.open("rb") as file:
        return _within(file.read(limit + 1), limit)


def is_pil_image(image: ImageInput) -> bool:
    """Say whether it is a PIL image, without importing Pillow."""
    return any(kind.__module__ == "PIL.Image" and kind.__name__ == "Image" for kind in type(image).__mro__)


def is_array(image: ImageInput) -> bool:
    """Say whether it is an array of numpy, or of a library that hands over arrays alike."""
    return hasattr(image, "__array_interface__") and not is_pil_image(image)


def _bytes_of(file: BinaryFile) -> bytes:
    content: object = file.read(MAX_FILE_BYTES + 1)
    if not isinstance(content, bytes):
        raise TypeError(f"the file gives {type(content).__name__}; open it for bytes, as open(path, 'rb')")
    return _within(content, MAX_FILE_BYTES)


def _within(content: bytes, limit: int) -> bytes:
    if len(content) > limit:
        raise ImageTooLargeError(f"the file has more than {limit} bytes; send a smaller picture")
    return content


def _encoded(image: Any) -> bytes:
    from PIL import Image, ImageOps  # only for those who have their images in Pillow or numpy  # noqa: PLC0415

    picture = Image.fromarray(image) if is_array(image) else image
    picture = ImageOps.exif_transpose(picture)  # what Pillow writes as PNG keeps no rotation
    picture = picture.convert("RGB") if picture.mode in NOT_IN_PNG else picture
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()
