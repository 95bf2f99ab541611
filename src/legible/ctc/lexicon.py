"""A lexicon of words with their frequencies, and the prior over texts that it gives to beam search.

The idea is that of word beam search (Scheidl et al. 2018): words come from the lexicon, and numbers and punctuation
stand freely between them. Unlike there a word may also be unknown, at a cost, so that names and new words are still
read.
"""

import gzip
import json
import math
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from legible.charset import Charset
from legible.errors import DataError
from legible.files import JsonFormat, replace_file
from legible.untrusted_files import unpacked

FORMAT = JsonFormat("lexicon", 2, "make it again: legible lexicon", DataError, (1,))
WITHOUT_SPACE = 1
"""The version of the format in which a space was one of the characters between words."""
LAST_CHARACTER = "\U0010ffff"
"""The greatest code point, which sorts after every other character."""
MAX_BYTES = 100_000_000
"""The most bytes of a lexicon that are read, unpacked."""
APOSTROPHE = "'"
SPACE = " "
STRAY_SPACE = -8.0
"""Log probability of a space at the beginning or end of a text, or beside another space; chosen on lines of `tune`."""
CACHED_PREFIXES = 20_000


@dataclass(frozen=True)
class LexiconWeights:
    """How much the lexicon counts, and the probabilities of what it does not hold.

    `trust` multiplies all the others: 0 ignores the lexicon. The others are natural logs of probabilities:

    - `unknown`: a word is not in the lexicon; `letter`: each letter of such a word;
    - `free`: each character between words except a space; `space`: a space;
    - `capital`: a word begins with a capital; `capitals`: it has only capitals.
    """

    trust: float
    unknown: float
    letter: float
    free: float
    space: float
    capital: float
    capitals: float


class Lexicon:
    """Lower-case words, the natural logs of their relative frequencies in running text, and the weights to use."""

    def __init__(self, words: Sequence[str], log_frequencies: Sequence[float], weights: LexiconWeights) -> None:
        """Take words that are sorted and distinct, with one log frequency each. `Lexicon.of` takes them unsorted."""
        if not words:
            raise DataError("a lexicon without words; give it at least one, or read without a lexicon")
        if len(words) != len(log_frequencies) or any(first >= second for first, second in pairwise(words)):
            raise DataError(
                "the words of a lexicon must be sorted and distinct, each with a frequency; run legible lexicon again"
            )
        self.weights = weights
        self._words = words
        self._log_frequencies = np.array(log_frequencies, np.float32)
        self._best = lru_cache(CACHED_PREFIXES)(self._find_best)

    def __reduce__(self) -> tuple[type["Lexicon"], tuple[object, ...]]:
        """Hand itself to another process without what it has cached."""
        return Lexicon, (self._words, self._log_frequencies, self.weights)

    @staticmethod
    def of(log_frequencies: Mapping[str, float], weights: LexiconWeights) -> "Lexicon":
        """Make a lexicon of words in any order."""
        words = sorted(log_frequencies)
        return Lexicon(words, [log_frequencies[word] for word in words], weights)

    def __len__(self) -> int:
        return len(self._words)

    def __contains__(self, word: str) -> bool:
        return self.log_frequency(word) is not None

    def log_frequency(self, word: str) -> float | None:
        """Return the log frequency of a word, or None where the lexicon does not hold it."""
        place = bisect_left(self._words, word)
        return float(self._log_frequencies[place]) if self._words[place : place + 1] == [word] else None

    def best_log_frequency(self, prefix: str) -> float | None:
        """Return the log frequency of the most frequent word with this prefix, or None where there is none."""
        return self._best(prefix)

    def _find_best(self, prefix: str) -> float | None:
        start = bisect_left(self._words, prefix)
        stop = bisect_left(self._words, prefix + LAST_CHARACTER, start)
        return float(self._log_frequencies[start:stop].max()) if stop > start else None

    def save(self, path: Path) -> None:
        """Write gzipped JSON; the same words and weights give the same bytes."""
        content = {
            "version": FORMAT.version,
            "weights": asdict(self.weights),
            "words": self._words,
            "log_shares": [round(float(frequency), 3) for frequency in self._log_frequencies],
        }
        with replace_file(path) as fresh:
            fresh.write_bytes(gzip.compress(json.dumps(content, ensure_ascii=False).encode(), mtime=0))

    @staticmethod
    def load(path: Path, *, read: Callable[[Path], bytes] = Path.read_bytes) -> "Lexicon":
        """Read a saved lexicon. Raise DataError for a file that is no lexicon, or one of another format."""

        def content_of(one: Path) -> bytes:
            return unpacked(read(one), limit=MAX_BYTES, name=str(one))

        with FORMAT.parse(path, read=content_of) as content:
            weights = content["weights"]
            if content["version"] == WITHOUT_SPACE:
                weights = {"space": weights["free"], **weights}
            return Lexicon(content["words"], content["log_shares"], LexiconWeights(**weights))


