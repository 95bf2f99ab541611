"""Texts around one character of a charset, so that the rare ones are seen as often as a network needs to learn them."""

import re
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files

import numpy as np

from legible.charset import REJECT
from legible.synth.texts.figures import decimal, digits, number, pick
from legible.synth.texts.vocabulary import Vocabulary, capitalized

Rng = np.random.Generator
PLACE = re.compile("<(.)>")
FOREIGN = (
    "ΑΒΓΔΘΛΞΠΣΦΨΩαβγδεζηθλμνξπρσφχψω"
    "БГДЖЗИЙЛПФЦЧШЩЫЭЮЯбвгджзийклмптфцчшщъыьэюя"
    "←↑→↓⇒✓✔★☆♥♦●■▲►≤≥≠≈∞√∑∫∂"
    "あいうえおかのアイウエオ日本語中文国人大小上下東京"
)
"""Signs that no charset here holds: Greek, Cyrillic, arrows and dingbats, Japanese and Chinese."""


@lru_cache(maxsize=1)
def forms_by_sign() -> Mapping[str, tuple[str, ...]]:
    """How each sign stands among words and numbers, as `rare_signs.txt` has it."""
    lines = (files("legible.synth.texts") / "rare_signs.txt").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if "\t" in line]
    return {row[0]: tuple(row[1:]) for row in rows}


class RareSigns:
    """Draws texts around a character of the charset: any letter with a mark and any sign, all equally often."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        known = [c for c in vocabulary.charset.characters if c != REJECT]
        self._rare = [c for c in known if c in forms_by_sign() or (c.isalpha() and not c.isascii())]
        self.outside = "".join(c for c in FOREIGN if c not in vocabulary.charset.characters)

    def text(self, rng: Rng) -> str:
        """Signs of ASCII half as often as the others, which stand nowhere else."""
        if not self._rare:
            return self._vocabulary.word(rng)
        character = self._rare[int(rng.integers(len(self._rare)))]
        if character.isascii() and rng.random() < 0.5:
            character = self._rare[int(rng.integers(len(self._rare)))]
        return self.around(character, rng)

    def around(self, character: str, rng: Rng) -> str:
        forms = forms_by_sign().get(character)
        if forms is None:
            return self._vocabulary.word_with(character, rng)
        return PLACE.sub(lambda found: self._filled(found[1], rng), pick(rng, forms))

    def _filled(self, place: str, rng: Rng) -> str:
        if place == "n":
            return number(rng) if rng.random() < 0.3 else digits(rng, int(rng.integers(1, 4)))
        if place == "d":
            return decimal(rng)
        if place.isdigit():
            return digits(rng, int(place))
        word = self._vocabulary.word(rng)
        return {"w": word, "W": capitalized(word), "U": word.upper(), "A": word[:1].upper()}[place]

    def foreign(self, rng: Rng) -> str:
        """One to four signs that the charset lacks, at times with a word that it holds."""
        start = int(rng.integers(len(self.outside)))
        signs = [
            self.outside[(start + int(step)) % len(self.outside)]
            for step in rng.integers(-8, 9, int(rng.integers(1, 5)))
        ]
        word = self._vocabulary.word(rng)
        text = "".join(signs)
        return pick(rng, [text, text, f"{word} {text}", f"{text} {word}"])
