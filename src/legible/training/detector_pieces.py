"""Pieces of pages that the line detector learns from: cut, scaled, turned and changed by chance, with their maps."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from legible.arrays import GreyImage, Matrix
from legible.detection.geometry import rotation, scaling
from legible.training.detector_truth import Maps, TruePage, truth_maps

LINE_HEIGHT = 15.0
"""Pixels between the edges of a line whose capitals are about 11 pixels high: the size that pages are brought to."""
MIN_FACTOR, MAX_FACTOR = 0.05, 4.0
THUMBNAILS = 0.12
"""How often a page of known corners is shown whole."""
Rng = np.random.Generator


@dataclass(frozen=True)
class TrainingPiece:
    """Network input (side, side), ink 1 on paper 0 in steps of 1/255, and its maps."""

    image: GreyImage
    maps: Maps


def cut_piece(page: TruePage, rng: Rng, *, side: int) -> TrainingPiece:
    """Return a square piece around one of the page's lines, or the whole page small."""
    whole = page.corners is not None and rng.random() < THUMBNAILS
    matrix = _whole(page, rng, side) if whole or not page.lines else _around_line(page, rng, side)
    image = _warped(page.image, matrix, side, rng)
    return TrainingPiece(255 - changed(image, rng), truth_maps(page, matrix, shape=(side, side)))


def changed(image: GreyImage, rng: Rng) -> GreyImage:
    """Return the image with other light, contrast, sharpness and noise; sometimes with light on dark."""
    values = image.astype(np.float32)
    if rng.random() < 0.4:  # noqa: PLR2004
        sigma = float(rng.uniform(0.3, 1.3))
        values = np.asarray(cv2.GaussianBlur(values, (0, 0), sigma), np.float32)
    elif rng.random() < 0.3:  # noqa: PLR2004
        values += 0.8 * (values - np.asarray(cv2.GaussianBlur(values, (0, 0), 1.0), np.float32))
    if rng.random() < 0.6:  # noqa: PLR2004
        low, high = rng.uniform(0, 90), rng.uniform(150, 255)
        gamma = float(np.exp(rng.normal(0, 0.35)))
        values = (low + (high - low) * np.clip(values / 255, 0, 1) ** gamma).astype(np.float32)
    if rng.random() < 0.5:  # noqa: PLR2004
        values += rng.normal(0, rng.uniform(1, 14), values.shape).astype(np.float32)
    if rng.random() < 0.04:  # noqa: PLR2004
        values = 255 - values
    return np.clip(values, 0, 255).astype(np.uint8)


def _around_line(page: TruePage, rng: Rng, side: int) -> Matrix:
    """Return the matrix from a page to a piece in which a line (of usual or its own height) is about LINE_HEIGHT
    high.
    """
    line = page.lines[int(rng.integers(len(page.lines)))]
    usual = float(np.median([one.height for one in page.lines]))
    high = line.height if rng.random() < 0.4 else usual  # noqa: PLR2004
    wanted = LINE_HEIGHT * float(np.exp(np.clip(rng.normal(0.05, 0.3), -0.45, 0.9)))
    factor = float(np.clip(wanted / max(high, 1.0), MIN_FACTOR, MAX_FACTOR))
    x, y = line.middle[int(rng.integers(len(line.middle)))]
    return _placed(float(x), float(y), factor, rng, side, spread=0.35)


def _whole(page: TruePage, rng: Rng, side: int) -> Matrix:
    rows, columns = page.image.shape
    factor = float(np.clip(side / max(rows, columns) * rng.uniform(0.75, 1.02), MIN_FACTOR, MAX_FACTOR))
    return _placed(columns / 2, rows / 2, factor, rng, side, spread=0.04)


def _placed(x: float, y: float, factor: float, rng: Rng, side: int, *, spread: float) -> Matrix:
    """Return a point of the page brought near the middle of the piece, the page scaled, stretched a little and
    turned.
    """
    stretch = np.diag([float(np.exp(rng.normal(0, 0.06))), 1.0, 1.0])
    degrees = rng.normal(0, 1.2) if rng.random() < 0.8 else rng.normal(0, 6)  # noqa: PLR2004
    at = side / 2 + rng.uniform(-spread, spread, 2) * side
    center = np.array([[1, 0, at[0]], [0, 1, at[1]], [0, 0, 1]])
    back = np.array([[1, 0, -x], [0, 1, -y], [0, 0, 1]])
    turn = rotation(np.deg2rad(degrees), center=(0.0, 0.0))
    return np.asarray(center @ turn @ stretch @ scaling(factor) @ back)


def _warped(image: GreyImage, matrix: Matrix, side: int, rng: Rng) -> npt.NDArray[np.uint8]:
    """Return the piece; where it leaves the page, the page's own edge, or one grey."""
    factor = float(np.sqrt(abs(np.linalg.det(matrix[:2, :2]))))
    if factor < 0.75:  # averaged first: sampling alone would tear thin strokes  # noqa: PLR2004
        size = (max(round(image.shape[1] * factor), 1), max(round(image.shape[0] * factor), 1))
        shrunk = np.diag([size[0] / image.shape[1], size[1] / image.shape[0], 1.0])
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
        matrix = matrix @ np.linalg.inv(shrunk)
    mode = cv2.BORDER_REPLICATE if rng.random() < 0.3 else cv2.BORDER_CONSTANT  # noqa: PLR2004
    grey = int(rng.choice([0, 255, int(rng.integers(256))], p=[0.15, 0.6, 0.25]))
    warped = cv2.warpAffine(image, matrix[:2], (side, side), flags=cv2.INTER_LINEAR, borderMode=mode, borderValue=grey)
    return np.asarray(warped, np.uint8)
