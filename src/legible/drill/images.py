"""The images of a drill: those of a folder, or words drawn by the generator, and their corruption."""

import io
from collections.abc import Iterator
from contextlib import suppress
from itertools import count, cycle
from pathlib import Path

import numpy as np
from PIL import Image

from legible.arrays import GreyImage
from legible.config import Params
from legible.errors import DataError, ImageError
from legible.image.decode import decode
from legible.synth.corrupt import corrupt
from legible.synth.fonts import find_fonts, is_unseen
from legible.synth.generate import texts_of
from legible.synth.samples import draw_some
from legible.synth.style import draw_style


def images_of(folder: Path) -> Iterator[GreyImage]:
    """Yield every picture under a folder, again and again. Raise DataError where there is none."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    found = [image for path in paths if (image := _opened(path)) is not None]
    if not found:
        raise DataError(f"{folder}: no picture in this folder; name one that holds words or lines")
    return cycle(found)


def _opened(path: Path) -> GreyImage | None:
    try:
        return decode(path.read_bytes())
    except ImageError:
        return None


def drawn(params: Params, *, root: Path, seed: int) -> Iterator[GreyImage]:
    """Yield words in the fonts that are trained with, each in a style of its own."""
    fonts = find_fonts(params.fonts, root=root, characters=params.charset.characters)
    known = [font for font in fonts if not is_unseen(font, params.fonts)]
    asked, texts = params.generate, texts_of(params)
    for number in count():
        rng = np.random.default_rng([seed, number])
        style = draw_style(known, rng, strength=asked.strength, kerned=asked.kerning)
        with suppress(DataError):  # a style that draws hardly any text
            yield draw_some(texts, rng, unit="words", style=style)[1].image


def corrupted(images: Iterator[GreyImage], name: str, severity: int, *, seed: int) -> Iterator[GreyImage]:
    """Yield the images corrupted. Raise SettingsError at once for a corruption there is not."""
    rng = np.random.default_rng(seed)
    corrupt(np.full((8, 8), 255, np.uint8), name, severity, rng)
    return (corrupt(image, name, severity, rng) for image in images)


def png(image: GreyImage) -> bytes:
    content = io.BytesIO()
    Image.fromarray(image).save(content, "PNG", compress_level=1)
    return content.getvalue()
