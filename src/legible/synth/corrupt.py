"""Fifteen corruptions that may happen to images of a service, by name and severity: 1 (slight) to 5 (severe).

They are for signatures, drills and benchmarks, never for training (that is `synth.augment`): one cause at a time, of a
known size. Sizes are fractions of the image's height where the eye would judge them so.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from legible.arrays import GreyImage
from legible.errors import SettingsError
from legible.synth.augment import paper_level

Rng = np.random.Generator

SEVERITIES = (1, 2, 3, 4, 5)
DARK = 128
"""Paper below this grey level is dark, and its ink is bright."""
HUNG = 0.5
"""The fraction of words of the other script that hang from a line, and of its strokes that are level or upright."""


@dataclass(frozen=True)
class Corruption:
    """A corruption: `apply`, and the size that each severity has."""

    sizes: tuple[float, float, float, float, float]
    apply: Callable[[GreyImage, float, Rng], GreyImage]


def corrupt(image: GreyImage, name: str, severity: int, rng: Rng) -> GreyImage:
    """Return a corrupted copy of an image (H, W); its size may change.

    Raise SettingsError for an unknown name or severity.
    """
    if name not in CORRUPTIONS or severity not in SEVERITIES:
        raise SettingsError(
            f"no corruption {name!r} of severity {severity}; there are {', '.join(CORRUPTIONS)}, "
            f"of severity {SEVERITIES[0]} to {SEVERITIES[-1]}"
        )
    corruption = CORRUPTIONS[name]
    return corruption.apply(image, corruption.sizes[severity - 1], rng)


def _grey(light: npt.NDArray[np.floating]) -> GreyImage:
    return np.asarray(np.clip(np.rint(light), 0, 255), np.uint8)


def _blur(image: GreyImage, size: float, rng: Rng) -> GreyImage:
    del rng
    sigma = size * image.shape[0]
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE), np.uint8)


def _motion_blur(image: GreyImage, size: float, rng: Rng) -> GreyImage:
    """Blur along a line that is level within 30 degrees."""
    reach = max(size * image.shape[0] / 2, 0.5)
    angle = rng.uniform(-np.pi / 6, np.pi / 6)
    half = int(np.ceil(reach))
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    for step in np.linspace(-reach, reach, 8 * half + 1):
        x, y = half + step * np.cos(angle), half + step * np.sin(angle)
        left, top = int(x), int(y)
        for row, column in ((top, left), (top, left + 1), (top + 1, left), (top + 1, left + 1)):
            weight = (1 - abs(x - column)) * (1 - abs(y - row))
            if weight > 0:
                kernel[row, column] += weight
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE), np.uint8)


def _gaussian_noise(image: GreyImage, size: float, rng: Rng) -> GreyImage:
    return _grey(image + size * rng.standard_normal(image.shape, np.float32))


def _shot_noise(image: GreyImage, size: float, rng: Rng) -> GreyImage:
    """Add the noise of a sensor that counts `size` photons in white."""
    return _grey(rng.poisson(image / 255 * size) * (255 / size))


def _contrast(image: GreyImage, size: float, rng: Rng) -> GreyImage:
    del rng
    mean = float(image.mean())
    return _grey(mean + (image - mean) * size)


def _brightness(image: GreyImage, size: float, rng: Rng) -> GreyImage:
    """Darken by a factor."""
    del rng
    return _grey(image * size)


def _jpeg(image: GreyImage, size: float, rng: Rng) -> GreyImage:
    del rng
    _, content = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(size)])
    return np.asarray(cv2.imdecode(content, cv2.IMREAD_GRAYSCALE), np.uint8)


def _pixelation(image: GreyImage, size: float, rng: Rng) -> GreyImage:
    """Draw squares, `size` of them for each pixel of the height."""
    del rng
    height, width = image.shape
    small = cv2.resize(image, (max(round(width * size), 1), max(round(height * size), 1)), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)


def _rotation(image: GreyImage, size: float, rng: Rng) -> GreyImage:
    """Rotate by three quarters of `size` degrees to all of them, to either side."""
    turn = np.deg2rad(size) * rng.uniform(0.75, 1) * rng.choice([-1, 1])
    return _warped(image, np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]))


def _shear(image: GreyImage, size: float, rng: Rng) -> GreyImage:
    """Shear to either side by three quarters of `size` to all of it; `size` is the tangent."""
    return _warped(image, np.array([[1, size * rng.uniform(0.75, 1) * rng.choice([-1, 1])], [0, 1]]))


def _warped(image: GreyImage, linear: npt.NDArray[np.float64]) -> GreyImage:
    """Return the whole image after a linear map, on more paper."""
    height, width = image.shape
    corners = linear @ np.array([[0, width, 0, width], [0, 0, height, height]])
    low, high = corners.min(axis=1), corners.max(axis=1)
    size = tuple(np.ceil(high - low).astype(int).tolist())
    matrix = np.hstack([linear, -low[:, None]])
    return np.asarray(cv2.warpAffine(image, matrix, size, borderValue=paper_level(image)), np.uint8)


def _thicker(image: GreyImage, size: float, rng: Rng) -> GreyImage:
    del rng
    return _spread(image, size * image.shape[0], dark=paper_level(image) >= DARK)


def _thinner(image: GreyImage, size: float, rng: Rng) -> GreyImage:
    del rng
    return _spread(image, size * image.shape[0], dark=paper_level(image) < DARK)


def _spread(image: GreyImage, radius: float, *, dark: bool) -> GreyImage:
    """Let what is dark (or what is bright) grow by a radius in pixels; parts of a pixel are interpolated."""
    whole = int(radius)
    change = cv2.erode if dark else cv2.dilate
    less, more = (np.asarray(change(image, _disc(r)), np.float32) if r else image for r in (whole, whole + 1))
    return _grey(less + (radius - whole) * (more.astype(np.float32) - less))


def _disc(radius: int) -> GreyImage:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)), np.uint8)


def _inversion(image: GreyImage, size: float, rng: Rng) -> GreyImage:
    """Invert: bright on dark; what was white becomes the grey level `size`."""
    del rng
    return _grey(255 - image * ((255 - size) / 255))


def _cropping(image: GreyImage, size: float, rng: Rng) -> GreyImage:
    """Cut off half of `size` of the height to all of it at each side; at least an eighth of the image stays."""
    height, width = image.shape
    top, bottom, left, right = np.rint(size * height * rng.uniform(0.5, 1, 4)).astype(int)
    left, right = (min(side, (width - width // 8 - 1) // 2) for side in (left, right))
    return np.ascontiguousarray(image[top : height - bottom, left : width - right])


def _other_script(image: GreyImage, size: float, rng: Rng) -> GreyImage:
    """Replace the last part (`size`) of the writing by signs of an unknown script, with its ink on its paper.

    The signs are a few random strokes in squares, some hung from a line: so it needs no fonts.
    """
    paper, ink = _paper_and_ink(image)
    written = np.abs(image - np.float32(paper)) > abs(paper - ink) / 2
    rows, columns = np.flatnonzero(written.any(axis=1)), np.flatnonzero(written.any(axis=0))
    if not len(rows):
        return image
    start = round(columns[-1] + 1 - size * (columns[-1] + 1 - columns[0]))
    signs = np.zeros(image.shape, np.uint8)
    _draw_signs(signs, (start, int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1), _stroke_width(written), rng)
    near = cv2.dilate(written.astype(np.uint8), _disc(2)) > 0
    erased = np.where(near, np.float32(paper), image)
    changed = image.copy()
    changed[:, start:] = _grey(erased + (ink - erased) * signs.astype(np.float32) / 255)[:, start:]
    return changed


def _paper_and_ink(image: GreyImage) -> tuple[float, float]:
    paper = paper_level(image)
    low, high = np.percentile(image, (2, 98))
    return float(paper), float(low if paper - low > high - paper else high)


def _stroke_width(written: npt.NDArray[np.bool_]) -> int:
    """Return the stroke width in pixels: twice the area over the outline."""
    outline = int(np.count_nonzero(np.diff(written, axis=0))) + int(np.count_nonzero(np.diff(written, axis=1)))
    return max(round(2 * int(np.count_nonzero(written)) / max(outline, 1)), 1)


def _draw_signs(coverage: GreyImage, box: tuple[int, int, int, int], stroke: int, rng: Rng) -> None:
    """Draw signs, white, side by side in a box (left, top, right, bottom)."""
    left, top, right, bottom = box
    height = bottom - top
    if rng.random() < HUNG:
        _line(coverage, [(left, top + stroke // 2), (right, top + stroke // 2)], stroke)
    while left < right:
        width = height * rng.uniform(0.6, 0.9)
        for _ in range(int(rng.integers(3, 6))):
            x = left + width * rng.uniform(0.0, 0.85, 3)
            y = top + height * rng.uniform(0.05, 0.95, 3)
            level, upright = rng.random(2) < HUNG
            _line(coverage, [(x[0], y[0]), (x[1], y[0] if level else y[1]), (x[1] if upright else x[2], y[2])], stroke)
        left += int(width) + 1


def _line(coverage: GreyImage, points: Sequence[tuple[float, float]], stroke: int) -> None:
    path = np.rint(np.asarray(points) * 16).astype(np.int32)
    cv2.polylines(coverage, [path], False, 255, stroke, cv2.LINE_AA, shift=4)


CORRUPTIONS: Mapping[str, Corruption] = {
    "blur": Corruption((0.012, 0.02, 0.032, 0.048, 0.07), _blur),
    "motion-blur": Corruption((0.05, 0.09, 0.14, 0.2, 0.3), _motion_blur),
    "gaussian-noise": Corruption((6, 12, 22, 36, 55), _gaussian_noise),
    "shot-noise": Corruption((800, 250, 100, 45, 20), _shot_noise),
    "contrast": Corruption((0.75, 0.55, 0.4, 0.28, 0.18), _contrast),
    "brightness": Corruption((0.85, 0.7, 0.55, 0.4, 0.28), _brightness),
    "jpeg": Corruption((45, 28, 16, 9, 5), _jpeg),
    "pixelation": Corruption((0.7, 0.5, 0.38, 0.28, 0.2), _pixelation),
    "rotation": Corruption((2, 4, 7, 11, 16), _rotation),
    "shear": Corruption((0.12, 0.25, 0.4, 0.6, 0.85), _shear),
    "thicker": Corruption((0.015, 0.03, 0.05, 0.07, 0.1), _thicker),
    "thinner": Corruption((0.008, 0.014, 0.02, 0.028, 0.036), _thinner),
    "inversion": Corruption((120, 90, 60, 30, 0), _inversion),
    "cropping": Corruption((0.05, 0.09, 0.14, 0.2, 0.27), _cropping),
    "other-script": Corruption((0.2, 0.4, 0.6, 0.8, 1.0), _other_script),
}
