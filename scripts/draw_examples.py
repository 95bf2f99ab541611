"""Draw the pictures in examples/, a word and a line to try legible on: python scripts/draw_examples.py"""

import sys
from pathlib import Path

import numpy as np
from font_roboto import Roboto
from PIL import Image, ImageDraw, ImageFont

EXAMPLES = {"word": "Hamburg", "line": "the ship sails at noon"}
PAPER, INK, MARGIN, SIZE = 246, 40, 16, 44


def drawn(text: str, *, seed: int = 1) -> Image.Image:
    """The text in print, on paper with a little noise."""
    font = ImageFont.truetype(Roboto, SIZE, layout_engine=ImageFont.Layout.BASIC)
    left, top, right, bottom = font.getbbox(text)
    picture = Image.new("L", (round(right - left) + 2 * MARGIN, round(bottom - top) + 2 * MARGIN), PAPER)
    ImageDraw.Draw(picture).text((MARGIN - left, MARGIN - top), text, font=font, fill=INK)
    noise = np.random.default_rng(seed).normal(0, 3, (picture.height, picture.width))
    return Image.fromarray(np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8))


def main(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name, text in EXAMPLES.items():
        drawn(text).save(folder / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "examples")
