"""Texts around one character of a charset, so that rare ones are seen as often as a network needs to learn them."""

import re
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from legible.charset import REJECT
from legible.synth.texts.figures import decimal, digits, number, pick
from legible.synth.texts.vocabulary import Vocabulary, capitalized

Rng = np.random.Generator
ASCII_WEIGHT, MIN_WEIGHT = 0.3, 0.1
OFTEN = 0.001
"""The fraction of words with a character above which it is drawn less for its own sake."""
PLACE = re.compile("<(.)>")
FOREIGN = (
    "ΑΒΓΔΘΛΞΠΣΦΨΩαβγδεζηθλμνξπρσφχψω"
    "БГДЖЗИЙЛПФЦЧШЩЫЭЮЯбвгджзийклмптфцчшщъыьэюя"
    "←↑→↓⇒✓✔★☆♥♦●■▲►≤≥≠≈∞√∑∫∂"
    "あいうえおかのアイウエオ日本語中文国人大小上下東京"
)
"""Signs that the charsets here usually lack: Greek, Cyrillic, arrows and dingbats, Japanese and Chinese."""


@lru_cache(maxsize=1)
def forms_by_sign() -> Mapping[str, tuple[str, ...]]:
    """Return the forms in which each sign stands among words and numbers, as `rare_signs.txt` lists them."""
    lines = (files("legible.synth.texts") / "rare_signs.txt").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if "\t" in line]
    return {row[0]: tuple(row[1:]) for row in rows}


class RareSigns:
    """Draws texts around a letter with a mark or a sign of the charset; the rarer in words, the more often."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        known = [c for c in vocabulary.charset.characters if c != REJECT]
        self._rare = [c for c in known if c in forms_by_sign() or (c.isalpha() and not c.isascii())]
        self._weights = {c: ASCII_WEIGHT if c.isascii() else _weight(vocabulary.frequency(c)) for c in self._rare}
        self._by_letters: dict[frozenset[str], tuple[list[str], npt.NDArray[np.float64]]] = {}
        self.outside = frozenset(FOREIGN) - set(vocabulary.charset.characters)

    def text(self, rng: Rng, letters: frozenset[str]) -> str:
        """Return a text with a rare sign. Signs of ASCII have less weight than rare ones."""
        rare = self._within(letters)
        if not rare[0]:
            return self._vocabulary.word(rng)
        characters, cumulated = rare
        return self.around(characters[int(np.searchsorted(cumulated, rng.random() * cumulated[-1]))], rng)

    def _within(self, letters: frozenset[str]) -> tuple[list[str], npt.NDArray[np.float64]]:
        """Return the rare characters among letters, and their cumulated weights."""
        if letters not in self._by_letters:
            own = [c for c in self._rare if c in letters]
            self._by_letters[letters] = (own, np.cumsum([self._weights[c] for c in own]))
        return self._by_letters[letters]

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

    def foreign(self, rng: Rng, letters: frozenset[str]) -> str:
        """Return one to four signs that the charset lacks, sometimes with a word of its characters."""
        signs = [c for c in FOREIGN if c in letters and c in self.outside]
        if not signs:
            return ""
        start, steps = int(rng.integers(len(signs))), rng.integers(-8, 9, int(rng.integers(1, 5)))
        text = "".join(signs[(start + int(step)) % len(signs)] for step in steps)
        word = self._vocabulary.word(rng)
        return pick(rng, [text, text, f"{word} {text}", f"{text} {word}"])


def _weight(frequency: float) -> float:
    """Return 1 for a character that hardly any word has, less for one that is seen anyway."""
    return float(np.clip(OFTEN / max(frequency, OFTEN), MIN_WEIGHT, 1))
