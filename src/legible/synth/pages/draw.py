"""The way to a drawn page: a random kind of page, written on a sheet, seen by a scanner or a camera."""

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from legible.errors import DataError
from legible.synth.pages.business import draw_form, draw_receipt, draw_table
from legible.synth.pages.marks import draw_figure, draw_stamp, rule_sheet
from legible.synth.pages.materials import Materials, chance
from legible.synth.pages.running import draw_book, draw_columns, draw_handwritten, draw_letter
from legible.synth.pages.scenes import seen
from legible.synth.pages.sheet import DrawnPage, Rng, Sheet

INVERTED = 0.03
"""The fraction of pages that are light on dark."""


def draw_empty(rng: Rng, materials: Materials) -> DrawnPage:
    """Draw a page without text: blank, ruled, or with pictures, stamps and stains alone."""
    del materials
    sheet = Sheet(int(rng.integers(300, 900)), int(rng.integers(300, 900)))
    if chance(rng, 0.3):
        rule_sheet(sheet, rng, pitch=rng.uniform(14, 40))
    for _ in range(int(rng.integers(0, 4))):
        width, height = rng.uniform(0.1, 0.9) * sheet.width, rng.uniform(0.1, 0.9) * sheet.height
        left, top = rng.uniform(-0.1, 0.7) * sheet.width, rng.uniform(-0.1, 0.7) * sheet.height
        draw_figure(sheet, rng, left=left, top=top, width=width, height=height)
    if chance(rng, 0.3):
        draw_stamp(sheet, rng, size=rng.uniform(20, 90))
    return sheet.finished("empty")


KINDS: Mapping[str, tuple[Callable[[Rng, Materials], DrawnPage], float]] = {
    "book": (draw_book, 0.16),
    "columns": (draw_columns, 0.16),
    "receipt": (draw_receipt, 0.2),
    "form": (draw_form, 0.12),
    "table": (draw_table, 0.08),
    "letter": (draw_letter, 0.1),
    "handwritten": (draw_handwritten, 0.12),
    "empty": (draw_empty, 0.06),
}
"""The function that draws each kind of page, and the kind's fraction of all pages."""


def draw_page(rng: Rng, materials: Materials, *, kind: str = "", plain: bool = False) -> DrawnPage:
    """Draw a page from the random state, of a random or the named kind. `plain`: as it leaves the printer."""
    if kind and kind not in KINDS:
        raise DataError(f"{kind!r} is no kind of page; known: {', '.join(KINDS)}")
    parts = np.array([part for _, part in KINDS.values()])
    chosen = kind or tuple(KINDS)[int(rng.choice(len(KINDS), p=parts / parts.sum()))]
    page = KINDS[chosen][0](rng, materials)
    if plain:
        return page
    found = seen(page, rng)
    if chance(rng, INVERTED):
        found = DrawnPage(255 - found.image, found.lines, found.corners, found.kind, found.ignored)
    return _compressed(found, rng) if chance(rng, 0.3) else found


def _compressed(page: DrawnPage, rng: Rng) -> DrawnPage:
    """Compress as JPEG does."""
    _, content = cv2.imencode(".jpg", page.image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 90))])
    image = np.asarray(cv2.imdecode(content, cv2.IMREAD_GRAYSCALE), np.uint8)
    return DrawnPage(image, page.lines, page.corners, page.kind, page.ignored)
