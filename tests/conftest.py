"""What several tests share: the shipped bundle, and words drawn for reading."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from legible.arrays import GreyImage
from legible.synth.fonts import load_face

PROJECT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def bundle_folder() -> Path:
    """The bundle in the repository."""
    return PROJECT / "models/bundle"


@pytest.fixture(scope="session")
def print_face() -> Path:
    """A printed font that comes as a Python package."""
    import font_roboto  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415

    return Path(font_roboto.Roboto)


def drawn_word(text: str, face: Path, *, size: int = 40, margin: int = 16) -> GreyImage:
    """Black on white, as a page is scanned."""
    font = load_face(face, size)
    left, top, right, bottom = font.getbbox(text)
    image = Image.new("L", (int(right - left) + 2 * margin, int(bottom - top) + 2 * margin), 255)
    ImageDraw.Draw(image).text((margin - left, margin - top), text, font=font, fill=0)
    return np.asarray(image)
