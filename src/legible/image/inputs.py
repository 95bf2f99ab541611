"""Any kind of image -> grey image: what `Recognizer.read` takes."""

import io
from typing import Any

import numpy as np
from PIL import Image

from legible.arrays import GreyImage
from legible.errors import ImageError, ImageTooLargeError
from legible.image.colour import grey
from legible.image.decode import DECODER_FAULTS, FORMATS, Limits, decode, decode_opened
from legible.image_input import ImageInput, image_file, is_array, is_pil_image

CHANNELS = (1, 3, 4)
"""Grey, RGB, RGBA."""


def grey_image(image: ImageInput) -> GreyImage:
    """Return the grey image of a path, bytes, an open file, a PIL image or an array.

    Raise ImageError for what is no image, and OSError for a path that cannot be read.
    """
    if isinstance(image, np.ndarray) and image.ndim == 2 and image.dtype == np.uint8 and image.size:  # noqa: PLR2004
        return image
    given: Any = image
    if is_pil_image(given):
        _check_pixels(*given.size)
        return decode_opened(given.copy())  # the frame that it stands at
    if is_array(given):
        return _of_array(np.asarray(given))
    try:
        return decode(image_file(image)[1])
    except TypeError as error:
        raise ImageError(str(error)) from error


def _of_array(array: "np.ndarray[Any, Any]") -> GreyImage:
    shaped = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in CHANNELS)  # noqa: PLR2004
    if array.dtype not in (np.uint8, np.bool_) or not shaped or not array.size:
        raise ImageError(
            f"an array of {array.dtype} and shape {array.shape} is no image; give uint8, 0 black to 255 white, of "
            "shape (height, width), (height, width, 3) in red, green, blue, or (height, width, 4)"
        )
    _check_pixels(array.shape[1], array.shape[0])
    levels = array.astype(np.uint8) * 255 if array.dtype == np.bool_ else array
    return grey(Image.fromarray(levels[..., 0] if levels.ndim == 3 and levels.shape[2] == 1 else levels))  # noqa: PLR2004


def _check_pixels(width: int, height: int) -> None:
    max_pixels = Limits().max_pixels
    if width * height > max_pixels:
        raise ImageTooLargeError(f"the image has {width} x {height} pixels; at most {max_pixels} are read")


def count_frames(data: bytes) -> int:
    """Return how many frames an image file holds, such as the pages of a TIFF; 1 for what cannot be opened."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:  # `open_image` takes the first frame out
            return int(getattr(image, "n_frames", 1))
    except DECODER_FAULTS:
        return 1
