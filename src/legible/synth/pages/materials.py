"""The materials of pages: fonts by their use, texts, and small choices that all layouts share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from legible.config.detector import DetectorParams
from legible.errors import DataError
from legible.synth.alphabet import load_alphabet
from legible.synth.fonts import Font, find_fonts, is_unseen
from legible.synth.pages.sheet import Face, Rng
from legible.synth.words import Texts

MONOSPACED = ("mono", "courier", "typewriter", "vt323", "inconsolata", "code", "elite", "cutive", "dot", "pixel")
"""Parts of the names of families that typewriters and tills use."""


@dataclass(frozen=True)
class Materials:
    """Fonts of print and of handwriting, and texts that all of them draw."""

    prints: tuple[Font, ...]
    hands: tuple[Font, ...]
    texts: Texts

    @staticmethod
    def of(fonts: Sequence[Font], texts: Texts) -> "Materials":
        """Sort fonts of all kinds. Raise DataError where none is for print."""
        prints = tuple(font for font in fonts if font.kind == "print" and font.draws(LETTERS))
        if not prints:
            raise DataError(f"none of {len(fonts)} fonts is for print with all letters and digits; add one")
        hands = tuple(font for font in fonts if font.kind == "handwriting" and font.draws(LETTERS))
        return Materials(prints, hands or prints, texts)

    def print_face(self, rng: Rng, size: int) -> Face:
        return Face(_one(self.prints, rng), size)

    def till_face(self, rng: Rng, size: int) -> Face:
        """Draw a face of one width, as tills and typewriters have, where there is such a font."""
        even = [font for font in self.prints if any(part in font.family.lower() for part in MONOSPACED)]
        return Face(_one(even or self.prints, rng), size)

    def hand_face(self, rng: Rng, size: int) -> Face:
        return Face(_one(self.hands, rng), size)

    def words(self, rng: Rng, count: int) -> list[str]:
        return self.texts.line(rng, words=count).split(" ") if count > 0 else []

    def pen_words(self, rng: Rng, count: int) -> list[str]:
        """Draw words in letters that pen paths exist for; a word without any is left out, where another is there."""
        letters = load_alphabet()
        words = ["".join(letter for letter in word if letter in letters) for word in self.words(rng, count)]
        return [word for word in words if word] or ["a"]

    def phrase(self, rng: Rng, least: int = 1, most: int = 5) -> str:
        return " ".join(self.words(rng, int(rng.integers(least, most + 1))))


def materials_of(detector: DetectorParams, *, root: Path, unseen: bool) -> Materials:
    """Return the materials of drawn pages: of the unseen families of `fonts`, or of all others."""
    fonts = find_fonts(detector.fonts, root=root, characters=detector.charset.characters)
    chosen = [font for font in fonts if is_unseen(font, detector.fonts) == unseen]
    texts = Texts(detector.charset.build(), names=detector.names, flattening=detector.flattening)
    return Materials.of(chosen, texts)


LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.,:-"


def chance(rng: Rng, probability: float) -> bool:
    return bool(rng.random() < probability)


def chosen(rng: Rng, chances: Mapping[str, float]) -> str:
    """Return one of the names at random."""
    return list(chances)[int(rng.choice(len(chances), p=list(chances.values())))]


def amount(rng: Rng) -> str:
    value = float(np.exp(rng.uniform(0, 6)))
    sign = str(rng.choice(["", "", "", "$", "RM", "£"]))
    return f"{sign}{value:.2f}"


def _one(fonts: Sequence[Font], rng: Rng) -> Font:
    return fonts[int(rng.integers(len(fonts)))]
