"""An image strip by strip, so that what is made of a large one is never held beside it as a whole."""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image

STRIP_PIXELS = 1_000_000


def strips(image: Image.Image, *, multiple: int = 1) -> Iterator[Image.Image]:
    """Yield the rows of an image from top to bottom in strips, each a multiple of `multiple` high; a small image is
    one.
    """
    width, height = image.size
    if width * height <= STRIP_PIXELS:
        yield image
        return
    rows = max(STRIP_PIXELS // width // multiple, 1) * multiple
    for top in range(0, height, rows):
        yield image.crop((0, top, width, min(top + rows, height)))


def by_strips(image: Image.Image, convert: Callable[[Image.Image], npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8]:
    """Return what is made of the strips (h, W), one below the other (H, W)."""
    width, height = image.size
    if width * height <= STRIP_PIXELS:
        return convert(image)
    whole, top = np.empty((height, width), np.uint8), 0
    for strip in strips(image):
        whole[top : top + strip.height] = convert(strip)
        top += strip.height
    return whole
