"""Invariance: whether a reading stays the same with more margin, at another size, light on dark, and slightly
rotated.
"""

from collections.abc import Callable, Mapping, Sequence

import cv2
import numpy as np

from legible.arrays import GreyImage
from legible.recognition.recognizer import Recognizer
from legible.synth.augment import paper_level

MARGIN = 10
"""The pixels of paper added on each side."""


def widened(image: GreyImage) -> GreyImage:
    return np.pad(image, MARGIN, constant_values=paper_level(image))


def resized(image: GreyImage, factor: float) -> GreyImage:
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    height, width = (max(round(side * factor), 1) for side in image.shape)
    return np.asarray(cv2.resize(image, (width, height), interpolation=way), np.uint8)


def inverted(image: GreyImage) -> GreyImage:
    return 255 - image


def turned(image: GreyImage, degrees: float) -> GreyImage:
    """Turn an image about its middle, on a sheet that holds all of it."""
    height, width = image.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    cosine, sine = abs(matrix[0, 0]), abs(matrix[0, 1])
    new_width, new_height = round(height * sine + width * cosine), round(height * cosine + width * sine)
    matrix[:, 2] += ((new_width - width) / 2, (new_height - height) / 2)
    paper = (float(paper_level(image)),)
    return np.asarray(cv2.warpAffine(image, matrix, (new_width, new_height), borderValue=paper), np.uint8)


CHANGES: Mapping[str, Callable[[GreyImage], GreyImage]] = {
    "10 pixels more margin": widened,
    "at 0.7 of the size": lambda image: resized(image, 0.7),
    "at 1.5 of the size": lambda image: resized(image, 1.5),
    "light on dark": inverted,
    "turned by 1 degree": lambda image: turned(image, 1.0),
}


def same_readings(recognizer: Recognizer, read: Sequence[tuple[GreyImage, str]]) -> dict[str, float]:
    """Return for each change the fraction of these images that still give the text they gave without it."""
    return {name: _fraction_same(recognizer, read, change) for name, change in CHANGES.items()}


def _fraction_same(
    recognizer: Recognizer, read: Sequence[tuple[GreyImage, str]], change: Callable[[GreyImage], GreyImage]
) -> float:
    readings = recognizer.read_each([change(image) for image, _ in read])
    return sum(reading.text == text for reading, (_, text) in zip(readings, read, strict=True)) / max(len(read), 1)
