"""Versions 1 and 2 of the preprocessing: one threshold for the whole image, and a box around everything darker.

They are kept for the bundles that were trained with them; `image.normalize` holds the newest version.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from legible.arrays import GreyImage

InkMask = npt.NDArray[np.bool_]
Outline = tuple[float, float, float, float]
"""Left, top, right, bottom."""

MAX_PIXELS = 1_000_000
"""Larger images are cut down to their ink and reduced first: text is read at a few tens of rows."""
ROOM = 0.5
"""The paper kept around the ink of such an image, as a fraction of the ink's height."""
WIDEST = 4096
"""The most columns of the model input; wider images are squeezed."""
SIDE_MARGIN = 4
"""The columns of paper on both sides, so that the first and last stroke stand free."""
RIM = 0.15
"""The paper that is looked at around the ink, as a fraction of the ink's height."""
SLENDEREST = 40
"""Ink more than this many times as high as wide is no text: it gets the rim of such ink."""
MIN_CONTRAST = 8.0
"""An image with fewer grey levels between paper and ink is blank."""
SEEN_HIGH = 48
"""The rows of ink at which its edges and tones are found, so that an image's own size hardly matters."""
STROKES_HIGH = 3.0
"""The least height of a word in strokes: it keeps dashes and dots from filling the whole height."""


LEVELS = np.arange(256)


@dataclass(frozen=True)
class InkTones:
    """The mean grey level of paper and of ink, the threshold between them, and the fraction of the image above it."""

    paper: float
    ink: float
    threshold: float
    light_share: float


