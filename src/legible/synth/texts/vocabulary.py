"""Words of European languages by frequency, and how running text sets them: sentences, titles, capitals."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import wordfreq

from legible.charset import Charset
from legible.errors import DataError

Rng = np.random.Generator

LANGUAGES = {
    "en": 0.40,
    "de": 0.12,
    "fr": 0.11,
    "es": 0.06,
    "it": 0.05,
    "cs": 0.06,
    "pl": 0.04,
    "hu": 0.03,
    "nl": 0.03,
    "pt": 0.03,
    "sv": 0.02,
    "da": 0.02,
    "fi": 0.01,
    "nb": 0.01,
    "sk": 0.01,
    "sh": 0.01,
    "ro": 0.01,
}
"""The languages by wordfreq's names, and the fraction of words of each."""
WORDS = 20_000
FLATTENING, FIRST_RANK = 0.7, 3.0
"""Words are drawn by their rank (Zipf) to the power of FLATTENING, so that rare ones are seen."""
INNER = (",", ",", ",", ",", ";", ":", " –", " —")
ENDS = (".", ".", ".", ".", ".", "?", "!", "…", ":")
QUOTES = tuple(tuple(pair) for pair in ("“”", "‘’", "„“", "«»", "»«", '""', "''", "()", "()", "()", "[]"))


@dataclass(frozen=True, eq=False)
class Language:
    """The words of a language that a charset can write, and their cumulative probabilities."""

    name: str
    words: tuple[str, ...]
    cumulated: npt.NDArray[np.float64]


class Vocabulary:
    """Draws words and phrases within a charset."""

    def __init__(self, charset: Charset) -> None:
        self._languages = [found for name in LANGUAGES if (found := _language(name, charset)).words]
        if not self._languages:
            raise DataError(f"charset {charset.name!r} holds no word of any language; widen it")
        weights = np.array([LANGUAGES[language.name] for language in self._languages])
        self._chances = np.cumsum(weights / weights.sum())
        self._by_character = _words_by_character(self._languages)
        self._frequencies = self._frequencies_of(weights / weights.sum())
        self.charset = charset

    def _frequencies_of(self, weights: npt.NDArray[np.float64]) -> dict[str, float]:
        found: dict[str, float] = {}
        for language, weight in zip(self._languages, weights.tolist(), strict=True):
            chances = np.diff(language.cumulated, prepend=0.0).tolist()
            for word, chance in zip(language.words, chances, strict=True):
                for character in () if word.isascii() else set(word):
                    found[character] = found.get(character, 0.0) + weight * chance
        return found

    def language(self, rng: Rng) -> Language:
        return self._languages[_place(self._chances, rng)]

    def word(self, rng: Rng, language: Language | None = None) -> str:
        """Return a word in small letters; German ones have a capital as often as German nouns do."""
        own = language or self.language(rng)
        word = own.words[_place(own.cumulated, rng)]
        if own.name == "de" and rng.random() < 0.35:
            return capitalized(word)
        return "I" + word[1:] if own.name == "en" and (word == "i" or word.startswith("i'")) else word

    def word_with(self, character: str, rng: Rng) -> str:
        """Return a word with the character, in capitals where it is one; without such a word the character alone."""
        small = character.lower()
        words = self._by_character.get(small if len(small) == 1 else character, ())
        if not words:
            return character
        word = words[int(rng.integers(len(words)))]
        if small == character:
            return word
        return capitalized(word) if word[0] == small and rng.random() < 0.5 else in_capitals(word)

    def frequency(self, character: str) -> float:
        """Return about the fraction of words with a character; capitals are a fifth as frequent as their small
        letters.
        """
        small = character.lower()
        held = self._frequencies.get(small, 0.0)
        return held if small == character else held / 5

    def phrase(self, rng: Rng, words: int, language: Language | None = None) -> list[str]:
        own = language or self.language(rng)
        return [self.word(rng, own) for _ in range(words)]

    def sentence(self, rng: Rng, words: int) -> str:
        """Return a piece of running text with commas and quotation marks, sometimes its beginning or end."""
        parts = self.phrase(rng, words)
        for place in range(len(parts) - 1):
            if rng.random() < 0.1:
                parts[place] += INNER[int(rng.integers(len(INNER)))]
        if len(parts) > 1 and rng.random() < 0.12:
            start = int(rng.integers(len(parts)))
            end = min(start + int(rng.integers(1, 5)), len(parts)) - 1
            opening, closing = QUOTES[int(rng.integers(len(QUOTES)))]
            parts[start], parts[end] = opening + parts[start], parts[end] + closing
        chance = rng.random()
        if chance < 0.4:
            parts[0] = capitalized(parts[0])
        if 0.25 < chance < 0.6:
            parts[-1] = parts[-1].rstrip(",;:–— ") + ENDS[int(rng.integers(len(ENDS)))]
        return " ".join(parts)

    def title(self, rng: Rng, words: int) -> str:
        """Return words with capitals, as in names and headings."""
        return " ".join(capitalized(word) for word in self.phrase(rng, words))

    def capitals(self, rng: Rng, words: int) -> str:
        return " ".join(in_capitals(word) for word in self.phrase(rng, words))

    def cased(self, rng: Rng, words: int) -> str:
        """Return words in one of the ways in which signs, labels and headings are set."""
        chance = rng.random()
        if chance < 0.4:
            return self.capitals(rng, words)
        if chance < 0.7:
            return self.title(rng, words)
        phrase = " ".join(self.phrase(rng, words))
        return capitalized(phrase) if chance < 0.85 else phrase


def capitalized(word: str) -> str:
    """Return a word with a capital: `straße -> Straße`; a letter without a single capital stays: `ßa -> ßa`."""
    first = word[:1].upper()
    return (first if len(first) == 1 else word[:1]) + word[1:]


def in_capitals(word: str) -> str:
    """Return a word in capitals, as Germans write it: `straße -> STRASSE`."""
    return word.upper()


@lru_cache(maxsize=64)
def _language(name: str, charset: Charset) -> Language:
    known = frozenset(charset.characters)
    words = [word for word in wordfreq.top_n_list(name, WORDS) if known.issuperset(word + word.upper())]
    frequencies = np.arange(FIRST_RANK, FIRST_RANK + len(words)) ** -FLATTENING
    cumulated = np.cumsum(frequencies / frequencies.sum()) if words else np.zeros(0)
    return Language(name, tuple(words), cumulated)


def _words_by_character(languages: Sequence[Language]) -> dict[str, tuple[str, ...]]:
    """Return for each character outside a to z the words that hold it."""
    found: dict[str, list[str]] = {}
    for language in languages:
        for word in language.words:
            for character in () if word.isascii() else set(word):
                found.setdefault(character, []).append(word)
    return {character: tuple(words) for character, words in found.items()}


def _place(cumulated: npt.NDArray[np.float64], rng: Rng) -> int:
    return min(int(np.searchsorted(cumulated, rng.random())), len(cumulated) - 1)
