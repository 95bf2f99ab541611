"""Bytes -> grey image."""

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from legible.errors import DamagedImageError

GreyImage = npt.NDArray[np.uint8]


def decode(data: bytes) -> GreyImage:
    try:
        return np.asarray(Image.open(io.BytesIO(data)).convert("L"))
    except (OSError, SyntaxError, ValueError) as error:
        raise DamagedImageError(str(error)) from error
