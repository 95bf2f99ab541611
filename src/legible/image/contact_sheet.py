"""Contact sheets: images in rows, with a few lines of text below each."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from legible.image.decode import GreyImage

GAP = 10
"""The pixels around an image."""
ROW = 17
"""The pixels of a line of text."""
LETTER_WIDTH = 8


@dataclass(frozen=True)
class Cell:
    """One image (H, W), and the lines of text below it."""

    image: GreyImage
    lines: tuple[str, ...] = ()


def draw_sheet(path: Path, cells: Sequence[Cell], *, columns: int, picture: tuple[int, int]) -> None:
    """Write the cells in rows of `columns`, each image scaled down to at most `picture` (width, height) pixels."""
    lines = max((len(cell.lines) for cell in cells), default=0)
    width, height = picture[0] + 2 * GAP, picture[1] + 2 * GAP + lines * ROW
    sheet = Image.new("L", (columns * width, max(-(-len(cells) // columns), 1) * height), 255)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=14)
    for number, cell in enumerate(cells):
        left, top = number % columns * width + GAP, number // columns * height + GAP
        shown = Image.fromarray(cell.image)
        shown.thumbnail(picture)
        sheet.paste(shown, (left, top))
        for place, line in enumerate(cell.lines):
            pen.text((left, top + picture[1] + place * ROW), line[: picture[0] // LETTER_WIDTH], font=font, fill=0)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)
