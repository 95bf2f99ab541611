"""The fixed sets `evaluate.print`: words in families that no training saw."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from legible.config import FontsParams, Params, PrintRecipe
from legible.errors import DataError
from legible.synth.determinism import plain_opencv
from legible.synth.fonts import Font, find_fonts, is_unseen
from legible.synth.style import draw_style, draw_text
from legible.synth.words import Texts

PRINT_MARGINS = (0.3, 0.6)
"""As a line of a page is cut out, so that readers which need margins have them."""


@dataclass(frozen=True)
class PrintedWord:
    """One word of `evaluate.print`."""

    id: str
    image: npt.NDArray[np.uint8]
    text: str
    family: str
    noisy: bool


def print_recipe(recipe: PrintRecipe, params: Params, *, root: Path) -> Iterator[PrintedWord]:
    """The fixed set `evaluate.print`: words in unseen printed families, the even ones plain, the odd ones noisy."""
    fonts = _unseen_print(params.fonts, root=root, characters=params.charset.characters)
    texts = Texts(params.charset.build())
    for number in range(recipe.words):
        rng = np.random.default_rng([recipe.seed, number])
        noisy = number % 2 == 1
        drawn = draw_style(fonts, rng, strength=recipe.strength if noisy else 0.0)
        style = dataclasses.replace(drawn, margins=PRINT_MARGINS)
        text = texts.running_word(rng)
        with plain_opencv():
            image = draw_text(text, style, rng)
        yield PrintedWord(f"{recipe.name}/{number:05}", image, text, style.name, noisy)


def _unseen_print(params: FontsParams, *, root: Path, characters: str) -> list[Font]:
    fonts = find_fonts(params, root=root, characters=characters)
    unseen = [font for font in fonts if font.kind == "print" and is_unseen(font, params)]
    if not unseen:
        raise DataError(
            f"fonts.unseen names no printed family that is here: {', '.join(params.unseen) or 'it is empty'}"
        )
    return unseen
