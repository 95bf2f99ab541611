"""Places on a page of a PDF as it is displayed: turned, and cut to its crop box, where the PDF says so."""

import ctypes
from dataclasses import dataclass
from typing import Any

from pypdfium2 import raw

UNITS = 10_000
"""The units of a device into which PDFium divides each side of the page."""


@dataclass(frozen=True)
class Displayed:
    """A page's corners in its own coordinates, as they are displayed, and its displayed size in points."""

    corner: tuple[float, float]
    """The corner at the bottom left."""
    across: tuple[float, float]
    """From it to the corner at the bottom right."""
    up: tuple[float, float]
    """From it to the corner at the top left."""
    width: float
    height: float

    @staticmethod
    def of(page: Any) -> "Displayed":
        """Look a page of pypdfium2 up."""
        (x, y), right, top = (_own_point(page, *point) for point in ((0, UNITS), (UNITS, UNITS), (0, 0)))
        width, height = page.get_size()
        return Displayed((x, y), (right[0] - x, right[1] - y), (top[0] - x, top[1] - y), width, height)

    @property
    def own_matrix(self) -> tuple[float, float, float, float, float, float]:
        """The matrix, as PDF writes it, from displayed points with their origin at the bottom left to the page's."""
        (a, b), (c, d), (e, f) = self.across, self.up, self.corner
        return a / self.width, b / self.width, c / self.height, d / self.height, e, f

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Return a point of the page where it is displayed, in points from the top left."""
        x, y = x - self.corner[0], y - self.corner[1]
        return _part(self.across, x, y) * self.width, (1 - _part(self.up, x, y)) * self.height

    def direction(self, x: float, y: float) -> tuple[int, int]:
        """Return the quarter in which a direction of the page points as it is displayed: (1, 0) right, (0, 1) down."""
        right, up = _part(self.across, x, y) * self.width, _part(self.up, x, y) * self.height
        return ((1 if right > 0 else -1), 0) if abs(right) >= abs(up) else (0, -1 if up > 0 else 1)


def _part(side: tuple[float, float], x: float, y: float) -> float:
    """Return how far along a side a vector reaches, as a part of it; both sides of a page are at right angles."""
    return (x * side[0] + y * side[1]) / max(side[0] ** 2 + side[1] ** 2, 1e-9)


def _own_point(page: Any, x: int, y: int) -> tuple[float, float]:
    """Return the page's own coordinates of a point of the device."""
    found = ctypes.c_double(), ctypes.c_double()
    raw.FPDF_DeviceToPage(page, 0, 0, UNITS, UNITS, 0, x, y, *map(ctypes.byref, found))
    return found[0].value, found[1].value