@dataclass(frozen=True)
class Box:
    """A box: rows top to bottom and columns left to right, the ends not included."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left


@dataclass(frozen=True)
class FoundInk:
    """The place of the ink, its tones, and the pixels of the box that are ink."""

    box: Box
    tones: InkTones
    mask: InkMask


def normalize_binarized(image: GreyImage, *, height: int, stride: int, version: int) -> npt.NDArray[np.float32]:
    """Return the model input (height, W), W a multiple of stride and at least two strides; zeros for a blank image.

    Version 1, of the first bundles, finds the ink at the image's own size and to whole pixels.
    """
    dark_on_light = _turned(_reduced(image))
    first = _find_ink(softened(dark_on_light))
    if first is None:
        return np.zeros((height, 2 * stride), np.float32)
    framed = _framed(dark_on_light, box=first.box, paper=first.tones.paper)
    near = framed if version == 1 else _brought_near(framed, first)
    soft = softened(near)
    second = _find_ink(soft)
    if second is None:  # the ink fills the frame: what the first look found is better
        return _scaled(dark_on_light, first, _whole(first.box), height=height, stride=stride)
    outline = _whole(second.box) if version == 1 else _outline(soft, second)
    return _scaled(near, second, outline, height=height, stride=stride)


def _reduced(image: GreyImage) -> GreyImage:
    """Return an image of at most MAX_PIXELS. A larger one first loses most of its margin."""
    if image.size <= MAX_PIXELS:
        return image
    whole = _shrunk(image)
    ink = _find_ink(softened(_turned(whole)))
    return whole if ink is None else _shrunk(_surroundings(image, ink.box, seen_in=whole))


def _surroundings(image: GreyImage, box: Box, *, seen_in: GreyImage) -> GreyImage:
    """Return the part of an image around a box that was found in a smaller copy of it."""
    room = max(2, round(ROOM * box.height))
    down, right = (large / small for large, small in zip(image.shape, seen_in.shape, strict=True))
    rows = slice(int(max(box.top - room, 0) * down), math.ceil((box.bottom + room) * down))
    columns = slice(int(max(box.left - room, 0) * right), math.ceil((box.right + room) * right))
    return image[rows, columns]


def _shrunk(image: GreyImage) -> GreyImage:
    factor = int(np.ceil(np.sqrt(image.size / MAX_PIXELS)))
    if factor <= 1:
        return image
    return np.asarray(Image.fromarray(image).reduce((min(factor, image.shape[1]), min(factor, image.shape[0]))))


def _turned(image: GreyImage) -> GreyImage:
    """Return the image dark on light; paper is what fills most of the image and of its border."""
    tones = _tones(image)
    border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    light = tones.light_share + np.count_nonzero(border > tones.threshold) / border.size
    return image if light >= 1 else 255 - image


def softened(image: GreyImage) -> GreyImage:
    """Return the means of 3 x 3 pixels, in which single specks of noise no longer count as ink."""
    across = _means_of_three(image.astype(np.uint16).T).T
    return _means_of_three(across).astype(np.uint8)


def _means_of_three(rows: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint16]:
    """Return the rounded mean of each row and its two neighbours; the first and last row are their own neighbour."""
    sums = rows.copy(order="K")
    sums[1:] += rows[:-1]
    sums[:-1] += rows[1:]
    sums[0] += rows[0]
    sums[-1] += rows[-1]
    sums += 1
    sums //= 3
    return sums


def _find_ink(image: GreyImage) -> FoundInk | None:
    tones = _tones(image)
    if tones.paper - tones.ink < MIN_CONTRAST:
        return None
    mask = image <= tones.threshold
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = Box(int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)
    return FoundInk(box, tones, mask[box.top : box.bottom, box.left : box.right])


def _tones(image: GreyImage) -> InkTones:
    """Return the threshold of greatest variance between two classes (Otsu 1979), and the means of both."""
    histogram = np.bincount(image.ravel(), minlength=256)
    dark_count = histogram.cumsum()
    dark_sum = (histogram * LEVELS).cumsum()
    light_count = image.size - dark_count
    dark_mean = dark_sum / np.maximum(dark_count, 1)
    light_mean = (dark_sum[-1] - dark_sum) / np.maximum(light_count, 1)
    best = int((dark_count * light_count * (light_mean - dark_mean) ** 2.0).argmax())
    light_share = float(light_count[best] / image.size)
    if light_count[best] == 0 or dark_count[best] == 0:
        mean = float(dark_sum[-1] / image.size)
        return InkTones(mean, mean, best, light_share)
    return InkTones(float(light_mean[best]), float(dark_mean[best]), best, light_share)


def _framed(image: GreyImage, *, box: Box, paper: float) -> GreyImage:
    """Return the ink with a rim of its own surroundings, or of paper where the image ends."""
    rim = max(2, round(RIM * min(box.height, SLENDEREST * box.width)))
    rows, columns = image.shape
    top, left = min(rim, box.top), min(rim, box.left)
    bottom, right = min(rim, rows - box.bottom), min(rim, columns - box.right)
    kept = image[box.top - top : box.bottom + bottom, box.left - left : box.right + right]
    framed = np.full((box.height + 2 * rim, box.width + 2 * rim), round(paper), np.uint8)
    framed[rim - top : rim + box.height + bottom, rim - left : rim + box.width + right] = kept
    return framed


def _brought_near(image: GreyImage, ink: FoundInk) -> GreyImage:
    """Return the image scaled to SEEN_HIGH rows of ink, in its shape unless it would be too wide."""
    factor = SEEN_HIGH / _text_height(ink.box.height, ink.mask)
    height, width = image.shape
    rows, columns = max(int(height * factor), 1), max(int(width * factor), 1)
    kept = (0, 0, min(columns / factor, width), min(rows / factor, height))
    size = (min(columns, WIDEST * 2), rows)
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR, box=kept))


def _text_height(height: float, mask: InkMask) -> float:
    """Return the height of the ink, but at least that of a few strokes."""
    return max(height, STROKES_HIGH * _stroke_width(mask))


def _stretched(image: GreyImage, tones: InkTones) -> GreyImage:
    """Return the image with paper at 0 and ink at 255."""
    levels = (tones.paper - LEVELS) * (255 / max(tones.paper - tones.ink, 1.0))
    table = np.clip(levels, 0, 255).astype(np.uint8)
    return np.take(table, image)


def _stroke_width(mask: InkMask) -> float:
    """Return twice the area over the outline: near the thickness of a long stroke, half the size of a dot."""
    inner = int(np.count_nonzero(mask[1:] != mask[:-1])) + int(np.count_nonzero(mask[:, 1:] != mask[:, :-1]))
    edges = (mask[0], mask[-1], mask[:, 0], mask[:, -1])
    outline = inner + sum(int(np.count_nonzero(edge)) for edge in edges)
    return 2.0 * int(np.count_nonzero(mask)) / max(outline, 1)


def _whole(box: Box) -> Outline:
    return (box.left, box.top, box.right, box.bottom)


def _outline(image: GreyImage, ink: FoundInk) -> Outline:
    """Return the outline of the ink to parts of a pixel: where the darkest rows and columns cross the threshold."""
    box, threshold = ink.box, ink.tones.threshold
    left, right = _span(image.min(axis=0), box.left, box.right, threshold)
    top, bottom = _span(image.min(axis=1), box.top, box.bottom, threshold)
    return left, top, right, bottom


def _span(darkest: GreyImage, start: int, stop: int, threshold: float) -> tuple[float, float]:
    """Return the begin and end of what is as dark as the threshold, each moved by at most half a pixel."""
    low, high = float(start), float(stop)
    if start > 0:
        outer, inner = int(darkest[start - 1]), int(darkest[start])
        low += (outer - threshold) / (outer - inner) - 0.5
    if stop < len(darkest):
        inner, outer = int(darkest[stop - 1]), int(darkest[stop])
        high += (threshold - inner) / (outer - inner) - 0.5
    return (low, high) if high - low >= 1 else (start, stop)


def _scaled(image: GreyImage, ink: FoundInk, outline: Outline, *, height: int, stride: int) -> npt.NDArray[np.float32]:
    left, top, right, bottom = outline
    scale = (height - 2) / _text_height(bottom - top, ink.mask)
    rows = min(max(round((bottom - top) * scale), 1), height)
    columns = min(max(round((right - left) * scale), 1), WIDEST)
    text = Image.fromarray(_stretched(image, ink.tones)).resize((columns, rows), Image.Resampling.BILINEAR, box=outline)
    width = max(-(-(columns + 2 * SIDE_MARGIN) // stride), 2) * stride
    canvas = np.zeros((height, width), np.float32)
    above, before = (height - rows) // 2, (width - columns) // 2
    canvas[above : above + rows, before : before + columns] = np.asarray(text, np.float32) / 255
    return canvas
