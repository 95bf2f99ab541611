"""From a grey image to model input: ink 1 on paper 0, a line of text at one height, its width free.

This is the only preprocessing, in training and in service. It removes light, paper and polarity, finds the line and
gives it the height of the input. It crops nothing that may be text, and leaves specks, rules and what is in view of
other lines to the network.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from legible.arrays import Float32s, GreyImage
from legible.image.band import Band, find_band, stroke_width
from legible.image.binarized import normalize_binarized
from legible.image.ink import darkness, evened, is_dark_on_light

Pixels = TypeVar("Pixels", GreyImage, Float32s)

NEWEST = 3
"""The newest version of this preprocessing; a bundle's manifest says which its model was trained with."""
DEFAULT = 2
"""The version of the shipped weights."""
MAX_COLUMNS = 4096
"""The most columns of the model input; wider images are squeezed."""
MAX_ROWS, MAX_PIXELS, MAX_PIXELS_OF_BLANK = 64, 16_384, 131_072
"""Text is looked for in a copy of at most this size; the last one is for images in which nothing was found."""
MIN_ROWS, MAX_ENLARGEMENT = 32, 3.0
"""A lower image is enlarged to this many rows, but by no more than this factor."""
MIN_TEXT_ROWS, MAX_LOOKS = 14, 3
"""Text lower than this in a reduced image is looked for again near its place, at most this often."""
ROOM = 1.0
"""The paper kept around such text, as a fraction of its height."""
MIN_CONTRAST = 5
"""An image with fewer grey levels between paper and ink is blank."""
INK = 0.3
"""The darkness from which a pixel counts as ink; 1 is full ink."""
EDGE = 0.55
"""The darkness at which ink begins and ends, near the middle between paper and full ink before `ink.GAIN`."""
NEAR_ROWS = 56
"""The rows in which the ends of the text are found to parts of a pixel, so that an image's own size hardly matters."""
SPARE = 0.12
"""How far the ends may be from where they were first found, as a fraction of the height."""
RIM, SIDE = 0.08, 0.2
"""The paper kept above and below the text and on both sides, as fractions of its height."""
MIN_STROKES, STROKES = 3, 9
"""The height of text in strokes: no text is lower than the first, and most is not higher than the second."""
SMALL_LETTER = 1.9
"""The height of a line as a multiple of its smallest letter's."""
LONE, LONG = 1.3, 3.0
"""Ink narrower than the first, as a multiple of its height, may be a lone letter; wider than the second it is none."""
LINE_FRACTION, IN_LINE = 0.72, 3.0
"""The height of text in an image cut out as one line; an image of more times the height of its text is no such
image.
"""