class PrefixState(NamedTuple):
    """The log weight of a prefix's finished words, its unfinished word, and the character before that word."""

    finished: float
    word: str
    before: str = ""


class LexiconPrior:
    """The prior of a lexicon over the labels of a charset, for `prefix_beam_search`.

    It implements `ctc.beam.Prior`: a text's weight is `trust` times the sum of the log probabilities of its words, of
    the characters between them and of its spaces.
    """

    def __init__(self, lexicon: Lexicon, charset: Charset) -> None:
        self._lexicon = lexicon
        self._charset = charset
        self._weights = lexicon.weights
        self._characters = charset.characters
        self._is_letter = [character.isalpha() for character in charset.characters]
        self._word_weight = lru_cache(CACHED_PREFIXES)(self._weight_of_word)
        self._prefix_weight = lru_cache(CACHED_PREFIXES)(self._weight_of_prefix)

    def __reduce__(self) -> tuple[type["LexiconPrior"], tuple[object, ...]]:
        """Hand itself to another process without what it has cached."""
        return LexiconPrior, (self._lexicon, self._charset)

    def start(self) -> PrefixState:
        return PrefixState(0.0, "")

    def step(self, state: PrefixState, label: int) -> PrefixState:
        character = self._characters[label - 1]
        if self._is_letter[label - 1] or (character == APOSTROPHE and state.word):
            return PrefixState(state.finished, state.word + character, state.before)
        finished = state.finished + self._word_weight(state.word)
        if character != SPACE:
            return PrefixState(finished + self._weights.free, "", character)
        stray = not state.word and state.before in {"", SPACE}
        return PrefixState(finished + (STRAY_SPACE if stray else self._weights.space), "", SPACE)

    def weight(self, state: PrefixState, *, whole: bool) -> float:
        word = self._word_weight(state.word) if whole else self._prefix_weight(state.word)
        stray = STRAY_SPACE if whole and not state.word and state.before == SPACE else 0.0
        return self._weights.trust * (state.finished + word + stray)

    def _weight_of_word(self, word: str) -> float:
        """Return the log probability of a complete word; apostrophes at its end count as free characters."""
        bare = word.rstrip(APOSTROPHE)
        after = self._weights.free * (len(word) - len(bare))
        return after + (max(self._known(bare, whole=True), self._unknown(bare)) if bare else 0.0)

    def _weight_of_prefix(self, prefix: str) -> float:
        """Return the log probability of the best word that begins with the prefix."""
        if not prefix:
            return 0.0
        begun = max(self._known(prefix, whole=False), self._unknown(prefix))
        return max(begun, self._weight_of_word(prefix))

    def _known(self, word: str, *, whole: bool) -> float:
        case = self._case(word)
        find = self._lexicon.log_frequency if whole else self._lexicon.best_log_frequency
        frequency = find(word.lower()) if case is not None else None
        return -math.inf if case is None or frequency is None else frequency + case

    def _unknown(self, word: str) -> float:
        return self._weights.unknown + self._weights.letter * len(word)

    def _case(self, word: str) -> float | None:
        """Return the log probability of a word's capitals, or None for capitals as in `heLLo`, which no word has."""
        if word == word.lower():  # true for scripts without capitals too
            return 0.0
        parts = word.split(APOSTROPHE)  # `O'Brien` has two
        if word[0].isupper() and all(len(part) <= 1 or part[1:].islower() for part in parts):
            return self._weights.capital
        return self._weights.capitals if word.isupper() else None


def lexicon_if_any(path: Path) -> Lexicon | None:
    """Load the lexicon that a stage wrote; None for the empty file that it writes where `lexicon.words` is 0."""
    return Lexicon.load(path) if path.stat().st_size else None


def words_of(text: str) -> list[str]:
    """Return the words of a text as the prior sees them: `"I'll go 12 km" -> ["I'll", "go", "km"]`."""
    words, word = [], ""
    for character in text + " ":
        if character.isalpha() or (character == APOSTROPHE and word):
            word += character
        elif word:
            words.append(word.rstrip(APOSTROPHE))
            word = ""
    return words
