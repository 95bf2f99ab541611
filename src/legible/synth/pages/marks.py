"""Marks on pages that are no text lines: figures, logos, stamps, barcodes, rules of paper."""

import cv2
import numpy as np

from legible.synth.pages.sheet import Rng, Sheet
from legible.synth.paper import smooth_noise


def draw_figure(sheet: Sheet, rng: Rng, *, left: float, top: float, width: float, height: float) -> None:
    """Draw a picture, a drawing, a chart or a logo in a place of the sheet."""
    rows, columns = max(int(height), 8), max(int(width), 8)
    kinds = (_photograph, _shapes, _chart, _barcode)
    picture = kinds[int(rng.choice(len(kinds), p=(0.4, 0.3, 0.2, 0.1)))](rng, rows, columns)
    sheet.paste(picture, left=int(left), top=int(top))


def draw_stamp(sheet: Sheet, rng: Rng, *, size: float) -> None:
    """Draw rings and a rotated box, somewhere, over whatever is there."""
    x, y = rng.uniform(0, sheet.width), rng.uniform(0, sheet.height)
    grey = int(rng.integers(60, 190))
    if rng.random() < 0.5:  # noqa: PLR2004
        for radius in (size, size * 0.85):
            sheet.pen.ellipse([x - radius, y - radius, x + radius, y + radius], outline=grey, width=2)
    turn = rng.normal(0, 0.3)
    corners = np.array([[-1, -0.4], [1, -0.4], [1, 0.4], [-1, 0.4], [-1, -0.4]]) * size
    cos, sin = np.cos(turn), np.sin(turn)
    turned = corners @ np.array([[cos, sin], [-sin, cos]]) + [x, y]
    sheet.pen.line([(float(a), float(b)) for a, b in turned], fill=grey, width=2)


def rule_sheet(sheet: Sheet, rng: Rng, *, pitch: float) -> None:
    """Draw ruled or squared paper, sometimes with a margin line."""
    grey = int(rng.integers(120, 225))
    for y in np.arange(rng.uniform(0, pitch), sheet.height, pitch):
        sheet.pen.line([(0, y), (sheet.width, y)], fill=grey, width=int(rng.integers(1, 3)))
    if rng.random() < 0.3:  # noqa: PLR2004
        for x in np.arange(rng.uniform(0, pitch), sheet.width, pitch):
            sheet.pen.line([(x, 0), (x, sheet.height)], fill=grey, width=1)
    elif rng.random() < 0.5:  # noqa: PLR2004
        sheet.pen.line([(pitch * 2, 0), (pitch * 2, sheet.height)], fill=grey, width=2)


def _photograph(rng: Rng, rows: int, columns: int) -> np.ndarray:
    cell = int(rng.integers(4, 60))
    noise = smooth_noise(rng, rows, columns, cell=cell, interpolation=cv2.INTER_CUBIC)
    fine = smooth_noise(rng, rows, columns, cell=3)
    picture = 255 * np.clip(noise * rng.uniform(0.6, 1.2) + 0.2 * fine, 0, 1)
    if rng.random() < 0.3:  # noqa: PLR2004
        picture = np.where(smooth_noise(rng, rows, columns, cell=2) * 255 < picture, 255, 0)  # a halftone
    return picture.astype(np.uint8)


def _shapes(rng: Rng, rows: int, columns: int) -> np.ndarray:
    picture = np.full((rows, columns), 255, np.uint8)
    for _ in range(int(rng.integers(2, 14))):
        x, y = int(rng.integers(columns)), int(rng.integers(rows))
        grey, thick = int(rng.integers(0, 200)), int(rng.choice([-1, 1, 2, 4]))
        reach = int(rng.integers(4, max(min(rows, columns) // 2, 6)))
        kind = rng.random()
        if kind < 0.4:  # noqa: PLR2004
            cv2.circle(picture, (x, y), reach, grey, thick)
        elif kind < 0.7:  # noqa: PLR2004
            cv2.rectangle(picture, (x, y), (x + reach, y + reach // 2), grey, thick)
        else:
            points = rng.integers(0, [columns, rows], (int(rng.integers(3, 8)), 2)).astype(np.int32)
            cv2.polylines(picture, [points], isClosed=False, color=grey, thickness=abs(thick))
    return picture


def _chart(rng: Rng, rows: int, columns: int) -> np.ndarray:
    picture = np.full((rows, columns), 255, np.uint8)
    cv2.line(picture, (4, 4), (4, rows - 4), 0, 1)
    cv2.line(picture, (4, rows - 4), (columns - 4, rows - 4), 0, 1)
    count = int(rng.integers(4, 24))
    x = np.linspace(6, columns - 6, count)
    y = rows - 6 - rng.random(count) * (rows - 12)
    if rng.random() < 0.5:  # noqa: PLR2004
        cv2.polylines(picture, [np.stack([x, y], 1).astype(np.int32)], isClosed=False, color=30, thickness=1)
        return picture
    for at, high in zip(x, y, strict=True):
        cv2.rectangle(picture, (int(at), int(high)), (int(at + columns / count / 2), rows - 5), 90, -1)
    return picture


def _barcode(rng: Rng, rows: int, columns: int) -> np.ndarray:
    bars = np.repeat(rng.random(columns // 2 + 1) < 0.5, 2)[:columns]  # noqa: PLR2004
    return np.where(np.broadcast_to(bars, (rows, columns)), 0, 255).astype(np.uint8)
