"""Find what is ink in a grey image: its polarity, the paper around it, and how dark it is against that paper.

Nothing here knows of letters. Paper may be lit unevenly, and some of the ink may be pale.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from legible.arrays import Float32s, GreyImage

BORDER = 10
"""The part of the shorter side (one in this many rows or columns) that counts as the border."""
COARSE = 8
"""The paper level is found on an image in which the reach is about this many pixels."""
TOP_FRACTION, SPECKS = 0.01, 4
"""The fraction of the pixels that may be darker than full ink, and their number in an image with little ink."""
PAPER_FRACTION = 0.25
"""At least this fraction of the pixels is paper."""
MIN_FRACTION = 0.35
"""Pale ink is darkened until it is full ink, but no more than to this fraction of the contrast of the whole image."""
GAIN = 1.25
"""Ink of a blurred stroke is full ink at less than the darkest pixel near it."""


def is_dark_on_light(image: GreyImage) -> bool:
    """Return whether ink is darker than paper: paper holds most of an image, and most of what is near its border.

    Light that changes across the image is taken out first.
    """
    side = max(min(image.shape) // 2, 1) | 1
    around = cv2.blur(image, (side, side), borderType=cv2.BORDER_REFLECT)
    level = cv2.addWeighted(image, 0.5, around, -0.5, 128)
    _, light = cv2.threshold(level, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    depth = max(min(image.shape) // BORDER, 1)
    inner = light[depth:-depth, depth:-depth]
    all_light, inner_light = cv2.countNonZero(light), int(np.count_nonzero(inner))
    border_light = (all_light - inner_light) / (light.size - inner.size)
    return bool(all_light / light.size + border_light >= 1)


@dataclass(frozen=True)
class Darkness:
    """How much darker each pixel (H, W) is than the paper around it, and how dark full ink is, in grey levels."""

    levels: GreyImage
    full: float

    def full_near(self, reach: int) -> Float32s:
        """Return how dark full ink is near each column: (1, W)."""
        darkest = cv2.blur(self.levels, (3, 3)).max(axis=0, keepdims=True)
        span = 2 * reach + 1
        near = cv2.blur(cv2.dilate(darkest, np.ones((1, span), np.uint8)), (span, 1), borderType=cv2.BORDER_REPLICATE)
        full = max(self.full, 1.0)
        return np.asarray(np.minimum(np.maximum(near, np.float32(MIN_FRACTION * full)), np.float32(full)), np.float32)


def darkness(image: GreyImage, *, reach: int) -> Darkness:
    """Return how dark the ink of a dark-on-light image (H, W) is against the paper within `reach` pixels.

    Full ink is as dark as much of it is, or half as dark as the darkest where there is little.
    """
    dark = cv2.subtract(_paper_level(image, reach), image)
    counts = np.asarray(cv2.calcHist([dark], [0], None, [256], [0, 256])).ravel().cumsum()
    paper = int(counts.searchsorted(PAPER_FRACTION * dark.size))
    wanted = (dark.size * (1 - TOP_FRACTION), dark.size - SPECKS)
    much, most = (min(int(level), 255) for level in counts.searchsorted(wanted, side="right"))
    levels = np.asarray(cv2.subtract(dark, paper) if paper else dark, np.uint8)
    return Darkness(levels, max(float(much - paper), 0.5 * (most - paper), 0.0))


def evened(dark: Darkness, *, reach: int) -> Float32s:
    """Return ink 1 and paper 0 (H, W): each stretch of about `reach` columns has its own contrast."""
    ink = dark.levels * (GAIN / dark.full_near(reach))
    return np.asarray(np.minimum(ink, 1.0, out=ink), np.float32)


def _paper_level(image: GreyImage, reach: int) -> GreyImage:
    """Return the grey level of the paper at each pixel: dark parts narrower than `reach` are closed, on a reduced
    copy.
    """
    height, width = image.shape
    factor = max(reach // COARSE, 1)
    size = (max(width // factor, 1), max(height // factor, 1))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA) if factor > 1 else cv2.blur(image, (3, 3))
    side = max(reach // factor, 3) | 1
    padded = cv2.copyMakeBorder(small, side, side, side, side, cv2.BORDER_REPLICATE)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
    smooth = cv2.blur(closed, (side, side))[side:-side, side:-side]
    level = cv2.resize(smooth, (width, height), interpolation=cv2.INTER_LINEAR) if factor > 1 else smooth
    return np.asarray(level, np.uint8)
