"""Contact sheets: images in rows, with a few lines of text below each."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from legible.arrays import GreyImage

GAP = 10
"""The pixels around an image."""
ROW = 17
"""The pixels of a line of text."""
LETTER_WIDTH = 8
CAPTION_SIZE = 14
NO_CHARACTER = "\uffff"
"""A code point that no font has, drawn as whatever a font draws for what it lacks."""


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
    pen, fonts = ImageDraw.Draw(sheet), caption_fonts()
    for number, cell in enumerate(cells):
        left, top = number % columns * width + GAP, number // columns * height + GAP
        shown = Image.fromarray(cell.image)
        shown.thumbnail(picture)
        sheet.paste(shown, (left, top))
        for place, line in enumerate(cell.lines):
            font, text = caption(line[: picture[0] // LETTER_WIDTH], fonts)
            pen.text((left, top + picture[1] + place * ROW), text, font=font, fill=0)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)


def caption_fonts() -> list[ImageFont.FreeTypeFont]:
    """Return the fonts of captions: Pillow's own, and those with more characters that are installed."""
    own = ImageFont.load_default(size=CAPTION_SIZE)
    fonts = [own] if isinstance(own, ImageFont.FreeTypeFont) else []
    for place in LARGER_FONTS:
        with contextlib.suppress(OSError, ImportError):
            fonts.append(ImageFont.truetype(place(), CAPTION_SIZE))
    return fonts


def caption(line: str, fonts: Sequence[ImageFont.FreeTypeFont]) -> tuple[ImageFont.FreeTypeFont, str]:
    """Return the first font that has every character of a line, and the line.

    Where none has, the one that has most, and the characters that it lacks by their code points.
    """
    lacking = [(font, {character for character in line if not has_glyph(font, character)}) for font in fonts]
    font, absent = min(lacking, key=lambda one: len(one[1]))
    return font, "".join(f"<U+{ord(c):04X}>" if c in absent else c for c in line)


def has_glyph(font: ImageFont.FreeTypeFont, character: str) -> bool:
    """Say whether a font draws a character, and not the box that stands for one that it lacks."""
    return character.isspace() or _drawn(font, character) != _drawn(font, NO_CHARACTER)


def _drawn(font: ImageFont.FreeTypeFont, character: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(character)
    return mask.size, bytes(mask)


def _roboto() -> str:
    """Return the Roboto that comes with the environment of the tests."""
    from font_roboto import Roboto  # type: ignore[import-untyped, import-not-found, unused-ignore]  # noqa: PLC0415

    return str(Roboto)


LARGER_FONTS: tuple[Callable[[], str], ...] = (_roboto, lambda: "DejaVuSans.ttf", lambda: "LiberationSans-Regular.ttf")
"""Fonts with the letters of Europe: of the environment of the tests, and those that most systems have."""
