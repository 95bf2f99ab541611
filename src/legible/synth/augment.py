"""Augmentation: change a grey image as hands, pens, paper, scanners and phones would; the text stays readable.

Every change has its own probability and size, and both grow with `strength` from 0 (nothing) to 1. All geometry is one
resampling. What is outside the image is paper.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from legible.arrays import Float32s, GreyImage
from legible.synth.transforms import STILL, Moved, scaled, shifted

LARGEST_SLANT = 0.45
"""The tangent of the shear at strength 1: about 24 degrees."""
LARGEST_TURN_DEGREES = 4.0
LARGEST_STRETCH = 0.3
ELASTIC_CELL = 24
"""The distance in pixels of the points that an elastic change moves."""


def augment(image: GreyImage, rng: np.random.Generator, strength: float) -> GreyImage:
    """Return an augmented copy of an image (H, W); its size may change. The same rng state gives the same bytes."""
    return augment_moved(image, rng, strength).image


def augment_moved(image: GreyImage, rng: np.random.Generator, strength: float) -> Moved[GreyImage]:
    """Return what `augment` does, with the matrix that moved its points.

    An elastic change is not in the matrix; it moves points by at most a few hundredths of the height.
    """
    if strength <= 0:
        return Moved(image, STILL)
    return _changed(_warp(image, rng, strength), rng, strength)


def augmented_views(image: GreyImage, rng: np.random.Generator, strength: float, *, views: int) -> Iterator[GreyImage]:
    """Yield copies with one slant, rotation, stretch and elastic change, each with its own ink, light and noise."""
    warped = _warp(image, rng, strength)
    for _ in range(views):
        yield _changed(warped, rng, strength).image


def _changed(warped: Moved[GreyImage], rng: np.random.Generator, strength: float) -> Moved[GreyImage]:
    changed, matrix = warped.image, warped.matrix
    for change in CHANGES:
        if rng.random() < change.chance * strength:
            if isinstance(change, Shift):
                moved = change.apply(changed, rng, strength)
                changed, matrix = moved.image, moved.matrix @ matrix
            else:
                changed = change.apply(changed, rng, strength)
    return Moved(changed, matrix)


def paper_level(image: GreyImage) -> int:
    """Return the grey level of the paper: the median of the border."""
    border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    return int(np.median(border))


def _warp(image: GreyImage, rng: np.random.Generator, strength: float) -> Moved[GreyImage]:
    """Slant, rotate, stretch, add margins and an elastic change, in one resampling."""
    height, width = image.shape
    slant = rng.normal(0, 0.4) * LARGEST_SLANT * strength
    turn = min(np.deg2rad(LARGEST_TURN_DEGREES), 0.5 * height / width) * rng.normal(0, 0.4) * strength
    stretch = np.exp(rng.normal(0, 0.5) * LARGEST_STRETCH * strength)
    rise = np.exp(rng.normal(0, 0.35) * LARGEST_STRETCH * strength)
    margins = rng.uniform(0, 0.25 * strength, size=4) * height
    matrix = _around_center(slant=slant, turn=turn, stretch=stretch, rise=rise, width=width, height=height)
    corners = matrix[:, :2] @ np.array([[0, width, 0, width], [0, 0, height, height]]) + matrix[:, 2:]
    low, high = corners.min(axis=1), corners.max(axis=1)
    matrix[:, 2] += margins[:2] - low
    new_width, new_height = (max(round(float(n)), 1) for n in high - low + margins[:2] + margins[2:])
    sources = _source_points(matrix, new_width, new_height)
    if rng.random() < strength:
        sources += _elastic(rng, new_height, new_width, size=0.05 * strength * height)
    warped = cv2.remap(image, sources[0], sources[1], cv2.INTER_LINEAR, borderValue=paper_level(image))
    return Moved(np.asarray(warped, np.uint8), np.vstack([matrix, [0, 0, 1]]))


def _around_center(
    *, slant: float, turn: float, stretch: float, rise: float, width: int, height: int
) -> npt.NDArray[np.float64]:
    """Return the 2 x 3 matrix from the old to the new image."""
    shear = np.array([[stretch, -slant * rise], [0, rise]])
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    linear = rotation @ shear
    center = np.array([[width / 2], [height / 2]])
    return np.hstack([linear, center - linear @ center])


def _source_points(matrix: npt.NDArray[np.float64], width: int, height: int) -> Float32s:
    """Return the source point of each pixel of the new image: (2, height, width), x before y."""
    inverse = np.linalg.inv(matrix[:, :2])
    x = np.arange(width, dtype=np.float32) - np.float32(matrix[0, 2])
    y = np.arange(height, dtype=np.float32)[:, None] - np.float32(matrix[1, 2])
    return np.stack([inverse[row, 0] * x + inverse[row, 1] * y for row in (0, 1)]).astype(np.float32)


def _elastic(rng: np.random.Generator, height: int, width: int, *, size: float) -> Float32s:
    """Return a smooth random displacement of both axes (Simard et al. 2003), drawn on a coarse grid."""
    shape = (height // ELASTIC_CELL + 3, width // ELASTIC_CELL + 3)
    coarse = rng.normal(0, size, (2, *shape)).astype(np.float32)
    return np.stack([cv2.resize(plane, (width, height), interpolation=cv2.INTER_CUBIC) for plane in coarse])


def _stroke(image: GreyImage, rng: np.random.Generator, strength: float) -> GreyImage:
    """Make strokes thicker or thinner by up to about a pixel, in parts of a pixel; ink is dark."""
    kernel = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    changed = cv2.erode(image, kernel) if rng.random() < 0.6 else cv2.dilate(image, kernel)  # noqa: PLR2004
    amount = rng.uniform(0.2, 0.9) * strength
    return np.asarray(cv2.addWeighted(image, 1 - amount, changed, amount, 0), np.uint8)


def _blur(image: GreyImage, rng: np.random.Generator, strength: float) -> GreyImage:
    sigma = rng.uniform(0.4, 0.5 + 1.2 * strength) * min(1.0, image.shape[0] / 48)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), max(sigma, 0.3)), np.uint8)


def _motion_blur(image: GreyImage, rng: np.random.Generator, strength: float) -> GreyImage:
    length = 3 + 2 * int(rng.integers(0, 1 + round(2 * strength)))
    kernel = np.zeros((length, length), np.float32)
    if rng.random() < 0.5:  # noqa: PLR2004
        kernel[length // 2] = 1 / length
    else:
        np.fill_diagonal(kernel, 1 / length)
    return np.asarray(cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REPLICATE), np.uint8)


def _noise(image: GreyImage, rng: np.random.Generator, strength: float) -> GreyImage:
    noise = rng.normal(0, rng.uniform(2, 4 + 18 * strength), image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def _contrast(image: GreyImage, rng: np.random.Generator, strength: float) -> GreyImage:
    low = rng.uniform(0, 110) * strength
    high = 255 - rng.uniform(0, 70) * strength
    gamma = np.exp(rng.normal(0, 0.4) * strength)
    levels = low + (high - low) * (np.arange(256) / 255) ** gamma
    return np.asarray(levels.astype(np.uint8)[image], np.uint8)


def _shade(image: GreyImage, rng: np.random.Generator, strength: float) -> GreyImage:
    """Let light fall off across the image."""
    height, width = image.shape
    corners = (1 - rng.uniform(0, 0.5 * strength, (2, 2))).astype(np.float32)
    light = cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(image * light, np.uint8)


def _resample(image: GreyImage, rng: np.random.Generator, strength: float) -> Moved[GreyImage]:
    """Scale down to fewer pixels and up again."""
    height, width = image.shape
    rows = max(round(height * (1 - rng.uniform(0.1, 0.6) * strength)), min(height, 16))
    columns = max(width * rows // height, 1)
    small = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.5:  # noqa: PLR2004
        return Moved(np.asarray(small, np.uint8), scaled(across=columns / width, down=rows / height))
    return Moved(np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8), STILL)


def _jpeg(image: GreyImage, rng: np.random.Generator, strength: float) -> GreyImage:
    quality = int(90 - rng.uniform(0.2, 1) * 65 * strength)
    _, content = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(content, cv2.IMREAD_GRAYSCALE), np.uint8)


def _cut(image: GreyImage, rng: np.random.Generator, strength: float) -> Moved[GreyImage]:
    """Cut off up to a twenty-fifth of the height, or as many columns, at each side."""
    height, width = image.shape
    most = 0.04 * strength * height
    top, bottom, left, right = rng.uniform(0, most, 4).round().astype(int)
    kept = image[top : height - bottom, left : width - right]
    if min(kept.shape) <= 4:  # noqa: PLR2004
        return Moved(image, STILL)
    return Moved(kept, shifted(right=-float(left), down=-float(top)))


def _invert(image: GreyImage, rng: np.random.Generator, strength: float) -> GreyImage:
    del rng, strength
    return 255 - image


@dataclass(frozen=True)
class Change:
    """A change, and its probability at strength 1."""

    apply: Callable[[GreyImage, np.random.Generator, float], GreyImage]
    chance: float


@dataclass(frozen=True)
class Shift:
    """A change that moves points."""

    apply: Callable[[GreyImage, np.random.Generator, float], Moved[GreyImage]]
    chance: float


CHANGES: tuple[Change | Shift, ...] = (
    Shift(_cut, 0.3),
    Change(_stroke, 0.5),
    Shift(_resample, 0.3),
    Change(_blur, 0.25),
    Change(_motion_blur, 0.08),
    Change(_shade, 0.2),
    Change(_contrast, 0.5),
    Change(_noise, 0.3),
    Change(_jpeg, 0.15),
    Change(_invert, 0.03),
)
"""The changes in the order in which they happen on the way from pen to file."""
