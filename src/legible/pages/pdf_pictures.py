"""How much of a PDF's page its pictures cover: a scan is one picture, or strips, and may stand within other content."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from pypdfium2 import raw

from legible.pages.pdf_places import Displayed

MAX_DEPTH = 5
"""The most levels of content within content that are looked at."""
CELLS = 200
"""The rows and the columns into which a page is divided."""

Point = tuple[float, float]


def pictures_and_texts(page: Any) -> list[Any]:
    """Return the pictures and texts of a page of pypdfium2, those within other content too."""
    return list(page.get_objects([raw.FPDF_PAGEOBJ_IMAGE, raw.FPDF_PAGEOBJ_TEXT], max_depth=MAX_DEPTH))


def pictured_fraction(page: Any, parts: Iterable[Any]) -> float:
    """Return the fraction of a page, as it is displayed, that the pictures among its parts cover together."""
    displayed, covered = Displayed.of(page), np.zeros((CELLS, CELLS), np.bool_)
    for part in parts:
        if part.type == raw.FPDF_PAGEOBJ_IMAGE:
            columns, rows = zip(*_cells(part, displayed), strict=True)
            covered[min(rows) : max(rows), min(columns) : max(columns)] = True
    return float(covered.mean())


def _cells(part: Any, displayed: Displayed) -> list[tuple[int, int]]:
    """Return the column and the row of each corner of a part, within the page."""
    found = []
    for corner in _corners(part):
        x, y = displayed.point(*corner)
        column, row = (CELLS * each / max(side, 1e-9) for each, side in ((x, displayed.width), (y, displayed.height)))
        found.append((round(min(max(column, 0), CELLS)), round(min(max(row, 0), CELLS))))
    return found


def _corners(part: Any) -> list[Point]:
    """Return the corners of a part in the page's own coordinates; its bounds are in those of the content it is in."""
    left, bottom, right, top = part.get_bounds()
    corners = [(left, bottom), (right, bottom), (right, top), (left, top)]
    container = part.container
    while container is not None:
        matrix = container.get_matrix()
        corners = [matrix.on_point(x, y) for x, y in corners]
        container = container.container
    return corners
