"""Chinese texts: words by frequency without spaces between them, full-width punctuation, numbers and Latin words.

Each character of the charset is seen: one text in six is made of characters drawn alike, whatever their frequency.
"""

from collections.abc import Callable, Sequence  # noqa: TC003  # beside the other types

import numpy as np
import wordfreq

from legible.charset import Charset
from legible.errors import DataError
from legible.synth.words import Rng, Texts

LANGUAGE = "zh"
VOCABULARY = 60_000
INNER, ENDS = "，，，，，、、；：", "。。。。。！？"
BRACKETS = ("“”", "“”", "《》", "（）")
UNITS = ("年", "月", "日", "元", "个", "人", "号", "米", "％", "")
ALIKE = 0.17
"""The fraction of texts of characters drawn alike."""
MAX_LINE = 28
"""The most characters of a line."""
FIRST = 0x4E00
"""The first Chinese character of Unicode's main block."""


def is_chinese(character: str) -> bool:
    return FIRST <= ord(character) <= 0x9FFF


class ChineseTexts(Texts):
    """Draws Chinese words and lines within a charset; its numbers, codes and Latin words are those of `Texts`."""

    def __init__(self, charset: Charset, *, names: bool, flattening: float) -> None:
        super().__init__(charset, names=names, flattening=flattening)
        frequencies = wordfreq.get_frequency_dict(LANGUAGE, wordlist="large")
        chosen = [w for w in frequencies if all(map(is_chinese, w)) and not charset.unknown(w)][:VOCABULARY]
        if not chosen:
            raise DataError(f"charset {charset.name!r} holds no Chinese word; widen it, or set generate.language to en")
        weights = np.array([frequencies[word] for word in chosen]) ** flattening
        self._chinese: Sequence[str] = chosen
        self._chances = np.cumsum(weights / weights.sum())
        self._characters = [character for character in charset.characters if is_chinese(character)]

    def word(self, rng: Rng) -> str:
        """Return a short text as it stands alone in an image."""
        kinds: Sequence[tuple[float, Callable[[Rng], str]]] = (
            (0.55, self._phrase), (ALIKE, self._alike), (0.1, _counted), (0.05, self._marked), (0.13, super().word),
        )  # fmt: skip
        return self._within(lambda: self._choose(rng, kinds))

    def line(self, rng: Rng, *, words: int) -> str:
        """Return words without spaces, with punctuation among them; sometimes a Latin word or a number."""
        text = ""
        for number in range(words):
            part = self._within(lambda: self._part(rng))
            if len(text + part) >= MAX_LINE:
                break
            text += part
            if number + 1 < words and rng.random() < 0.15:
                text += self._sign(INNER, rng)
        return (text or self._plain_chinese(rng)) + (self._sign(ENDS, rng) if rng.random() < 0.4 else "")

    def running_word(self, rng: Rng, *, shortest: int = 2) -> str:
        """Return a phrase as it stands in running text."""
        return self._within(lambda: text if len(text := self._phrase(rng)) >= shortest else "")

    def _plain_chinese(self, rng: Rng) -> str:
        return self._chinese[min(int(np.searchsorted(self._chances, rng.random())), len(self._chinese) - 1)]

    def _phrase(self, rng: Rng) -> str:
        return "".join(self._plain_chinese(rng) for _ in range(int(rng.integers(1, 4))))

    def _alike(self, rng: Rng) -> str:
        places = rng.integers(0, len(self._characters), int(rng.integers(1, 6)))
        return "".join(self._characters[int(place)] for place in places)

    def _part(self, rng: Rng) -> str:
        kinds: Sequence[tuple[float, Callable[[Rng], str]]] = (
            (0.82, self._plain_chinese), (0.05, self._alike), (0.06, _counted), (0.04, self._marked),
            (0.03, super()._plain),
        )  # fmt: skip
        return self._choose(rng, kinds)

    def _marked(self, rng: Rng) -> str:
        pair = BRACKETS[int(rng.integers(len(BRACKETS)))]
        return pair[0] + self._phrase(rng) + pair[1]

    def _sign(self, signs: str, rng: Rng) -> str:
        """Return one of the signs, or none where the charset lacks it."""
        sign = signs[int(rng.integers(len(signs)))]
        return "" if self._charset.unknown(sign) else sign


def _counted(rng: Rng) -> str:
    """Return a number with what it counts, or a date: `28日`, `2026年11月28日`."""
    if rng.random() < 0.2:
        return f"{int(rng.integers(1950, 2031))}年{int(rng.integers(1, 13))}月{int(rng.integers(1, 29))}日"
    value = int(10 ** rng.uniform(0, 5))
    number = f"{value}" if rng.random() < 0.7 else f"{value / 100:.2f}"
    return number + UNITS[int(rng.integers(len(UNITS)))]