@dataclass(frozen=True)
class Window:
    """A part of an image from `left` and `top` to `right` and `bottom`, in parts of pixels."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def width(self) -> float:
        return self.right - self.left

    def grown(self, across: float, down: float) -> "Window":
        return Window(self.left - across, self.top - down, self.right + across, self.bottom + down)

    def scaled(self, across: float, down: float) -> "Window":
        return Window(self.left * across, self.top * down, self.right * across, self.bottom * down)

    def moved(self, across: float, down: float) -> "Window":
        return Window(self.left + across, self.top + down, self.right + across, self.bottom + down)


@dataclass(frozen=True)
class Text:
    """The place of text in an image, and the thickness of its strokes."""

    place: Window
    stroke: float


def normalize(image: GreyImage, *, height: int, stride: int, version: int = DEFAULT) -> npt.NDArray[np.float32]:
    """Return the model input of (height, W), W a multiple of stride and at least two strides.

    A blank image gives blank input. `version` is the one that the model was trained on.
    """
    if version < NEWEST:
        return normalize_binarized(image, height=height, stride=stride, version=version)
    few = _reduced(image)
    if not is_dark_on_light(few):
        image, few = cv2.bitwise_not(image), cv2.bitwise_not(few)
    text = find_text(image, few)
    if text is None:
        return np.zeros((height, 2 * stride), np.float32)
    return _shown(image, text, height=height, stride=stride)


def find_text(image: GreyImage, few: GreyImage, looks: int = MAX_LOOKS) -> Text | None:
    """Return where text lies in a dark-on-light image, to about a tenth of its height; None where it is blank.

    `few` is its copy of few pixels.
    """
    seen, band = _seen(image, few)
    if band is None:
        return None
    across, down = image.shape[1] / seen.shape[1], image.shape[0] / seen.shape[0]
    place = Window(band.left, band.top, band.right, band.bottom).scaled(across, down)
    first = Text(place, band.stroke * down)
    if down <= 1 or band.height >= MIN_TEXT_ROWS or looks <= 1:
        return first
    rows, columns = _within(place.grown(ROOM * place.height, ROOM * place.height), image.shape)
    part = image[rows, columns]
    nearer = find_text(part, _reduced(part), looks - 1)
    return first if nearer is None else Text(nearer.place.moved(columns.start, rows.start), nearer.stroke)


def _seen(image: GreyImage, few: GreyImage) -> tuple[GreyImage, Band | None]:
    """Return the small copy, or a larger one where that shows nothing, and where text is in it."""
    band = _look(few)
    if band is not None or few.size >= image.size:
        return few, band
    more = _resized(image, max(math.sqrt(image.size / MAX_PIXELS_OF_BLANK), 1))
    return more, _look(more)


def _look(image: GreyImage) -> Band | None:
    """Return where text is in a small dark-on-light image."""
    rows, columns = image.shape
    reach = max(min(rows, max(columns, 8)), 5)
    dark = darkness(np.asarray(cv2.blur(image, (3, 3)), np.uint8), reach=reach)
    if dark.full < MIN_CONTRAST:
        return None
    return find_band(dark.levels > INK * dark.full_near(reach))


def _reduced(image: GreyImage) -> GreyImage:
    """Return at most MAX_PIXELS in MAX_ROWS, and at least MIN_ROWS."""
    rows = image.shape[0]
    factor = max(math.sqrt(image.size / MAX_PIXELS), rows / MAX_ROWS)
    if factor < 1:
        factor = min(max(factor, rows / MIN_ROWS, 1 / MAX_ENLARGEMENT), 1)
    return _resized(image, factor)


def _resized(image: GreyImage, factor: float) -> GreyImage:
    """Return the image reduced by a factor."""
    rows, columns = image.shape
    size = (max(round(columns / factor), 1), max(round(rows / factor), 1))
    if size == (columns, rows):
        return image
    way = cv2.INTER_AREA if factor > 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size, interpolation=way), np.uint8)


def _within(window: Window, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Return the rows and columns of an image of this shape that hold a window, where they are in it."""
    rows, columns = shape
    top, bottom = max(math.floor(window.top), 0), min(math.ceil(window.bottom), rows)
    return slice(top, bottom), slice(max(math.floor(window.left), 0), min(math.ceil(window.right), columns))


def _shown(image: GreyImage, text: Text, *, height: int, stride: int) -> npt.NDArray[np.float32]:
    """Return the line that holds the text, paper where it reaches beyond the image."""
    near = _line(text, image.shape[0])
    near = near.grown(SPARE * near.height, SPARE * near.height)
    scale = NEAR_ROWS / near.height
    size = (min(max(round(near.width * scale), 1), 2 * MAX_COLUMNS), NEAR_ROWS)
    ink = _ink(image, near, size)
    across, down = size[0] / near.width, size[1] / near.height
    place = _settled(ink, text.place.moved(-near.left, -near.top).scaled(across, down))
    stroke = stroke_width((ink[_within(place, ink.shape)] > EDGE).astype(np.uint8)) / down
    there = Text(place.scaled(1 / across, 1 / down).moved(near.left, near.top), stroke)
    line = _line(there, image.shape[0]).moved(-near.left, -near.top).scaled(across, down)
    columns = min(line.width * height / line.height, MAX_COLUMNS)
    width = max(math.ceil(columns / stride), 2) * stride
    return _resampled(ink, line.grown(0.5 * (width / columns - 1) * line.width, 0), (width, height))


def _line(text: Text, rows: int) -> Window:
    """Return the part of an image of `rows` rows that is shown: the text with a rim, its height that of a line."""
    place = text.place
    height = _line_height(text, rows)
    middle = (place.top + place.bottom) / 2
    if height > 1.05 * place.height and rows <= IN_LINE * height:
        middle = min(max(rows / 2, place.bottom - height / 2), place.top + height / 2)
    half, side = (0.5 + RIM) * height, SIDE * height
    return Window(place.left - side, middle - half, place.right + side, middle + half)


