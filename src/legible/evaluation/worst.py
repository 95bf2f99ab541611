"""A picture of the worst errors, to be looked at: image, truth, what was read, and how sure the reading was."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from PIL import Image, ImageDraw, ImageFont

from legible.evaluation.results import Result
from legible.image.decode import GreyImage
from legible.reading import Reading

COLUMNS = 3
CELL = (420, 96)
"""Pixels: width, height."""
PICTURE = (400, 48)


class Shown(Protocol):
    """What is needed of a case."""

    @property
    def image(self) -> GreyImage: ...
    @property
    def text(self) -> str: ...


def draw_worst(
    path: Path, cases: Sequence[Shown], readings: Sequence[Reading], results: Sequence[Result], *, count: int
) -> None:
    """The surest of the wrong readings, three in a row."""
    wrong = [place for place, result in enumerate(results) if not result.right]
    chosen = sorted(wrong, key=lambda place: -results[place].confidence)[:count]
    rows = max(-(-len(chosen) // COLUMNS), 1)
    sheet = Image.new("L", (COLUMNS * CELL[0], rows * CELL[1]), 255)
    for number, place in enumerate(chosen):
        corner = (number % COLUMNS * CELL[0] + 10, number // COLUMNS * CELL[1] + 6)
        _draw_case(sheet, corner, cases[place], readings[place])
    sheet.save(path)


def _draw_case(sheet: Image.Image, corner: tuple[int, int], case: Shown, reading: Reading) -> None:
    picture = Image.fromarray(case.image)
    picture.thumbnail(PICTURE)
    sheet.paste(picture, corner)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=14)
    below = corner[1] + PICTURE[1]
    pen.text((corner[0], below), f"is    {case.text}"[:56], font=font, fill=0)
    pen.text((corner[0], below + 17), f"read {reading.text}  {reading.confidence:.2f}"[:56], font=font, fill=0)
