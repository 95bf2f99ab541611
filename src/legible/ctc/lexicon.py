"""Words with their frequencies, and the prior of texts that prefers them and allows everything else.

The idea of word beam search (Scheidl et al. 2018): words come from a lexicon, numbers and punctuation stand freely
between them. Here a word may also be unknown, at a price, so that names and new words are still read.
"""

import gzip
import json
import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from legible.charset import Charset
from legible.errors import DataError
from legible.files import JsonFormat, replace_file

FORMAT = JsonFormat("lexicon", 2, "make it again: legible lexicon", DataError, (1,))
WITHOUT_SPACE = 1
"""The version in which a space was one of the characters between words."""
AFTER_ALL = "\U0010ffff"
"""Sorts behind every character."""
APOSTROPHE = "'"
SPACE = " "
STRAY_SPACE = -8.0
"""Log chance of a space at the beginning or end, or beside another; chosen on lines of `tune`."""
CACHED_PREFIXES = 20_000


@dataclass(frozen=True)
class LexiconWeights:
    """How much the lexicon counts, and the chances that stand in for what it does not hold.

    `trust` is the exponent of all that follows against the image. The others are natural logs: of a word's being
    unknown, of each letter of such a word, of each character between words but a space, of a space, of a word's having
    a capital or capitals.
    """

    trust: float
    unknown: float
    letter: float
    free: float
    space: float
    capital: float
    capitals: float


class Lexicon:
    """Lower-case words, the natural logs of their shares of running text, and how much they count."""

    def __init__(self, words: Sequence[str], log_shares: Sequence[float], weights: LexiconWeights) -> None:
        """Words in their order, each once, with a log share each; `of` takes them as they come."""
        if not words:
            raise DataError("a lexicon without words; give it at least one, or read without a lexicon")
        if len(words) != len(log_shares) or any(first >= second for first, second in pairwise(words)):
            raise DataError("the words of a lexicon need to be in order, each once and with a share; make it again")
        self.weights = weights
        self._words = words
        self._log_shares = np.array(log_shares, np.float32)
        self._best = lru_cache(CACHED_PREFIXES)(self._best_of)

    @staticmethod
    def of(log_shares: Mapping[str, float], weights: LexiconWeights) -> "Lexicon":
        words = sorted(log_shares)
        return Lexicon(words, [log_shares[word] for word in words], weights)

    def __len__(self) -> int:
        return len(self._words)

    def __contains__(self, word: str) -> bool:
        return self.log_share(word) is not None

    def log_share(self, word: str) -> float | None:
        """None for a word that is not here."""
        place = bisect_left(self._words, word)
        return float(self._log_shares[place]) if self._words[place : place + 1] == [word] else None

    def best_log_share(self, prefix: str) -> float | None:
        """Of the most frequent word that begins so; None where none does."""
        return self._best(prefix)

    def _best_of(self, prefix: str) -> float | None:
        start = bisect_left(self._words, prefix)
        stop = bisect_left(self._words, prefix + AFTER_ALL, start)
        return float(self._log_shares[start:stop].max()) if stop > start else None

    def save(self, path: Path) -> None:
        """JSON in gzip; the same words and weights give the same bytes."""
        shares = [round(float(share), 3) for share in self._log_shares]
        content = {
            "version": FORMAT.version,
            "weights": asdict(self.weights),
            "words": self._words,
            "log_shares": shares,
        }
        with replace_file(path) as fresh:
            fresh.write_bytes(gzip.compress(json.dumps(content, ensure_ascii=False).encode(), mtime=0))

    @staticmethod
    def load(path: Path) -> "Lexicon":
        """Raises DataError for a file that is no lexicon, or one of another format."""
        with FORMAT.parse(path, read=_decompressed) as content:
            weights = content["weights"]
            if content["version"] == WITHOUT_SPACE:
                weights = {"space": weights["free"], **weights}
            return Lexicon(content["words"], content["log_shares"], LexiconWeights(**weights))


def _decompressed(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes())


class Progress(NamedTuple):
    """Log weight of the words that are done, the word that is not, and the character before it, if there is one."""

    done: float
    word: str
    before: str = ""


class LexiconPrior:
    """A prior for `prefix_beam_search` over labels of a charset."""

    def __init__(self, lexicon: Lexicon, charset: Charset) -> None:
        self._lexicon = lexicon
        self._weights = lexicon.weights
        self._characters = charset.characters
        self._is_letter = [character.isalpha() for character in charset.characters]
        self._word_weight = lru_cache(CACHED_PREFIXES)(self._weight_of_word)
        self._prefix_weight = lru_cache(CACHED_PREFIXES)(self._weight_of_prefix)

    def start(self) -> Progress:
        return Progress(0.0, "")

    def step(self, state: Progress, label: int) -> Progress:
        character = self._characters[label - 1]
        if self._is_letter[label - 1] or (character == APOSTROPHE and state.word):
            return Progress(state.done, state.word + character, state.before)
        done = state.done + self._word_weight(state.word)
        if character != SPACE:
            return Progress(done + self._weights.free, "", character)
        stray = not state.word and state.before in {"", SPACE}
        return Progress(done + (STRAY_SPACE if stray else self._weights.space), "", SPACE)

    def weight(self, state: Progress, *, whole: bool) -> float:
        word = self._word_weight(state.word) if whole else self._prefix_weight(state.word)
        stray = STRAY_SPACE if whole and not state.word and state.before == SPACE else 0.0
        return self._weights.trust * (state.done + word + stray)

    def _weight_of_word(self, word: str) -> float:
        bare = word.rstrip(APOSTROPHE)
        after = self._weights.free * (len(word) - len(bare))
        return after + (max(self._known(bare, whole=True), self._unknown(bare)) if bare else 0.0)

    def _weight_of_prefix(self, prefix: str) -> float:
        if not prefix:
            return 0.0
        begun = max(self._known(prefix, whole=False), self._unknown(prefix))
        return max(begun, self._weight_of_word(prefix))

    def _known(self, word: str, *, whole: bool) -> float:
        case = self._case(word)
        find = self._lexicon.log_share if whole else self._lexicon.best_log_share
        share = find(word.lower()) if case is not None else None
        return -math.inf if case is None or share is None else share + case

    def _unknown(self, word: str) -> float:
        return self._weights.unknown + self._weights.letter * len(word)

    def _case(self, word: str) -> float | None:
        """Log chance of the way a word is capitalised; None for ways that words are not."""
        if word == word.lower():  # letters without capitals too
            return 0.0
        parts = word.split(APOSTROPHE)  # `O'Brien`
        if word[0].isupper() and all(len(part) <= 1 or part[1:].islower() for part in parts):
            return self._weights.capital
        return self._weights.capitals if word.isupper() else None


def words_of(text: str) -> list[str]:
    """The words of a text as the prior sees them: `"I'll go 12 km" -> ["I'll", "go", "km"]`."""
    words, word = [], ""
    for character in text + " ":
        if character.isalpha() or (character == APOSTROPHE and word):
            word += character
        elif word:
            words.append(word.rstrip(APOSTROPHE))
            word = ""
    return words
