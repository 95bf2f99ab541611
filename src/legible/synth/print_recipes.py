"""The fixed sets `evaluate.print` and `evaluate.more_print`: words in families that no training saw."""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from legible.charset import Charset
from legible.config import DEFAULT_FLATTENING, Params, PrintRecipe
from legible.errors import DataError
from legible.synth.determinism import plain_opencv
from legible.synth.font_roles import fonts_of
from legible.synth.fonts import Font, find_fonts
from legible.synth.kinds.registry import SAMPLE_KINDS
from legible.synth.samples import draw_one, sources_of, texts_within
from legible.synth.style import draw_style, draw_text

PRINT_MARGINS = (0.3, 0.6)
"""The margins, as of a line cut out of a page, for recognizers that need some."""


@dataclass(frozen=True)
class PrintedWord:
    """One word of a recipe."""

    id: str
    image: npt.NDArray[np.uint8]
    text: str
    family: str
    part: str
    """`plain`, `noisy`, or the kind of sample that it is drawn as."""


def print_recipe(recipe: PrintRecipe, params: Params, *, root: Path) -> Iterator[PrintedWord]:
    """Yield the fixed set `evaluate.print`: words in unseen printed families, even ones plain, odd ones noisy."""
    fonts = _unseen(recipe, params, root=root)
    charset = _charset(recipe, params)
    return _of_kinds(recipe, fonts, charset) if recipe.kinds else _plain_and_noisy(recipe, fonts, charset, params)


def _charset(recipe: PrintRecipe, params: Params) -> Charset:
    return Charset(recipe.name, recipe.characters) if recipe.characters else params.charset.build()


def _plain_and_noisy(
    recipe: PrintRecipe, fonts: Sequence[Font], charset: Charset, params: Params
) -> Iterator[PrintedWord]:
    texts = texts_within(charset, names=False, flattening=DEFAULT_FLATTENING, language=params.generate.language)
    for number in range(recipe.words):
        rng = np.random.default_rng([recipe.seed, number])
        noisy = number % 2 == 1
        drawn = draw_style(fonts, rng, strength=recipe.strength if noisy else 0.0)
        style = dataclasses.replace(drawn, margins=PRINT_MARGINS)
        text = texts.running_word(rng)
        with plain_opencv():
            image = draw_text(text, style, rng)
        yield PrintedWord(f"{recipe.name}/{number:05}", image, text, style.name, "noisy" if noisy else "plain")


def _of_kinds(recipe: PrintRecipe, fonts: Sequence[Font], charset: Charset) -> Iterator[PrintedWord]:
    sources, names = sources_of(charset), list(recipe.kinds)
    chances = np.cumsum(list(recipe.kinds.values()))
    by_role = {role: fonts_of(role, fonts) for name in names for role in SAMPLE_KINDS[name].roles}
    for number in range(recipe.words):
        rng = np.random.default_rng([recipe.seed, number])
        name = names[min(int(np.searchsorted(chances, rng.random() * chances[-1])), len(names) - 1)]
        with plain_opencv():
            look = SAMPLE_KINDS[name].look(by_role, rng)
            worse = dataclasses.replace(look, faults=look.faults.times(1 + recipe.strength))
            text, image = draw_one(name, worse, sources, rng, unit="words")
        yield PrintedWord(f"{recipe.name}/{number:05}", image, text, look.name, name)


def _unseen(recipe: PrintRecipe, params: Params, *, root: Path) -> list[Font]:
    """Return the fonts of a recipe's families. Raise DataError where none is here."""
    fonts = find_fonts(params.fonts, root=root, characters=_charset(recipe, params).characters)
    families = recipe.families or params.fonts.unseen
    unseen = [font for font in fonts if font.family in families and (recipe.kinds or font.kind == "print")]
    if not unseen:
        named = f"{recipe.name}.families" if recipe.families else "fonts.unseen"
        raise DataError(f"{named} names no printed family that is here: {', '.join(families) or 'it is empty'}")
    return unseen
