"""Draws the pictures of this folder that show what the generator does: hands, effects, camera and kinds.png.

make pictures
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from legible.arrays import GreyImage
from legible.config import load_params
from legible.synth.augment import CHANGES, Change, Shift
from legible.synth.effects import EFFECTS, Effects
from legible.synth.font_roles import fonts_of
from legible.synth.fonts import find_fonts
from legible.synth.kinds.registry import SAMPLE_KINDS
from legible.synth.paper import KINDS, Paper
from legible.synth.samples import draw_one, sources_of
from legible.synth.style import Style, draw_hand_style, draw_text
from legible.synth.transforms import Moved

DOCS = Path(__file__).parent
WORDS = ("handwriting", "quickly", "The", "Government", "of", "zebras", "1974", "said", "between", "yours,")
HANDS = 10
SAMPLES = 6
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
CELL = (150, 64)
"""Pixels: width, height."""
NAME_WIDTH = 130


def hand(number: int) -> Style:
    style = draw_hand_style(np.random.default_rng([11, number]), strength=0.0)
    return dataclasses.replace(style, letters=dataclasses.replace(style.letters, x_height=16.0), margins=(0.1, 0.2))


def in_cell(image: GreyImage) -> GreyImage:
    """In the middle of a white cell, brought down where it is larger."""
    width, height = CELL
    share = min((width - 8) / image.shape[1], (height - 4) / image.shape[0], 1.0)
    size = max(round(image.shape[1] * share), 1), max(round(image.shape[0] * share), 1)
    cell = np.full((height, width), 255, np.uint8)
    left, top = (width - size[0]) // 2, (height - size[1]) // 2
    cell[top : top + size[1], left : left + size[0]] = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return cell


def named(name: str, *, width: int = NAME_WIDTH) -> GreyImage:
    cell = Image.new("L", (width, CELL[1]), 255)
    ImageDraw.Draw(cell).text((8, CELL[1] // 2 - 8), name, font=ImageFont.load_default(size=14), fill=0)
    return np.asarray(cell)


def hands() -> Iterator[list[GreyImage]]:
    for number in range(HANDS):
        style = hand(number)
        yield [in_cell(draw_text(word, style, np.random.default_rng([n, 3]))) for n, word in enumerate(WORDS)]


def effects() -> Iterator[list[GreyImage]]:
    yield [named("strength"), *(named(f"{strength:g}", width=CELL[0]) for strength in STRENGTHS)]
    for place, name in enumerate(EFFECTS):
        style = hand(place % HANDS)
        shown = [dataclasses.replace(style, effects=Effects((name,), strength, 1.0)) for strength in STRENGTHS]
        yield [named(name), *(in_cell(draw_text("Sample", one, np.random.default_rng(2))) for one in shown)]


def camera() -> Iterator[list[GreyImage]]:
    """Kinds of paper, and what the augmentation does to any image, by strength; the same random numbers in each row."""
    yield [named("strength"), *(named(f"{strength:g}", width=CELL[0]) for strength in STRENGTHS)]
    style = hand(4)
    for kind in KINDS:
        shown = [dataclasses.replace(style, paper=Paper(kind, 255 - 40 * strength, strength)) for strength in STRENGTHS]
        yield [named(f"{kind} paper"), *(in_cell(draw_text("Sample", one, np.random.default_rng(2))) for one in shown)]
    plain = draw_text("Sample", style, np.random.default_rng(2))
    for change in CHANGES:
        images = [changed(plain, change, strength) if strength else plain for strength in STRENGTHS]
        yield [named(change.apply.__name__.strip("_").replace("_", " ")), *map(in_cell, images)]


def kinds() -> Iterator[list[GreyImage]]:
    """Samples of each kind in the registry, in the fonts of params.yaml."""
    root = DOCS.parent
    params = load_params(root / "params.yaml")
    charset = params.charset.build()
    fonts = find_fonts(params.fonts, root=root, characters=charset.characters)
    sources = sources_of(charset)
    for name, kind in SAMPLE_KINDS.items():
        by_role = {role: fonts_of(role, fonts) for role in kind.roles}
        shown = []
        for number in range(SAMPLES):
            rng = np.random.default_rng([number, 17])
            shown.append(draw_one(name, kind.look(by_role, rng), sources, rng, unit="words")[1])
        yield [named(name), *map(in_cell, shown)]


def changed(image: GreyImage, change: Change | Shift, strength: float) -> GreyImage:
    found = change.apply(image, np.random.default_rng(5), strength)
    return found.image if isinstance(found, Moved) else found


def save(name: str, rows: Iterator[list[GreyImage]]) -> None:
    drawn = [np.hstack(row) for row in rows]
    width = max(row.shape[1] for row in drawn)
    sheet = np.vstack([np.pad(row, ((0, 0), (0, width - row.shape[1])), constant_values=255) for row in drawn])
    Image.fromarray(sheet).save(DOCS / name, optimize=True)


if __name__ == "__main__":
    save("hands.png", hands())
    save("effects.png", effects())
    save("camera.png", camera())
    save("kinds.png", kinds())
