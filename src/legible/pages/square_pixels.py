"""Pixels as high as wide: those of a fax of standard resolution are twice as high, its letters half as high as read."""

import math

import cv2
import numpy as np

from legible.arrays import GreyImage, Matrix
from legible.pages.open import OpenedPage

MIN_STRETCH, MAX_STRETCH = 1.2, 2.5
"""How much longer one side of a pixel is that is made square; fine faxes have less, and no scanner writes more."""


def with_square_pixels(page: OpenedPage, *, max_pixels: int) -> tuple[GreyImage, Matrix]:
    """Return a page's image with pixels as high as wide where it states others, and the matrix back to its own."""
    stretch = max(page.pixel_height, 1 / page.pixel_height)
    if not MIN_STRETCH <= stretch <= MAX_STRETCH:
        return page.image, np.eye(3)
    factor = min(1.0, math.sqrt(max_pixels / (page.image.size * stretch)))
    across, down = (stretch * factor, factor) if page.pixel_height < 1 else (factor, stretch * factor)
    height, width = page.image.shape
    size = (max(round(width * across), 1), max(round(height * down), 1))
    image = cv2.resize(page.image, size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(image, np.uint8), np.diag([width / size[0], height / size[1], 1.0])