def _line_height(text: Text, rows: int) -> float:
    """Return the height of the line that a text is in: that of the ink, except for lone letters, dots and dashes."""
    place, thin = text.place, MIN_STROKES * text.stroke
    height, most = max(place.height, thin), LINE_FRACTION * rows
    width = place.width / max(place.height, 1e-3)
    if width >= LONG:
        dash = max(STROKES * text.stroke, 0.8 * place.width) if place.height < thin else 0
        return max(height, min(most, dash))
    lone = float(np.interp(width, (LONE, LONG), (1, 0)))
    line = min(most, max(SMALL_LETTER * place.height, STROKES * text.stroke))
    return height + lone * max(line - height, 0)


def _ink(image: GreyImage, window: Window, size: tuple[int, int]) -> Float32s:
    """Return the ink (rows, columns) in a window of a dark-on-light image; 0 where the window is outside the image."""
    ink = evened(darkness(_cut(image, window, size), reach=size[1]), reach=size[1])
    columns, rows = size
    first, last = _beyond(window.top, window.bottom, rows, image.shape[0])
    start, stop = _beyond(window.left, window.right, columns, image.shape[1])
    ink[:first], ink[last:], ink[:, :start], ink[:, stop:] = 0, 0, 0, 0
    return ink


def _beyond(start: float, stop: float, count: int, end: int) -> tuple[int, int]:
    """Return which of `count` pixels is the first with its middle inside an image, and which the next beyond it."""
    size = (stop - start) / count
    first, last = math.floor(-start / size + 0.5), math.ceil((end - start) / size - 0.5)
    return min(max(first, 0), count), min(max(last, 0), count)


def _settled(ink: Float32s, place: Window) -> Window:
    """Return the place of text with its ends moved to where ink (H, W) begins and ends, to parts of a pixel."""
    rows, columns = _within(place, ink.shape)
    down, across = ink[:, columns].max(axis=1), ink[rows].max(axis=0)
    reach = SPARE * ink.shape[0]
    left, right = _edge(across, place.left, reach), len(across) - _edge(across[::-1], len(across) - place.right, reach)
    top, bottom = _edge(down, place.top, reach), len(down) - _edge(down[::-1], len(down) - place.bottom, reach)
    return Window(left, top, right, bottom) if right - left >= 1 and bottom - top >= 1 else place


def _edge(darkest: Float32s, start: float, reach: float) -> float:
    """Return where ink begins, at most `reach` pixels from `start`."""
    first, stop = max(int(start - reach), 0), min(int(start + reach) + 2, len(darkest))
    here = darkest[first:stop].tolist()
    rises = [place for place, (outer, inner) in enumerate(pairwise(here)) if outer <= EDGE < inner]
    if not rises:
        return start
    before = min(rises, key=lambda place: abs(first + place + 1 - start))
    outer, inner = here[before], here[before + 1]
    return float(first + before + 0.5 + (EDGE - outer) / (inner - outer))


def _cut(image: GreyImage, window: Window, size: tuple[int, int]) -> GreyImage:
    """Return the window in (columns, rows), reduced by means and enlarged between pixels."""
    down, right = window.height / size[1], window.width / size[0]
    where = _within(window.grown(1, 1), image.shape)
    part = image[where]
    less = (max(round(part.shape[1] / max(right, 1)), 1), max(round(part.shape[0] / max(down, 1)), 1))
    small = np.asarray(cv2.resize(part, less, interpolation=cv2.INTER_AREA), np.uint8)
    inner = window.moved(-where[1].start, -where[0].start)
    return _resampled(small, inner.scaled(less[0] / part.shape[1], less[1] / part.shape[0]), size)


def _resampled(image: Pixels, window: Window, size: tuple[int, int]) -> Pixels:
    """Return the window in (columns, rows), between pixels; the outermost go on for ever."""
    right, down = window.width / size[0], window.height / size[1]
    matrix = np.array([[right, 0, window.left + 0.5 * right - 0.5], [0, down, window.top + 0.5 * down - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    shown = cv2.warpAffine(image, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(shown, image.dtype)
