"""Whether an image of a request is plainly a page: many lines of ink, one below the other, and not one."""

import numpy as np
import numpy.typing as npt

MIN_LINES = 10
"""A word of a dot printer has nine rows of dots, letters one below the other are fewer."""
MIN_HEIGHT = 100
"""Pixels; less holds no ten lines."""
MAX_ROWS, MAX_COLUMNS = 600, 200
"""The most rows and columns that are looked at."""
MIN_CONTRAST = 32
"""Grey levels between ground and ink."""
INK_FRACTION = 0.02
"""The fraction of ink from which on a row belongs to a line."""
MIN_WIDTH = 0.2
"""The fraction of the width that a line's ink spans."""


def looks_like_page(image: npt.NDArray[np.uint8]) -> bool:
    """Return whether the row profile of a grey image (H, W) has many lines: ink that gaps of ground part.

    >>> looks_like_page(np.full((400, 300), 255, np.uint8))
    False
    """
    height, width = image.shape
    if height < MIN_HEIGHT or width > 8 * height:
        return False
    sample = image[:: max(height // MAX_ROWS, 1), :: max(width // MAX_COLUMNS, 1)].astype(np.int16)
    ground = int(np.median(sample))
    away = np.abs(sample - ground)
    contrast = int(np.quantile(away, 0.99))
    if contrast < MIN_CONTRAST:
        return False
    return sum(_is_line(rows) for rows in _runs(away > contrast / 2)) >= MIN_LINES


def _runs(ink: npt.NDArray[np.bool_]) -> list[npt.NDArray[np.bool_]]:
    """Return the rows of ink (H, W), run by run."""
    has_ink = np.concatenate(([False], ink.mean(axis=1) > INK_FRACTION, [False]))
    edges = np.flatnonzero(has_ink[1:] != has_ink[:-1])
    return [ink[start:stop] for start, stop in zip(edges[::2], edges[1::2], strict=True)]


def _is_line(rows: npt.NDArray[np.bool_]) -> bool:
    """Return whether a run is as high as letters and as wide as words, and no rule: ink with ground in it."""
    columns = np.flatnonzero(rows.any(axis=0))
    spans = columns[-1] - columns[0] + 1 if len(columns) else 0
    return len(rows) >= 3 and spans >= MIN_WIDTH * rows.shape[1] and rows.mean() < 0.8  # noqa: PLR2004
