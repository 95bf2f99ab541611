"""What is plainly a page, by its row profile."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from legible.arrays import GreyImage
from legible.image.page_hint import looks_like_page
from legible.reading import Reading
from legible.recognition import recognizer as module

LINE = "The quick brown fox jumps over it"


def drawn(lines: int, *, size: int = 20, ink: int = 0, paper: int = 255, text: str = LINE) -> GreyImage:
    image = Image.new("L", (420, max(lines * (size + 10) + 40, 60)), paper)
    font = ImageFont.load_default(size=size)
    for number in range(lines):
        ImageDraw.Draw(image).text((20, 20 + number * (size + 10)), text, font=font, fill=ink)
    return np.asarray(image)


@pytest.mark.parametrize("lines", [12, 25, 60])
def test_many_lines_are_a_page(lines: int) -> None:
    assert looks_like_page(drawn(lines))
    assert looks_like_page(drawn(lines, ink=255, paper=20))


@pytest.mark.parametrize("lines", [1, 2, 3, 5])
def test_a_line_or_a_few_are_none(lines: int) -> None:
    assert not looks_like_page(drawn(lines))
    assert not looks_like_page(drawn(1, size=30 * lines))


@pytest.mark.parametrize(
    "image",
    [
        np.full((400, 300), 255, np.uint8),
        np.random.default_rng(0).integers(0, 256, (400, 300)).astype(np.uint8),
        np.repeat(np.arange(0, 240, dtype=np.uint8)[:, None], 300, axis=1),
        np.tile(np.array([[255] * 300] * 9 + [[0] * 300] * 9, np.uint8), (30, 1)),  # rules without letters
        drawn(20, text="i"),
    ],
    ids=["blank", "noise", "shade", "rules", "a column of letters"],
)
def test_what_has_no_lines_is_no_page(image: GreyImage) -> None:
    assert not looks_like_page(image)


def test_a_page_that_is_read_as_no_text_has_no_confidence(bundle_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "interpret", lambda *_: Reading("", 0.9, ()))
    recognizer = module.Recognizer.open(bundle_folder)
    page, texture = drawn(25), np.random.default_rng(0).integers(0, 256, (400, 300)).astype(np.uint8)
    assert [reading.confidence for reading in recognizer.read([page, texture])] == [0.0, 0.9]
