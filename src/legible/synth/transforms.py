"""The movement of points: 3 x 3 matrices beside the images that they made."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from legible.arrays import Matrix

Boxes = npt.NDArray[np.float64]
"""Left, top, right and bottom of each character in pixels, (n, 4); NaN for what leaves no ink."""

Places = npt.NDArray[np.float64]

Image = TypeVar("Image", npt.NDArray[np.uint8], npt.NDArray[np.float32])

STILL: Matrix = np.eye(3)


@dataclass(frozen=True)
class Moved(Generic[Image]):
    """An image after a change, and the matrix that takes (x, y, 1) before it to (x, y, 1) * w after it."""

    image: Image
    matrix: Matrix


@dataclass(frozen=True)
class Lettering:
    """The coverage (H, W) of a text, 0 to 1, and the box of each of its characters."""

    coverage: npt.NDArray[np.float32]
    boxes: Boxes


def shifted(*, right: float, down: float) -> Matrix:
    return np.array([[1, 0, right], [0, 1, down], [0, 0, 1]], np.float64)


def scaled(*, across: float, down: float) -> Matrix:
    return np.diag([across, down, 1.0])


def move_boxes(boxes: Boxes, matrix: Matrix) -> Boxes:
    """Return the boxes around the moved corners of boxes."""

    def move(x: Places, y: Places) -> tuple[Places, Places]:
        moved_x, moved_y, w = matrix @ np.stack([x, y, np.ones(len(x))])
        return moved_x / w, moved_y / w

    return around_corners(boxes, move)


def around_corners(boxes: Boxes, move: Callable[[Places, Places], tuple[Places, Places]]) -> Boxes:
    """Return the boxes around the corners of boxes, moved from places (x, y) to others."""
    left, top, right, bottom = boxes.T
    moved = [move(x, y) for x in (left, right) for y in (top, bottom)]
    x, y = np.stack([place[0] for place in moved]), np.stack([place[1] for place in moved])
    return np.stack([x.min(axis=0), y.min(axis=0), x.max(axis=0), y.max(axis=0)], axis=1)
